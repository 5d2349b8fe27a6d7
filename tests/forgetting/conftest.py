"""The world of two drivers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scones.staging import SourcePicture

from .world import World, build


@pytest.fixture(scope="session")
def one_world(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_bundle: Callable[..., bytes],
    red_and_blue: Callable[..., list[SourcePicture]],
) -> World:
    return build(tmp_path_factory.mktemp("world"), tiny_bundle(), red_and_blue()[110:140])


@pytest.fixture
def world(one_world: World, tmp_path: Path) -> World:
    """A world of its own for each test."""
    return one_world.copy(tmp_path)
