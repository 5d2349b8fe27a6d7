"""The page that draws how fine-tuning went."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.bundle import BundleInfo, read_bundle
from scones.store import open_bucket
from scones.training.learning import curve_page, save_curve

ROWS: list[dict[str, Any]] = [
    {"epoch": 0, "loss": None, "validation_loss": 0.5, "validation_accuracy": 0.75, "seconds": 1.0},
    {"epoch": 1, "loss": 0.6, "validation_loss": 0.25, "validation_accuracy": 0.875, "seconds": 2.5},
    {"epoch": 2, "loss": 0.3, "validation_loss": 0.3, "validation_accuracy": 0.9, "seconds": 4.0},
]


@pytest.fixture
def info(tiny_bundle: Callable[..., bytes]) -> BundleInfo:
    return read_bundle(tiny_bundle())[0]


def test_a_learning_curve_is_drawn_and_its_rows_are_kept(info: BundleInfo, tmp_path: Path) -> None:
    bucket = open_bucket(str(tmp_path), "scones")
    key = save_curve(bucket, info, ROWS)
    page = bucket.get(key).decode()
    assert key == f"models/vehicles/{info.version}/curve.html"
    assert "The validation loss is lowest, 0.2500, after epoch 1." in page
    assert len(bucket.get(f"models/vehicles/{info.version}/curve.jsonl").splitlines()) == 3


def test_a_curve_of_nothing_but_the_start_is_drawn_too(info: BundleInfo) -> None:
    assert "after epoch 0" in curve_page(info, ROWS[:1])
