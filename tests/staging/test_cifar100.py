from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from scones.errors import TaskError
from scones.staging.cifar100 import cifar100_pictures, class_names, read_split
from scones.task import Task

MakeArchive = Callable[..., Path]


def make_task(**classes: tuple[str, ...]) -> Task:
    return Task.model_validate(
        {"name": "t", "title": "?", "labels": ("a", "b"), "policy": {"target_risk": 0.05}, "classes": classes}
    )


def test_pictures_of_the_tasks_classes_come_pixel_for_pixel(make_archive: MakeArchive, vehicles: Task) -> None:
    archive = make_archive()
    pictures = list(cifar100_pictures(archive, vehicles))
    assert {(one.split, one.label) for one in pictures} == {
        (split, label) for split in ("train", "test") for label in ("bicycle", "motorcycle")
    }
    assert len(pictures) == 24 + 6
    train = read_split(archive, "train")
    assert class_names(archive)[train.labels[0]] == "bicycle"
    first = np.asarray(PIL.Image.open(io.BytesIO(pictures[0].data)))
    np.testing.assert_array_equal(first, train.images[0])


def test_labels_come_from_the_label_table_and_never_from_file_names(make_archive: MakeArchive, vehicles: Task) -> None:
    rows = [(48, "bike_s_000001.png"), (8, "motorcycle_s_000002.png")]
    pictures = list(cifar100_pictures(make_archive(train=rows, test=rows), vehicles))
    assert [(one.origin, one.label) for one in pictures[:2]] == [
        ("train/bike_s_000001.png", "motorcycle"),
        ("train/motorcycle_s_000002.png", "bicycle"),
    ]


def test_several_classes_and_coarse_classes_can_make_up_a_label(make_archive: MakeArchive) -> None:
    pictures = list(cifar100_pictures(make_archive(), make_task(a=("vehicles_1",), b=("bridge",))))
    assert sum(one.label == "a" for one in pictures) == 24 + 6
    assert sum(one.label == "b" for one in pictures) == 12 + 3


def test_an_unknown_class_is_named_with_close_ones(make_archive: MakeArchive) -> None:
    with pytest.raises(
        TaskError, match=r"label 'a' wants class 'motorbike', which .* does not have \(it has .*motorcycle"
    ):
        cifar100_pictures(make_archive(), make_task(a=("motorbike",), b=("bridge",)))


def test_a_class_that_stands_for_two_labels_is_refused(make_archive: MakeArchive) -> None:
    with pytest.raises(TaskError, match="'bridge' stands for both 'a' and 'b'"):
        cifar100_pictures(make_archive(), make_task(a=("bridge",), b=("bridge",)))


def test_a_label_may_be_limited_and_is_taken_evenly_from_its_classes(make_archive: MakeArchive) -> None:
    task = make_task(a=("bicycle", "motorcycle"), b=("bridge",)).model_copy(update={"per_label": 8})
    archive = make_archive()
    pictures = list(cifar100_pictures(archive, task))
    assert {(split, label): sum((one.split, one.label) == (split, label) for one in pictures)
            for split in ("train", "test") for label in "ab"} == {
        ("train", "a"): 8, ("train", "b"): 8, ("test", "a"): 2, ("test", "b"): 2,
    }  # fmt: skip
    of_bicycles = {one.data for one in cifar100_pictures(archive, make_task(a=("bicycle",), b=("bridge",)))}
    assert sum(one.data in of_bicycles for one in pictures if one.label == "a") == 4 + 1
