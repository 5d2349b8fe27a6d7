"""Versions, their lineage and their names; and what is left when something goes wrong in between."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import pytest

from scones.bundle import BundleInfo, read_bundle, write_bundle
from scones.errors import BundleError, StoreError, StoreFull, StoreReadOnly
from scones.registry import current_policy, history, list_models, load_model, register, resolve
from scones.registry.models import Registered
from scones.store import Bucket, Layout, open_bucket

NOW = datetime(2026, 11, 20, 3, tzinfo=UTC)
Add: TypeAlias = Callable[..., Registered]


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path / "store"), "scones")


@pytest.fixture
def add(tiny_bundle: Callable[..., bytes]) -> Add:
    """Register a model: ``add(bucket, "v1", trained_at="2026-11-20T00:00:00+00:00")``."""

    def make(bucket: Bucket, version: str, **changes: str) -> Registered:
        info, model = read_bundle(tiny_bundle(version=version))
        return register(bucket, info.model_copy(update=changes), model, who="a test", now=NOW)

    return make


def test_the_first_model_goes_into_production_and_later_ones_are_candidates_with_a_parent(
    bucket: Bucket, add: Add
) -> None:
    saved = [add(bucket, version) for version in ("v1", "v2", "v3")]
    assert [one.in_production for one in saved] == [True, False, False]
    assert [one.info.parent for one in saved] == [None, "v1", "v1"]
    assert resolve(bucket, "vehicles", "production") == "v1"
    assert resolve(bucket, "vehicles", "candidate") == "v3"
    assert resolve(bucket, "vehicles", "v2") == "v2"
    assert load_model(bucket, "vehicles", "candidate").info == saved[2].info
    first = current_policy(bucket, "vehicles")
    assert (first.who, first.at) == ("a test", "2026-11-20T03:00:00+00:00")
    assert "first model" in first.why


def test_a_model_that_is_trained_again_keeps_the_lineage_of_its_first_time(bucket: Bucket, add: Add) -> None:
    add(bucket, "v1")
    add(bucket, "v2")
    before = bucket.get("models/vehicles/v1/model.tar.gz")
    again = add(bucket, "v1", trained_at="2027-01-01T00:00:00+00:00")
    assert (again.info.parent, again.info.trained_at) == (None, "2026-11-20T00:00:00+00:00")
    assert bucket.get("models/vehicles/v1/model.tar.gz") == before
    assert resolve(bucket, "vehicles", "candidate") == "v1"


def test_training_again_mends_a_damaged_model(bucket: Bucket, add: Add) -> None:
    add(bucket, "v1")
    for name in ("model.tar.gz", "bundle.json"):
        bucket.put(f"models/vehicles/v1/{name}", b"{")
    with pytest.raises(BundleError, match=r"model\.tar\.gz is damaged"):
        load_model(bucket, "vehicles")
    add(bucket, "v1")
    assert load_model(bucket, "vehicles").info.version == "v1"


def test_models_are_listed_with_what_is_known_of_them(bucket: Bucket, add: Add) -> None:
    assert list_models(bucket, "vehicles") == []
    for version, day in (("v2", 18), ("v1", 19), ("v3", 20)):
        add(bucket, version, trained_at=f"2026-11-{day}T00:00:00+00:00")
    bucket.put("models/vehicles/v1/evaluation.json", b'{"accuracy": 1}')
    assert [(one.version, one.aliases, one.evaluation) for one in list_models(bucket, "vehicles")] == [
        ("v2", ("production",), None),
        ("v1", (), None),  # what lies there is no evaluation
        ("v3", ("candidate",), None),
    ]
    bucket.put("models/vehicles/v1/bundle.json", b"{}")
    damaged = list_models(bucket, "vehicles")[0]
    assert (damaged.version, damaged.info, damaged.fault) == ("v1", None, "bundle.json: task: Field required")


def test_a_bundle_of_an_earlier_version_is_read(tiny_bundle: Callable[..., bytes]) -> None:
    info, model = read_bundle(tiny_bundle())
    old = {name: value for name, value in info.model_dump().items() if name not in ("source", "parameters", "parent")}
    found = read_bundle(write_bundle(BundleInfo.model_validate(old), model))[0]
    assert (found.source, found.parameters, found.parent) == ({}, {}, None)


def test_a_model_that_is_not_there_is_named(bucket: Bucket, add: Add) -> None:
    with pytest.raises(BundleError, match=r"is the candidate in .*: train one with `scones train`"):
        load_model(bucket, "vehicles", "candidate")
    add(bucket, "v1")
    with pytest.raises(BundleError, match=r"no model at .*v9.*: `scones models` lists those there are"):
        load_model(bucket, "vehicles", "v9")


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"version": "v1"}', b"\xff\xfe"])
def test_a_damaged_record_is_named_and_the_others_stay_readable(bucket: Bucket, add: Add, damage: bytes) -> None:
    add(bucket, "v1")
    key = Layout.record(Layout.policy_series("vehicles"), 2)
    bucket.put(key, damage)
    with pytest.raises(
        StoreError, match=rf"{key} is damaged .*: go back to the model before it with `scones rollback`"
    ):
        load_model(bucket, "vehicles")
    records = history(bucket, "vehicles")
    assert [record.version for record in records] == ["v1", None]
    assert records[1].fault
    assert [one.aliases for one in list_models(bucket, "vehicles")] == [("candidate",)]
    assert add(bucket, "v2").info.parent is None, "nobody knows what was in production"


def test_of_many_first_models_one_goes_into_production(bucket: Bucket, add: Add) -> None:
    together = threading.Barrier(8)

    def train(number: int) -> bool:
        together.wait()
        return add(bucket, f"v{number}").in_production

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(train, range(8))) == 1
    assert len(history(bucket, "vehicles")) == 1
    assert len(history(bucket, "vehicles", "candidate")) == 8


def test_a_full_disk_leaves_the_models_that_were_there(tiny_disk: Path, add: Add) -> None:
    bucket = open_bucket(str(tiny_disk), "scones")
    add(bucket, "v1")
    (tiny_disk / "filler").write_bytes(bytes(shutil.disk_usage(tiny_disk).free))
    with pytest.raises(StoreFull, match="no space left; free some"):
        add(bucket, "v2")
    (tiny_disk / "filler").unlink()
    assert [one.version for one in list_models(bucket, "vehicles")] == ["v1"]
    assert load_model(bucket, "vehicles", "candidate").info.version == "v1"
    assert add(bucket, "v2").info.parent == "v1"


def test_a_read_only_store_is_read_and_nothing_else(tiny_disk: Path, add: Add) -> None:
    bucket = open_bucket(str(tiny_disk), "scones")
    add(bucket, "v1")
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with pytest.raises(StoreReadOnly, match="no permission"):
        add(bucket, "v2")
    assert load_model(bucket, "vehicles").info.version == "v1"


REGISTER_FOREVER = """
import sys
from datetime import UTC, datetime
from scones.bundle import read_bundle
from scones.registry import register
from scones.store import open_bucket

info, model = read_bundle(open(sys.argv[2], "rb").read())
bucket = open_bucket(sys.argv[1], "scones")
for number in range(10**9):
    known = info.model_copy(update={"version": f"v{number}"})
    register(bucket, known, model, who="a test", now=datetime.now(UTC))
    print(number, flush=True)
"""


@pytest.mark.parametrize("registered", [1, 5, 34])
def test_a_process_that_is_killed_leaves_a_readable_state(
    bucket: Bucket, add: Add, tiny_bundle: Callable[..., bytes], tmp_path: Path, registered: int
) -> None:
    (tmp_path / "model.tar.gz").write_bytes(tiny_bundle())
    command = [sys.executable, "-c", REGISTER_FOREVER, str(tmp_path / "store"), str(tmp_path / "model.tar.gz")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        for _ in range(registered):
            child.stdout.readline()
        child.kill()  # wherever it is in its next round
    assert current_policy(bucket, "vehicles").version == "v0"
    candidate = load_model(bucket, "vehicles", "candidate").info.version
    assert int(candidate[1:]) >= registered - 1
    for one in list_models(bucket, "vehicles"):
        assert one.info is not None
        assert load_model(bucket, "vehicles", one.version).info == one.info
    assert add(bucket, "after").info.parent == "v0"
    assert resolve(bucket, "vehicles", "candidate") == "after"
