"""When arrivals are due: at once, in a stream, in bursts, or in a stream with bursts."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from scones.errors import SettingsError

__all__ = ["Schedule"]


@dataclass(frozen=True)
class Schedule:
    """When arrivals are due, whatever becomes of earlier ones (an open loop); it always ends.

    Attributes:
        count: arrivals at most.
        duration: seconds; what would be due then or later is not.
        rate: arrivals a second of a stream.
        spacing: of the stream: "even", or "poisson" as drivers come who know nothing of each other.
        burst: so many at once, the first at the beginning, besides the stream if there is one.
        every: seconds from burst to burst.

    Raises:
        SettingsError: it never ends, or a part is given without what it needs.

    Example:
        >>> list(Schedule(duration=2.5, rate=1.0, burst=2, every=2.0).dues())
        [0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 2.0]
    """

    count: int | None = None
    duration: float | None = None
    rate: float | None = None
    spacing: Literal["even", "poisson"] = "even"
    burst: int | None = None
    every: float | None = None

    def __post_init__(self) -> None:
        for name in ("duration", "rate", "every"):
            if (value := getattr(self, name)) is not None and not 0 < value < math.inf:
                raise SettingsError(f"--{name} {value:g}: give a number above 0")
        if (self.burst is None) != (self.every is None):
            raise SettingsError("bursts need how many come at once and how often: give both --burst and --every")
        if self.spacing == "poisson" and self.rate is None:
            raise SettingsError("--arrivals poisson is a stream's: give its --rate as well")
        if self.duration is not None and self.rate is None and self.burst is None:
            raise SettingsError(
                f"--duration {self.duration:g} needs arrivals that go on: give --rate, or --burst and --every"
            )
        if self.count is None and self.duration is None:
            raise SettingsError("arrivals must end some time: say how many (-n) or for how many seconds (--duration)")

    def dues(self, seed: int = 0) -> Iterator[float]:
        """When each arrival is due, in seconds from the beginning, in order.

        Args:
            seed: of a poisson stream's gaps.
        """
        sources: list[Iterator[float]] = []
        if self.rate is not None:
            sources.append(self._stream(self.rate, seed))
        if self.burst is not None and self.every is not None:
            sources.append(self._bursts(self.burst, self.every))
        dues: Iterator[float] = heapq.merge(*sources) if sources else itertools.repeat(0.0)
        if (end := self.duration) is not None:
            dues = itertools.takewhile(lambda due: due < end, dues)
        return itertools.islice(dues, self.count)

    def total(self, seed: int = 0) -> int:
        """How many arrivals it has."""
        if self.count is not None and self.duration is None:
            return self.count
        return sum(1 for _ in self.dues(seed))

    def _stream(self, rate: float, seed: int) -> Iterator[float]:
        if self.spacing == "even":
            # A quotient each, as a sum of gaps would drift.
            yield from (number / rate for number in itertools.count())
        rng = random.Random(f"gaps {seed}")
        yield from itertools.accumulate(rng.expovariate(rate) for _ in itertools.repeat(None))

    @staticmethod
    def _bursts(size: int, every: float) -> Iterator[float]:
        for number in itertools.count():
            yield from itertools.repeat(number * every, size)
