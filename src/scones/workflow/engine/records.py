"""What a journal tells about executions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from scones.workflow.engine.jsontext import Json

__all__ = [
    "Change",
    "Delayed",
    "Ended",
    "Entered",
    "Event",
    "Execution",
    "ExecutionDetail",
    "NewEvent",
    "Pending",
    "Status",
]

Status: TypeAlias = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution as a list shows it; times in UTC, ``stopped`` None while it runs."""

    machine: str
    name: str
    arn: str
    status: Status
    started: datetime
    stopped: datetime | None
    error: str | None
    cause: str | None


@dataclass(frozen=True, slots=True)
class ExecutionDetail(Execution):
    """An execution with the state that it is in (the last one, when it has ended), its input and its output."""

    state: str
    input: Json
    output: Json


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an execution's history, with the types of Step Functions' GetExecutionHistory.

    ``id`` counts from 1; ``details`` holds ``input``, ``output``, or ``error`` and ``cause``, and for a
    failure that is tried again ``retryAt`` (POSIX seconds).
    """

    machine: str
    execution: str
    id: int
    type: str
    time: datetime
    state: str | None
    details: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be journaled."""

    type: str
    state: str | None = None
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entered:
    """The execution is in this state, which begins at ``due`` (POSIX seconds), or at once."""

    state: str
    input: Json
    time: float
    due: float | None


@dataclass(frozen=True, slots=True)
class Delayed:
    """The execution tries its state again at ``due``; ``attempts`` counts the retries of each retrier."""

    attempts: Mapping[int, int]
    due: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The execution is over."""

    status: Status
    output: Json = None
    error: str | None = None
    cause: str | None = None


Change: TypeAlias = Entered | Delayed | Ended


@dataclass(frozen=True, slots=True)
class Pending:
    """A running execution as a restart finds it; times in POSIX seconds."""

    id: int
    machine: str
    name: str
    definition: str
    started: float
    state: str
    entered: float
    attempts: Mapping[int, int]
    due: float | None
    last_event: int
