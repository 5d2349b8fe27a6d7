"""Bets against "nothing has changed", whose mean gain is at most 1 whatever healthy pictures look like. No I/O.

A bet says for each place that a picture's score can take by what its stake is multiplied. Its mean over healthy
pictures must be at most 1, but the reference is finite, and how healthy pictures truly spread over the places is known
only nearly. How nearly is known exactly, in two ways:

- The reference's n scores cut the line into n + 1 gaps. Whatever the law of the scores (ties are broken at random),
  the shares of healthy pictures that fall into the gaps are uniform on the simplex, Dirichlet(1, ..., 1) (Wilks 1941).
  So places that are made of gaps come as the balls of Polya's urn do: the next one is at a place with a probability
  that is in proportion to its gaps and the pictures of the stream that came there before. Bets on ranks are divided by
  their mean over that (:mod:`scones.monitoring.drift.wealth`). Nothing is lost to the reference's being small, and
  what it lacks is learned from the stream.
- The share of a class, or of what lies beyond the r-th largest score, has an exact upper bound (Clopper and Pearson
  1934): the quantile of a beta distribution. All these bounds hold at once with probability 1 - delta.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import beta

__all__ = ["bin_sizes", "class_bets", "rank_bets", "tail_bets"]

_TILTS: Final = (0.25, 0.5, 1.0, 1.6, 2.3)
"""Shifts of a normal score, in standard deviations, that a bet is the likelihood ratio for; up and down."""
_SPIKE: Final = 0.1
"""Power of the calibrator for what lies at the very end of the reference or beyond."""
_RARE: Final = 0.1
"""Share of strange pictures among healthy ones that a bet is made for."""
_MORE: Final = (0.03, 0.07, 0.2)
"""Shares of the stream that come to a class or a tail besides what is usual, that a bet is made for."""


@functools.cache
def bin_sizes(n: int) -> tuple[int, ...]:
    """Cut the n + 1 gaps between n reference scores into bins, fine at both ends.

    Returns:
        How many gaps each bin holds: 1, 1, 2, 4, ... up to a 32nd of all, even ones in the middle, and back.

    Example:
        >>> bin_sizes(200)[:5], sum(bin_sizes(200))
        ((1, 1, 2, 4, 6), 201)
    """
    most = max(1, (n + 1) // 32)
    edge = [1]
    while sum(edge) < most and 2 * (sum(edge) + min(sum(edge), most)) < n + 1:
        edge.append(min(sum(edge), most))
    rest = n + 1 - 2 * sum(edge)
    middle = [part for part in np.diff(np.linspace(0, rest, max(1, rest // most) + 1).round().astype(int)) if part]
    return tuple(int(size) for size in (*edge, *middle, *reversed(edge)))


def rank_bets(n: int) -> NDArray[np.float64]:
    """Bets on the rank of a score among n reference scores.

    Likelihood ratios of a normal score that is shifted up or down; a power calibrator on each tail for what lies
    beyond nearly all of the reference; and one on each tail that stakes only a tenth, for few strange pictures among
    many healthy ones.

    Returns:
        By what the stake is multiplied, float64 (bets, bins). Their mean is 1 if the bins come in proportion to their
        sizes.
    """
    share = np.array(bin_sizes(n)) / (n + 1)
    low = np.cumsum(share) - share / 2
    score, high = ndtri(low), 1 - low
    gains = [np.exp(sign * tilt * score) for tilt in _TILTS for sign in (1, -1)]
    gains += [p ** (_SPIKE - 1) for p in (low, high)]
    table = np.array(gains)
    table /= table @ share[:, None]
    return np.concatenate([table, 1 - _RARE + _RARE * table[-2:]])


def class_bets(counts: NDArray[np.int64], delta: float) -> NDArray[np.float64]:
    """Bets on each class becoming more frequent.

    Args:
        counts: (K,), of the classes in the reference.
        delta: the probability, over the draw of the reference, that the true mean of any bet exceeds 1.

    Returns:
        By what the stake is multiplied, float64 (bets, K).

    Example:
        >>> class_bets(np.array([500, 500]), 0.01)[0].round(2).tolist()
        [1.03, 0.97]
    """
    n, k = int(counts.sum()), len(counts)
    bound = beta.isf(delta / k, counts + 1, np.maximum(n - counts, 1))
    hit, miss = _more_often(np.where(counts == n, 1, bound))
    table = np.repeat(miss[:, :, None], k, axis=2)
    table[:, np.arange(k), np.arange(k)] = hit
    return table.reshape(-1, k)


def tail_bets(sizes: tuple[int, ...], n: int, delta: float) -> NDArray[np.float64]:
    """Bets on more scores coming to the upper tails of n reference scores.

    Args:
        sizes: r of each tail, which is what lies beyond the r-th largest of the reference; they do not grow.
        n: reference scores.
        delta: the probability, over the draw of the reference, that the true mean of any bet exceeds 1.

    Returns:
        By what the stake is multiplied, float64 (bets, tails + 1): by the number of tails that a score is in.
    """
    r = np.array(sizes)
    hit, miss = _more_often(np.array(beta.isf(delta / len(sizes), r, np.maximum(n + 1 - r, 1))))
    inside = np.arange(len(sizes) + 1) > np.arange(len(sizes))[:, None]
    return np.where(inside, hit[:, :, None], miss[:, :, None]).reshape(-1, len(sizes) + 1)


def _more_often(bound: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gains (bets, regions) of bets that a region of share at most u has one of v > u, where it comes and where not.

    They are v / u and (1 - v) / (1 - u), the likelihood ratio of the two, whose mean is at most 1 for any share up to
    u. Nothing can come more often than always.
    """
    u = np.minimum(bound, 1 - 1e-9)
    more = np.array(_MORE)[:, None]
    v = u + more * (1 - u)
    return np.where(bound < 1, v / u, 1.0), np.where(bound < 1, (1 - v) / (1 - u), 1.0)
