"""Which classes a window of pictures holds, when the model that tells them apart is known to err.

Counting answers gives a wrong mix: a model that takes one bicycle in ten for a motorcycle sees motorcycles where there
are none. The calibration pictures say how often it errs and in which direction. If nothing but the class mix has
changed ("label shift"), pictures of a class still get the same answers as the calibration pictures of that class,
so that the window's answers are a mixture of the classes' known answers, and the mixture's weights are the mix.
They are found by maximum likelihood (Saerens et al. 2002), from answers that are counted in cells: the predicted class
and a few steps of confidence. The cells need no calibrated probabilities, only counts (as BBSE, Lipton et al. 2018,
whose estimate this is with one step where no share is 0); the steps use what the confidence tells (Garg et al. 2020, "A
unified view of label shift estimation"), and leave a test of whether the class mix alone explains the answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["AnswerCells", "ClassMix", "class_mix", "fit_cells"]

_STEPS = 5
"""Most steps of confidence; beyond that, little is gained."""
_PICTURES_A_CELL = 5
"""Calibration pictures of a class that a cell should have on average."""
_ADDED = 2
"""Pictures added to each class before its standard error is computed."""
_ROUNDS = 5000
_STILL = 1e-9
_TOO_WIDE = 0.25
"""A standard error from which on a share is as good as unknown: 95 % of it would be an interval of 0 to 1."""
_NOISE = 3.0
"""How many times farther than chance puts them two classes' answers must be apart."""


@dataclass(frozen=True)
class AnswerCells:
    """How pictures of each class are answered, counted on the calibration pictures.

    Attributes:
        edges: (K, B - 1), where the steps of confidence begin, for each predicted class.
        counts: (K, K * B), pictures of each true class (row) in each cell.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]

    def place(self, probabilities: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """The cell, 0 to K * B - 1, that each answer (N, K) falls into."""
        predicted, confidence = probabilities.argmax(1), probabilities.max(1)
        step = (confidence[:, None] >= self.edges[predicted]).sum(1)
        return np.asarray(predicted * (self.edges.shape[1] + 1) + step, dtype=np.int64)


@dataclass(frozen=True)
class ClassMix:
    """The estimated mix of the source that a window was drawn from.

    Attributes:
        pictures: of the window.
        share: (K,), of each class; they add up to 1.
        low: (K,), lower ends of the intervals, each of which holds with the stated confidence for its own class.
        high: (K,), upper ends.
        fit_p: p-value of "only the class mix differs from calibration": small where the answers are of a kind
            that no mix of the calibration's classes gives, and the shares should not be believed; None where
            that cannot be tested.
        warning: why the estimate cannot be used, or only with care; empty where nothing speaks against it.
    """

    pictures: int
    share: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    fit_p: float | None
    warning: str = ""


def fit_cells(probabilities: NDArray[np.floating[Any]], labels: NDArray[np.int64]) -> AnswerCells:
    """Count how calibration pictures of each class are answered.

    Args:
        probabilities: (N, K) answers to pictures that the model was not trained on.
        labels: (N,) true classes, 0 to K - 1.

    Raises:
        ValueError: a class has no calibration picture, so that nothing is known of how it is answered.
    """
    n, k = probabilities.shape
    if missing := sorted(set(range(k)) - set(labels.tolist())):
        raise ValueError(
            f"no calibration picture of class {', '.join(map(str, missing))}: how it is answered is unknown"
        )
    steps = max(1, min(_STEPS, n // (_PICTURES_A_CELL * k * k)))
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    edges = np.full((k, steps - 1), np.inf)  # a class that is never predicted has one step
    for c in np.unique(predicted):
        edges[c] = np.quantile(confidence[predicted == c], np.arange(1, steps) / steps)
    cells = AnswerCells(edges, np.zeros((k, k * steps), np.int64))
    np.add.at(cells.counts, (labels, cells.place(probabilities)), 1)
    return cells


def class_mix(cells: AnswerCells, probabilities: NDArray[np.floating[Any]], *, confidence: float = 0.95) -> ClassMix:
    """Estimate the class mix behind a window of answers.

    The intervals are of the delta method: they carry the luck of which pictures came (the window's) and of which
    ones the model was calibrated on.

    Args:
        cells: of the calibration pictures.
        probabilities: (N, K) answers of the window.
        confidence: of each interval.

    Returns:
        The mix. With no pictures, or where the model cannot tell classes apart, the intervals are 0 to 1, and the
        warning says so.
    """
    from scipy.stats import chi2, norm

    k, n = len(cells.counts), len(probabilities)
    whole = (np.zeros(k), np.ones(k))
    seen = np.bincount(cells.place(probabilities), minlength=cells.counts.shape[1]) if n else np.zeros(0)
    if not n:
        return ClassMix(0, np.full(k, 1 / k), *whole, None, "no pictures: nothing is known of the class mix")
    used = cells.counts.sum(0) + seen > 0
    counts, seen = cells.counts[:, used], seen[used]
    given = _smoothed(counts)
    share = _likeliest(given, seen)
    if pair := _alike(counts):
        text = (
            f"the model answers classes {pair[0]} and {pair[1]} alike: their shares cannot be told apart; "
            "train it better, or calibrate on more pictures"
        )
        return ClassMix(n, share, *whole, None, text)
    _, distance = _uncertainty(given, counts.sum(1), share, seen)
    # a share of none or all would make its own estimate look certain (Agresti & Coull 1998)
    spread, _ = _uncertainty(given, counts.sum(1), (n * share + _ADDED) / (n + _ADDED * k), seen)
    freedom = int(used.sum()) - k
    fit_p = float(chi2.sf(distance, freedom)) if freedom > 0 else None
    z = float(norm.ppf((1 + confidence) / 2))
    # a share above the estimate varies more than it does, by one picture in n at least: so Wilson (1927) has it
    slack = z * z / (2 * n)
    low, high = share - z * spread, share + slack + np.sqrt((z * spread) ** 2 + slack**2)
    warning = ""
    if spread.max() > _TOO_WIDE:
        warning = f"the share of class {int(spread.argmax())} is hardly known from {n} pictures: collect more of them"
    elif fit_p is not None and fit_p < 0.01:
        warning = (
            "no mix of the known classes explains these answers: something else than the class mix has changed, "
            "and the shares should not be believed"
        )
    return ClassMix(n, share, np.clip(low, 0, 1), np.clip(high, 0, 1), fit_p, warning)


def _smoothed(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """How likely each cell is, given the class (K, J): one picture a class is added, spread as all classes are."""
    overall = counts.sum(0) + 0.5
    raised = counts + overall / overall.sum()
    return np.asarray(raised / raised.sum(1, keepdims=True), dtype=np.float64)


def _likeliest(given: NDArray[np.float64], seen: NDArray[np.int64]) -> NDArray[np.float64]:
    """The weights of highest likelihood, by expectation maximisation (Saerens et al. 2002)."""
    share: NDArray[np.float64] = np.full(len(given), 1 / len(given))
    observed = seen / seen.sum()
    for _ in range(_ROUNDS):
        better: NDArray[np.float64] = share * (given @ (observed / (share @ given)))
        if np.abs(better - share).max() < _STILL:
            break
        share = better
    return np.asarray(better / better.sum())


def _uncertainty(
    given: NDArray[np.float64], calibrated: NDArray[np.int64], share: NDArray[np.float64], seen: NDArray[np.int64]
) -> tuple[NDArray[np.float64], float]:
    """Standard errors of the shares (K,), and the squared distance of the answers from all mixes (chi-square).

    To first order, the answers' shares differ from a mix's by what chance does in the window (multinomial) and in each
    class's calibration pictures (multinomial, weighted with the class's share). The shares minimise a distance
    in which each cell counts by its inverse expectation, which makes them linear in that difference.
    """
    k, n = len(given), seen.sum()
    expected = share @ given

    def chance(p: NDArray[np.float64], count: float) -> NDArray[np.float64]:
        return np.asarray((np.diag(p) - np.outer(p, p)) / count)

    noise = chance(expected, n) + sum(share[c] ** 2 * chance(given[c], calibrated[c]) for c in range(k))
    # shares add up to one: all that can move is their difference from the last
    moves = np.vstack([np.eye(k - 1), -np.ones(k - 1)])
    slope = given.T @ moves
    weighted = slope.T / expected
    answer = moves @ np.linalg.solve(weighted @ slope, weighted)
    spread = np.sqrt(np.clip(np.diag(answer @ noise @ answer.T), 0, None))
    # the cells' shares add up to one as well: the last tells nothing new
    root = np.linalg.cholesky(noise[:-1, :-1])
    left = np.linalg.solve(root, (seen / n - expected)[:-1])
    reached = np.linalg.solve(root, slope[:-1])
    rest = left - reached @ np.linalg.lstsq(reached, left)[0]
    return spread, float(rest @ rest)


def _alike(counts: NDArray[np.int64]) -> tuple[int, int] | None:
    """Two classes whose calibration pictures are answered so alike that much of the difference is chance; else None.

    The distance is the chi-square of two samples; chance alone gives as much as there are degrees of freedom, and
    pulls the estimated shares together by its part of the distance.
    """
    total = counts.sum(1)
    for a in range(len(counts)):
        for b in range(a + 1, len(counts)):
            both = counts[a] + counts[b]
            hit = both > 0
            gap = (counts[a] / total[a] - counts[b] / total[b])[hit]
            if (gap**2 / both[hit]).sum() * total[a] * total[b] < _NOISE * max(hit.sum() - 1, 1):
                return a, b
    return None
