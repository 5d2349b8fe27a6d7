"""Which pictures a person should look at, so that few answers tell most about how often the model is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ReviewChoice", "choose_for_review"]

_ANSWERS_A_STRATUM = 5
_LEAST_SPREAD = 0.2
"""What a picture counts for at least. One of a confidence of one half counts 0.5, so that the surest picture's chance
to be chosen is not much below 0.4 of the most doubtful one's: a model that is surely wrong is found out."""


@dataclass(frozen=True)
class ReviewChoice:
    """A sample of a window's N pictures, stratified, and drawn without replacement within each stratum.

    Attributes:
        indices: (n,), the pictures chosen, in rising order.
        inclusion: (n,), the probability with which each of them was to be chosen; never 0 for any picture.
        stratum: (N,), the stratum of every picture of the window.
    """

    indices: NDArray[np.int64]
    inclusion: NDArray[np.float64]
    stratum: NDArray[np.int64]


def choose_for_review(
    confidence: NDArray[np.floating[Any]],
    count: int,
    rng: np.random.Generator,
    *,
    drift: NDArray[np.floating[Any]] | None = None,
) -> ReviewChoice:
    """Choose pictures for review.

    An answer tells most where right and wrong are equally likely, and nothing where they are certain. So pictures are
    put in order of confidence and cut into strata of the same sum of standard deviations of a right answer, and as
    many are drawn of each: that is Neyman's allocation (Neyman 1934), and a floor keeps all pictures in play.
    Pictures that look odd come last in that order, as their confidence tells less, and count as more doubtful.

    Args:
        confidence: (N,), how likely the model's answer is right, 0 to 1.
        count: how many answers a person can give.
        rng: for the draw.
        drift: (N,), how odd each picture is, from 0 (as ever) to 1 (as none before); default: none is.

    Returns:
        ``count`` pictures, or all where there are no more.

    Raises:
        ValueError: ``count`` is negative.

    Example:
        >>> choice = choose_for_review(np.linspace(0.5, 1, 500), 50, np.random.default_rng(0))
        >>> len(choice.indices), bool((choice.inclusion > 0).all())
        (50, True)
    """
    total = len(confidence)
    count = min(count, total)
    if count < 0:
        raise ValueError(f"{count} answers cannot be asked for: ask for 0 or more")
    odd = np.zeros(total) if drift is None else np.clip(drift, 0, 1).astype(np.float64)
    right = np.clip(confidence, 0, 1) * (1 - odd) + odd / 2
    spread = np.maximum(np.sqrt(right * (1 - right)), _LEAST_SPREAD)
    order = np.lexsort((confidence, odd >= 0.5))
    strata = max(1, count // _ANSWERS_A_STRATUM)
    reached = np.cumsum(spread[order]) - spread[order] / 2
    stratum = np.empty(total, np.int64)
    stratum[order] = (reached / spread.sum() * strata).astype(np.int64) if total else 0
    _, stratum = np.unique(stratum, return_inverse=True)
    sizes = np.bincount(stratum)
    drawn = _allocate(sizes, count)
    chosen = [rng.choice(np.flatnonzero(stratum == s), n, replace=False) for s, n in enumerate(drawn)]
    indices = np.sort(np.concatenate(chosen)).astype(np.int64) if count else np.zeros(0, np.int64)
    return ReviewChoice(indices, (drawn / sizes)[stratum[indices]], stratum)


def _allocate(sizes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """As many of each stratum; what a small one does not hold goes to the others, the largest first."""
    drawn = np.zeros_like(sizes)
    while (left := count - int(drawn.sum())) > 0:
        able = np.flatnonzero(drawn < sizes)
        able = able[np.argsort(-sizes[able], kind="stable")][:left]
        share = max(1, left // len(able))
        drawn[able] = np.minimum(drawn[able] + share, sizes[able])
    return drawn
