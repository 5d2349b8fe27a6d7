"""Train a whole network further on a task's own pictures. Needs the ``train`` extra (torch).

First a head is fitted on the network as it is, as :func:`scones.training.train` does; then both learn together,
the network at a small rate (Kumar et al. 2022). A validation split, carved from the training pictures by their
content, says when to stop and which epoch was best. The calibration and test splits are not read.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import scones
from scones.errors import TrainingError, TrainingStopped
from scones.training.folds import group_numbers
from scones.training.head import Head, choose_penalty, fit_head
from scones.training.trainable import Trainable
from scones.training.trainer import check_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.contracts import ManifestLine
    from scones.staging import Dataset
    from scones.task import Task
    from scones.training.backbone import Backbone

__all__ = ["FineTuned", "FineTuning", "Watcher", "finetune", "in_validation"]

VALIDATION_SHARE = 0.15
"""Share of the training pictures that says when to stop."""


@dataclass(frozen=True)
class FineTuning:
    """How a network is fine-tuned.

    Attributes:
        epochs: passes over the training pictures, at most.
        patience: epochs without a better validation loss after which it ends.
        batch: pictures a step.
        rate: learning rate of the network (AdamW); it rises during the first tenth and falls to zero.
        head_rate: learning rate of the head.
        weight_decay: as AdamW takes it, of weights and not of biases.
    """

    epochs: int = 12
    patience: int = 4
    batch: int = 32
    rate: float = 3e-5
    head_rate: float = 1e-4
    weight_decay: float = 0.01

    def __post_init__(self) -> None:
        if self.rate <= 0 or self.head_rate <= 0:
            raise TrainingError(
                f"learning rates of {self.rate:g} and {self.head_rate:g} teach nothing: give more than 0"
            )


@dataclass(frozen=True)
class FineTuned:
    """What fine-tuning made.

    Attributes:
        backbone: the network, frozen again.
        head: the layer behind it; None where no epoch was better than the network as it was, so that a head can
            be fitted on all training pictures.
        rows: the learning curve: a row an epoch, the first before any training.
        best: the epoch whose weights these are.
        checkpoint: the file that is of no use any more once the model is saved.
    """

    backbone: Backbone
    head: Head | None
    rows: list[dict[str, Any]]
    best: int
    checkpoint: Path


class Watcher:
    """Is told how fine-tuning goes on, and may end it; this one is silent."""

    def step(self, done: int, total: int) -> None:
        """So many steps are done, of at most so many."""

    def epoch(self, row: dict[str, Any]) -> None:
        """An epoch is over: epoch, loss, validation_loss, validation_accuracy, seconds."""

    def say(self, text: str) -> None:
        """Something a person should know."""

    def stopping(self) -> bool:
        """Say whether to write a checkpoint and end now."""
        return False


def in_validation(line: ManifestLine) -> bool:
    """Say whether a training picture says when to stop, instead of being learned from.

    Its content decides, or the thing that it shows, where that is known; by other bits of the hash than in
    :func:`scones.staging.in_calibration`, so that the choices are independent.
    """
    mark = hashlib.sha256(line.group.encode()).hexdigest() if line.group else line.hash
    return int(mark[16:24], 16) < VALIDATION_SHARE * 2**32


def finetune(
    dataset: Dataset,
    task: Task,
    trainable: Trainable,
    folder: Path,
    *,
    how: FineTuning = FineTuning(),
    seed: int = 0,
    device: str | None = None,
    watcher: Watcher = Watcher(),  # noqa: B008 - has no state
    clock: Callable[[], float] = time.monotonic,
) -> FineTuned:
    """Fine-tune a network, on the GPU when there is one.

    ``checkpoint-….pt`` in the folder is written after each epoch, and when the watcher ends the training; the same
    call goes on from there, and ends with the same weights as if nothing had happened (on the same kind of
    processor). ``curve.jsonl`` beside it has a row an epoch.

    Args:
        dataset: as :func:`scones.staging.load_dataset` gives it.
        task: its labels must be the dataset's.
        trainable: the network; its weights are changed.
        folder: for the checkpoint; those of other data, parameters or code stay as they are, which is said.
        how: everything else.
        seed: of order and augmentation.
        device: where to compute, in torch's words; default: the GPU when there is one.
        watcher: is told how it goes on.
        clock: tells seconds, for the record.

    Raises:
        TrainingError: the labels disagree, there are too few pictures, or the loss is no number.
        TrainingStopped: the watcher ended it.
        StoreError: the checkpoint cannot be written.
    """
    from scones.training.loop import Run

    pictures = _pictures(dataset, task, trainable.size)
    about = _about(dataset, task, trainable, how, seed)
    run = Run(trainable, len(task.labels), how, seed, folder, about, device=device, clock=clock)
    if not run.resume(watcher.say):
        run.begin(_first_head(run.embed(pictures.train), pictures, len(task.labels), seed))
        run.end_epoch(pictures, watcher.epoch)
    steps = run.steps(pictures)
    while run.epoch <= how.epochs and run.epoch - run.best <= how.patience:
        while run.step < steps:
            if watcher.stopping():
                run.save()
                raise TrainingStopped(
                    f"stopped in epoch {run.epoch}: the same command goes on from the checkpoint in {folder}"
                )
            run.take_step(pictures)
            watcher.step((run.epoch - 1) * steps + run.step, how.epochs * steps)
        run.end_epoch(pictures, watcher.epoch)
    run.take_best()
    if run.best == 0:
        watcher.say("no epoch answered the validation pictures better than the backbone as it was: it stays as it was")
        return FineTuned(trainable.freeze(), None, run.rows, run.best, run.checkpoint)
    return FineTuned(trainable.freeze(f"{trainable.name} (fine-tuned)"), run.head(), run.rows, run.best, run.checkpoint)


@dataclass(frozen=True)
class Pictures:
    """The training pictures, and those held back for validation.

    Attributes:
        train, held: uint8 (N, size, size, 3).
        train_labels, held_labels: int64 (N,).
        groups: (N,) of the training pictures, the thing that each shows; None where nothing is known of it.
    """

    train: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    groups: NDArray[np.int64] | None
    held: NDArray[np.uint8]
    held_labels: NDArray[np.int64]


def _pictures(dataset: Dataset, task: Task, size: int) -> Pictures:
    check_labels(dataset, task)
    images, labels = dataset.arrays("train", size)
    lines = [line for line in dataset.lines if line.split == "train"]
    held = np.array([in_validation(line) for line in lines], bool)
    groups = group_numbers(lines)[~held] if any(line.group for line in lines) else None
    pictures = Pictures(images[~held], labels[~held], groups, images[held], labels[held])
    for use, found in (("learn from", pictures.train_labels), ("validate with", pictures.held_labels)):
        if missing := [name for i, name in enumerate(task.labels) if not (found == i).any()]:
            raise TrainingError(
                f"dataset {dataset.version} has too few training pictures of {', '.join(missing)}: none is left to "
                f"{use}; stage more pictures, or train without --fine-tune"
            )
    return pictures


def _first_head(embeddings: NDArray[np.float32], pictures: Pictures, classes: int, seed: int) -> Head:
    if not np.isfinite(embeddings).all():
        raise TrainingError("the backbone gives embeddings that are no numbers: use another backbone")
    labels = pictures.train_labels
    penalty = choose_penalty(embeddings, labels, classes, seed=seed, groups=pictures.groups)
    return fit_head(embeddings, labels, classes, penalty)


def _about(dataset: Dataset, task: Task, trainable: Trainable, how: FineTuning, seed: int) -> dict[str, Any]:
    """What a checkpoint belongs to; of anything else it is no use."""
    weights = hashlib.sha256()
    for name, value in trainable.network.state_dict().items():
        weights.update(name.encode())
        weights.update(value.numpy().tobytes())
    about = {
        "dataset": dataset.version, "task": task.name, "labels": task.labels, "backbone": trainable.name,
        "weights": weights.hexdigest(), "seed": seed, "code": scones.__version__, **asdict(how),
    }  # fmt: skip
    found: dict[str, Any] = json.loads(json.dumps(about))
    return found
