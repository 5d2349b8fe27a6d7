"""A shop that is watched, once for all tests: each gets a copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scones.staging import SourcePicture
from scones.store import Bucket
from tests.monitoring.watch.world import Shop, build


@pytest.fixture(scope="session")
def built(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_bundle: Callable[..., bytes],
    red_and_blue: Callable[..., list[SourcePicture]],
) -> Bucket:
    return build(tmp_path_factory.mktemp("built"), tiny_bundle(strength=3.2), red_and_blue())


@pytest.fixture
def shop(built: Bucket, tmp_path: Path, tiny_bundle: Callable[..., bytes]) -> Shop:
    """A copy of a store with a model in production and what it looks like in health; nothing was captured yet."""
    return Shop.copy_of(built, tmp_path, tiny_bundle(strength=3.2))
