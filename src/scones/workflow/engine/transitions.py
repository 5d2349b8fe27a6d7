"""From what came of a state to what is journaled: the events that tell of it, and the change they go with.

Pure: the time and the randomness are passed in, nothing is written here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Final, TypeAlias

from scones.workflow.engine.failure import RUNTIME, TIMEOUT, StateFailure
from scones.workflow.engine.integrations import ARN_PREFIX
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import State, StateMachine, Task, Wait
from scones.workflow.engine.reader import execution_arn
from scones.workflow.engine.records import Change, Delayed, Ended, Entered, NewEvent, Pending
from scones.workflow.engine.retrying import covers, retry_delay
from scones.workflow.engine.states import Done, caught_output

__all__ = ["Transition", "begin", "context_object", "decide", "fail"]

Transition: TypeAlias = tuple[list[NewEvent], Change]

_MOST_EVENTS: Final = 25_000
"""Events of an execution's history (Step Functions quotas); ends a machine that goes round for ever."""


def begin(machine: StateMachine, given: Json, now: float) -> tuple[list[NewEvent], Entered]:
    """An execution begins with this input."""
    events, entered = _enter(machine, machine.start_at, given, now)
    return [NewEvent("ExecutionStarted", None, {"input": given}), *events], entered


def decide(
    machine: StateMachine, at: Pending, given: Json, outcome: Done | StateFailure, *, now: float, random: Random
) -> Transition:
    """What follows from running a state.

    Args:
        machine: the execution's machine.
        at: where the execution is.
        given: the state's raw input, which a Catch hands on.
        outcome: what came of the state.
        now: POSIX seconds.
        random: for the jitter of a retry.
    """
    if at.last_event >= _MOST_EVENTS:
        return fail(StateFailure(RUNTIME, f"The execution has had {_MOST_EVENTS:,} events, the most it may have"))
    state = machine.states[at.state]
    if isinstance(outcome, Done):
        told = [NewEvent("TaskSucceeded", at.state, {"output": outcome.result})] if isinstance(state, Task) else []
        events, change = _go_on(machine, state, outcome.output, outcome.next, now)
        return told + events, change
    if not isinstance(state, Task):
        return fail(outcome)
    return _retry(state, at, outcome, now, random) or _catch(machine, state, given, outcome, now)


def _retry(task: Task, at: Pending, failure: StateFailure, now: float, random: Random) -> Transition | None:
    # The first Retry that matches decides, also when it is used up.
    for index, retrier in enumerate(task.retry):
        if covers(retrier.errors, failure.error):
            retries = at.attempts.get(index, 0)
            if retries >= retrier.max_attempts:
                return None
            due = now + retry_delay(retrier, retries, random)
            return [_task_failed(task, failure, {"retryAt": due})], Delayed({**at.attempts, index: retries + 1}, due)
    return None


def _catch(machine: StateMachine, task: Task, given: Json, failure: StateFailure, now: float) -> Transition:
    told = [_task_failed(task, failure, {})]
    for catcher in task.catch:
        if covers(catcher.errors, failure.error):
            try:
                output = caught_output(catcher, given, failure)
            except StateFailure as second:
                failure = second
                break
            events, change = _go_on(machine, task, output, catcher.next, now)
            return told + events, change
    events, change = fail(failure)
    return told + events, change


def _task_failed(task: Task, failure: StateFailure, more: dict[str, Json]) -> NewEvent:
    kind = "TaskTimedOut" if failure.error == TIMEOUT else "TaskFailed"
    return NewEvent(kind, task.name, {"error": failure.error, "cause": failure.cause, **more})


def _go_on(machine: StateMachine, state: State, output: Json, onward: str | None, now: float) -> Transition:
    exited = NewEvent(f"{state.type}StateExited", state.name, {"output": output})
    if onward is None:
        return [exited, NewEvent("ExecutionSucceeded", None, {"output": output})], Ended("SUCCEEDED", output)
    events, entered = _enter(machine, onward, output, now)
    return [exited, *events], entered


def _enter(machine: StateMachine, name: str, given: Json, now: float) -> tuple[list[NewEvent], Entered]:
    state = machine.states[name]
    # A wait's end is journaled as it begins: a restart neither shortens nor lengthens it.
    due = now + state.seconds if isinstance(state, Wait) else None
    return [NewEvent(f"{state.type}StateEntered", name, {"input": given})], Entered(name, given, now, due)


def fail(failure: StateFailure) -> Transition:
    """The execution ends with this failure."""
    details = {"error": failure.error, "cause": failure.cause}
    return [NewEvent("ExecutionFailed", None, details)], Ended("FAILED", None, failure.error, failure.cause)


def context_object(at: Pending, execution_input: Json) -> Json:
    """The context object, ``$$`` (Step Functions Developer Guide, "Context object")."""
    return {
        "Execution": {
            "Id": execution_arn(at.machine, at.name),
            "Input": execution_input,
            "Name": at.name,
            "StartTime": _iso(at.started),
        },
        "State": {"EnteredTime": _iso(at.entered), "Name": at.state, "RetryCount": sum(at.attempts.values())},
        "StateMachine": {"Id": f"arn:aws:states:{ARN_PREFIX}:stateMachine:{at.machine}", "Name": at.machine},
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
