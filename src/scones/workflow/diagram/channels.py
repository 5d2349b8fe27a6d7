"""The channels between layers: each edge that goes sideways gets a track of its own, with few crossings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["Strand", "assign_tracks"]

_CLEAR: Final = 8.0
"""Two lines that are nearer than this many pixels look like one."""


@dataclass(slots=True, eq=False)
class Strand:
    """An edge that goes sideways in a channel.

    Attributes:
        ends: two x.
        tops: for each end, whether the edge goes up from there; else down.
        track: which, from the top.
    """

    ends: tuple[float, float]
    tops: tuple[bool, bool]
    track: int = 0

    def reach(self, more: float = 0.0) -> tuple[float, float]:
        """From which x to which it goes, and so much more."""
        return min(self.ends) - more, max(self.ends) + more


def assign_tracks(strands: Sequence[Strand]) -> int:
    """Give each strand a track, and answer how many there are."""
    ordered: list[Strand] = []  # from the top
    for strand in sorted(strands, key=lambda one: (one.reach()[1] - one.reach()[0], one.reach())):
        # what it costs to be put above everything; then what it saves or costs to be below one more
        cost = sum(_cost(strand, other) for other in ordered)
        best, cheapest = 0, cost
        for index, other in enumerate(ordered):
            cost += _cost(other, strand) - _cost(strand, other)
            if cost < cheapest:
                best, cheapest = index + 1, cost
        ordered.insert(best, strand)
    for index, strand in enumerate(ordered):
        before = (other.track + 1 for other in ordered[:index] if _overlap(strand, other))
        strand.track = max(before, default=0)
    return max((strand.track + 1 for strand in strands), default=0)


def _overlap(one: Strand, other: Strand) -> bool:
    low, high = one.reach(_CLEAR)
    return low < max(other.ends) and min(other.ends) < high


def _cost(upper: Strand, lower: Strand) -> int:
    """How bad it is to have one strand above another: crossings, and lines that would lie upon each other."""
    if not _overlap(upper, lower):
        return 0
    total = 0
    for strand, other, up in ((lower, upper, True), (upper, lower, False)):
        low, high = other.reach()
        for x, top in zip(strand.ends, strand.tops, strict=True):
            total += top is up and low < x < high
    for x, top in zip(upper.ends, upper.tops, strict=True):
        for other_x, other_top in zip(lower.ends, lower.tops, strict=True):
            total += 100 * (not top and other_top and abs(x - other_x) < _CLEAR)
    return total
