import io
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.errors import BundleError, ObjectMissing, TrainingError
from scones.monitoring.drift.channels import pixel_scores
from scones.monitoring.drift.sequential import Detector
from scones.monitoring.watch.health import Health, fit_health, health_of, load_health, save_health
from scones.monitoring.watch.health_file import pack
from scones.picture import decode, encode_png
from scones.registry import register
from scones.staging import Dataset, SourcePicture, load_dataset, synthetic_pictures, write_dataset
from scones.store import Bucket, Layout, open_bucket
from scones.task import load_task
from scones.training import load_backbone, train

NOW = datetime(2026, 11, 20, tzinfo=UTC)
Model = tuple[Bucket, Dataset, Classifier]
Images = list[NDArray[np.uint8]]


@pytest.fixture
def tiny(tmp_path: Path, tiny_bundle: Callable[..., bytes], red_and_blue: Callable[..., list[SourcePicture]]) -> Model:
    """A model that goes by colour, registered, and its dataset."""
    bucket = open_bucket(str(tmp_path), "scones")
    dataset = write_dataset(bucket, load_task("vehicles"), red_and_blue(), source={})
    info, model = read_bundle(tiny_bundle(dataset=dataset.version, strength=3.2))
    register(bucket, info, model, who="test", now=NOW)
    return bucket, dataset, Classifier(info, model)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Classifier, Health]:
    """A model of drawn bicycles and motorcycles, trained, and its health."""
    bucket, task = open_bucket(str(tmp_path_factory.mktemp("store")), "scones"), load_task("vehicles")
    dataset = write_dataset(bucket, task, synthetic_pictures(train=150, test=150), source={})
    classifier = Classifier(*train(dataset, task, load_backbone("nano"), now=NOW))
    return classifier, fit_health(classifier, dataset)


def drawn(n: int) -> Images:
    images = [np.asarray(decode(one.data)) for one in synthetic_pictures(77, train=n // 2, test=0)]
    return [images[i] for i in np.random.default_rng(0).permutation(n)]


def test_black_frames_and_noise_are_outside_and_healthy_pictures_are_not(trained: tuple[Classifier, Health]) -> None:
    classifier, health = trained
    images, rng = drawn(200), np.random.default_rng(0)
    noisy = [np.clip(image + rng.normal(0, 70, image.shape), 0, 255).astype(np.uint8) for image in images]
    noise = list(rng.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8))
    assert health.measure(classifier, images).outside.mean() <= 0.02
    assert health.measure(classifier, [np.zeros((32, 32, 3), np.uint8)] * 3).outside.all()
    assert health.measure(classifier, noise).outside.all()
    assert health.measure(classifier, noisy).outside.mean() > 0.9


def test_healthy_pictures_raise_no_alarm_and_blurred_ones_soon_do(trained: tuple[Classifier, Health]) -> None:
    classifier, health = trained
    images = drawn(300)
    detector = Detector(health.reference)
    detector.add(detector.places(health.measure(classifier, images).scores))
    assert detector.alarmed is None
    small = [PIL.Image.fromarray(image).resize((12, 12)).resize((32, 32)) for image in images]
    blurred = health.measure(classifier, [np.asarray(image) for image in small])
    detector.add(detector.places(blurred.scores))
    assert detector.alarmed is not None
    assert detector.alarmed < 350
    assert {"sharpness", "noise", "like blur"} & {one.channel for one in detector.telling()}


def test_pictures_of_other_sizes_are_measured_together_and_their_own_size_and_blocks_are_told(
    trained: tuple[Classifier, Health],
) -> None:
    classifier, health = trained
    images = [drawn(2)[0], np.zeros((7, 1, 3), np.uint8), np.full((300, 200, 3), 9, np.uint8)]
    buffer = io.BytesIO()
    PIL.Image.fromarray(drawn(2)[1]).resize((256, 256), PIL.Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=20)
    images.append(np.asarray(decode(buffer.getvalue())))
    found = health.measure(classifier, images)
    assert np.exp(found.scores["size"]) == pytest.approx([1024, 7, 60_000, 65_536])
    blocks = found.scores["blockiness"]
    assert blocks[1] == blocks[2] == 0
    assert blocks[3] == pixel_scores(images[3][None])["blockiness"][0] > 1
    assert set(health.reference.channels) == set(found.scores)
    assert found.embeddings.shape == (4, health.embeddings.shape[1])


def test_no_pictures_at_all_are_measured_too(trained: tuple[Classifier, Health]) -> None:
    classifier, health = trained
    found = health.measure(classifier, [])
    assert found.probabilities.shape == (0, 2)
    assert found.embeddings.shape == (0, health.embeddings.shape[1])
    assert health.reference.places(found.scores).shape == (0, len(health.reference.channels))
    assert len(found.outside) == 0


def test_a_picture_is_measured_alike_alone_and_among_others(trained: tuple[Classifier, Health]) -> None:
    classifier, health = trained
    images = drawn(140)
    together, alone = health.measure(classifier, images), health.measure(classifier, images[-1:])
    for name, values in together.scores.items():
        assert values[-1] == pytest.approx(alone.scores[name][0], abs=1e-3), name


def test_health_says_how_the_reference_pictures_are_answered_and_shows_some(tiny: Model) -> None:
    _, dataset, classifier = tiny
    health = fit_health(classifier, dataset)
    kept = [line for line in dataset.lines if line.split != "train"]
    assert health.reference.pictures == len(health.confidence) == len(health.correct) == health.cells.counts.sum()
    assert len(health.correct) == len(kept)
    assert 0.85 < health.correct.mean() < 0.97, "one test picture in ten has the other colour"
    assert len(health.pictures) == 48
    first = np.asarray(decode(health.pictures[0]))
    assert health.measure(classifier, [first]).embeddings[0] == pytest.approx(health.embeddings[0]), "it is the first"


def test_of_damaged_pictures_it_says_how_often_the_model_is_right_although_that_is_as_sure_as_ever(
    trained: tuple[Classifier, Health],
) -> None:
    classifier, health = trained
    rng, labels = np.random.default_rng(0), list(health.labels)
    pictures = list(synthetic_pictures(77, train=150, test=0))
    noisy = [np.asarray(decode(one.data)) + rng.normal(0, 35, (32, 32, 3)) for one in pictures]
    found = health.measure(classifier, [np.clip(image, 0, 255).astype(np.uint8) for image in noisy])
    right = found.probabilities.argmax(1) == [labels.index(one.label) for one in pictures]
    said = health.right_chance.of(found.probabilities, found.embeddings).mean()
    assert abs(said - right.mean()) < 0.5 * (found.probabilities.max(1).mean() - right.mean())
    assert health.chance.mean() == pytest.approx(health.correct.mean(), abs=0.1)


def test_a_model_of_very_small_pictures_has_a_health_as_well(tiny: Model, tiny_bundle: Callable[..., bytes]) -> None:
    _, dataset, _ = tiny
    health = fit_health(Classifier(*read_bundle(tiny_bundle(size=8))), dataset)
    assert health.reference.pictures > 100


def test_large_pictures_are_taken_as_the_workflow_hands_them_on(
    tmp_path: Path, tiny_bundle: Callable[..., bytes]
) -> None:
    rng, task = np.random.default_rng(0), load_task("vehicles")
    pictures = []
    for number in range(130):
        rough = PIL.Image.fromarray(rng.integers(0, 256, (4, 3, 3), dtype=np.uint8))
        size = (900, 1200) if number < 5 else (90, 120)
        data = encode_png(rough.resize(size, PIL.Image.Resampling.BICUBIC))
        pictures.append(SourcePicture(f"{number}", task.labels[number % 2], data, "test" if number < 110 else "train"))
    dataset = write_dataset(open_bucket(str(tmp_path), "scones"), task, pictures, source={})
    classifier = Classifier(*read_bundle(tiny_bundle()))
    health = fit_health(classifier, dataset)
    assert max(PIL.Image.open(io.BytesIO(one)).height for one in health.pictures) == 96
    large = [np.asarray(decode(one.data)) for one in pictures[:5]]
    sent = [PIL.Image.fromarray(image).resize((768, 1024)) for image in large]
    column = health.reference.channels.index("size")
    places = [
        health.reference.places(health.measure(classifier, images).scores)[:, column].max()
        for images in (large, [np.asarray(image) for image in sent])
    ]
    assert places[0] > places[1], "no reference picture is larger than the workflow sends it"


def test_it_is_fitted_once_and_then_loaded_and_the_file_has_the_same_bytes_each_time(tiny: Model) -> None:
    bucket, dataset, classifier = tiny
    assert load_health(bucket, "vehicles", "tiny-1") is None
    said: list[str] = []
    first = health_of(bucket, "vehicles", "tiny-1", lambda what, *_: said.append(what))
    written = bucket.get(Layout.health("vehicles", "tiny-1"))
    assert {"training pictures", "pictures with blur", "reference pictures"} <= set(said)
    said.clear()
    second = health_of(bucket, "vehicles", "tiny-1", lambda what, *_: said.append(what))
    assert not said
    assert pack(first) == pack(second) == pack(fit_health(classifier, dataset)) == written
    images = [np.asarray(decode(picture)) for picture in first.pictures]
    one, two = first.measure(classifier, images), second.measure(classifier, images)
    assert all((one.scores[name] == two.scores[name]).all() for name in one.scores)
    assert second.reference == first.reference
    assert second.pictures == first.pictures


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "text", "pickle", "form", "other array"])
def test_a_damaged_file_is_a_clear_error_and_is_made_anew_with_a_warning(
    tiny: Model, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    bucket, _, _ = tiny
    whole = pack(health_of(bucket, "vehicles", "tiny-1"))
    key, half = Layout.health("vehicles", "tiny-1"), len(whole) // 2
    arrays = dict(np.load(io.BytesIO(whole)))
    changed = io.BytesIO()
    if damage == "pickle":
        np.savez(changed, told=np.array([{"form": 1}], dtype=object))
    elif damage == "form":
        arrays["told"] = np.frombuffer(arrays["told"].tobytes().replace(b'"form": 1', b'"form": 0'), np.uint8)
        np.savez(changed, **arrays)
    elif damage == "other array":
        np.savez(changed, **(arrays | {"weights": arrays["bias"]}))
    else:
        flipped = whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :]
        changed.write({"cut": whole[:half], "flipped": flipped, "empty": b"", "text": b"health"}[damage])
    bucket.put(key, changed.getvalue())
    with pytest.raises(BundleError, match=r"health\.npz is damaged or of another version .* it is made anew"):
        load_health(bucket, "vehicles", "tiny-1")
    with caplog.at_level(logging.WARNING):
        assert pack(health_of(bucket, "vehicles", "tiny-1")) == whole
    assert "the health of model tiny-1 is made anew" in caplog.text
    assert bucket.get(key) == whole


def test_the_health_of_another_model_is_refused(tiny: Model, tiny_bundle: Callable[..., bytes]) -> None:
    bucket, dataset, classifier = tiny
    health = fit_health(classifier, dataset)
    for other in (
        {"version": "tiny-2"},
        {"labels": ("motorcycle", "bicycle")},
        {"size": 64},
        {"task": "defects", "labels": health.labels},
    ):
        with pytest.raises(BundleError, match=r"health of model tiny-1 of task vehicles .* take that model's own"):
            health.measure(Classifier(*read_bundle(tiny_bundle(**other))), [])
    save_health(bucket, health)
    bucket.put(Layout.health("vehicles", "tiny-2"), bucket.get(Layout.health("vehicles", "tiny-1")))
    with pytest.raises(BundleError, match="is the health of model tiny-1 of task vehicles"):
        load_health(bucket, "vehicles", "tiny-2")


def test_a_dataset_that_is_gone_is_told_with_what_to_do(tiny: Model) -> None:
    bucket, dataset, _ = tiny
    lost = next(line for line in dataset.lines if line.split == "test")
    bucket.delete(dataset.key(lost))
    with pytest.raises(ObjectMissing, match=f"model tiny-1 .* dataset {dataset.version} are gone .* stage the same"):
        health_of(bucket, "vehicles", "tiny-1")
    bucket.delete(f"{dataset.prefix}/manifest.jsonl")
    with pytest.raises(ObjectMissing, match=f"model tiny-1 .* dataset {dataset.version} are gone .* stage the same"):
        health_of(bucket, "vehicles", "tiny-1")
    assert not bucket.exists(Layout.health("vehicles", "tiny-1"))


def test_too_few_reference_pictures_and_a_dataset_of_another_task_are_told_with_what_to_do(
    tmp_path: Path, tiny: Model, tiny_bundle: Callable[..., bytes], red_and_blue: Callable[..., list[SourcePicture]]
) -> None:
    _, dataset, classifier = tiny
    few = open_bucket(str(tmp_path / "few"), "scones")
    write_dataset(few, load_task("vehicles"), red_and_blue()[60:], source={})
    with pytest.raises(TrainingError, match=r"cannot be watched: .* of which it takes 100, some of each .* stage more"):
        fit_health(classifier, load_dataset(few, "vehicles"))
    one = open_bucket(str(tmp_path / "one"), "scones")
    bicycles = [picture for picture in red_and_blue() if picture.split == "train" or picture.label == "bicycle"]
    write_dataset(one, load_task("vehicles"), bicycles, source={})
    with pytest.raises(TrainingError, match="cannot be watched"):
        fit_health(classifier, load_dataset(one, "vehicles"))
    other = Classifier(*read_bundle(tiny_bundle(task="defects")))
    with pytest.raises(TrainingError, match=r"is of task vehicles .* but model tiny-1 of defects"):
        fit_health(other, dataset)


def test_importing_the_room_brings_no_model_no_training_and_no_staging() -> None:
    code = "import sys, scones.monitoring.watch.health; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"onnxruntime", "onnx", "boto3", "scones.training.head", "scones.staging.dataset", "scones.classifier"}
    assert not heavy & set(loaded)
