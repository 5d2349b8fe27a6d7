"""Measure a model on pictures that nothing was chosen on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scones.errors import TrainingError
from scones.intervals import share_interval
from scones.store import Bucket, Layout
from scones.training.calibration import calibration_error, null_calibration_error, reliability, risk_coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from scones.bundle import BundleInfo
    from scones.classifier import Classifier
    from scones.staging import Dataset
    from scones.task import Task

__all__ = ["evaluate", "measure", "save_evaluation"]


def evaluate(
    classifier: Classifier, dataset: Dataset, task: Task, *, report: Callable[[int], None] = lambda _: None
) -> dict[str, Any]:
    """Measure a model on a dataset's test split.

    Args:
        classifier: the model.
        dataset: its labels must be the model's.
        task: for the report's title.
        report: called with the number of pictures done since its last call.

    Returns:
        As :func:`measure`, and what data it was measured on.

    Raises:
        TrainingError: the labels disagree, or there are no test pictures.
    """
    info = classifier.info
    if tuple(dataset.labels) != info.labels:
        raise TrainingError(
            f"dataset {dataset.version} has the labels {', '.join(dataset.labels)}, but model {info.version} "
            f"knows {', '.join(info.labels)}: evaluate on a dataset of its own task"
        )
    lines = [line for line in dataset.lines if line.split == "test"]
    if not lines:
        raise TrainingError(f"dataset {dataset.version} holds no test pictures: stage some")
    images, labels = dataset.arrays("test", info.input_size)
    parts = []
    for start in range(0, len(images), 64):
        parts.append(classifier.predict(images[start : start + 64])[0])
        report(len(parts[-1]))
    figures = measure(info, np.concatenate(parts), labels, [line.source_ref for line in lines])
    data = {"version": dataset.version, "source": dataset.source, "counts": dataset.counts()}
    return {"title": task.title, "dataset": data, **figures}


def save_evaluation(bucket: Bucket, evaluation: dict[str, Any], dataset: Dataset) -> str:
    """Write ``evaluation.json`` and ``evaluation.html`` beside the model.

    Returns:
        The key of the page.
    """
    from scones.training.report import evaluation_page

    home = Layout.model(evaluation["task"], evaluation["model_version"])
    lines = {line.source_ref: line for line in dataset.lines}
    pictures = [dataset.read(lines[mistake["key"]]) for mistake in evaluation["mistakes"]]
    bucket.put_json(f"{home}/evaluation.json", evaluation)
    bucket.put(f"{home}/evaluation.html", evaluation_page(evaluation, pictures).encode())
    return f"{home}/evaluation.html"


def measure(
    info: BundleInfo, probabilities: NDArray[np.float32], labels: NDArray[np.int64], keys: Sequence[str]
) -> dict[str, Any]:
    """Every figure of a model on a set of pictures.

    Args:
        info: the model's bundle.
        probabilities: (N, K), its answers.
        labels: (N,), the truth.
        keys: N names of the pictures, for the list of mistakes.

    Returns:
        What ``evaluation.json`` holds (see docs/reference.md): accuracy with its interval, confusion matrix,
        per-class figures, calibration error beside its null, reliability, risk against coverage, what
        the threshold holds, and the worst mistakes.
    """
    names, k, n = info.labels, len(info.labels), len(labels)
    predicted, confidence = probabilities.argmax(1), probabilities.max(1).astype(np.float64)
    correct = predicted == labels
    confusion = np.zeros((k, k), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    accepted = confidence >= info.threshold.value
    wrong = np.flatnonzero(~correct)
    worst = wrong[np.argsort(-confidence[wrong])][:24]
    return {
        "task": info.task,
        "labels": list(names),
        "model_version": info.version,
        "backbone": info.backbone,
        "n": n,
        "accuracy": float(correct.mean()),
        "accuracy_interval": list(share_interval(int(correct.sum()), n)),
        "confusion": confusion.tolist(),
        "per_class": [
            {
                "label": name,
                "n": int(confusion[i].sum()),
                "precision": float(confusion[i, i] / max(confusion[:, i].sum(), 1)),
                "recall": float(confusion[i, i] / max(confusion[i].sum(), 1)),
            }
            for i, name in enumerate(names)
        ],
        "ece": calibration_error(confidence, correct),
        "ece_null": null_calibration_error(confidence),
        "reliability": reliability(confidence, correct),
        "risk_coverage": risk_coverage(confidence, correct),
        "threshold": info.threshold.model_dump(),
        "at_threshold": {
            "coverage": float(accepted.mean()),
            "risk": float((~correct[accepted]).mean()) if accepted.any() else 0.0,
            "accepted": int(accepted.sum()),
            "wrong": int((~correct & accepted).sum()),
        },
        "mistakes": [
            {
                "key": keys[i],
                "truth": names[labels[i]],
                "predicted": names[predicted[i]],
                "confidence": float(confidence[i]),
            }
            for i in worst
        ],
    }
