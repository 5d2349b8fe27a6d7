"""Which pictures are held back: to calibrate with, and to test with."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scones.staging.inspection import Inspected, Split

__all__ = ["CALIBRATION_SHARE", "TEST_SHARE", "fill_gaps", "in_calibration", "in_test"]

CALIBRATION_SHARE = 0.2
"""Share of the training pictures that is kept for calibration."""
TEST_SHARE = 0.2
"""Share of the pictures that is kept for testing, where a source has no test split of its own."""


def in_calibration(content_hash: str) -> bool:
    """Say whether a training picture belongs to the calibration split.

    The picture's own content decides, never a seed or its position. So the split is the same in every
    run, and whoever trains a backbone can leave out the very pictures that a task's confidence will
    later be measured on.

    Args:
        content_hash: hex SHA-256 from :func:`scones.picture.content_hash`.

    Example:
        >>> in_calibration("00" * 32), in_calibration("ff" * 32)
        (True, False)
    """
    return int(content_hash[:8], 16) < CALIBRATION_SHARE * 2**32


def in_test(content_hash: str) -> bool:
    """Say whether a picture of a source without splits belongs to the test split.

    Other bits of the hash decide than in :func:`in_calibration`, so that the two choices are independent.

    Args:
        content_hash: hex SHA-256 from :func:`scones.picture.content_hash`.

    Example:
        >>> in_test("ffffffff" + "00" * 28), in_test("00000000" + "ff" * 28)
        (True, False)
    """
    return int(content_hash[8:16], 16) < TEST_SHARE * 2**32


def fill_gaps(pictures: Sequence[Inspected]) -> list[Inspected]:
    """Give each label pictures to learn from, to test with and to calibrate with, where chance left it without.

    Among few pictures the hash may choose none, or all, of a label. Then those of one thing move, of the least hash,
    as long as the training split keeps others of each of their labels.

    Args:
        pictures: the splits of those that are not ``settled`` may change.

    Returns:
        The pictures, in the same order.
    """
    things: defaultdict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(pictures):
        if not one.settled:
            things[one.mark].append(index)
    labels = {mark: {pictures[index].label for index in found} for mark, found in things.items()}
    splits = {mark: pictures[found[0]].split for mark, found in things.items()}
    counts = Counter((splits[mark], label) for mark, found in labels.items() for label in found)

    def spare(mark: str) -> bool:
        return splits[mark] == "train" and all(counts["train", label] > 1 for label in labels[mark])

    order: tuple[Split, ...] = ("train", "test", "calibration")
    for split, label in product(order, sorted({label for found in labels.values() for label in found})):
        movable = (mark for mark in sorted(things) if label in labels[mark] and (split == "train" or spare(mark)))
        if not counts[split, label] and (mark := next(movable, None)):
            counts.subtract((splits[mark], each) for each in labels[mark])
            counts.update((split, each) for each in labels[mark])
            splits[mark] = split
    return [one if one.settled else replace(one, split=splits[one.mark]) for one in pictures]
