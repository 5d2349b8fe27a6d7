"""What training refuses to learn from, in one line, before it spends any time on it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from onnx import parser

from scones.contracts import ManifestLine
from scones.errors import TrainingError
from scones.staging import Dataset
from scones.task import Task, load_task
from scones.training import train
from scones.training.backbone import Backbone
from scones.training.head import Head

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
Staged = Callable[..., Dataset]


@pytest.fixture
def task() -> Task:
    return load_task("vehicles")


def backbone(white: float = 255.0) -> Backbone:
    """The mean colour, 0 to 1; with ``white=0`` no numbers for what is black."""
    model = parser.parse_model(f"""<ir_version: 9, opset_import: ["": 18]>
        colour (uint8[n, 32, 32, 3] images) => (float[n, 3] embedding) {{
            values = Cast <to = 1> (images)
            axes = Constant <value_ints = [1, 2]> ()
            mean = ReduceMean <keepdims = 0> (values, axes)
            white = Constant <value_float = {white}> ()
            zero = Constant <value_float = 0.0> ()
            dimmed = Mul (mean, zero)
            embedding = {"Div (mean, white)" if white else "Div (dimmed, zero)"}
        }}""")
    return Backbone("colour", bytes(model.SerializeToString()), 32)


def changed(dataset: Dataset, change: Callable[[ManifestLine], ManifestLine | None]) -> Dataset:
    lines = (change(line) for line in dataset.lines)
    return replace(dataset, lines=tuple(line for line in lines if line))


@pytest.mark.parametrize(("split", "name"), [("train", "training"), ("calibration", "calibration")])
def test_a_split_without_a_label_is_named(coloured: Staged, task: Task, split: str, name: str) -> None:
    lacking = changed(coloured(4), lambda line: None if (line.split, line.label) == (split, "motorcycle") else line)
    with pytest.raises(TrainingError, match=f"the {name} split of dataset .* holds no picture of motorcycle: stage"):
        train(lacking, task, backbone(), now=NOW)


def test_pictures_of_one_class_only_teach_nothing(coloured: Staged, task: Task) -> None:
    one = changed(coloured(4), lambda line: line if line.label == "bicycle" else None)
    with pytest.raises(TrainingError, match=r"training split of dataset .* holds no picture of motorcycle"):
        train(one, task, backbone(), now=NOW)


def test_a_task_of_one_label_is_no_task() -> None:
    with pytest.raises(ValueError, match="at least 2 items"):
        Task.model_validate({"name": "t", "title": "?", "labels": ["a"], "policy": {"target_risk": 0.1}})


def test_labels_that_disagree_with_their_numbers_are_told(coloured: Staged, task: Task) -> None:
    swapped = changed(coloured(4), lambda line: line.model_copy(update={"label_index": 1 - line.label_index}))
    with pytest.raises(TrainingError, match=r"calls pictures/.* number \d of the labels, which are bicycle, motor"):
        train(swapped, task, backbone(), now=NOW)


def test_labels_in_another_order_are_told(coloured: Staged, task: Task) -> None:
    turned = task.model_copy(update={"labels": task.labels[::-1]})
    with pytest.raises(TrainingError, match="has the labels bicycle, motorcycle, but task vehicles has motorcycle, bi"):
        train(coloured(4), turned, backbone(), now=NOW)


def test_embeddings_that_are_no_numbers_are_told(coloured: Staged, task: Task) -> None:
    with pytest.raises(TrainingError, match="backbone colour gives embeddings that are no numbers"):
        train(coloured(4), task, backbone(white=0.0), now=NOW)


def test_a_head_of_another_backbone_is_told(coloured: Staged, task: Task) -> None:
    head = Head(np.zeros((5, 2)), np.zeros(2))
    with pytest.raises(TrainingError, match=r"takes and gives \(5, 2\) numbers, not \(3, 2\)"):
        train(coloured(4), task, backbone(), head=head, now=NOW)


def test_a_model_that_looks_through_a_view_takes_pictures_of_its_size(coloured: Staged, task: Task) -> None:
    from scones.classifier import Classifier
    from scones.training import evaluate

    viewed = Task.model_validate({**task.model_dump(), "view": {"size": 64, "grids": [1, 2]}})
    dataset = coloured(40)
    info, model = train(dataset, viewed, backbone(), now=NOW)
    classifier = Classifier(info, model)
    assert info.input_size == 64
    assert classifier.predict(np.zeros((2, 64, 64, 3), np.uint8))[1].shape == (2, 2 * 2 * 3)
    assert evaluate(classifier, dataset, viewed)["accuracy"] == 1
