"""What a picture uses on its way through the application, as the state machines and the functions say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scones.workflow.definitions import FUNCTIONS, definition

__all__ = [
    "ALARM_METRICS",
    "MEMORY",
    "METRICS",
    "MONITOR_MEMORY",
    "REQUESTS",
    "SCALING_ALARMS",
    "Requests",
    "Way",
    "way",
]

MEMORY = {"serialize_image": 1024, "classify_image": 512, "filter_inferences": 256, "route_driver": 512}
"""Megabytes of each function that a picture passes, as the template gives them."""
MONITOR_MEMORY = 1024
ALARM_METRICS = 18
"""Metrics that the template's alarms look at: AWS counts an alarm on an expression as one alarm for each."""
SCALING_ALARMS = 2
"""Alarms that target tracking makes by itself, for a real-time endpoint."""
METRICS = 3
"""Metrics that the scheduled monitor publishes: Records, LowConfidenceShare, Drift."""


@dataclass(frozen=True)
class Requests:
    """Requests to S3, by what they cost: ``put`` creates, ``list`` costs the same, ``get`` is GET and HEAD.

    A DELETE is free.
    """

    put: int = 0
    list: int = 0
    get: int = 0

    def __add__(self, other: Requests) -> Requests:
        return Requests(self.put + other.put, self.list + other.list, self.get + other.get)


REQUESTS = {
    # the claim created, the picture read
    "serialize_image": Requests(put=1, get=1),
    # open orders listed, the best one read, noted and claimed, the route written
    "route_driver": Requests(put=3, list=1, get=1),
}
"""What a function asks of S3 for one picture, where at most 1,000 orders are open."""


@dataclass(frozen=True)
class Way:
    """What an execution does that costs something.

    Attributes:
        states: their names, in order; a Standard workflow pays for each.
        functions: called, in order, by their Python names.
        requests: to S3, by functions and by states.
        messages: to the topic.
    """

    states: tuple[str, ...]
    functions: tuple[str, ...]
    requests: Requests
    messages: int


def way(machine: str, task: str, takes: Mapping[str, str] | None = None) -> Way:
    """Follow a machine's definition where nothing fails.

    Args:
        machine: as ``classify``.
        task: where a Choice asks for the task, that is it.
        takes: states that go on elsewhere than their ``Next`` says, and where.

    Example:
        >>> way("classify", "vehicles").states[-2:], way("classify", "defects").states[-1]
        (('EndByTask', 'RouteDriver'), 'WriteResult')
    """
    states = dict(_follow(json.loads(definition(machine)), task, takes or {}))
    functions = tuple(_function(state) for state in states.values() if _calls(state, "lambda:invoke"))
    requests = Requests(put=sum(_calls(state, "s3:putObject") for state in states.values()))
    for name in functions:
        requests += REQUESTS.get(name, Requests())
    messages = sum(_calls(state, "sns:publish") for state in states.values())
    return Way(tuple(states), functions, requests, messages)


def _follow(machine: dict[str, Any], task: str, takes: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name: str | None = machine["StartAt"]
    while name is not None:
        state = machine["States"][name]
        yield name, state
        chosen = [choice["Next"] for choice in state.get("Choices", ()) if choice.get("StringEquals") == task]
        name = takes.get(name) or next(iter(chosen), None) or state.get("Next") or state.get("Default")


def _calls(state: dict[str, Any], what: str) -> bool:
    return what in state.get("Resource", "")


def _function(state: dict[str, Any]) -> str:
    return FUNCTIONS[state["Parameters"]["FunctionName"].strip("${}")]
