"""Where an endpoint begins to be slow, and how many of them a rate needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scones.loadtest.step import Step

__all__ = ["SAFETY", "TIMES", "Curve", "Sizing", "find_knee", "size_for"]

TIMES = 2.0
"""The knee's p99 is at most so many times that at the least load, where no other limit is given."""
SAFETY = 0.7
"""The share of the knee's throughput that an instance is to have: the rest is for bursts, and for the minutes until
another instance is there."""


@dataclass(frozen=True)
class Curve:
    """What a sweep of loads came to.

    Attributes:
        steps: of the closed loop, by ascending number of connections.
        limit_ms: the p99 up to which the endpoint counts as quick.
        knee: the step of most throughput whose p99 is within the limit, and in which all was answered; None: none is.
        peak: the step of most throughput, however slow.
        open_steps: of the open loop.
    """

    steps: tuple[Step, ...]
    limit_ms: float
    knee: Step | None
    peak: Step
    open_steps: tuple[Step, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "steps": [step.to_json() for step in self.steps],
            "limit_ms": round(self.limit_ms, 3),
            "knee": None if self.knee is None else self.knee.to_json(),
            "peak": self.peak.to_json(),
            "open_loop": [step.to_json() for step in self.open_steps],
        }


def find_knee(steps: Sequence[Step], limit_ms: float | None = None) -> Curve:
    """Find the knee of a sweep: the most that the endpoint does while it is still quick.

    Quick is a p99 of at most ``limit_ms``; where nobody has said what callers bear, of :data:`TIMES` that at the least
    load. Beyond the knee more callers bring little more than longer waits. A step in which anything was refused or
    went wrong is beyond it.

    Args:
        steps: of the closed loop, by ascending number of connections; one answer with 200 at least.
        limit_ms: what callers bear, milliseconds.
    """
    answered = [step for step in steps if step.latency is not None]
    assert answered
    first = answered[0].latency
    assert first is not None
    limit = TIMES * first.p99 if limit_ms is None else limit_ms
    quick = [step for step in answered if step.clean and step.latency is not None and step.latency.p99 <= limit]
    peak = max(answered, key=lambda step: step.throughput)
    return Curve(tuple(steps), limit, max(quick, key=lambda step: step.throughput, default=None), peak)


@dataclass(frozen=True)
class Sizing:
    """How many instances a rate needs, each like the one that was measured.

    Attributes:
        per_instance: requests a second that one is to have.
        target: the same a minute, in whole numbers, as SageMaker's ``InvocationsPerInstance`` counts.
        expected: requests a second that are expected at the busiest; None: nobody said.
        instances: how many that takes; None: nobody said.
    """

    per_instance: float
    target: int
    expected: float | None = None
    instances: int | None = None

    def to_json(self) -> dict[str, Any]:
        """For a program."""
        return {
            "safety_factor": SAFETY,
            "requests_per_second_per_instance": round(self.per_instance, 1),
            "invocations_per_instance": self.target,
            "expected_per_second": self.expected,
            "instances": self.instances,
        }


def size_for(knee: Step, expected: float | None = None) -> Sizing:
    """Say how many instances a rate needs, and what autoscaling is to aim at.

    Args:
        knee: of the curve.
        expected: requests a second at the busiest.

    Example:
        >>> size_for(Step(4, None, 5.0, 1000.0, None, None), 3000)
        Sizing(per_instance=700.0, target=42000, expected=3000, instances=5)
    """
    each = SAFETY * knee.throughput
    instances = None if expected is None else max(1, math.ceil(expected / each - 1e-9))
    return Sizing(each, max(1, math.floor(60 * each + 1e-6)), expected, instances)
