"""Make one of many pictures that depend on each other, so that a detector may watch them. No I/O."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scones.monitoring.drift.reference import Scores

__all__ = ["block_scores", "first_of_each"]


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


def block_scores(scores: Scores, size: int) -> dict[str, NDArray[Any]]:
    """The scores of whole blocks of consecutive pictures: their mean, and of classes the first known.

    Reference and stream must both be made of blocks of the same size. The bound then needs only that whole blocks are
    alike and independent of each other, and counts in blocks. A last block that is not full waits for its pictures.

    Args:
        scores: of N pictures.
        size: pictures a block.

    Returns:
        Scores of N // size blocks. The mean of what is known; NaN, or -1, where nothing is.

    Example:
        >>> block_scores({"brightness": np.array([1.0, 3.0, np.nan, 5.0, 9.0])}, 2)
        {'brightness': array([2., 5.])}
    """
    found: dict[str, NDArray[Any]] = {}
    for name, values in scores.items():
        blocks = values[: len(values) // size * size].reshape(-1, size)
        if np.issubdtype(values.dtype, np.integer):
            found[name] = blocks[np.arange(len(blocks)), (blocks >= 0).argmax(1)]
        else:
            known = ~np.isnan(blocks)
            count = known.sum(1)
            total = np.where(known, blocks, 0).sum(1)
            found[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found
