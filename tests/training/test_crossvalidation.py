"""Folds that part no thing, and what few pictures can teach."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from onnx import parser

from scones.errors import TrainingError
from scones.picture import encode_png
from scones.staging import Dataset, SourcePicture, write_dataset
from scones.store import open_bucket
from scones.task import Task, load_task
from scones.training.backbone import Backbone
from scones.training.crossvalidation import cross_validate
from scones.training.folds import grouped_folds

MakeDataset = Callable[..., Dataset]


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """Twelve pixels of the picture."""
    model = parser.parse_model("""<ir_version: 9, opset_import: ["": 18]>
        pixels (uint8[n, 4, 4, 3] images) => (float[n, 48] embedding) {
            values = Cast <to = 1> (images)
            embedding = Flatten (values)
        }""")
    return Backbone("pixels", bytes(model.SerializeToString()), 4)


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("vehicles").model_copy(update={"group_by": "thing-[0-9]+"})


@pytest.fixture
def make_dataset(tmp_path: Path, task: Task) -> MakeDataset:
    """Things of four pictures each, as like as twins; ``signal`` is how much their label shows in them."""

    def make(things: int, signal: float) -> Dataset:
        rng = np.random.default_rng(0)
        pictures = []
        for thing in range(things):
            label = thing % 2
            look = rng.normal(128, 40, (4, 4, 3)) + signal * (2 * label - 1)
            for number in range(4):
                pixels = np.clip(look + rng.normal(0, 3, look.shape), 0, 255).astype(np.uint8)
                data = encode_png(PIL.Image.fromarray(pixels))
                pictures.append(SourcePicture(f"thing-{thing}/{number}", task.labels[label], data))
        return write_dataset(open_bucket(str(tmp_path), "scones"), task, pictures, source={"kind": "test"})

    return make


@pytest.mark.parametrize("folds", [2, 4, 5])
def test_folds_part_no_thing_and_share_the_labels_evenly(folds: int) -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), rng.integers(1, 8, 30))
    labels = np.isin(groups, np.arange(12)).astype(np.int64)
    fold = grouped_folds(labels, groups, folds, rng)
    assert all(len(np.unique(fold[groups == group])) == 1 for group in range(30))
    for label in (0, 1):
        counts = np.bincount(fold[labels == label], minlength=folds)
        assert counts.max() - counts.min() <= 8


def test_a_label_that_shows_is_found_on_things_never_seen(
    make_dataset: MakeDataset, task: Task, backbone: Backbone
) -> None:
    dataset = make_dataset(16, 40.0)
    seen: list[tuple[str, int, int]] = []
    found = cross_validate(dataset, task, backbone, repeats=2, progress=lambda *step: seen.append(step))
    assert found["balanced_accuracy"] > 0.9
    assert (found["n"], found["groups"], found["folds"]) == (64, 16, 5)
    assert found["interval"][0] <= found["balanced_accuracy"] <= found["interval"][1]
    assert {one["right"] for one in found["pictures"]} <= {0.0, 0.5, 1.0}
    assert seen[-1] == ("cross-validating", 10, 10)
    assert cross_validate(dataset, task, backbone, repeats=2) == found


def test_knowing_a_thing_again_helps_nothing(make_dataset: MakeDataset, task: Task, backbone: Backbone) -> None:
    """Four pictures of each thing are nearly the same, and only that would tell its label."""
    dataset = make_dataset(16, 0.0)
    apart = cross_validate(dataset, task, backbone, repeats=2)["balanced_accuracy"]
    lines = tuple(line.model_copy(update={"group": ""}) for line in dataset.lines)
    leaking = Dataset(dataset.bucket, dataset.record, lines, dataset.checks)
    assert apart < 0.75
    assert cross_validate(leaking, task, backbone, repeats=2)["balanced_accuracy"] > 0.95


def test_two_things_are_enough_to_measure_what_one_teaches_of_the_other(
    make_dataset: MakeDataset, task: Task, backbone: Backbone
) -> None:
    dataset = make_dataset(4, 40.0)
    lines = [line.model_copy(update={"group": f"thing {number % 2}"}) for number, line in enumerate(dataset.lines)]
    found = cross_validate(Dataset(dataset.bucket, dataset.record, tuple(lines), dataset.checks), task, backbone)
    assert 0 <= found["balanced_accuracy"] <= 1


def test_a_label_of_one_thing_cannot_be_cross_validated(
    make_dataset: MakeDataset, task: Task, backbone: Backbone
) -> None:
    dataset = make_dataset(4, 40.0)
    lines = tuple(line.model_copy(update={"group": line.label}) for line in dataset.lines)
    with pytest.raises(TrainingError, match=r"1 of the things in dataset .* are of label bicycle"):
        cross_validate(Dataset(dataset.bucket, dataset.record, lines, dataset.checks), task, backbone)
