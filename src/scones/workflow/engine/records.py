"""What a journal tells about executions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from scones.workflow.engine.jsontext import Json

__all__ = ["Event", "Execution", "ExecutionDetail", "Status"]

Status: TypeAlias = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]

_ENDS: Final[Mapping[str, Status]] = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionAborted": "ABORTED",
}


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
    """An execution with its input, its output, and the state that it is in (empty when it has ended)."""

    state: str
    input: Json
    output: Json


@dataclass(frozen=True, slots=True)
class Event:
    """One event of an execution's history, with the types of Step Functions' GetExecutionHistory.

    ``id`` counts from 1; ``details`` holds ``input``, ``output``, or ``error`` and ``cause``, for a failure that is
    tried again ``retryAt`` (POSIX seconds), and ``index`` for one of several iterations or branches.
    """

    machine: str
    execution: str
    id: int
    type: str
    time: datetime
    state: str | None
    details: Mapping[str, Json]

    @property
    def ended(self) -> Status | None:
        """How the execution ended, where this is its end."""
        return _ENDS.get(self.type)
