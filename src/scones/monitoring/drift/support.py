"""Which pictures lie far outside of all that a model was made for, so that its answers mean nothing. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import beta

from scones.monitoring.drift.reference import Scores

__all__ = ["Support"]

_LOOKED_AT: Final = ("brightness", "contrast", "colour", "darkest", "sharpness", "noise")
_EDGE: Final = 0.01
"""Share of the training pictures that lies beyond each end of what is called usual."""
_SHRINKAGE: Final = 0.1
_OUTSIDE: Final = 0.0025
"""Most of the healthy pictures that may lie beyond either line …"""
_SURE: Final = 0.95
"""… with this probability over the draw of the reference."""


@dataclass(frozen=True)
class Support:
    """How far out pictures lie, and the lines from which on they are outside.

    Two things are looked at. The embedding: its Mahalanobis distance from the training pictures (Lee et al. 2018, "A
    simple unified framework for detecting out-of-distribution samples", with one class), the covariance being shrunk
    to a tenth of a sphere. The pixels: how far out the farthest of six pixel channels is, if the middle of the training
    pictures is 0 and their 1st or 99th percentile 1.

    Nothing of this is fitted on reference pictures; the lines alone stand on them. The share of healthy pictures that
    lie beyond the k-th farthest of n reference pictures is distributed as Beta(k, n + 1 - k), whatever the pictures
    look like (Wilks 1941). The k is the largest for which it is at most 0.25 % with a probability of 95 %, so that at
    most 0.5 % are beyond either line. That takes 1,197 reference pictures. Of fewer, the farthest is taken, and its
    distance from the middle is multiplied by what the same 0.25 % would ask for if distances spread normally.

    Attributes:
        mean: float64 (D,), of the embeddings of training pictures.
        whiten: float64 (D, D), makes their spread a sphere.
        usual: float64 (3, channels): the 1st percentile, the median and the 99th of the pixel channels.
        lines: for the embedding and for the pixels.
    """

    mean: NDArray[np.float64]
    whiten: NDArray[np.float64]
    usual: NDArray[np.float64]
    lines: tuple[float, float]

    @classmethod
    def fit(
        cls,
        train: tuple[NDArray[np.floating[Any]], Scores],
        reference: tuple[NDArray[np.floating[Any]], Scores],
    ) -> Self:
        """Fit to healthy pictures.

        Args:
            train: embeddings (N, D) and pixel channels (N,), to learn from what is usual.
            reference: the same of other healthy pictures, which nothing was fitted on.
        """
        embeddings = np.asarray(train[0], np.float64)
        spread = np.cov(embeddings.T, ddof=0).reshape(embeddings.shape[1], -1)
        sphere = max(np.trace(spread) / len(spread), 1e-12) * np.eye(len(spread))
        whiten = np.linalg.inv(np.linalg.cholesky((1 - _SHRINKAGE) * spread + _SHRINKAGE * sphere)).T
        usual = np.quantile(_stacked(train[1]), [_EDGE, 0.5, 1 - _EDGE], axis=0)
        free = cls(embeddings.mean(0), whiten, usual, (np.inf, np.inf))
        first, second = (_line(far) for far in free.far(*reference))
        return cls(free.mean, whiten, usual, (first, second))

    def far(
        self, embeddings: NDArray[np.floating[Any]], scores: Scores
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How far out N pictures lie by their embeddings (N, D), and by their pixel channels (N,): each (N,)."""
        low, middle, high = self.usual
        values = _stacked(scores) - middle
        beyond = np.maximum(values / np.maximum(high - middle, 1e-9), -values / np.maximum(middle - low, 1e-9))
        return np.linalg.norm((embeddings - self.mean) @ self.whiten, axis=1), beyond.max(1)

    def outside(self, embeddings: NDArray[np.floating[Any]], scores: Scores) -> NDArray[np.bool_]:
        """Whether each of N pictures is outside, (N,)."""
        far = self.far(embeddings, scores)
        found: NDArray[np.bool_] = (far[0] > self.lines[0]) | (far[1] > self.lines[1])
        return found


def _stacked(scores: Scores) -> NDArray[np.float64]:
    return np.stack([np.asarray(scores[name], np.float64) for name in _LOOKED_AT], axis=1)


def _line(far: NDArray[np.float64]) -> float:
    n = len(far)
    ranks = np.arange(1, n + 1)
    beyond = np.asarray(beta.ppf(_SURE, ranks, n + 1 - ranks))
    rank = max(1, int((beyond <= _OUTSIDE).sum()))
    middle, end = np.median(far), np.sort(far)[-rank]
    return float(middle + (end - middle) * max(1.0, ndtri(1 - _OUTSIDE) / ndtri(1 - beyond[rank - 1])))
