"""Which model decides, and which threshold counts."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scones.bundle import read_bundle
from scones.errors import BundleError
from scones.registry import PRODUCTION, load_decider, register
from scones.serving import holds_model
from scones.store import Bucket, Layout

Bundle = Callable[..., bytes]


def no_bucket() -> Bucket:
    raise AssertionError("a path needs no bucket")


def test_a_bundle_is_served_packed_or_unpacked_with_its_own_threshold(tmp_path: Path, tiny_bundle: Bundle) -> None:
    packed = tmp_path / "model.tar.gz"
    packed.write_bytes(tiny_bundle(threshold=0.8))
    folder = tmp_path / "model"
    assert not holds_model(folder)
    with tarfile.open(packed) as tar:
        tar.extractall(folder, filter="data")
    assert holds_model(folder)
    assert holds_model(tmp_path)
    for path in (packed, folder, tmp_path):
        served = load_decider(path, "vehicles", no_bucket)
        assert (served.classifier.info.version, served.threshold) == ("tiny-1", 0.8)


def test_without_a_path_the_model_in_production_is_served_and_its_policy_may_override_the_threshold(
    bucket: Bucket, tiny_bundle: Bundle
) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    for version in ("v1", "v2"):
        info, model = read_bundle(tiny_bundle(version=version, threshold=0.8))
        register(bucket, info, model, who="a test", now=now)
    served = load_decider(PRODUCTION, "vehicles", lambda: bucket)
    assert (served.classifier.info.version, served.threshold) == ("v1", 0.8), "v2 is only the candidate"

    override = {"version": "v2", "threshold": 0.95, "who": "an operator", "why": "too many errors", "at": "now"}
    bucket.append(Layout.policy_series("vehicles"), override)
    served = load_decider(PRODUCTION, "vehicles", lambda: bucket)
    assert (served.classifier.info.version, served.threshold) == ("v2", 0.95)


def test_without_any_model_the_error_says_how_to_get_one(bucket: Bucket) -> None:
    with pytest.raises(BundleError, match="train one with `scones train`"):
        load_decider(PRODUCTION, "vehicles", lambda: bucket)
