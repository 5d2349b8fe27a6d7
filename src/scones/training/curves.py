"""How well a label's score ranks pictures: ROC and precision-recall curves, one label against the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["POINTS", "ranking"]

POINTS = 100
"""About as many points a curve keeps: enough to draw it, few enough for a hundred labels."""


def ranking(scores: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> dict[str, Any]:
    """Walk down the scores and count what is found; equal scores are taken together.

    Args:
        scores: (N,), the higher, the likelier the label.
        truth: (N,), whether the picture is of the label.

    Returns:
        ``roc_auc``, the area below the ROC curve: the probability that a picture of the label scores higher than
        another one (ties count half; Hanley & McNeil 1982); ``average_precision``, the precision at each
        picture of the label, averaged with the last first (without interpolation); ``roc``, pairs of false and true
        positive rate; ``precision_recall``, pairs of recall and precision. All None or empty where the
        pictures are all of the label, or none is.

    Example:
        >>> found = ranking(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]))
        >>> found["roc_auc"], round(found["average_precision"], 3)
        (0.75, 0.833)
    """
    positive, n = int(truth.sum()), len(truth)
    if positive in (0, n):
        return {"roc_auc": None, "average_precision": None, "roc": [], "precision_recall": []}
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), n - 1)  # the last of each run of equal scores
    hits, taken = np.cumsum(truth[order])[ends], ends + 1
    recall, precision = hits / positive, hits / taken
    false, true = np.append(0, (taken - hits) / (n - positive)), np.append(0, recall)
    # evenly along the ROC curve, which keeps its rise: the label's pictures may be few, and all at the top
    kept = np.unique(np.searchsorted(true + false, np.linspace(0, 2, POINTS) - 1e-9))
    return {
        "roc_auc": float(np.trapezoid(true, false)),
        "average_precision": float((np.diff(true) * precision).sum()),
        "roc": _pairs(false[kept], true[kept]),
        "precision_recall": _pairs(*(values[np.maximum(kept - 1, 0)] for values in (recall, precision))),
    }


def _pairs(across: NDArray[np.float64], up: NDArray[np.float64]) -> list[list[float]]:
    return [[round(float(x), 5), round(float(y), 5)] for x, y in zip(across, up, strict=True)]
