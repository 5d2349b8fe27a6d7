from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from scones.staging.checks import Checks, Unreadable, check
from scones.staging.inspection import Inspected, Split

LABELS = ("bicycle", "motorcycle")


def seen(
    content: int, split: Split = "train", label: str = "bicycle", *, near: int | None = None, width: int = 32
) -> Inspected:
    """A picture; ``near`` makes it look like the picture of that content."""
    thumb = np.random.default_rng(content if near is None else near).integers(0, 256, (32, 32), dtype=np.uint8)
    return Inspected(f"{split}/{label}/{content}", label, split, f"{content:064x}", width, 32, "RGB", "png", thumb)


def reasons(checks: Checks) -> dict[str, str]:
    return {entry.picture.origin: entry.reason for entry in checks.dropped}


def test_clean_pictures_are_all_kept_and_counted() -> None:
    pictures = [seen(1), seen(2, label="motorcycle"), seen(3, label="motorcycle", width=64), seen(4, "test")]
    kept, checks = check(pictures, LABELS, [Unreadable(origin="x", label="bicycle", reason="x is empty")])
    assert len(kept) == 4
    assert checks.counts["train"] == {"bicycle": 1, "motorcycle": 2}
    assert checks.counts["calibration"] == {"bicycle": 0, "motorcycle": 0}
    assert checks.balance == 0.5
    assert checks.sizes == {"32x32": 3, "64x32": 1}
    assert (checks.smallest, checks.largest) == ("32x32", "64x32")
    assert checks.modes == {"RGB": 4}
    assert len(checks.unreadable) == 1
    assert not checks.dropped


@pytest.mark.parametrize("near", [False, True], ids=["exact", "near"])
@pytest.mark.parametrize(("earlier", "later"), [("train", "calibration"), ("train", "test"), ("calibration", "test")])
def test_a_duplicate_leaves_the_earlier_split(near: bool, earlier: Split, later: Split) -> None:
    copy = seen(2, earlier, near=1) if near else seen(1, earlier)
    kept, checks = check([seen(1, later), copy, seen(9), seen(8, label="motorcycle")], LABELS)
    assert reasons(checks) == {copy.origin: "leak"}
    assert [entry.twin.split for entry in checks.leaks] == [later]
    assert copy not in kept
    assert len(kept) == 3
    assert (len(checks.exact_duplicates), checks.near_duplicate_pairs) == ((0, 1) if near else (1, 0))


@pytest.mark.parametrize("split", ["train", "test"])
def test_near_duplicates_within_a_split_stay_and_are_reported(split: Split) -> None:
    kept, checks = check([seen(1, split), seen(2, split, near=1)], LABELS)
    assert len(kept) == 2
    assert checks.near_duplicate_pairs == len(checks.near_duplicates) == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_copy_within_a_split_counts_once(split: Split) -> None:
    copies = [dataclasses.replace(seen(1, split), origin=f"copy {number}") for number in range(3)]
    kept, checks = check(copies, LABELS)
    assert [one.origin for one in kept] == ["copy 0"]
    assert reasons(checks) == {"copy 1": "copy", "copy 2": "copy"}


def test_the_same_content_under_two_labels_leaves_training_altogether() -> None:
    kept, checks = check([seen(1), seen(1, label="motorcycle"), seen(2)], LABELS)
    assert [one.origin for one in kept] == ["train/bicycle/2"]
    assert reasons(checks) == {"train/bicycle/1": "conflict", "train/motorcycle/1": "conflict"}
    assert len(checks.conflicts) == 1


def test_the_test_split_is_reported_on_but_not_touched() -> None:
    kept, checks = check([seen(1, "test"), seen(1, "test", "motorcycle"), seen(1)], LABELS)
    assert {one.split for one in kept} == {"test"}
    assert len(kept) == 2
    assert reasons(checks) == {"train/bicycle/1": "conflict"}


def test_the_order_of_the_pictures_changes_nothing() -> None:
    pictures = [seen(number, near=number % 7) for number in range(1, 30)]
    pictures += [seen(number, "test", near=number % 5 + 3) for number in range(40, 50)]
    first = check(pictures, LABELS)
    random.Random(1).shuffle(pictures)
    assert check(pictures, LABELS) == first


def test_thousands_of_copies_are_quickly_dealt_with() -> None:
    copies = [dataclasses.replace(seen(1), origin=str(number)) for number in range(5000)]
    kept, checks = check([*copies, seen(1, "test")], LABELS)
    assert [one.split for one in kept] == ["test"]
    assert len(checks.leaks) == 5000


def test_the_report_is_json_and_reads_well() -> None:
    _, checks = check([seen(1), seen(2, near=1), seen(1, "test"), seen(3, label="motorcycle")], LABELS)
    assert Checks.model_validate_json(checks.model_dump_json()) == checks
    text = "\n".join(f"{name}: {value}" for name, value in checks.summary())
    assert "train: 1 (0 bicycle, 1 motorcycle)" in text
    assert "leaks: 2 pictures left the training side" in text


def test_a_split_that_a_later_verb_will_miss_is_warned_of() -> None:
    both: list[Inspected] = [seen(1), seen(2, label="motorcycle")]
    gaps = [*both, seen(3, "calibration"), seen(4, "calibration")]
    _, checks = check(gaps, LABELS)
    calibration, test = checks.warnings
    assert calibration == (
        "the calibration split has 2 pictures, none of motorcycle, but scones train needs some of each label: "
        "add more pictures"
    )
    assert test.startswith("the test split has 0 pictures, none of bicycle and motorcycle, but scones evaluate needs")
    assert [value for name, value in checks.summary() if name == "warning"] == list(checks.warnings)
    many = [seen(number, "test", "motorcycle") for number in range(10, 60)]
    rest = [seen(5, "calibration", "motorcycle"), seen(6, "test"), seen(7, "test", "motorcycle")]
    _, few = check([*gaps, *rest], LABELS)
    assert [warning[:42] for warning in few.warnings] == ["the test split has 2 pictures, too few to "]
    _, whole = check([*gaps, *rest, *many], LABELS)
    assert whole.warnings == ()
    assert "warning" not in dict(whole.summary())


def test_nothing_at_all_can_be_checked() -> None:
    kept, checks = check([], LABELS)
    assert kept == []
    assert checks.counts["train"] == {"bicycle": 0, "motorcycle": 0}
