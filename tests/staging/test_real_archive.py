"""What staging finds in the real CIFAR-100: its vehicles, and their near duplicates."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scones.staging import Dataset, cifar100_pictures, write_dataset
from scones.store import open_bucket
from scones.task import load_task


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = os.environ.get("SCONES_TEST_DATA")
    archive = Path(folder or ".") / "cifar-100-python.tar.gz"
    if folder is None or not archive.is_file():
        pytest.skip("needs the real archive: set SCONES_TEST_DATA to the folder of cifar-100-python.tar.gz")
    task = load_task("vehicles")
    bucket = open_bucket(str(tmp_path_factory.mktemp("store")), "scones")
    return write_dataset(bucket, task, cifar100_pictures(archive, task), source={"kind": "cifar100"})


def test_all_its_vehicles_are_readable_and_none_repeats_exactly(staged: Dataset) -> None:
    assert staged.counts()["test"] == {"bicycle": 100, "motorcycle": 100}
    assert staged.checks.formats == {"png": 1200}
    found = (staged.checks.unreadable, staged.checks.exact_duplicates, staged.checks.conflicts)
    assert found == ((), (), ())


def test_its_six_near_duplicates_within_training_and_two_across_are_found(staged: Dataset) -> None:
    pairs = [{one.split for one in pair.pictures} for pair in staged.checks.near_duplicates]
    assert len(pairs) == 8
    assert sum("test" in splits for splits in pairs) == 2
    assert [pair.mirrored for pair in staged.checks.near_duplicates].count(True) == 1
    assert {one.label for pair in staged.checks.near_duplicates for one in pair.pictures} == {"bicycle", "motorcycle"}


def test_every_leak_has_left_the_training_side(staged: Dataset) -> None:
    counts = staged.counts()
    held = sum(counts["train"].values()) + sum(counts["calibration"].values())
    assert held == 1000 - len(staged.checks.leaks)
    across = [pair for pair in staged.checks.near_duplicates if len({one.split for one in pair.pictures}) == 2]
    assert len(staged.checks.leaks) == len(across)


def test_file_names_that_lie_have_not_misled_the_labels(staged: Dataset) -> None:
    misnamed = [line for line in staged.lines if "bike_s_" in line.origin and line.label == "motorcycle"]
    assert len(misnamed) >= 6  # seven in all, unless a near duplicate left
