"""A model and pictures for bulk runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier


@pytest.fixture(scope="session")
def classifier(tiny_bundle: Callable[..., bytes]) -> Classifier:
    """Red pictures are bicycles, blue ones motorcycles."""
    return Classifier(*read_bundle(tiny_bundle()))


@pytest.fixture
def pictures(tmp_path: Path, png_bytes: Callable[..., bytes]) -> Path:
    """A folder of 50 pictures, from red to blue, some of them in a folder of their own, one of them damaged."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for number in range(50):
        data = png_bytes((250 - 5 * number, 10, 5 * number))
        place = folder if number < 40 else folder / "more"
        (place / f"{number:02d}.png").write_bytes(data[:30] if number == 17 else data)
    return folder
