"""How often the model is right on a window of pictures: without labels, and with a few answers of a person.

Without labels the estimate believes the model: it holds as long as its confidence means what it meant on the
calibration pictures (:data:`CANNOT_SEE` says what that leaves out). With answers it is corrected by how far the model
was off on the pictures that a person looked at, and its interval stands on these alone: it holds whatever has changed.

The confidence may be the model's own, or what :class:`scones.monitoring.quality.right_chance.RightChance` makes of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.monitoring.quality.review_queue import ReviewChoice

__all__ = [
    "CANNOT_SEE",
    "Accuracy",
    "accuracy_from_confidence",
    "accuracy_from_reviews",
    "accuracy_from_threshold",
]

_IMAGINED = 2
"""Answers imagined of each kind, so that all right does not look like certainty (Agresti & Coull 1998)."""
_OFF = 0.05
"""Standard deviation of how far a window's mean confidence is off, as long as it means what it meant."""
CANNOT_SEE = (
    "estimated without labels: it cannot see pictures of a class that the model does not know, nor errors that the "
    "model is sure of; review some pictures to see them"
)
"""The warning that comes with each estimate that stands on no answers."""


@dataclass(frozen=True)
class Accuracy:
    """A share of right answers, and how far it may be off.

    Attributes:
        estimate: 0 to 1.
        low: lower end of the interval.
        high: upper end.
        answers: of a person, that it stands on.
        warning: what it cannot see; empty where it stands on answers.
    """

    estimate: float
    low: float
    high: float
    answers: int = 0
    warning: str = ""


def accuracy_from_confidence(
    confidence: NDArray[np.floating[Any]],
    calibration_confidence: NDArray[np.floating[Any]],
    calibration_correct: NDArray[np.bool_],
    *,
    level: float = 0.95,
) -> Accuracy:
    """Accuracy of a window whose labels nobody knows: its mean confidence, corrected as calibration asks for.

    Args:
        confidence: (N,) of the window's pictures, 0 to 1.
        calibration_confidence: (M,) of the calibration pictures.
        calibration_correct: (M,), whether the model was right there.
        level: of the interval. It carries the luck of both samples, and holds while confidence means the same.
    """
    return _believed(confidence, calibration_confidence, calibration_correct, level)


def accuracy_from_threshold(
    confidence: NDArray[np.floating[Any]],
    calibration_confidence: NDArray[np.floating[Any]],
    calibration_correct: NDArray[np.bool_],
    *,
    level: float = 0.95,
) -> Accuracy:
    """The same by average thresholded confidence (Garg et al. 2022, "Leveraging unlabeled data").

    It is the share of pictures at or above the confidence that as many calibration pictures reach as are right.
    It needs no calibrated confidence, only its order. Arguments as :func:`accuracy_from_confidence`.
    """
    m = len(calibration_correct)
    if not m:
        return Accuracy(0.5, 0.0, 1.0, warning=CANNOT_SEE)
    right = int(np.sum(calibration_correct))
    cut = np.sort(calibration_confidence)[m - right] if right else np.inf
    return _believed(
        (confidence >= cut).astype(np.float64),
        (calibration_confidence >= cut).astype(np.float64),
        calibration_correct,
        level,
    )


def accuracy_from_reviews(
    confidence: NDArray[np.floating[Any]],
    choice: ReviewChoice,
    correct: dict[int, bool],
    *,
    level: float = 0.95,
) -> Accuracy:
    """Accuracy of a window's own pictures, from the model's confidence and a person's answers to some.

    The model's mean confidence is corrected, stratum by stratum, by how far it was off on the pictures that
    were answered: the difference estimator of survey sampling, known for models as prediction-powered inference
    (Angelopoulos et al. 2023). Each answer counts by the inverse of its chance to be given. So the correction is
    unbiased, whatever the model believes; the better its confidence, the less it varies.

    A few answers vary more than a good model errs. So the estimate is the mean of the correction given what was found,
    where it is held as likely before that the confidence still means what it meant, and is off by little, as that it
    means nothing, and may be off by anything (a spike and a slab, Mitchell & Beauchamp 1988). Answers that agree with
    the model within their luck move it little; answers that contradict it move it all the way. Only where it is off by
    about as much as luck alone would have it does the estimate fall short. The interval is that of the unbiased
    correction: it leans on nothing.

    Args:
        confidence: (N,) of the window's pictures, 0 to 1; how good it is decides how precise the estimate is, not
            whether it is right.
        choice: how the pictures were chosen.
        correct: of pictures of the choice, by index, whether the model was right; pictures that nobody
            answered may be missing, if that does not depend on what they show.
        level: of the interval: the exact one of as many answers to pictures drawn at random as would tell as much
            (Korn & Graubard 1998), and never more than were given. It is checked by simulation, and is
            on the wide side: the strata make the estimate more precise than the interval takes credit for.

    Returns:
        The estimate; with no answers the mean confidence, and an interval of 0 to 1.

    Raises:
        ValueError: an answer is about a picture that was not chosen.
    """
    n = len(confidence)
    if strange := sorted(set(correct) - set(choice.indices.tolist())):
        raise ValueError(f"picture {strange[0]} was answered, but not chosen for review: take its answer out")
    if not correct:
        return Accuracy(float(np.mean(confidence)) if n else 0.5, 0.0, 1.0, warning=CANNOT_SEE)
    answered = np.array(sorted(correct))
    right = np.array([correct[int(k)] for k in answered], dtype=np.float64)
    stratum = _joined(choice.stratum, answered)
    sizes = np.bincount(stratum)
    counts, hits = np.bincount(stratum[answered]), np.bincount(stratum[answered], right)
    off = np.bincount(stratum[answered], right - confidence[answered]) / counts
    stated, correction = float(np.mean(confidence)), float(sizes @ off / n)
    unbiased = min(max(stated + correction, 0.0), 1.0)
    # how much right and wrong vary in each stratum; few answers there are eked out with what all say
    overall = (len(right) * unbiased + _IMAGINED) / (len(right) + 2 * _IMAGINED)
    smoothed = (hits + 2 * overall) / (counts + 2)
    each = smoothed * (1 - smoothed) * (1 + 1 / counts) / counts
    variance = float(((sizes / n) ** 2 * (1 - counts / sizes) * each).sum())
    # a bound on what the strata gain: where errors are rare, few answers cannot tell how much they vary
    most_worth = len(right) / max(1 - len(right) / n, 1e-9)
    low, high = _exact(unbiased, min(overall * (1 - overall) / max(variance, 1e-12), most_worth), level)
    low, high = low if right.any() else 0.0, high if not right.all() else 1.0
    least, most = float(right.sum()) / n, 1 - float((1 - right).sum()) / n
    low, high = min(max(low, least), most), max(min(high, most), least)
    luck = float(np.mean(confidence * (1 - confidence))) / n  # a window's own pictures are a sample, too
    estimate = stated + _leaning(correction, variance, _OFF**2 + luck)
    return Accuracy(min(max(estimate, low), high), low, high, len(right))


def _leaning(correction: float, variance: float, usual: float) -> float:
    """The mean of a correction that was found with a variance: normal with the usual one, or anything from -1 to 1."""
    together = usual + variance
    spike = float(np.exp(-(correction**2) / (2 * together)) / np.sqrt(2 * np.pi * together))
    means_the_same = spike / (spike + 0.5)
    return correction * (1 - means_the_same * variance / together)


def _exact(share: float, worth: float, level: float) -> tuple[float, float]:
    """The exact interval of a share (Clopper & Pearson 1934), of so many answers that need be no whole number."""
    from scipy.special import betaincinv

    share, tail = min(max(share, 0.0), 1.0), (1 - level) / 2
    hits, misses = share * worth, (1 - share) * worth
    low = float(betaincinv(hits, misses + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, misses, 1 - tail)) if misses > 0 else 1.0
    return low, high


def _believed(
    guess: NDArray[np.floating[Any]],
    calibration_guess: NDArray[np.floating[Any]],
    calibration_correct: NDArray[np.bool_],
    level: float,
) -> Accuracy:
    """The window's mean guess, plus how far guesses were off on the calibration pictures."""
    from scipy.stats import norm

    n, m = len(guess), len(calibration_correct)
    if not n or not m:
        return Accuracy(0.5, 0.0, 1.0, warning=CANNOT_SEE)
    off = calibration_correct - calibration_guess
    estimate = float(np.clip(np.mean(guess) + np.mean(off), 0, 1))
    # as if one calibration picture more had been answered wrongly: that none was is no certainty
    spread = max(float(np.var(off)), 1 / (m + 1))
    reach = float(norm.ppf((1 + level) / 2) * np.sqrt(spread * (1 / n + 1 / m)))
    return Accuracy(estimate, max(estimate - reach, 0.0), min(estimate + reach, 1.0), warning=CANNOT_SEE)


def _joined(stratum: NDArray[np.int64], answered: NDArray[np.int64]) -> NDArray[np.int64]:
    """Strata in which each has an answer: one without joins the next below that has, or the first that has."""
    alive = np.unique(stratum[answered])
    place = np.searchsorted(alive, stratum, side="right") - 1
    return np.asarray(np.maximum(place, 0), dtype=np.int64)
