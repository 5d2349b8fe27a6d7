"""Channels that are fitted to a model's own pictures: how strange an embedding is, and linear tests for mild damage.

All is fitted on pictures that are not of the reference, so that reference and stream stay alike to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Damage", "Surroundings"]

_CLUSTERS: Final = 160
_PICTURES_A_CLUSTER: Final = 25
_PENALTY: Final = 1e-3
_ROUNDS: Final = 20


@dataclass(frozen=True)
class Surroundings:
    """Where healthy embeddings lie: clusters of their directions from the mean.

    Attributes:
        mean: float64 (D,), of the embeddings.
        centres: (C, D), of the clusters.
    """

    mean: NDArray[np.float64]
    centres: NDArray[np.float64]

    @classmethod
    def fit(cls, embeddings: NDArray[np.floating[Any]], *, seed: int) -> Self:
        """Fit to healthy pictures, by k-means (Lloyd).

        Args:
            embeddings: (N, D).
            seed: of the first centres.
        """
        mean = np.asarray(embeddings, np.float64).mean(0)
        x, rng = _directions(embeddings, mean), np.random.default_rng(seed)
        centres = x[rng.choice(len(x), min(_CLUSTERS, max(1, len(x) // _PICTURES_A_CLUSTER)), replace=False)]
        for _ in range(_ROUNDS):
            nearest = _distances(x, centres).argmin(1)
            for k in np.unique(nearest):  # a cluster that lost all its pictures stays where it is
                centres[k] = x[nearest == k].mean(0)
        return cls(mean, centres)

    def scores(self, embeddings: NDArray[np.floating[Any]]) -> dict[str, NDArray[Any]]:
        """By channel, of embeddings (N, D): ``distance``, float64 (N,), from the nearest centre, 0 to 2."""
        return {"distance": np.sqrt(_distances(_directions(embeddings, self.mean), self.centres).min(1))}


@dataclass(frozen=True)
class Damage:
    """Linear tests, one for each kind of damage.

    Attributes:
        kinds: their names.
        weights: float64 (F, kinds), and ``bias`` (kinds,).
    """

    kinds: tuple[str, ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    @classmethod
    def fit(cls, healthy: NDArray[np.float64], damaged: Mapping[str, NDArray[np.float64]]) -> Self:
        """Fit logistic regressions of damaged against healthy.

        Args:
            healthy: features (N, F).
            damaged: by kind, features (M, F).
        """
        from scones.training.head import fit_head

        weights, bias = [], []
        for features in damaged.values():
            both = np.concatenate([healthy, features]).astype(np.float32)
            truth = np.repeat([0, 1], [len(healthy), len(features)])
            head = fit_head(both, truth, 2, _PENALTY)
            weights.append(head.weights[:, 1] - head.weights[:, 0])
            bias.append(head.bias[1] - head.bias[0])
        return cls(tuple(damaged), np.stack(weights, axis=1), np.array(bias))

    def scores(self, features: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
        """By channel ``like KIND``, float64 (N,): the logarithm of the odds that a picture is damaged so."""
        found = features @ self.weights + self.bias
        return {f"like {kind}": found[:, k] for k, kind in enumerate(self.kinds)}


def _directions(embeddings: NDArray[np.floating[Any]], mean: NDArray[np.float64]) -> NDArray[np.float64]:
    x = np.asarray(embeddings, np.float64) - mean
    unit: NDArray[np.float64] = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
    return unit


def _distances(x: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = (x * x).sum(1)[:, None] - 2 * x @ centres.T + (centres * centres).sum(1)
    return np.maximum(squares, 0)
