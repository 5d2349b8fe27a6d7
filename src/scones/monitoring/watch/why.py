"""Which pictures a drift comes from: those to show beside healthy ones.

Two things speak for a picture. What the channel that tells of the drift wins on it: its gain. That finds pictures that
are damaged. And its neighbours among embeddings, where pictures of a class that the model does not know lie together:
if many of the nearest are pictures of the stream and few are healthy ones, more such pictures come than did in health
(the nearest-neighbour estimate of a density ratio, of Schilling 1986, "Multivariate two-sample tests based on nearest
neighbors"). No picture counts among its own neighbours, so nothing is fitted to what it is asked about. Both are
logarithms of a likelihood ratio, and are added up; of the second only what is beyond chance, since most pictures of
a stream are healthy and their counts are noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.stats import binom

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.monitoring.drift.sequential import ChannelAlarm, Detector
    from scones.monitoring.watch.health import Health
    from scones.monitoring.watch.window import Window

__all__ = ["explain", "responsible"]

_NEAR, _LEAST = 0.015, 10
"""Share of all pictures that are called the neighbours of one, and how many there are at least."""
_CHANCE: Final = 0.98
"""Share of the pictures that reach no more stream neighbours where stream and healthy pictures are alike."""
_WEIGHT: Final = 2.0
"""What neighbours count for, in gains."""
_AT_ONCE: Final = 512


def explain(health: Health, detector: Detector, alarm: ChannelAlarm, window: Window, most: int) -> NDArray[np.int64]:
    """Find the pictures of a window that a drift comes from.

    Args:
        health: of the model.
        detector: that was shown the window's pictures.
        alarm: one of its channels that tell of the drift: the strongest. The pictures before its change point count as
            healthy.
        window: the latest pictures.
        most: how many to find.

    Returns:
        Places in the window, the most telling first; see :func:`responsible`.
    """
    start = min(max(alarm.since - window.first, 0), len(window))
    gains = detector.bets.logs(window.places[start:].astype(np.int64))[:, alarm.bet]
    before = window.embeddings[:start].reshape(start, health.embeddings.shape[1])
    healthy = np.concatenate([health.embeddings, before[~np.isnan(before).any(1)]])
    return start + responsible(window.embeddings[start:], gains, healthy, most)


def responsible(
    embeddings: NDArray[np.floating[Any]],
    gains: NDArray[np.float64],
    healthy: NDArray[np.floating[Any]],
    most: int,
) -> NDArray[np.int64]:
    """Find the pictures that a drift comes from.

    Args:
        embeddings: (N, D), of the stream's pictures from the change point on, a few thousand at most; NaN where a
            picture is not known.
        gains: (N,), the logarithm of what the telling bet wins on each.
        healthy: (R, D), of healthy pictures.
        most: how many to find.

    Returns:
        Rows of pictures that speak for the drift, the most telling first, among equals the first.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> stream = rng.normal(size=(400, 8))
        >>> stream[:40] = 3 * np.eye(8)[0] + rng.normal(size=(40, 8)) / 9
        >>> found = responsible(stream, np.zeros(400), rng.normal(size=(500, 8)), 30)
        >>> bool((found < 40).all())
        True
    """
    told = gains.astype(np.float64)
    known = np.flatnonzero(~np.isnan(embeddings).any(1))
    if len(known):
        told[known] += _WEIGHT * _excess(embeddings[known], healthy)
    order = np.argsort(-told, kind="stable")[:most]
    return order[told[order] > 0]


def _excess(stream: NDArray[np.floating[Any]], healthy: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """By how much more often stream pictures have stream neighbours than chance has it: logarithm of the odds, (N,)."""
    n, total = len(stream), len(stream) + len(healthy)
    k = min(max(_LEAST, round(_NEAR * total)), total - 1)
    middle = np.asarray(healthy, np.float32).mean(0)
    directions = np.concatenate([stream, healthy]).astype(np.float32) - middle
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    counts = np.empty(n, np.int64)
    for start in range(0, n, _AT_ONCE):
        rows = np.arange(start, min(start + _AT_ONCE, n))
        near = directions[rows] @ directions.T
        near[rows - start, rows] = -np.inf
        counts[rows] = (np.argpartition(-near, k - 1, axis=1)[:, :k] < n).sum(1)
    odds = _log_odds(counts, k) - _log_odds(binom.ppf(_CHANCE, k, (n - 1) / (total - 1)), k)
    return np.maximum(odds, 0)


def _log_odds(count: Any, of: int) -> NDArray[np.float64]:
    found: NDArray[np.float64] = np.log((np.asarray(count, np.float64) + 0.5) / (of - count + 0.5))
    return found
