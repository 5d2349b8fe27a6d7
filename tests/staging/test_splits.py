from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable

import pytest

from scones.staging import SourcePicture, write_dataset
from scones.staging.inspection import Inspected, inspect_picture
from scones.staging.splits import fill_gaps, in_calibration, in_test
from scones.store import Bucket
from scones.task import Task

HASHES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000)]


def test_about_a_fifth_is_held_back_for_each() -> None:
    assert 0.17 < sum(map(in_calibration, HASHES)) / len(HASHES) < 0.23
    assert 0.17 < sum(map(in_test, HASHES)) / len(HASHES) < 0.23


def test_the_two_choices_are_independent() -> None:
    test = [digest for digest in HASHES if in_test(digest)]
    assert 0.15 < sum(map(in_calibration, test)) / len(test) < 0.25


@pytest.fixture
def looked_at(draw: Callable[..., bytes]) -> Callable[..., list[Inspected]]:
    """``looked_at("a", "b", …)``: a picture for each label, of a thing of its own unless ``things`` names it."""

    def make(*labels: str, things: str = "") -> list[Inspected]:
        return [
            inspect_picture(SourcePicture(f"{k}", label, draw(k)), things[k : k + 1]) for k, label in enumerate(labels)
        ]

    return make


def parts(pictures: list[Inspected]) -> set[tuple[str, str]]:
    return {(one.split, one.label) for one in pictures}


@pytest.mark.parametrize("number", [3, 4, 6, 9])
def test_few_pictures_give_some_of_each_label_to_every_split(
    looked_at: Callable[..., list[Inspected]], number: int
) -> None:
    found = fill_gaps(looked_at(*"ab" * number))
    assert parts(found) == {(split, label) for split in ("train", "calibration", "test") for label in "ab"}
    assert found == fill_gaps(found)


@pytest.mark.parametrize("number", [1, 2])
def test_training_comes_first_where_there_are_fewer_things_than_splits(
    looked_at: Callable[..., list[Inspected]], number: int
) -> None:
    found = Counter(one.split for one in fill_gaps(looked_at(*"a" * number)))
    assert found["train"] == 1


def test_gaps_are_filled_with_whole_things(looked_at: Callable[..., list[Inspected]]) -> None:
    found = fill_gaps(looked_at(*"abababababab", things="112233445566"))
    splits = defaultdict(set)
    for one in found:
        splits[one.group].add(one.split)
    assert all(len(each) == 1 for each in splits.values())
    assert {one.split for one in found} == {"train", "calibration", "test"}


def test_what_a_source_settled_stays(draw: Callable[..., bytes]) -> None:
    pictures = [inspect_picture(SourcePicture(f"{k}", "a", draw(k), "train")) for k in range(3)]
    assert fill_gaps(pictures) == pictures


def test_pictures_of_one_thing_lie_in_one_split_of_the_dataset(
    bucket: Bucket, vehicles: Task, draw: Callable[..., bytes]
) -> None:
    task = vehicles.model_copy(update={"group_by": r"item-(\d+)"})
    pictures = [
        SourcePicture(f"{label}/item-{k // 4}-{k % 4}.png", label, draw(100 * n + k))
        for n, label in enumerate(task.labels)
        for k in range(40)
    ]
    dataset = write_dataset(bucket, task, pictures, source={"kind": "test"})
    splits = defaultdict(set)
    for line in dataset.lines:
        splits[line.group].add(line.split)
    assert set(splits) == {str(k) for k in range(10)}
    assert all(len(each) == 1 for each in splits.values())
    assert all(all(counts.values()) for counts in dataset.counts().values())
