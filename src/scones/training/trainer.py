"""From a staged dataset to a calibrated model bundle: frozen backbone, fitted head, temperature, threshold."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from scipy.special import softmax

import scones
from scones.bundle import BundleInfo
from scones.errors import TrainingError
from scones.training.backbone import Backbone
from scones.training.calibration import calibration_error, fit_temperature, fit_threshold
from scones.training.folds import group_numbers
from scones.training.graph import join
from scones.training.head import Head, choose_penalty, fit_head
from scones.training.views import look

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from scones.contracts import ManifestLine
    from scones.staging import Dataset
    from scones.task import Task

__all__ = ["Remake", "check_labels", "train"]


@dataclass(frozen=True)
class Remake:
    """Makes further pictures of some, for a head to learn from and to be calibrated with.

    Attributes:
        make: of N pictures, uint8 (N, H, W, 3), and their lines, the rows (M,) of those that it made others of, and the
            others, (M, H, W, 3).
        counts: how much one of them counts beside the one that it was made of.
    """

    make: Callable[[Sequence[ManifestLine], NDArray[np.uint8]], tuple[NDArray[np.int64], NDArray[np.uint8]]]
    counts: float


def train(
    dataset: Dataset,
    task: Task,
    backbone: Backbone,
    *,
    head: Head | None = None,
    counts: Callable[[ManifestLine], float] | None = None,
    remake: Remake | None = None,
    seed: int = 0,
    now: datetime,
    parameters: dict[str, Any] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[BundleInfo, bytes]:
    """Train a task's model.

    The head learns from the training split; temperature and threshold come from the calibration split.
    The test split is not read.

    Args:
        dataset: as :func:`scones.staging.load_dataset` gives it.
        task: its labels must be the dataset's; through its view, where it has one, all pictures are seen.
        backbone: the frozen part.
        head: fitted already (fine-tuning does); by default it is fitted here.
        counts: how much a training picture counts beside the others, where the head is fitted here; default: each the
            same.
        remake: makes further pictures of some, which are learned from as well, where the head is fitted here, and
            calibrated with; the threshold then holds for either kind.
        seed: of the cross-validation's folds.
        now: for the record, with time zone.
        parameters: for the record, what else made the model what it is (fine-tuning's epochs and rates).
        report: called with the name of each step as it starts.

    Returns:
        What ``bundle.json`` will say, and the ONNX graph.

    Raises:
        TrainingError: the labels disagree, a label has no pictures, or the embeddings are no numbers.
    """
    check_labels(dataset, task)
    _check_splits(dataset, task)
    k = len(task.labels)
    seen = look(backbone, task.view)
    report("reading pictures")
    images, labels = dataset.arrays("train", seen.size)
    held, held_labels = dataset.arrays("calibration", seen.size)
    report("embedding pictures")
    embeddings, held_embeddings = seen.embed(images), seen.embed(held)
    if not (np.isfinite(embeddings).all() and np.isfinite(held_embeddings).all()):
        raise TrainingError(f"backbone {backbone.name} gives embeddings that are no numbers: use another backbone")
    learned = _Pictures(embeddings, labels, _weights(dataset, counts), _groups(dataset))
    kept = [_Pictures(held_embeddings, held_labels)]
    if remake is not None:
        for split, some in (("train", images), ("calibration", held)):
            rows, made = remake.make([line for line in dataset.lines if line.split == split], some)
            if len(rows) and split == "train":
                learned = learned.and_also(rows, seen.embed(made), remake.counts)
            elif len(rows):
                kept.append(_Pictures(seen.embed(made), held_labels[rows]))
    penalty = None
    if head is None:
        report("choosing the penalty")
        penalty = choose_penalty(learned.embeddings, learned.labels, k, seed=seed, groups=learned.groups)
        report("fitting the head")
        head = fit_head(learned.embeddings, learned.labels, k, penalty, learned.weights)
    elif head.weights.shape != (embeddings.shape[1], k):
        raise TrainingError(
            f"the head takes and gives {head.weights.shape} numbers, not {(embeddings.shape[1], k)}: fit it on what "
            f"backbone {backbone.name} gives{' through the view' if task.view else ''} of task {task.name}"
        )
    report("calibrating")
    logits = [head.logits(part.embeddings) for part in kept]
    temperature = fit_temperature(np.concatenate(logits), np.concatenate([part.labels for part in kept]))
    answers = [softmax(part / temperature, axis=1) for part in logits]
    fits = [
        fit_threshold(p.max(1), p.argmax(1) == part.labels, task.policy) for p, part in zip(answers, kept, strict=True)
    ]
    threshold = max(fits, key=lambda fit: fit.value)
    probabilities = answers[0]
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == held_labels
    report("writing the graph")
    model = join(seen, head, temperature)
    identity = hashlib.sha256(model)
    promise = threshold.model_dump_json()
    identity.update(f"{task.name}:{task.labels}:{promise}:{dataset.version}:{seed}".encode())
    info = BundleInfo(
        task=task.name,
        labels=task.labels,
        input_size=seen.size,
        version=identity.hexdigest()[:12],
        threshold=threshold,
        temperature=temperature,
        metrics={
            "calibration_accuracy": float(correct.mean()),
            "calibration_ece": calibration_error(confidence, correct),
            "training_pictures": len(labels),
            "calibration_pictures": len(held_labels),
            "penalty": penalty,
        },
        reference=_reference(probabilities, held, threshold.value),
        dataset=dataset.version,
        backbone=backbone.name,
        seed=seed,
        code=scones.__version__,
        trained_at=now.isoformat(timespec="seconds"),
        source=dataset.source,
        parameters={
            "backbone_sha256": hashlib.sha256(backbone.model).hexdigest(),
            "penalty": penalty,
            **(parameters or {}),
        },
    )
    return info, model


@dataclass(frozen=True)
class _Pictures:
    """What a head is fitted to, or measured with.

    Attributes:
        embeddings: float32 (N, D).
        labels: (N,).
        weights: (N,), how much each counts; None: the same.
        groups: (N,), of the same thing; None: each shows its own.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None
    groups: NDArray[np.int64] | None = None

    def and_also(self, rows: NDArray[np.int64], embeddings: NDArray[np.float32], counts: float) -> Self:
        """Further pictures of what those of rows (M,) show, (M, D); each counts so much of what that one does."""
        count = len(self.labels)
        weights = np.ones(count) if self.weights is None else self.weights
        groups = np.arange(count) if self.groups is None else self.groups
        return replace(
            self,
            embeddings=np.concatenate([self.embeddings, embeddings]),
            labels=np.concatenate([self.labels, self.labels[rows]]),
            weights=np.concatenate([weights, counts * weights[rows]]),
            groups=np.concatenate([groups, groups[rows]]),
        )


def check_labels(dataset: Dataset, task: Task) -> None:
    """Make sure that a dataset is of a task.

    Raises:
        TrainingError: the labels disagree, or the manifest gives a picture another label than its number says.
    """
    if tuple(dataset.labels) != task.labels:
        raise TrainingError(
            f"dataset {dataset.version} has the labels {', '.join(dataset.labels)}, but task {task.name} "
            f"has {', '.join(task.labels)}: stage the task again"
        )
    if strange := [line for line in dataset.lines if (line.label_index, line.label) not in enumerate(task.labels)]:
        raise TrainingError(
            f"dataset {dataset.version} calls {strange[0].source_ref} {strange[0].label!r}, number "
            f"{strange[0].label_index} of the labels, which are {', '.join(task.labels)}: stage the task again"
        )


def _check_splits(dataset: Dataset, task: Task) -> None:
    for split, name in (("train", "training"), ("calibration", "calibration")):
        found = {line.label for line in dataset.lines if line.split == split}
        if missing := [label for label in task.labels if label not in found]:
            raise TrainingError(
                f"the {name} split of dataset {dataset.version} holds no picture of {', '.join(missing)}: "
                f"stage more pictures, or take the label{'s' if len(missing) > 1 else ''} out of task {task.name}"
            )


def _weights(dataset: Dataset, counts: Callable[[ManifestLine], float] | None) -> NDArray[np.float64] | None:
    if counts is None:
        return None
    return np.array([counts(line) for line in dataset.lines if line.split == "train"], np.float64)


def _groups(dataset: Dataset) -> NDArray[np.int64] | None:
    """The things that the training pictures show; None where each shows its own."""
    groups = group_numbers([line for line in dataset.lines if line.split == "train"])
    return groups if len(np.unique(groups)) < len(groups) else None


def _reference(probabilities: NDArray[np.float64], images: NDArray[np.uint8], threshold: float) -> dict[str, Any]:
    """What healthy traffic looks like: statistics of the calibration pictures."""
    confidence = probabilities.max(1)
    brightness = images.mean((1, 2, 3)) / 255
    return {
        "pictures": len(confidence),
        "predicted_share": (
            np.bincount(probabilities.argmax(1), minlength=probabilities.shape[1]) / len(confidence)
        ).tolist(),
        "confidence_quantiles": np.quantile(confidence, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist(),
        "below_threshold": float((confidence < threshold).mean()),
        "brightness_mean": float(brightness.mean()),
        "brightness_std": float(brightness.std()),
    }
