"""Measure a model on pictures that nothing was chosen on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binom

from scones.intervals import share_interval
from scones.staging.source import Progress, no_progress
from scones.store import Bucket, Layout
from scones.training.calibration import calibration_error, null_calibration_error, reliability, risk_coverage
from scones.training.curves import ranking
from scones.training.predictions import lines_to_test, predict_lines
from scones.training.robustness import distorted, robustness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scones.bundle import BundleInfo
    from scones.classifier import Classifier
    from scones.staging import Dataset
    from scones.task import Task

__all__ = ["evaluate", "measure", "save_evaluation"]

_MISTAKES = 24


def evaluate(
    classifier: Classifier, dataset: Dataset, task: Task, *, seed: int = 0, report: Progress = no_progress
) -> dict[str, Any]:
    """Measure a model on a dataset's test split.

    Args:
        classifier: the model.
        dataset: its labels must be the model's.
        task: for the report's title.
        seed: of the distortions.
        report: told how it gets on.

    Returns:
        As :func:`measure`; ``title``; ``dataset``, what it was measured on (``version``, ``source``, ``counts``); and
        ``robustness`` (:func:`scones.training.robustness.robustness`).

    Raises:
        TrainingError: the labels disagree, or there are no test pictures.
        ObjectMissing: a picture was removed.
    """
    info = classifier.info
    lines = lines_to_test(info, dataset)
    probabilities = predict_lines(classifier, dataset, lines, report=report)
    labels = np.array([line.label_index for line in lines])
    return {
        "title": task.title,
        "dataset": {"version": dataset.version, "source": dataset.source, "counts": dataset.counts()},
        **measure(info, probabilities, labels, [line.source_ref for line in lines]),
        "robustness": robustness(classifier, dataset, lines, probabilities, seed=seed, report=report),
    }


def save_evaluation(bucket: Bucket, evaluation: dict[str, Any], dataset: Dataset) -> str:
    """Write ``evaluation.json`` and ``evaluation.html`` beside the model.

    Returns:
        The key of the page.
    """
    from scones.training.report import evaluation_page

    home = Layout.model(evaluation["task"], evaluation["model_version"])
    lines = {line.source_ref: line for line in dataset.lines}
    pictures = [dataset.read(lines[mistake["key"]]) for mistake in evaluation["mistakes"]]
    shown = lines[evaluation["robustness"]["example"]]
    how = evaluation["robustness"]
    examples = distorted(dataset.read(shown), shown.hash, size=how["size"], seed=how["seed"])
    bucket.put_json(f"{home}/evaluation.json", evaluation)
    bucket.put(f"{home}/evaluation.html", evaluation_page(evaluation, pictures, examples).encode())
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
        per-class figures and curves, calibration error beside what a perfectly calibrated model would show,
        reliability, risk against coverage, what the threshold holds, and the worst mistakes.
    """
    names, k, n = info.labels, len(info.labels), len(labels)
    predicted, confidence = probabilities.argmax(1), probabilities.max(1).astype(np.float64)
    correct = predicted == labels
    confusion = np.zeros((k, k), dtype=int)
    np.add.at(confusion, (labels, predicted), 1)
    accepted = confidence >= info.threshold.value
    wrong = np.flatnonzero(~correct)
    worst = wrong[np.argsort(-confidence[wrong])][:_MISTAKES]
    ece, ece_null = calibration_error(confidence, correct), null_calibration_error(confidence)
    per_class = [_label_figures(name, i, confusion, probabilities[:, i], labels) for i, name in enumerate(names)]
    return {
        "task": info.task,
        "labels": list(names),
        "model_version": info.version,
        "backbone": info.backbone,
        "n": n,
        "accuracy": float(correct.mean()),
        "accuracy_interval": list(share_interval(int(correct.sum()), n)),
        "confusion": confusion.tolist(),
        "balanced_accuracy": float(np.mean([row["recall"] for row in per_class if row["n"]])),
        "per_class": per_class,
        "ece": ece,
        "ece_null": ece_null,
        "ece_excess": ece - ece_null,
        "reliability": [_beside_chance(row) for row in reliability(confidence, correct)],
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


def _label_figures(
    name: str, place: int, confusion: NDArray[np.int_], scores: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, Any]:
    """One label against the rest: how much of it is found, how far its answers can be trusted, and the curves."""
    right, of, answered = (int(n) for n in (confusion[place, place], confusion[place].sum(), confusion[:, place].sum()))
    return {
        "label": name,
        "n": of,
        "recall": right / max(of, 1),
        "recall_interval": list(share_interval(right, of)),
        "answered": answered,
        "precision": right / max(answered, 1),
        "precision_interval": list(share_interval(right, answered)),
        **ranking(scores, labels == place),
    }


def _beside_chance(row: dict[str, float]) -> dict[str, Any]:
    """A bin of the reliability diagram, and where 95 in 100 perfectly calibrated models would show it."""
    ends = (binom.ppf(q, row["n"], min(row["confidence"], 1.0)) / row["n"] for q in (0.025, 0.975))
    return {**row, "by_chance": [float(end) for end in ends]}
