"""What a load came to, as it is counted; several processes' counts add up."""

from __future__ import annotations

from array import array
from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Counts", "Load"]


@dataclass(frozen=True)
class Load:
    """One step of a load.

    Attributes:
        seconds: how long it lasts; what is on its way by then may still be answered.
        connections: closed loop: callers, each of which asks again when it is answered. Open loop: the most at once.
        rate: requests a second that come whether the others were answered or not, at random times as those of many
            independent callers (a Poisson process); None: closed loop.
        settle: seconds at its beginning that do not count.
        timeout: seconds that a caller waits for an answer.
        heed: a caller in the closed loop that gets a 503 rests as long as ``Retry-After`` says.
        seed: of the random times.
    """

    seconds: float
    connections: int
    rate: float | None = None
    settle: float = 0.0
    timeout: float = 10.0
    heed: bool = True
    seed: int = 0

    def part(self, number: int, of: int) -> Load:
        """What one of several processes does of it."""
        share = self.connections // of + (number < self.connections % of)
        rate = None if self.rate is None else self.rate / of
        return Load(
            self.seconds, max(1, share), rate, self.settle, self.timeout, self.heed, self.seed * 1000 + number
        )  # fmt: skip


@dataclass
class Counts:
    """What a load came to. Of requests sent or due before it had settled all but answers with 200 count.

    Attributes:
        latencies: of requests answered with 200, seconds since they were sent, or were due.
        refusals: the same of those that got a 503.
        late: open loop: seconds after it was due that a request was sent, though a connection was free.
        statuses: of HTTP.
        errors: requests that got no answer, by why: ``refused`` (nobody listens), ``closed``, ``malformed``,
            ``timeout``.
        inside: answers with 200 that came while the load lasted.
        unanswered: requests that were due and not answered when all was over.
        cpu: seconds of the processor that the callers themselves took while it lasted.
    """

    latencies: array[float] = field(default_factory=lambda: array("d"))
    refusals: array[float] = field(default_factory=lambda: array("d"))
    late: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    inside: int = 0
    unanswered: int = 0
    cpu: float = 0.0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.latencies + other.latencies,
            self.refusals + other.refusals,
            self.late + other.late,
            self.statuses + other.statuses,
            self.errors + other.errors,
            self.inside + other.inside,
            self.unanswered + other.unanswered,
            self.cpu + other.cpu,
        )
