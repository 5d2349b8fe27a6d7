"""Part pictures into folds for cross-validation, without parting those that show the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.contracts import ManifestLine

__all__ = ["group_numbers", "grouped_folds"]


def group_numbers(lines: Sequence[ManifestLine]) -> NDArray[np.int64]:
    """Number the things that pictures show.

    Returns:
        int64 (N,): equal where the manifest names the same group; a picture without one is a thing of its own.
    """
    _, numbers = np.unique([line.group or line.hash for line in lines], return_inverse=True)
    return numbers.astype(np.int64)


def grouped_folds(
    labels: NDArray[np.int64], groups: NDArray[np.int64], folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Choose folds of whole groups in which each label has about the same share.

    Groups are dealt out one by one, the largest first and those of a size in random order, each to the fold that
    has least of its labels so far.

    Args:
        labels: (N,), from 0.
        groups: (N,), see :func:`group_numbers`.
        folds: how many; where there are fewer groups, some stay empty.
        rng: its next numbers shuffle the groups.

    Returns:
        int64 (N,), 0 to ``folds`` - 1.

    Example:
        >>> grouped_folds(np.array([0, 1, 0, 1]), np.array([7, 7, 9, 9]), 2, np.random.default_rng(0)).tolist()
        [0, 0, 1, 1]
    """
    names, of_picture = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), int(labels.max()) + 1))
    np.add.at(counts, (of_picture, labels), 1)
    shares = counts / counts.sum(0).clip(1)
    order = rng.permutation(len(names))
    order = order[np.argsort(-shares[order].sum(1), kind="stable")]
    load, chosen = np.zeros((folds, counts.shape[1])), np.empty(len(names), np.int64)
    for group in order:
        # what the sum of squares of all loads would grow by; the total decides between equals
        growth = load @ shares[group] + 1e-6 * load.sum(1)
        chosen[group] = growth.argmin()
        load[chosen[group]] += shares[group]
    return chosen[of_picture]
