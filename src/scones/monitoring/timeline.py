"""Figures over time, in bins that grow with the span: one pass, whatever the order, in bounded memory."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

__all__ = ["LADDER", "MAX_BINS", "TimeBin", "Timeline", "quantile"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
LADDER = (
    1, 5, 15, 30, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR,
    _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 3640 * _DAY, 364_000 * _DAY,
)  # fmt: skip
"""Widths of a bin in seconds. Each is a multiple of the one before, so that fine bins add up to coarse ones."""
MAX_BINS = 60
"""Most bins that a span is cut into."""
BUCKETS = 200
"""Buckets of equal width that confidences, 0 to 1, are counted in."""
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)  # weeks start on Mondays


@dataclass(frozen=True)
class TimeBin:
    """The records of a stretch of time; an empty one has no confidences.

    Attributes:
        start: its beginning, UTC.
        records: how many there are.
        judged: how many of them have a threshold to be judged by, and ``below`` it how many are.
        threshold: in force at its end, 0 to 1; None when no record tells.
        mean, low, median, high: of the confidences, 0 to 1; ``low`` and ``high`` are the 10 % and 90 %
            quantiles, exact to 1/200.
    """

    start: datetime
    records: int
    judged: int
    below: int
    threshold: float | None
    mean: float | None
    low: float | None
    median: float | None
    high: float | None


class _Cell:
    __slots__ = ("below", "buckets", "judged", "records", "told", "total")

    def __init__(self) -> None:
        self.records = self.judged = self.below = 0
        self.total = 0.0
        self.told: tuple[datetime, float] | None = None
        self.buckets: Counter[int] = Counter()

    def add(self, other: _Cell) -> None:
        self.records += other.records
        self.judged += other.judged
        self.below += other.below
        self.total += other.total
        self.buckets.update(other.buckets)
        if other.told is not None and (self.told is None or other.told > self.told):
            self.told = other.told


class Timeline:
    """Counts records into bins, and makes the bins coarser when the span outgrows them.

    Example:
        >>> line = Timeline()
        >>> for second in (0, 1, 90):
        ...     line.add(datetime(2026, 11, 20, tzinfo=UTC) + timedelta(seconds=second), 0.9, 0.8)
        >>> line.seconds, [bin.records for bin in line.bins()]
        (5, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    """

    def __init__(self) -> None:
        self._step = 0
        self._cells: dict[int, _Cell] = {}
        self._first = self._last = 0

    @property
    def seconds(self) -> int:
        """Width of a bin in seconds."""
        return LADDER[self._step]

    def add(self, time: datetime, confidence: float, threshold: float | None) -> None:
        """Count a record.

        Args:
            time: with time zone.
            confidence: 0 to 1.
            threshold: in force for it, 0 to 1; None when unknown.
        """
        place = (time - _MONDAY) // timedelta(seconds=self.seconds)
        place //= self._reach(place, place)
        cell = self._cells.get(place)
        if cell is None:
            cell = self._cells[place] = _Cell()
        cell.records += 1
        cell.total += confidence
        cell.buckets[bucket(confidence)] += 1
        if threshold is not None:
            cell.judged += 1
            cell.below += confidence < threshold
            told = (time, threshold)
            if cell.told is None or told > cell.told:
                cell.told = told

    def merge(self, other: Timeline) -> None:
        """Count what another one counted."""
        if not other._cells:
            return
        while self._step < other._step:
            self._coarsen()
        factor = LADDER[self._step] // LADDER[other._step]
        factor *= self._reach(other._first // factor, other._last // factor)
        for place, cell in other._cells.items():
            self._cells.setdefault(place // factor, _Cell()).add(cell)

    def _reach(self, first: int, last: int) -> int:
        """Have the bins reach these two; they become wider by the factor that is returned."""
        factor, width = 1, self.seconds
        if self._cells:
            if self._first <= first and last <= self._last:
                return 1
            first, last = min(self._first, first), max(self._last, last)
        while last // factor - first // factor >= MAX_BINS:
            self._coarsen()
            factor = self.seconds // width
        self._first, self._last = first // factor, last // factor
        return factor

    def _coarsen(self) -> None:
        factor = LADDER[self._step + 1] // LADDER[self._step]
        fine, self._cells = self._cells, {}
        self._first, self._last = self._first // factor, self._last // factor
        self._step += 1
        for place, cell in fine.items():
            self._cells.setdefault(place // factor, _Cell()).add(cell)

    def to_json(self) -> dict[str, Any]:
        """All that it counted, as JSON holds it."""
        cells = {
            str(place): [
                cell.records, cell.judged, cell.below, cell.total,
                None if cell.told is None else [cell.told[0].isoformat(), cell.told[1]],
                [[where, number] for where, number in cell.buckets.items()],
            ]
            for place, cell in self._cells.items()
        }  # fmt: skip
        return {"step": self._step, "first": self._first, "last": self._last, "cells": cells}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Timeline:
        """What :meth:`to_json` made."""
        line = cls()
        line._step, line._first, line._last = value["step"], value["first"], value["last"]
        for place, (records, judged, below, total, told, buckets) in value["cells"].items():
            cell = line._cells[int(place)] = _Cell()
            cell.records, cell.judged, cell.below, cell.total = records, judged, below, total
            cell.told = None if told is None else (datetime.fromisoformat(told[0]), told[1])
            cell.buckets = Counter(dict(buckets))
        return line

    def bins(self) -> tuple[TimeBin, ...]:
        """All bins from the first to the last, the empty ones between them too."""
        return tuple(self._bin(place) for place in range(self._first, self._last + 1)) if self._cells else ()

    def _bin(self, place: int) -> TimeBin:
        cell = self._cells.get(place, _Cell())
        return TimeBin(
            start=_MONDAY + place * timedelta(seconds=self.seconds),
            records=cell.records,
            judged=cell.judged,
            below=cell.below,
            threshold=None if cell.told is None else cell.told[1],
            mean=cell.total / cell.records if cell.records else None,
            low=quantile(cell.buckets, 0.1),
            median=quantile(cell.buckets, 0.5),
            high=quantile(cell.buckets, 0.9),
        )

    def histogram(self) -> Counter[int]:
        """All confidences, counted in ``BUCKETS`` buckets."""
        total: Counter[int] = Counter()
        for cell in self._cells.values():
            total.update(cell.buckets)
        return total


def bucket(confidence: float) -> int:
    """The bucket of a confidence, 0 to 1."""
    return min(int(confidence * BUCKETS), BUCKETS - 1)


def quantile(buckets: Counter[int], share: float) -> float | None:
    """A quantile of counted confidences: the middle of the bucket in which it lies; None when there are none.

    Example:
        >>> quantile(Counter({bucket(0.25): 1, bucket(0.75): 1}), 0.5)
        0.2525
    """
    rank = max(1, math.ceil(share * buckets.total()))
    seen = 0
    for place in sorted(buckets):
        seen += buckets[place]
        if seen >= rank:
            return (place + 0.5) / BUCKETS
    return None
