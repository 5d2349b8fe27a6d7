"""The part that learns a task: multinomial logistic regression on embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from scones.training.calibration import fit_temperature
from scones.training.folds import grouped_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Head", "choose_penalty", "fit_head"]

PENALTIES = (1e-4, 1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)
ENOUGH = 5000
"""Pictures beyond which the choice of a penalty gains nothing but time: a sample of as many stands for all."""


@dataclass(frozen=True)
class Head:
    """An affine map from embeddings to logits: weights float64 (D, K), bias float64 (K,)."""

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Logits, float64 (N, K), of embeddings (N, D)."""
        return embeddings @ self.weights + self.bias


def fit_head(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    penalty: float,
    weights: NDArray[np.float64] | None = None,
) -> Head:
    """Fit by maximum likelihood with an L2 penalty on the weights of the standardised embeddings.

    Args:
        embeddings: (N, D).
        labels: (N,), 0 to ``classes`` - 1.
        classes: K.
        penalty: weight of half the squared norm, per picture.
        weights: (N,), how much each picture counts beside the others; default: all the same.

    Returns:
        A head for the embeddings as they come: the standardisation is folded in.
    """
    mean, scale = embeddings.mean(0), embeddings.std(0) + 1e-6
    x = ((embeddings - mean) / scale).astype(np.float64)
    truth = np.eye(classes)[labels]
    n, d = x.shape
    counts = np.ones((n, 1)) if weights is None else (weights / weights.mean())[:, None]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w, b = flat[:-classes].reshape(d, classes), flat[-classes:]
        z = x @ w + b
        value = -(counts * truth * log_softmax(z, axis=1)).sum() / n + 0.5 * penalty * (w * w).sum()
        slope = counts * (softmax(z, axis=1) - truth) / n
        return value, np.concatenate([(x.T @ slope + penalty * w).ravel(), slope.sum(0)])

    flat = minimize(loss, np.zeros((d + 1) * classes), jac=True, method="L-BFGS-B", options={"maxiter": 500}).x
    w = flat[:-classes].reshape(d, classes) / scale[:, None]
    return Head(w, flat[-classes:] - mean @ w)


def choose_penalty(
    embeddings: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    *,
    seed: int,
    folds: int = 4,
    groups: NDArray[np.int64] | None = None,
) -> float:
    """Choose the penalty by cross-validation on the training pictures alone.

    Penalties are compared by the likelihood of what their heads answer at the best temperature, since the final
    head gets one as well: how sure a penalty alone would make it does not matter.

    Args:
        embeddings: (N, D).
        labels: (N,).
        classes: K.
        seed: of the folds.
        folds: how many.
        groups: (N,), pictures of the same thing, which stay in one fold; default: each is its own.

    Returns:
        The largest member of ``PENALTIES`` whose likelihood on pictures left out is within one standard
        error of the best (Breiman et al. 1984). A backbone may have seen the training pictures, which
        makes them look easier than new ones are; the larger penalty heeds that.
    """
    rng = np.random.default_rng(seed)
    if len(labels) > ENOUGH:
        rows = rng.choice(len(labels), ENOUGH, replace=False)
        embeddings, labels = embeddings[rows], labels[rows]
        groups = None if groups is None else groups[rows]
    if groups is not None and len(np.unique(groups)) > 1:  # one thing alone cannot be parted from itself
        fold = grouped_folds(labels, groups, folds, rng)
    else:
        fold = rng.permutation(len(labels)) % folds
    logs = np.empty((len(PENALTIES), len(labels)))
    logits = np.empty((len(labels), classes))
    for row, penalty in zip(logs, PENALTIES, strict=True):
        for k in range(folds):
            left_out = fold == k
            head = fit_head(embeddings[~left_out], labels[~left_out], classes, penalty)
            logits[left_out] = head.logits(embeddings[left_out])
        found = log_softmax(logits / fit_temperature(logits, labels), axis=1)
        row[:] = found[np.arange(len(found)), labels]
    means = logs.mean(1)
    best = int(means.argmax())
    error = logs[best].std() / np.sqrt(len(labels))
    return PENALTIES[int(np.flatnonzero(means >= means[best] - error).max())]
