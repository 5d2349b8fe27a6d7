"""What one step of a load came to, in figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from scones.loadtest.counts import Counts, Load

__all__ = ["Spread", "Step", "step_of"]

_LATE_MS = 5.0
"""Where the hundredth part of the requests is sent later than this, the open loop is not what it was asked to be."""
_BUSY = 0.9
"""The same of the share of a core that each process takes."""


@dataclass(frozen=True)
class Spread:
    """Latencies, in milliseconds: how many, the mean, so many of a hundred are at most …, the largest."""

    n: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    most: float

    @classmethod
    def of(cls, seconds: Any) -> Spread | None:
        """Of times in seconds; None where there are none."""
        if not len(seconds):
            return None
        values = 1000 * np.asarray(seconds, np.float64)
        quantiles = np.quantile(values, [0.5, 0.9, 0.99, 0.999, 1.0])
        return cls(len(values), float(values.mean()), *map(float, quantiles))


@dataclass(frozen=True)
class Step:
    """What a load came to.

    Attributes:
        connections: closed loop: the callers; open loop: the most at once.
        rate: requests a second that were to come, in the open loop; None: closed loop.
        seconds: how long it counted.
        throughput: answers with status 200, a second.
        latency: of these; from when the request was sent, in the open loop from when it was due. None: there were none.
        refusal: of answers with status 503.
        statuses: how many answers of each; those of 200 to requests sent once it had settled.
        errors: requests without an answer, by why: ``refused``, ``closed``, ``malformed``, ``timeout``.
        unanswered: requests without an answer when it was over.
        late_p99_ms: open loop: how late requests were sent, 99 of 100 at most.
        cpu: share of a core that each sending process took.
    """

    connections: int
    rate: float | None
    seconds: float
    throughput: float
    latency: Spread | None
    refusal: Spread | None
    statuses: dict[int, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    unanswered: int = 0
    late_p99_ms: float | None = None
    cpu: float = 0.0

    @property
    def refused(self) -> int:
        """Answers with status 503."""
        return self.statuses.get(503, 0)

    @property
    def failed(self) -> int:
        """Requests that got no answer, or another than 200 and 503."""
        others = sum(number for status, number in self.statuses.items() if status not in (200, 503))
        return others + sum(self.errors.values()) + self.unanswered

    @property
    def clean(self) -> bool:
        """All was answered with 200."""
        return self.latency is not None and not self.refused and not self.failed

    @property
    def strained(self) -> bool:
        """The sending processes were at their own end: the figures may be theirs."""
        return self.cpu >= _BUSY or (self.late_p99_ms or 0.0) > _LATE_MS

    def to_json(self) -> dict[str, Any]:
        """For a program; milliseconds and shares with the digits that mean something."""
        return {
            "connections": self.connections,
            "rate": None if self.rate is None else round(self.rate, 1),
            "seconds": round(self.seconds, 2),
            "throughput": round(self.throughput, 1),
            "latency_ms": _told(self.latency),
            "refusal_ms": _told(self.refusal),
            "statuses": {str(status): number for status, number in sorted(self.statuses.items())},
            "errors": dict(sorted(self.errors.items())),
            "unanswered": self.unanswered,
            "late_p99_ms": None if self.late_p99_ms is None else round(self.late_p99_ms, 3),
            "generator_cpu": round(self.cpu, 3),
        }


def _told(spread: Spread | None) -> dict[str, float] | None:
    return None if spread is None else {name: round(value, 3) for name, value in asdict(spread).items()}


def step_of(load: Load, counts: Counts, *, processes: int = 1) -> Step:
    """The figures of what was counted while a load was sent by so many processes."""
    seconds = load.seconds - load.settle
    late = Spread.of(counts.late) if load.rate is not None else None
    return Step(
        connections=load.connections,
        rate=load.rate,
        seconds=seconds,
        throughput=counts.inside / seconds,
        latency=Spread.of(counts.latencies),
        refusal=Spread.of(counts.refusals),
        statuses=dict(counts.statuses),
        errors=dict(counts.errors),
        unanswered=counts.unanswered,
        late_p99_ms=late.p99 if late else None,
        cpu=counts.cpu / seconds / processes,
    )
