"""Bets against "nothing has changed" whose mean gain is at most 1 whatever the pictures look like. No I/O.

A bet says for each place that a picture's score can take (a bin of the reference's ranks, or a class) by what its
stake is multiplied: an e-value. Its mean over healthy pictures must be at most 1, but the reference is finite, and how
healthy pictures truly spread over the places is known only nearly. How nearly is known exactly:

- The reference's n scores cut the line into n + 1 gaps. Whatever the law of the scores (ties are broken at random),
  the shares of healthy pictures that fall into the gaps are uniform on the simplex: Dirichlet(1, ..., 1) (Wilks 1941).
  So the law of a bet's true mean is known, free of any assumption but that pictures are exchangeable, and the bet is
  divided by an upper quantile of it. The quantile is the k-th largest of R simulated means: as the true one is
  exchangeable with them, it is beyond with a probability of at most k / (R + 1), simulation included.
- The true share of a class has the exact upper bound of Clopper and Pearson (1934).

All bets of all channels hold at once with probability 1 - delta over the draw of the reference: a union bound. (The
idea of calibration-conditional p-values, Bates et al. 2023, "Testing for outliers with conformal p-values", for bets
instead of p-values.)
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import beta

__all__ = ["bin_sizes", "rank_bets", "share_bets"]

_TILTS: Final = (0.25, 0.5, 1.0, 1.6, 2.3)
"""Shifts of a normal score, in standard deviations, that a bet is the likelihood ratio for; up and down."""
_SPIKE: Final = 0.1
"""Power of the calibrator for what lies at the very end of the reference or beyond."""
_RARE: Final = 0.1
"""Share of strange pictures among healthy ones that a bet is made for."""
_TIMES: Final = (1.5, 2.5, 6.0)
"""By what a class's odds grow that a bet is made for."""
_RANK: Final = 4
_SEED: Final = 7


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


@functools.cache
def rank_bets(n: int, delta: float) -> NDArray[np.float64]:
    """Bets on the rank of a score among n reference scores.

    Likelihood ratios of a normal score that is shifted up or down; a power calibrator on each tail for what lies
    beyond nearly all of the reference; and one on each tail that stakes only a tenth, for few strange pictures among
    many healthy ones.

    Args:
        n: reference scores.
        delta: the probability, over the draw of the reference, that the true mean of any of them exceeds 1.

    Returns:
        The logarithms of the gains, float64 (bets, bins); read-only, as it is kept for the next call.
    """
    sizes = np.array(bin_sizes(n), dtype=np.float64)
    share = sizes / sizes.sum()
    low = np.cumsum(share) - share / 2
    score, high = ndtri(low), 1 - low
    gains = [np.exp(sign * tilt * score) for tilt in _TILTS for sign in (1, -1)]
    gains += [p ** (_SPIKE - 1) for p in (low, high)]
    table = np.array(gains)
    table /= table @ share[:, None]
    rare = 1 - _RARE + _RARE * table[-2:]
    table = np.concatenate([table, rare])
    bets = len(table)
    draws = int(np.ceil(_RANK * bets / delta))
    rng = np.random.default_rng(_SEED)
    kept = np.full((bets, 0), -np.inf)
    for start in range(0, draws, 20_000):
        gaps = rng.standard_gamma(sizes, (min(20_000, draws - start), len(sizes)))
        means = table @ (gaps / gaps.sum(1, keepdims=True)).T
        kept = np.sort(np.concatenate([kept, means], axis=1), axis=1)[:, -_RANK:]
    logs: NDArray[np.float64] = np.log(table / np.maximum(kept[:, :1], 1))
    logs.setflags(write=False)
    return logs


def share_bets(counts: NDArray[np.int64], delta: float) -> NDArray[np.float64]:
    """Bets on each class becoming more frequent.

    A class of share at most u, for which v > u is bet, gains v / u where it comes and (1 - v) / (1 - u) where not: the
    likelihood ratio of the two, whose mean is at most 1 for any share up to u.

    Args:
        counts: (K,), of the classes in the reference.
        delta: the probability, over the draw of the reference, that the true mean of any bet exceeds 1.

    Returns:
        The logarithms of the gains, float64 (bets, K).

    Example:
        >>> np.exp(share_bets(np.array([500, 500]), 0.01))[0].round(2).tolist()
        [1.18, 0.79]
    """
    n, k = int(counts.sum()), len(counts)
    bound = np.minimum(beta.ppf(1 - delta / k, counts + 1, np.maximum(n - counts, 1)), 1 - 1e-9)
    logs = np.empty((len(_TIMES), k, k))
    for table, times in zip(logs, _TIMES, strict=True):
        share = times * bound / (1 - bound + times * bound)
        share = np.where(counts == n, bound, share)  # nothing can come more often than always
        table[:] = np.log((1 - share) / (1 - bound))[:, None]
        np.fill_diagonal(table, np.log(share / bound))
    return logs.reshape(-1, k)
