"""Measure a model on pictures that nothing was chosen on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import binomtest

from scones.training.calibration import calibration_error, null_calibration_error, reliability, risk_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scones.bundle import BundleInfo

__all__ = ["interval", "measure"]


def interval(hits: int, n: int) -> list[float]:
    """Exact 95 % confidence interval of a share (Clopper & Pearson 1934), as [low, high]."""
    if n == 0:
        return [0.0, 1.0]
    found = binomtest(hits, n).proportion_ci(0.95, method="exact")
    return [float(found.low), float(found.high)]


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
        "accuracy_interval": interval(int(correct.sum()), n),
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
