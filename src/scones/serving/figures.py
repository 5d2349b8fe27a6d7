"""What an endpoint counts: cells of shared memory, a row for each process, and their sum as Prometheus reads it.

A cell is written by one process alone, so that counting takes no lock between processes and well under a microsecond;
whichever process is asked adds the rows up. The text is Prometheus' exposition format, version 0.0.4.
"""

from __future__ import annotations

import mmap
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

__all__ = ["EXPOSITION", "STAGES", "STATUSES", "Figures", "Row"]

EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The content type of :meth:`Figures.exposition`."""
STAGES: Final = ("wait", "decode", "infer", "encode")
"""What a request goes through, in this order."""
STATUSES: Final = (
    "200",
    "400",
    "404",
    "405",
    "408",
    "413",
    "414",
    "415",
    "417",
    "431",
    "499",
    "500",
    "503",
)
"""The statuses that are counted; 499 is a caller that went away."""
_SECONDS: Final = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
_PICTURES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_NAME: Final = "scones_endpoint_"


@dataclass(frozen=True)
class _Figure:
    """Its name, kind and meaning; the values that its label may have, and the bounds of a histogram's buckets."""

    name: str
    kind: str
    says: str
    label: str = ""
    values: tuple[str, ...] = ("",)
    buckets: tuple[float, ...] = ()

    @property
    def width(self) -> int:
        """Cells for each value: one; of a histogram those of its buckets, that of what lies beyond, and the sum."""
        return len(self.buckets) + 2 if self.buckets else 1


_FIGURES: Final = (
    _Figure("requests_total", "counter", "Requests to classify, by the status of their answer.", "code", STATUSES),
    _Figure("answers_total", "counter", "Answers, by whose they are.", "role", ("production", "candidate")),
    _Figure(
        "shadow_total",
        "counter",
        "Pictures that a candidate in the shadow answered, by whether its label is production's.",
        "result",
        ("same", "different", "skipped"),
    ),
    _Figure("captured_total", "counter", "Answers that lie in the capture."),
    _Figure("capture_dropped_total", "counter", "Answers that the capture had to leave out."),
    _Figure("worker_restarts_total", "counter", "Worker processes that died and were replaced."),
    _Figure("follow_failures_total", "counter", "Times that the store could not tell which model to serve."),
    _Figure("switch_failures_total", "counter", "Models that were not switched to, as they did not answer well."),
    _Figure("inside", "gauge", "Requests being received, waiting or computed."),
    _Figure("connections", "gauge", "Open connections."),
    _Figure("workers", "gauge", "Worker processes that answer."),
    _Figure(
        "stage_seconds", "histogram", "Seconds of each stage; infer is counted once a batch.", "stage", STAGES, _SECONDS
    ),
    _Figure("batch_pictures", "histogram", "Pictures that are inferred at once.", buckets=_PICTURES),
)
*_STARTS, _TOLD = accumulate((figure.width * len(figure.values) for figure in _FIGURES), initial=0)
_FIRST: Final = dict(zip((figure.name for figure in _FIGURES), _STARTS, strict=True))
_AT: Final = {
    (figure.name, value): (_FIRST[figure.name] + number * figure.width, figure.buckets)
    for figure in _FIGURES
    for number, value in enumerate(figure.values)
}
"""Of each figure and value of its label: the first cell, and the bounds of its buckets."""
_TURN, _BUSY, _WIDTH = _TOLD, _TOLD + 1, _TOLD + 2
"""Two more cells say when the loop last turned, and since when the worker computes."""


class Row:
    """What one process counts. Of the threads of a process, one alone may write a given figure and label.

    Example:
        >>> figures = Figures(1)
        >>> figures.row(0).add("requests_total", "200")
        >>> text = figures.exposition("bays", {})
        >>> 'scones_endpoint_requests_total{endpoint="bays",code="200"} 1' in text.splitlines()
        True
    """

    def __init__(self, cells: memoryview[float]) -> None:
        self._cells = cells

    def add(self, figure: str, value: str = "", amount: float = 1) -> None:
        """Count one more, or so many; what has no such label is not counted."""
        found = _AT.get((figure, value))
        if found is not None:
            self._cells[found[0]] += amount

    def set(self, figure: str, amount: float) -> None:
        """Say how many there are now."""
        self._cells[_AT[figure, ""][0]] = amount

    def observe(self, figure: str, amount: float, value: str = "") -> None:
        """Count an observation of a histogram."""
        at, buckets = _AT[figure, value]
        self._cells[at + bisect_left(buckets, amount)] += 1
        self._cells[at + len(buckets) + 1] += amount

    def turned(self, now: float) -> None:
        """The process's loop moves, at this time of ``time.monotonic``."""
        self._cells[_TURN] = now

    def busy(self, since: float) -> None:
        """It computes since then; 0 when it has ended."""
        self._cells[_BUSY] = since

    def stuck_for(self, now: float) -> float:
        """Seconds for which the process has not moved, nor said that it had nothing to do."""
        busy = self._cells[_BUSY]
        return max(now - self._cells[_TURN], now - busy if busy else 0.0)

    def begin(self, now: float) -> None:
        """A process takes the row over: nothing is inside it yet. What the one before it counted stays."""
        for figure in _FIGURES:
            if figure.kind == "gauge":
                self.set(figure.name, 0)
        self.busy(0)
        self.turned(now)


class Figures:
    """The rows of all processes; made before they are forked, they share it.

    Args:
        rows: one for each process that counts.
    """

    def __init__(self, rows: int) -> None:
        self._cells = memoryview(mmap.mmap(-1, rows * _WIDTH * 8)).cast("d")
        self._rows = rows

    def row(self, number: int) -> Row:
        """The row of a process, from 0."""
        return Row(self._cells[number * _WIDTH : (number + 1) * _WIDTH])

    def exposition(self, endpoint: str, models: Mapping[str, tuple[str, float]]) -> str:
        """All rows together, as Prometheus reads them.

        Args:
            endpoint: its name, a label of every sample.
            models: by role, the version that answers and its threshold.
        """
        sums = [sum(self._cells[place::_WIDTH]) for place in range(_TOLD)]
        named = f'endpoint="{endpoint}"'
        lines = [line for figure in _FIGURES for line in _lines(figure, sums, named)]
        lines += _head("model_threshold", "gauge", "The threshold in force, by role and version of the model.")
        lines += [
            _sample("model_threshold", f'{named},role="{role}",version="{version}"', threshold)
            for role, (version, threshold) in models.items()
        ]
        return "\n".join(lines) + "\n"


def _lines(figure: _Figure, sums: list[float], named: str) -> Iterator[str]:
    yield from _head(figure.name, figure.kind, figure.says)
    for number, value in enumerate(figure.values):
        labels = f'{named},{figure.label}="{value}"' if figure.label else named
        at = _FIRST[figure.name] + number * figure.width
        if not figure.buckets:
            yield _sample(figure.name, labels, sums[at])
            continue
        below = 0.0
        for place, bound in enumerate((*map(_number, figure.buckets), "+Inf")):
            below += sums[at + place]
            yield _sample(f"{figure.name}_bucket", f'{labels},le="{bound}"', below)
        yield _sample(f"{figure.name}_sum", labels, sums[at + figure.width - 1])
        yield _sample(f"{figure.name}_count", labels, below)


def _head(name: str, kind: str, says: str) -> list[str]:
    return [f"# HELP {_NAME}{name} {says}", f"# TYPE {_NAME}{name} {kind}"]


def _sample(name: str, labels: str, value: float) -> str:
    return f"{_NAME}{name}{{{labels}}} {_number(value)}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
