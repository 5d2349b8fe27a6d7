"""What came of arrivals whose truth is known: rates, outcomes, right answers, latencies. Counting, and nothing else."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from scones.workflow.arrivals import outcome
from scones.workflow.engine import ExecutionDetail
from scones.workflow.generator import Sent

__all__ = ["Figures", "Right", "Spread", "Tally"]

_RECENT = 30
"""Seconds of history in the figures."""


@dataclass(frozen=True)
class Spread:
    """Percentiles of times in seconds (nearest rank), and how many times there are."""

    p50: float
    p90: float
    p99: float
    most: float
    n: int

    @classmethod
    def of(cls, times: Sequence[float]) -> Spread | None:
        """The spread of times that are sorted; None when there are none.

        Example:
            >>> Spread.of([0.1, 0.2, 0.3, 0.4])
            Spread(p50=0.2, p90=0.4, p99=0.4, most=0.4, n=4)
        """
        if not times:
            return None
        p50, p90, p99 = (times[math.ceil(len(times) * share) - 1] for share in (0.5, 0.9, 0.99))
        return cls(p50, p90, p99, times[-1], len(times))


@dataclass(frozen=True)
class Right:
    """How many of ``n`` answers were the true label."""

    right: int = 0
    n: int = 0

    @property
    def share(self) -> float | None:
        """Of right answers, 0 to 1; None when there is no answer."""
        return self.right / self.n if self.n else None

    def __add__(self, other: Right) -> Right:
        return Right(self.right + other.right, self.n + other.n)


@dataclass(frozen=True)
class Figures:
    """What is known at a moment.

    Attributes:
        seconds: since the beginning.
        total: arrivals that the schedule has; ``due`` of them are due by now, ``sent`` are written.
        again: of those sent, duplicates of an earlier one; they are no new work.
        kinds: of those sent that are new, how many are plain, corrupted, garbage.
        asked_rate, sent_rate, ended_rate: a second, from the first to the last; None for fewer than two, or all at
            the same moment.
        late: seconds after they were due that arrivals were sent: what the generator itself is behind.
        outcomes: executions by how they ended, see :func:`scones.workflow.arrivals.outcome`.
        garbage_failed: of the failed ones, those that were no pictures.
        running: executions that run; ``waiting``: arrivals that no execution is known of.
        right: right answers, by outcome and kind of picture.
        latency: seconds from an arrival's writing to the end of its execution.
        idle: seconds in which an arrival was awaited and none ended.
        history: of the last seconds, how many were sent and how many ended in each.
    """

    seconds: float
    total: int
    due: int
    sent: int
    again: int
    kinds: Mapping[str, int]
    asked_rate: float | None
    sent_rate: float | None
    ended_rate: float | None
    late: Spread | None
    outcomes: Mapping[str, int]
    garbage_failed: int
    running: int
    waiting: int
    right: Mapping[tuple[str, str], Right]
    latency: Spread | None
    idle: float
    history: Sequence[tuple[int, int]]

    @property
    def ended(self) -> int:
        """Executions that have ended."""
        return sum(self.outcomes.values())

    @property
    def unended(self) -> int:
        """Arrivals that were sent and whose execution has not ended."""
        return self.running + self.waiting

    def answers(self, *, unsure: bool, kind: str | None = None) -> Right:
        """Right answers: those that the model gave alone, or its guesses where it was unsure and a person decides.

        Args:
            unsure: the guesses.
            kind: only on pictures of this kind.
        """
        chosen = (
            found for (ended, of), found in self.right.items() if (ended == "review") == unsure and kind in (None, of)
        )
        return sum(chosen, Right())

    def to_json(self, *, followed: bool) -> dict[str, Any]:
        """The figures for a program; what became of the arrivals only where it was ``followed``."""
        found: dict[str, Any] = {
            "scheduled": self.total,
            "sent": self.sent,
            "again": self.again,
            "kinds": dict(self.kinds),
            "asked_per_second": _rounded(self.asked_rate),
            "per_second": _rounded(self.sent_rate),
            "late": _told(self.late),
        }
        if not followed:
            return found
        return found | {
            "ended": self.ended,
            "unended": self.unended,
            "ended_per_second": _rounded(self.ended_rate),
            "outcomes": dict(self.outcomes),
            "garbage_failed": self.garbage_failed,
            "latency": _told(self.latency),
            "decided": _counted(self.answers(unsure=False)),
            "unsure": _counted(self.answers(unsure=True)),
            "by_kind": {
                kind: {
                    "decided": _counted(self.answers(unsure=False, kind=kind)),
                    "unsure": _counted(self.answers(unsure=True, kind=kind)),
                }
                for kind in ("plain", "corrupted")
                if kind in self.kinds
            },
        }


class Tally:
    """Counts as things happen.

    Args:
        dues: when arrivals are due, seconds from the beginning, in order.
        total: how many they are.
        began: the beginning, POSIX seconds.
    """

    def __init__(self, dues: Iterator[float], total: int, began: float) -> None:
        self.total = total
        self._dues, self._began = dues, began
        self._next: float | None = next(dues, None)
        self._due, self._last_due = 0, 0.0
        self._first_due = self._next or 0.0
        self._kinds: Counter[str] = Counter()
        self._again = 0
        self._late: list[float] = []
        self._outcomes: Counter[str] = Counter()
        self._garbage_failed = 0
        self._right: dict[tuple[str, str], Right] = {}
        self._latency: list[float] = []
        self._sent_in: Counter[int] = Counter()  # by the second of their writing
        self._ended_in: Counter[int] = Counter()
        self._sent_span, self._ended_span = _Span(), _Span()

    def sent(self, sent: Sent) -> None:
        """An arrival was written."""
        self._late.append(sent.late)
        self._sent_span.add(sent.written)
        self._sent_in[int(sent.written - self._began)] += 1
        if sent.planned.again:
            self._again += 1
        else:
            self._kinds[sent.planned.kind] += 1

    def ended(self, sent: Sent, execution: ExecutionDetail) -> None:
        """An arrival's execution has ended."""
        assert execution.stopped is not None  # it has ended
        stopped = execution.stopped.timestamp()
        how, kind = outcome(execution), sent.planned.kind
        self._outcomes[how] += 1
        # Two processes may read one clock a hair apart.
        self._latency.append(max(0.0, stopped - sent.written))
        self._ended_span.add(stopped)
        self._ended_in[int(stopped - self._began)] += 1
        if kind == "garbage":
            self._garbage_failed += how == "failed"
        elif isinstance(execution.output, dict) and "label" in execution.output:
            right = execution.output["label"] == sent.planned.line.label
            self._right[how, kind] = self._right.get((how, kind), Right()) + Right(int(right), 1)

    def figures(self, now: float, *, running: int = 0, oldest: float | None = None) -> Figures:
        """The figures at a moment.

        Args:
            now: POSIX seconds.
            running: executions of the arrivals that are known to run.
            oldest: when the first of the arrivals that are awaited was written, POSIX seconds; None: none is awaited.
        """
        while self._next is not None and self._next <= now - self._began:
            self._due, self._last_due = self._due + 1, self._next
            self._next = next(self._dues, None)
        # Sorted in place: what was sorted before costs next to nothing.
        self._late.sort()
        self._latency.sort()
        unended = self._kinds.total() - self._outcomes.total()
        second = int(now - self._began)  # the last one is not over yet
        return Figures(
            seconds=now - self._began,
            total=self.total,
            due=self._due,
            sent=self._kinds.total() + self._again,
            again=self._again,
            kinds=dict(self._kinds),
            asked_rate=_rate(self._due, self._last_due - self._first_due),
            sent_rate=self._sent_span.rate,
            ended_rate=self._ended_span.rate,
            late=Spread.of(self._late),
            outcomes=dict(self._outcomes),
            garbage_failed=self._garbage_failed,
            running=running,
            waiting=unended - running,
            right=dict(self._right),
            latency=Spread.of(self._latency),
            idle=0.0 if oldest is None else max(0.0, now - max(oldest, self._ended_span.last)),
            history=[(self._sent_in[one], self._ended_in[one]) for one in range(second - _RECENT, second)],
        )


@dataclass
class _Span:
    """From the first moment to the last, and how many there are."""

    first: float | None = None
    last: float = 0.0
    n: int = 0

    def add(self, moment: float) -> None:
        self.first = moment if self.first is None else min(self.first, moment)
        self.last = max(self.last, moment)
        self.n += 1

    @property
    def rate(self) -> float | None:
        return None if self.first is None else _rate(self.n, self.last - self.first)


def _rate(n: int, seconds: float) -> float | None:
    """A second, where n moments lie in so many seconds, the first and the last among them."""
    return (n - 1) / seconds if n > 1 and seconds > 0 else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _told(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else {name: round(value, 4) for name, value in asdict(spread).items()}


def _counted(found: Right) -> dict[str, Any]:
    return {"right": found.right, "n": found.n, "share": _rounded(found.share)}
