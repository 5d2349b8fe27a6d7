"""A whole network learns a task, stops by itself, and goes on after it was killed."""

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from scones.errors import StoreError, TrainingError, TrainingStopped
from scones.picture import encode_png
from scones.staging import Dataset, SourcePicture, write_dataset
from scones.store import Bucket, open_bucket
from scones.task import Task, load_task
from scones.training.finetuning import FineTuned, FineTuning, Watcher, finetune, in_validation
from scones.training.job import Job, run_job
from scones.training.trainable import Trainable

torch = pytest.importorskip("torch", reason="fine-tuning needs torch: make train")

from scones.training.export import export_backbone  # noqa: E402
from scones.training.networks import Architecture, features, fold  # noqa: E402

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
QUICK = FineTuning(epochs=4, patience=4, batch=16, rate=3e-3)


def stripes(label: int, rng: np.random.Generator) -> bytes:
    """Stripes that lie (label 0) or stand (label 1), in any place and colour, under noise."""
    wave = 30 * np.sin(np.arange(32) * 1.2 + rng.uniform(0, 6))
    pixels = 128 + np.tile(wave, (32, 1))[:, :, None] * rng.uniform(0.3, 1, 3) + rng.normal(0, 50, (32, 32, 3))
    pixels = pixels if label else pixels.transpose(1, 0, 2)
    return encode_png(PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))


def make_dataset(bucket: Bucket, task: Task, n: int = 160) -> Dataset:
    rng = np.random.default_rng(0)
    pictures = [
        SourcePicture(f"{number}", task.labels[number % 2], stripes(number % 2, rng), split="train")
        for number in range(n)
    ]
    return write_dataset(bucket, task, pictures, source={"kind": "test"})


@pytest.fixture(scope="module")
def task() -> Task:
    return load_task("vehicles")


@pytest.fixture(scope="module")
def dataset(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make_dataset(open_bucket(str(tmp_path_factory.mktemp("store")), "scones"), task)


@pytest.fixture(scope="module")
def tiny() -> Callable[[], Trainable]:
    """The same small network each time, before it learned anything."""

    def make() -> Trainable:
        torch.manual_seed(0)
        return Trainable("tiny", fold(features(Architecture(widths=(8, 16), blocks=(1, 1), stem=3))), 32, mirrored=True)

    return make


class Stops(Watcher):
    """Ends the training after so many steps, and remembers what it was told."""

    def __init__(self, after: int = 10**9) -> None:
        self.after = after
        self.steps = 0
        self.said: list[str] = []
        self.rows: list[dict[str, Any]] = []

    def step(self, done: int, total: int) -> None:
        self.steps += 1

    def epoch(self, row: dict[str, Any]) -> None:
        self.rows.append(row)

    def say(self, text: str) -> None:
        self.said.append(text)

    def stopping(self) -> bool:
        return self.steps >= self.after


def figures(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def logits(tuned: FineTuned, dataset: Dataset) -> Any:
    assert tuned.head is not None
    return tuned.head.logits(tuned.backbone.embed(dataset.arrays("calibration", 32)[0]))


def test_a_network_learns_what_a_frozen_one_cannot_tell(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    tuned = finetune(dataset, task, tiny(), tmp_path, how=replace(QUICK, epochs=16, patience=16))
    first, best = tuned.rows[0], tuned.rows[tuned.best]
    assert best["validation_loss"] < first["validation_loss"] - 0.2
    answers = logits(tuned, dataset)
    assert (answers.argmax(1) == dataset.arrays("calibration", 32)[1]).mean() > 0.75
    assert [json.loads(line) for line in (tmp_path / "curve.jsonl").read_text().splitlines()] == tuned.rows


def test_it_stops_when_validation_pictures_are_answered_no_better(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    tuned = finetune(dataset, task, tiny(), tmp_path, how=FineTuning(epochs=50, patience=2, rate=1e-12, head_rate=1.0))
    assert len(tuned.rows) - 1 == tuned.best + 2
    assert tuned.best == min(range(len(tuned.rows)), key=lambda epoch: tuned.rows[epoch]["validation_loss"])


def test_where_nothing_is_learned_the_model_is_the_frozen_one(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    export_backbone(tiny().network, tmp_path / "tiny.onnx")
    frozen = Job(str(tmp_path / "tiny.onnx"))
    tuned = replace(frozen, fine_tuning=FineTuning(epochs=1, rate=1e-12, head_rate=1e-12))
    watcher = Stops()
    first = run_job(dataset, task, frozen, checkpoints=tmp_path, now=NOW)
    second = run_job(dataset, task, tuned, checkpoints=tmp_path, now=NOW, watcher=watcher)
    assert "it stays as it was" in watcher.said[-1]
    assert second.info.metrics == first.info.metrics
    assert second.model == first.model
    assert second.info.parameters["fine_tuning"]["best_epoch"] == 0


@pytest.fixture(scope="module")
def whole(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path_factory: pytest.TempPathFactory
) -> FineTuned:
    """What three epochs come to when nothing stops them."""
    return finetune(dataset, task, tiny(), tmp_path_factory.mktemp("whole"), how=replace(QUICK, epochs=3), seed=1)


@pytest.mark.parametrize("after", [8, 11])
def test_a_training_that_was_stopped_goes_on_as_if_nothing_had_happened(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], whole: FineTuned, tmp_path: Path, after: int
) -> None:
    how = replace(QUICK, epochs=3)
    with pytest.raises(TrainingStopped, match="the same command goes on"):
        finetune(dataset, task, tiny(), tmp_path / "parts", how=how, seed=1, watcher=Stops(after))
    watcher = Stops()
    parts = finetune(dataset, task, tiny(), tmp_path / "parts", how=how, seed=1, watcher=watcher)
    assert "going on from" in watcher.said[0]
    assert figures(parts.rows) == figures(whole.rows)
    assert parts.best == whole.best
    assert parts.head is not None
    assert whole.head is not None
    np.testing.assert_array_equal(parts.head.weights, whole.head.weights)
    assert parts.backbone.model == whole.backbone.model


def test_a_checkpoint_of_another_training_is_left_behind_and_this_is_said(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    with pytest.raises(TrainingStopped):
        finetune(dataset, task, tiny(), tmp_path, how=QUICK, watcher=Stops(9))
    watcher = Stops(0)
    with pytest.raises(TrainingStopped):
        finetune(dataset, task, tiny(), tmp_path, how=replace(QUICK, epochs=2), seed=7, watcher=watcher)
    (said,) = watcher.said
    assert "is of another epochs, seed: it stays, and this training starts anew" in said
    assert [row["epoch"] for row in watcher.rows] == [0]
    first = Stops(0)
    with pytest.raises(TrainingStopped):
        finetune(dataset, task, tiny(), tmp_path, how=QUICK, watcher=first)
    assert "going on from" in first.said[0], "the first training's checkpoint is still there"


def checkpoint(dataset: Dataset, task: Task, trainable: Trainable, folder: Path) -> Path:
    """The file of a training that was stopped."""
    with pytest.raises(TrainingStopped):
        finetune(dataset, task, trainable, folder, how=QUICK, watcher=Stops(0))
    (path,) = folder.glob("checkpoint-*.pt")
    return path


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
def test_a_damaged_checkpoint_is_left_behind_and_this_is_said(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path, content: bytes
) -> None:
    checkpoint(dataset, task, tiny(), tmp_path).write_bytes(content)
    watcher = Stops(0)
    with pytest.raises(TrainingStopped):
        finetune(dataset, task, tiny(), tmp_path, how=QUICK, watcher=watcher)
    assert "cannot be read" in watcher.said[0]


def test_a_checkpoint_that_holds_code_is_not_run(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return open, (str(tmp_path / "ran"), "w")

    buffer = io.BytesIO()
    torch.save({"about": Evil()}, buffer)
    checkpoint(dataset, task, tiny(), tmp_path).write_bytes(buffer.getvalue())
    watcher = Stops(0)
    with pytest.raises(TrainingStopped):
        finetune(dataset, task, tiny(), tmp_path, how=QUICK, watcher=watcher)
    assert "cannot be read" in watcher.said[0]
    assert not (tmp_path / "ran").exists()


def test_a_folder_that_cannot_be_written_is_named(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write the checkpoint in .*taken"):
        finetune(dataset, task, tiny(), tmp_path / "taken", how=QUICK)


def test_only_training_pictures_are_read(task: Task, tiny: Callable[[], Trainable], tmp_path: Path) -> None:
    bucket = open_bucket(str(tmp_path), "scones")
    dataset = make_dataset(bucket, task)
    for line in dataset.lines:
        if line.split != "train":
            bucket.delete(dataset.key(line))
    with pytest.raises(TrainingStopped):
        finetune(dataset, task, tiny(), tmp_path / "run", how=QUICK, watcher=Stops(1))


def test_validation_pictures_are_chosen_by_content_and_independently_of_calibration(dataset: Dataset) -> None:
    share = np.mean([in_validation(line) for line in dataset.lines if line.split == "train"])
    assert 0.03 < share < 0.3


def test_a_loss_that_is_no_number_stops_training_with_advice(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="smaller rate"):
        finetune(dataset, task, tiny(), tmp_path, how=replace(QUICK, rate=1e30))


def test_too_few_pictures_are_told_with_the_label(
    dataset: Dataset, task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    few = replace(dataset, lines=tuple(line for line in dataset.lines if not in_validation(line)))
    with pytest.raises(TrainingError, match="too few training pictures of"):
        finetune(few, task, tiny(), tmp_path / "run", how=QUICK)


def test_a_command_killed_in_the_midst_ends_with_the_same_model_as_one_that_was_not(
    task: Task, tiny: Callable[[], Trainable], tmp_path: Path
) -> None:
    make_dataset(open_bucket(str(tmp_path / ".scones/store"), "scones"), task)
    export_backbone(tiny().network, tmp_path / "tiny.onnx")
    command = [sys.executable, "-m", "scones", "train", "--fine-tune", "--backbone", "tiny.onnx", "--json"]
    command += ["--epochs", "6", "--batch", "4", "--rate", "3e-3", "--checkpoints"]

    def run(folder: str) -> Any:
        options: dict[str, Any] = {"cwd": tmp_path, "capture_output": True, "text": True, "timeout": 300}
        done = subprocess.run([*command, folder], check=False, **options)
        assert done.returncode == 0, done.stderr
        return done, json.loads(done.stdout)

    _, whole = run("whole")
    with subprocess.Popen([*command, "parts"], cwd=tmp_path, stdout=subprocess.DEVNULL) as child:
        curve, deadline = tmp_path / "parts/curve.jsonl", time.monotonic() + 120
        while not curve.is_file() or len(curve.read_text().splitlines()) < 3:
            assert child.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        child.kill()
    assert list((tmp_path / "parts").glob("checkpoint-*.pt"))
    done, parts = run("parts")
    assert "going on from" in done.stderr
    assert parts["version"] == whole["version"]
    assert parts["metrics"] == whole["metrics"]
    assert not list((tmp_path / "parts").glob("checkpoint-*.pt"))
    assert (tmp_path / f".scones/store/scones/models/vehicles/{parts['version']}/curve.html").is_file()
