"""How likely each answer is right, also where pictures are damaged: there a model's own confidence says too much.

It is learned from pictures whose labels are known, healthy ones and the same ones damaged in many ways, and from
nothing of the stream that it is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RightChance"]

_PENALTY: Final = 0.01
_PICTURES_AN_AXIS, _MOST_AXES = 10, 150
_LEAST: Final = 1e-4


@dataclass(frozen=True)
class RightChance:
    """A logistic regression on how sure an answer is, and on where the picture's embedding lies.

    Attributes:
        mean: float64 (D,), of embeddings.
        axes: (D, A), the directions in which they vary most.
        weights: (4 + A,), and ``bias``: of four measures of the answer, and of the place along each axis.
    """

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    weights: NDArray[np.float64]
    bias: float

    @classmethod
    def fit(
        cls,
        probabilities: NDArray[np.floating[Any]],
        embeddings: NDArray[np.floating[Any]],
        correct: NDArray[np.bool_],
        pictures: int,
    ) -> Self:
        """Fit to answers that are known to be right or wrong.

        Args:
            probabilities: (N, K), the answers.
            embeddings: (N, D).
            correct: (N,).
            pictures: how many different pictures there are, each of them healthy and damaged: the fewer, the fewer
                axes are looked at.
        """
        from scones.training.head import fit_head

        x = np.asarray(embeddings, np.float64)
        mean = x.mean(0)
        values, vectors = np.linalg.eigh((x - mean).T @ (x - mean))
        count = min(max(1, pictures // _PICTURES_AN_AXIS), _MOST_AXES, int((values > values[-1] * 1e-9).sum()))
        axes = vectors[:, ::-1][:, :count]
        features = _features(probabilities, x, mean, axes).astype(np.float32)
        head = fit_head(features, correct.astype(np.int64), 2, _PENALTY)
        return cls(mean, axes, head.weights[:, 1] - head.weights[:, 0], float(head.bias[1] - head.bias[0]))

    def of(
        self, probabilities: NDArray[np.floating[Any]], embeddings: NDArray[np.floating[Any]]
    ) -> NDArray[np.float64]:
        """How likely each of N answers is right, 0 to 1, float64 (N,); where the embedding is NaN, its confidence."""
        from scipy.special import expit

        known = ~np.isnan(embeddings).any(1)
        found: NDArray[np.float64] = np.asarray(probabilities, np.float64).max(1, initial=0)
        features = _features(probabilities[known], np.asarray(embeddings[known], np.float64), self.mean, self.axes)
        found[known] = expit(features @ self.weights + self.bias)
        return found


def _features(
    probabilities: NDArray[np.floating[Any]],
    embeddings: NDArray[np.float64],
    mean: NDArray[np.float64],
    axes: NDArray[np.float64],
) -> NDArray[np.float64]:
    p = np.clip(np.asarray(probabilities, np.float64), _LEAST, 1 - _LEAST)
    logs, best = np.log(p), np.sort(p, axis=1)
    answer = np.stack(
        [
            np.log(best[:, -1] / (1 - best[:, -1])),
            np.log(best[:, -1] / best[:, -2]),
            -(p * logs).sum(1),
            np.linalg.norm(embeddings, axis=1),
        ],
        axis=1,
    )
    return np.concatenate([answer, (embeddings - mean) @ axes], axis=1)
