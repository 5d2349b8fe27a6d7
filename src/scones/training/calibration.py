"""How sure the model is, and when it may decide alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from scipy.stats import beta, binom

from scones.bundle import ThresholdFit
from scones.task import DecisionPolicy

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "calibration_error",
    "fit_temperature",
    "fit_threshold",
    "null_calibration_error",
    "pictures_needed",
    "reliability",
    "risk_bounds",
    "risk_coverage",
]

BINS = 15


def fit_temperature(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The number to divide logits by so that their softmax is calibrated (Guo et al. 2017).

    The targets are softened as if one of n + 2 answers were wrong (Platt 1999): that no calibration
    picture was wrong does not mean that none ever will be.

    Args:
        logits: (N, K) of pictures that the model was not trained on.
        labels: (N,).

    Returns:
        The temperature of highest likelihood, between 0.05 and 20.
    """
    n, k = logits.shape
    target = np.full((n, k), 1 / (n + 2) / (k - 1))
    target[np.arange(n), labels] = (n + 1) / (n + 2)

    def loss(log_temperature: float) -> float:
        return -float((target * log_softmax(logits / np.exp(log_temperature), axis=1)).sum(1).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded").x))


def reliability(confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Mean confidence and accuracy in each of 15 equal bins of confidence; empty bins are left out."""
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    rows = []
    for k in np.unique(place):
        inside = place == k
        rows.append({
            "low": k / BINS, "high": (k + 1) / BINS, "n": int(inside.sum()),
            "confidence": float(confidence[inside].mean()), "accuracy": float(correct[inside].mean()),
        })  # fmt: skip
    return rows


def calibration_error(confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_]) -> float:
    """Expected calibration error with 15 equal bins (Naeini et al. 2015), 0 to 1."""
    return sum(
        row["n"] * abs(row["confidence"] - row["accuracy"]) for row in reliability(confidence, correct)
    ) / len(confidence)  # fmt: skip


def null_calibration_error(confidence: NDArray[np.floating[Any]], *, seed: int = 0, draws: int = 200) -> float:
    """The calibration error that a perfectly calibrated model would show here, by the luck of binning alone.

    Args:
        confidence: (N,), the confidences that the model stated.
        seed: of the simulation.
        draws: simulated sets of right and wrong answers.
    """
    rng = np.random.default_rng(seed)
    return float(
        np.mean([calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(draws)])
    )


def risk_bounds(
    wrong: NDArray[np.integer[Any]], accepted: NDArray[np.integer[Any]], confidence: float
) -> NDArray[np.float64]:
    """Exact upper confidence bounds on the share of wrong answers (Clopper & Pearson 1934).

    Example:
        >>> risk_bounds(np.array([0, 1]), np.array([59, 59]), 0.95).round(3).tolist()
        [0.05, 0.078]
    """
    right = accepted - wrong
    return np.where(right > 0, beta.ppf(confidence, wrong + 1, np.maximum(right, 1)), 1.0)


def pictures_needed(policy: DecisionPolicy) -> int:
    """How many pictures, all of them right, it takes to show the target risk."""
    return int(np.ceil(np.log(1 - policy.confidence) / np.log(1 - policy.target_risk)))


def fit_threshold(
    confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_], policy: DecisionPolicy
) -> ThresholdFit:
    """Find the lowest threshold at which the target risk still provably holds.

    Fixed-sequence testing (Angelopoulos et al. 2021, "Learn then Test"): thresholds are tried from the
    strictest down, in an order that does not look at which answers were right, and the first one
    whose exact bound exceeds the target ends the search. So the promise holds with the stated
    confidence although several thresholds were tried. They are tried where one more wrong answer becomes
    affordable, since no threshold between two of those has a better chance; the strictest accepts a
    tenth of the pictures, or as many as the target needs at least.

    Args:
        confidence: (N,), of calibration pictures.
        correct: (N,), whether the answer was right.
        policy: the target.

    Returns:
        The threshold and what it holds; the policy's default when there are too few pictures.
    """
    n = len(confidence)
    needed = pictures_needed(policy)
    order = np.argsort(-confidence, kind="stable")
    sorted_confidence, wrong = confidence[order], np.cumsum(~correct[order], dtype=np.int64)
    affordable = binom.ppf(1 - policy.confidence, np.arange(n + 1), policy.target_risk) - 1  # wrong answers
    counts = np.append(np.flatnonzero(np.diff(affordable) > 0) + 1, n)
    counts = counts[counts >= max(needed, n // 10)]
    # all pictures of a tie are accepted, or none
    counts = np.unique(np.searchsorted(-sorted_confidence, -sorted_confidence[counts - 1], side="right"))
    bounds = risk_bounds(wrong[counts - 1], counts, policy.confidence)
    passed = int(np.logical_and.accumulate(bounds <= policy.target_risk).sum())
    best = int(counts[passed - 1]) if passed else 0
    if best == 0:
        accepted = int((confidence >= policy.default_threshold).sum())
        why = (
            f"{n} calibration pictures are too few: at least {needed} are needed, {needed - n} more"
            if n < needed
            else f"the target risk of {policy.target_risk:.1%} does not hold on the {counts[0]} surest of {n} "
            "calibration pictures"
        )
        return ThresholdFit(
            value=policy.default_threshold, origin="default", target_risk=policy.target_risk,
            confidence=policy.confidence, risk_bound=None, pictures=n, coverage=accepted / max(n, 1),
            note=f"{why}; the task's default threshold {policy.default_threshold} is in force, with no promise",
        )  # fmt: skip
    bound = float(bounds[passed - 1])
    # rounded down, so that the picture at the edge is accepted after the float32 graph computed it again
    value = float(np.floor(sorted_confidence[best - 1] * 1e6) / 1e6)
    return ThresholdFit(
        value=value, origin="fitted", target_risk=policy.target_risk, confidence=policy.confidence,
        risk_bound=bound, pictures=n, coverage=best / n,
        note=f"of pictures accepted at {value:.4f} or more, at most {bound:.1%} are wrong, "
        f"with {policy.confidence:.0%} confidence ({int(wrong[best - 1])} of {best} calibration pictures)",
    )  # fmt: skip


def risk_coverage(confidence: NDArray[np.floating[Any]], correct: NDArray[np.bool_]) -> list[dict[str, float]]:
    """Share accepted and share wrong among them, at each threshold that makes a difference (100 at most)."""
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(~correct[order])
    n = len(confidence)
    ends = np.append(np.flatnonzero(np.diff(confidence[order])), n - 1)  # all pictures of a tie are accepted, or none
    picks = ends[np.unique(np.linspace(0, len(ends) - 1, min(len(ends), 100)).astype(int))]
    return [
        {"threshold": float(confidence[order[i]]), "coverage": float((i + 1) / n), "risk": float(wrong[i] / (i + 1)),
         "n": int(i + 1)}
        for i in picks
    ]  # fmt: skip
