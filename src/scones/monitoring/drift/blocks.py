"""Prepare pictures that depend on each other or go through a cycle, so that a detector may watch them. No I/O.

- Bursts and duplicates: :func:`first_of_each` takes one picture of each. What is left must be independent.
- A cycle that the reference went through several times (day and night): :func:`phases` parts it, and reference and
  detector take the phases. A picture is compared with those of its phase alone. What is assumed is that the pictures of
  a phase are alike, and independent, in every turn of the cycle; how many come in each phase may change.
- Any other dependence that ends within a block: :func:`block_scores` makes a score of a block. It counts in blocks, so
  the reference must hold hundreds of them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones.monitoring.drift.reference import Scores

__all__ = ["block_scores", "first_of_each", "phases"]


def first_of_each(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """Take one picture a burst: where each key (a driver's arrival, a picture's hash) comes first.

    Example:
        >>> first_of_each(["a", "a", "b", "a", "c"]).tolist()
        [0, 2, 4]
    """
    seen: dict[Hashable, int] = {}
    for k, key in enumerate(keys):
        seen.setdefault(key, k)
    return np.array(list(seen.values()), np.int64)


def phases(times: NDArray[np.floating[Any]], turn: float, count: int) -> NDArray[np.int64]:
    """Find in which phase of a cycle pictures came.

    Args:
        times: (N,), seconds.
        turn: seconds that the cycle takes: 86,400 for day and night.
        count: phases, of the same length.

    Example:
        >>> phases(np.array([0.0, 3_600.0, 50_000.0, 86_400.0]), 86_400, 8).tolist()
        [0, 0, 4, 0]
    """
    return (np.asarray(times, np.float64) % turn / turn * count).astype(np.int64)


def block_scores(scores: Scores, size: int) -> dict[str, NDArray[Any]]:
    """The scores of whole blocks of consecutive pictures: their mean, and of classes the first known.

    Reference and stream must both be made of blocks of the same size. The bound then needs only that whole blocks are
    alike and independent of each other, and counts in blocks. A last block that is not full waits for its pictures.

    Args:
        scores: of N pictures.
        size: pictures a block.

    Returns:
        Scores of N // size blocks. The mean of what is known; NaN, or -1, where nothing is. Of embeddings, too.

    Example:
        >>> block_scores({"brightness": np.array([1.0, 3.0, np.nan, 5.0, 9.0])}, 2)
        {'brightness': array([2., 5.])}
    """
    found: dict[str, NDArray[Any]] = {}
    for name, values in scores.items():
        blocks = values[: len(values) // size * size].reshape(-1, size, *values.shape[1:])
        if np.issubdtype(values.dtype, np.integer):
            found[name] = blocks[np.arange(len(blocks)), (blocks >= 0).argmax(1)]
        else:
            known = ~np.isnan(blocks)
            count = known.sum(1)
            total = np.where(known, blocks, 0).sum(1)
            found[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found
