"""The whole measurement: is the endpoint there, how does it do with ever more callers, and at which rates."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from scones.errors import EndpointBusy, EndpointError, EndpointRejected, SettingsError
from scones.loadtest.counts import Load
from scones.loadtest.generator import Generator
from scones.loadtest.knee import Curve, find_knee
from scones.loadtest.requests import Sample
from scones.loadtest.step import Step
from scones.loadtest.target import Target

__all__ = ["CONNECTIONS", "MOST_SECONDS", "RATES", "Plan", "Rate", "ask_once", "sweep"]

CONNECTIONS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MOST_SECONDS: Final = 900.0
"""All steps together take no longer."""
_SETTLE: Final = 0.1
"""The share of a step that does not count, at its beginning."""
_MOST_CONNECTIONS: Final = 4096
_ASKING: Final = 20.0
"""Seconds after which no more pictures are asked beforehand."""


@dataclass(frozen=True)
class Rate:
    """A rate of the open loop: requests a second, or a share of the knee's throughput."""

    value: float
    of_knee: bool = False


RATES: Final = (Rate(0.7, of_knee=True), Rate(0.9, of_knee=True))


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Attributes:
        connections: of the steps in the closed loop, ascending.
        rates: of the steps in the open loop.
        seconds: a step.
        limit_ms: the p99 that callers bear, milliseconds; None: as :func:`scones.loadtest.knee.find_knee` has it.
        timeout: seconds that a caller waits for an answer.

    Raises:
        SettingsError: a number is out of range, or all together takes too long.
    """

    connections: Sequence[int] = CONNECTIONS
    rates: Sequence[Rate] = RATES
    seconds: float = 5.0
    limit_ms: float | None = None
    timeout: float = 10.0

    def __post_init__(self) -> None:
        if not self.connections or list(self.connections) != sorted({*self.connections}):
            raise SettingsError(f"connections {list(self.connections)} must ascend, each number once, one at least")
        if not 1 <= self.connections[0] <= self.connections[-1] <= _MOST_CONNECTIONS:
            raise SettingsError(f"connections {list(self.connections)} must be from 1 to {_MOST_CONNECTIONS}")
        if any(not 0 < rate.value <= 1e6 for rate in self.rates):
            raise SettingsError(
                f"rates {[rate.value for rate in self.rates]} must be more than 0, and 1,000,000 at most"
            )
        if self.total_seconds > MOST_SECONDS:
            raise SettingsError(
                f"{len(self.connections) + len(self.rates)} steps of {self.seconds:g} seconds take "
                f"{self.total_seconds:,.0f} seconds, more than {MOST_SECONDS:,.0f}: measure fewer or shorter ones"
            )

    @property
    def total_seconds(self) -> float:
        """How long all steps take, without what is answered late."""
        return self.seconds * (len(self.connections) + len(self.rates))


def sweep(generator: Generator, plan: Plan, *, report: Callable[[Step], object] = lambda _: None) -> Curve:
    """Measure all steps of a plan, one after the other.

    Args:
        generator: sends the loads.
        plan: which.
        report: called with each step that is over.

    Raises:
        EndpointError: it answered nothing at all in a step, or a process of the generator ended.
    """
    load = Load(plan.seconds, 1, settle=_SETTLE * plan.seconds, timeout=plan.timeout)
    steps = []
    for connections in plan.connections:
        steps.append(generator.send(replace(load, connections=connections)))
        report(steps[-1])
        _check(steps)
    curve = find_knee(steps, plan.limit_ms)
    found = []
    for number, rate in enumerate(plan.rates):
        per_second = rate.value * (curve.knee or curve.peak).throughput if rate.of_knee else rate.value
        most = max(plan.connections[-1], CONNECTIONS[-1])
        found.append(generator.send(replace(load, connections=most, rate=per_second, seed=number)))
        report(found[-1])
    return replace(curve, open_steps=tuple(found))


def _check(steps: Sequence[Step]) -> None:
    if steps[-1].latency is None and not steps[-1].refused:
        said = ", ".join(f"{number:,} {why}" for why, number in steps[-1].errors.items()) or "none was answered in time"
        raise EndpointError(f"no request of {steps[-1].connections} callers was answered ({said}): look at its log")
    if all(step.latency is None for step in steps):
        raise EndpointBusy("the endpoint refused every request (503), even of one caller: what else loads it?")


def ask_once(target: Target, samples: Sequence[Sample], *, timeout: float = 10.0) -> None:
    """Ask each picture once, as far as there is time: what is measured is to be answers and not refusals.

    It also warms the endpoint up.

    Raises:
        EndpointError: nobody answers there.
        EndpointRejected: a picture gets another answer than 200.
    """
    host, port = target.address
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    until = time.monotonic() + _ASKING
    try:
        for sample in samples:
            if time.monotonic() > until:
                break
            headers = {"Host": target.host, "Content-Type": sample.content_type}
            connection.request("POST", target.path, sample.data, headers)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                said = body[:200].decode("utf-8", "replace")
                kind = EndpointBusy if answer.status in (429, 503) else EndpointRejected
                raise kind(f"{target.url} answers {sample.name} with status {answer.status}, not 200: {said}")
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise EndpointError(
            f"nobody answers at {target.url} ({reason}): start one with `scones serve`, or check the address"
        ) from error
    finally:
        connection.close()
