"""From a staged dataset to a calibrated model bundle: frozen backbone, fitted head, temperature, threshold."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import softmax

import scones
from scones.bundle import BundleInfo
from scones.errors import TrainingError
from scones.training.backbone import Backbone
from scones.training.calibration import calibration_error, fit_temperature, fit_threshold
from scones.training.graph import join
from scones.training.head import choose_penalty, fit_head

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scones.staging import Dataset
    from scones.task import Task

__all__ = ["train"]


def train(
    dataset: Dataset,
    task: Task,
    backbone: Backbone,
    *,
    seed: int = 0,
    now: datetime,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[BundleInfo, bytes]:
    """Train a task's model.

    The head learns from the training split; temperature and threshold come from the calibration split.
    The test split is not read.

    Args:
        dataset: as :func:`scones.staging.load_dataset` gives it.
        task: its labels must be the dataset's.
        backbone: the frozen part.
        seed: of the cross-validation's folds.
        now: for the record, with time zone.
        report: called with the name of each step as it starts.

    Returns:
        What ``bundle.json`` will say, and the ONNX graph.

    Raises:
        TrainingError: the labels disagree, a label has no pictures, or the embeddings are no numbers.
    """
    if tuple(dataset.labels) != task.labels:
        raise TrainingError(
            f"dataset {dataset.version} has the labels {', '.join(dataset.labels)}, but task {task.name} "
            f"has {', '.join(task.labels)}: stage the task again"
        )
    k = len(task.labels)
    report("reading pictures")
    images, labels = dataset.arrays("train", backbone.size)
    held, held_labels = dataset.arrays("calibration", backbone.size)
    for split, found in (("training", labels), ("calibration", held_labels)):
        if missing := [name for i, name in enumerate(task.labels) if not (found == i).any()]:
            raise TrainingError(
                f"the {split} split of dataset {dataset.version} holds no picture of {', '.join(missing)}: "
                "stage more pictures"
            )
    report("embedding pictures")
    embeddings = backbone.embed(images)
    if not np.isfinite(embeddings).all():
        raise TrainingError(f"backbone {backbone.name} gives embeddings that are no numbers: use another backbone")
    report("choosing the penalty")
    penalty = choose_penalty(embeddings, labels, k, seed=seed)
    report("fitting the head")
    head = fit_head(embeddings, labels, k, penalty)
    report("calibrating")
    logits = head.logits(backbone.embed(held))
    temperature = fit_temperature(logits, held_labels)
    probabilities = softmax(logits / temperature, axis=1)
    confidence, correct = probabilities.max(1), probabilities.argmax(1) == held_labels
    threshold = fit_threshold(confidence, correct, task.policy)
    report("writing the graph")
    model = join(backbone, head, temperature)
    identity = hashlib.sha256(model)
    identity.update(f"{task.name}:{task.labels}:{threshold.value}:{dataset.version}:{seed}".encode())
    info = BundleInfo(
        task=task.name,
        labels=task.labels,
        input_size=backbone.size,
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
    )
    return info, model


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
