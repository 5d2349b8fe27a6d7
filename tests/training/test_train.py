"""From a dataset to a bundle, on a backbone and pictures that the test makes."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from scipy.special import softmax

from scones.bundle import read_bundle, write_bundle
from scones.classifier import Classifier
from scones.errors import BundleError, TrainingError
from scones.picture import encode_png
from scones.registry import current_policy, load_model, register
from scones.staging import Dataset, SourcePicture, write_dataset
from scones.store import Bucket, open_bucket
from scones.task import Task, load_task
from scones.training import backbone_names, evaluate, load_backbone, train
from scones.training.backbone import Backbone
from scones.training.graph import join, part
from scones.training.head import Head, fit_head

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    """Mean colour of each quarter of the picture: 12 numbers."""
    nodes = [
        helper.make_node("Cast", ["images"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("AveragePool", ["t"], ["p"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["p"], ["flat"]),
        helper.make_node("Mul", ["flat", "scale"], ["embedding"]),
    ]
    graph = helper.make_graph(
        nodes,
        "quarters",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["n", 32, 32, 3])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 12])],
        [numpy_helper.from_array(np.array(1 / 255, np.float32), "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return Backbone("quarters", bytes(model.SerializeToString()), 32)


Split: TypeAlias = Literal["train", "test"]


def make_dataset(bucket: Bucket, task: Task, shift: float = 25.0, n: int = 300, seed: int = 0) -> Dataset:
    import PIL.Image

    rng = np.random.default_rng(seed)
    pictures = []
    for number in range(n):
        label = number % 2
        colour = 120 + (shift if label else -shift) * np.array([1, 0, -1]) + rng.normal(0, 18, 3)
        pixels = np.clip(colour + rng.normal(0, 30, (32, 32, 3)), 0, 255).astype(np.uint8)
        split: Split = "test" if number % 5 == 0 else "train"
        data = encode_png(PIL.Image.fromarray(pixels))
        pictures.append(SourcePicture(origin=f"{number}", label=task.labels[label], data=data, split=split))
    return write_dataset(bucket, task, pictures, source={"kind": "test"})


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path), "scones")


@pytest.fixture
def task() -> Task:
    return load_task("vehicles")


def test_a_model_is_trained_calibrated_and_measured(bucket: Bucket, task: Task, backbone: Backbone) -> None:
    dataset = make_dataset(bucket, task)
    info, model = train(dataset, task, backbone, seed=0, now=NOW)
    figures = evaluate(Classifier(info, model), dataset, task)
    assert figures["accuracy"] > 0.85
    assert figures["n"] == sum(map(sum, figures["confusion"])) == 60
    assert (
        figures["accuracy_interval"][0] < figures["accuracy"] < figures["accuracy_interval"][1]
        or figures["accuracy"] == 1
    )
    assert len(figures["mistakes"]) == min(24, round((1 - figures["accuracy"]) * 60))
    assert figures["dataset"]["version"] == dataset.version == info.dataset


def test_the_same_seed_gives_the_same_model(bucket: Bucket, task: Task, backbone: Backbone) -> None:
    dataset = make_dataset(bucket, task)
    first = train(dataset, task, backbone, seed=3, now=NOW)
    assert train(dataset, task, backbone, seed=3, now=NOW) == first


def test_the_graph_answers_what_head_and_temperature_say(backbone: Backbone) -> None:
    rng = np.random.default_rng(0)
    head = Head(rng.normal(size=(12, 3)), rng.normal(size=3))
    images = rng.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    model = join(backbone, head, temperature=1.7)
    onnx.checker.check_model(onnx.load_from_string(model))
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    probabilities, embedding = session.run(["probabilities", "embedding"], {"images": images})
    np.testing.assert_allclose(embedding, backbone.embed(images), rtol=1e-5)
    np.testing.assert_allclose(probabilities, softmax(head.logits(embedding) / 1.7, axis=1), rtol=1e-3)


def test_the_head_finds_what_separates_classes() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 600)
    points = rng.normal(size=(600, 4)).astype(np.float32) + 4 * np.eye(4, dtype=np.float32)[labels]
    head = fit_head(points, labels, 3, penalty=1e-3)
    assert (head.logits(points).argmax(1) == labels).mean() > 0.97


def test_a_picture_that_counts_for_three_is_learned_from_as_if_it_were_there_three_times() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 90)
    points = rng.normal(size=(90, 4)).astype(np.float32) + np.eye(4, dtype=np.float32)[labels]
    points -= points.mean(0)
    points /= points.std(0)
    thrice = np.repeat(np.arange(90), np.where(np.arange(90) < 30, 3, 1))
    weights = np.where(np.arange(90) < 30, 3.0, 1.0)
    repeated = fit_head(points[thrice], labels[thrice], 3, penalty=1e-9)
    weighted = fit_head(points, labels, 3, penalty=1e-9, weights=weights)
    np.testing.assert_allclose(weighted.logits(points), repeated.logits(points), atol=0.05)
    plain = fit_head(points, labels, 3, penalty=0.1)
    assert (fit_head(points, labels, 3, 0.1, np.full(90, 7.0)).weights == plain.weights).all()


def test_the_head_can_be_taken_off_a_model_and_fitted_anew_to_the_same_backbone(
    bucket: Bucket, task: Task, backbone: Backbone
) -> None:
    dataset = make_dataset(bucket, task)
    info, model = train(dataset, task, backbone, now=NOW)
    parted = part(info, model)
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_array_equal(parted.embed(images), backbone.embed(images))
    assert (parted.name, parted.size) == (backbone.name, backbone.size)
    again, same = train(dataset, task, parted, now=NOW)
    first, second = Classifier(info, model), Classifier(again, same)
    np.testing.assert_array_equal(first.predict(images)[0], second.predict(images)[0])
    first_of_each = train(dataset, task, backbone, counts=lambda line: 5.0 if line.label_index == 0 else 1.0, now=NOW)
    assert first_of_each[0].version != info.version


def test_test_pictures_are_never_read_by_training(bucket: Bucket, task: Task, backbone: Backbone) -> None:
    dataset = make_dataset(bucket, task)
    for line in dataset.lines:
        if line.split == "test":
            bucket.delete(dataset.key(line))
    assert train(dataset, task, backbone, seed=0, now=NOW)


def test_a_label_without_pictures_stops_training(bucket: Bucket, backbone: Backbone) -> None:
    task = load_task("vehicles")
    dataset = make_dataset(bucket, task)
    wider = task.model_copy(update={"labels": (*task.labels, "tractor")})
    with pytest.raises(TrainingError, match="stage the task again"):
        train(dataset, wider, backbone, now=NOW)


def test_a_backbone_that_gives_no_numbers_stops_training(
    bucket: Bucket, task: Task, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = onnx.load_from_string(backbone.model)
    broken.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.array(np.nan, np.float32), "scale"))
    with pytest.raises(TrainingError, match="no numbers"):
        train(make_dataset(bucket, task), task, Backbone("nan", bytes(broken.SerializeToString()), 32), now=NOW)


def test_the_first_model_is_in_production_and_the_newest_is_the_candidate(
    bucket: Bucket, task: Task, backbone: Backbone
) -> None:
    dataset = make_dataset(bucket, task)
    saved = []
    for seed in (1, 2):
        info, model = train(dataset, task, backbone, seed=seed, now=NOW)
        saved.append(register(bucket, info, model, who="test", now=NOW))
    assert [one.in_production for one in saved] == [True, False]
    assert current_policy(bucket, "vehicles").version == saved[0].info.version
    assert load_model(bucket, "vehicles").info == saved[0].info
    candidate = load_model(bucket, "vehicles", "candidate").info
    assert candidate == saved[1].info == load_model(bucket, "vehicles", saved[1].info.version).info
    assert (candidate.seed, candidate.parent) == (2, saved[0].info.version)
    assert candidate.source == dataset.source
    assert set(candidate.parameters) >= {"backbone_sha256", "penalty"}


def test_without_a_model_in_production_the_way_to_one_is_told(bucket: Bucket) -> None:
    with pytest.raises(BundleError, match="train one with `scones train`"):
        load_model(bucket, "vehicles")


def test_the_same_bundle_has_the_same_bytes(bucket: Bucket, task: Task, backbone: Backbone) -> None:
    info, model = train(make_dataset(bucket, task), task, backbone, now=NOW)
    packed = write_bundle(info, model)
    assert packed == write_bundle(info, model)
    assert read_bundle(packed) == (info, model)


@pytest.mark.parametrize("damage", [lambda data: data[:200], lambda data: b"hello", lambda data: b""])
def test_a_damaged_bundle_is_told_as_such(
    bucket: Bucket, task: Task, backbone: Backbone, damage: Callable[[bytes], bytes]
) -> None:
    packed = write_bundle(*train(make_dataset(bucket, task), task, backbone, now=NOW))
    with pytest.raises(BundleError, match=r"model.tar.gz"):
        read_bundle(damage(packed))


@pytest.mark.parametrize("name", backbone_names())
def test_a_shipped_backbone_is_small_and_gives_numbers(name: str) -> None:
    found = load_backbone(name)
    assert len(found.model) <= 8 * 1024 * 1024
    embedding = found.embed(np.zeros((3, found.size, found.size, 3), np.uint8))
    assert embedding.shape[0] == 3
    assert np.isfinite(embedding).all()
