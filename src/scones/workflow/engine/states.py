"""What one state does with its input: pure, but for the call of a Task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from scones.workflow.engine.choice import matches
from scones.workflow.engine.data import fill, select, within_limit
from scones.workflow.engine.failure import NO_CHOICE_MATCHED, RUNTIME, StateFailure
from scones.workflow.engine.intrinsics import Expression, evaluate
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import Catcher, Choice, Fail, Pass, State, Task, Wait
from scones.workflow.engine.paths import Scope

__all__ = ["Call", "Done", "caught_output", "perform"]

Call: TypeAlias = Callable[[Task, Json], Json]
"""Makes the call of a Task: the Task and its effective input in, the raw result out."""


@dataclass(frozen=True, slots=True)
class Done:
    """A state has ended well; ``next`` None ends the execution, ``result`` is a Task's raw result."""

    output: Json
    next: str | None
    result: Json = None


def perform(state: State, given: Json, context: Json, random: Random, call: Call) -> Done:
    """Run a state once.

    Args:
        state: the state.
        given: its raw input.
        context: the context object, ``$$``.
        random: for ``States.UUID``.
        call: makes the call of a Task.

    Raises:
        StateFailure: the state failed; a Fail state always does.
    """
    raw = Scope(within_limit(given, f"The input of the state {state.name}"), context, random)
    if isinstance(state, Fail):
        raise StateFailure(_text(state.error, raw), _text(state.cause, raw))
    scope = Scope(select(state.input_path, raw, "InputPath"), context, random)
    if isinstance(state, Choice):
        onward = next((name for rule, name in state.rules if matches(rule, scope)), state.default)
        if onward is None:
            raise StateFailure(NO_CHOICE_MATCHED, f"No rule of the state {state.name} matches, and it has no Default")
        return Done(_output(state, scope.data, scope), onward)
    if isinstance(state, Task | Pass):
        return _work(state, raw, scope, call)
    return Done(_output(state, scope.data, scope), state.next if isinstance(state, Wait) else None)


def _work(state: Task | Pass, raw: Scope, scope: Scope, call: Call) -> Done:
    result = scope.data if state.parameters is None else fill(state.parameters, scope)
    selected = result
    if isinstance(state, Task):
        effective = within_limit(result, f"The effective input of the state {state.name}")
        result = within_limit(call(state, effective), f"The result of the state {state.name}")
        selected = result
        if state.result_selector is not None:
            selected = fill(state.result_selector, Scope(result, scope.context, scope.random))
    elif state.result:
        selected = state.result[0]
    merged = raw.data if state.result_path is None else state.result_path.place(raw.data, selected)
    return Done(_output(state, merged, scope), state.next, result)


def _output(state: State, data: Json, scope: Scope) -> Json:
    selected = select(state.output_path, Scope(data, scope.context, scope.random), "OutputPath")
    return within_limit(selected, f"The output of the state {state.name}")


def _text(value: str | Expression, scope: Scope) -> str:
    text = value if isinstance(value, str) else evaluate(value, scope)
    if not isinstance(text, str):
        raise StateFailure(RUNTIME, f"The Error and Cause of a Fail state must be texts, not {text!r}")
    return text


def caught_output(catcher: Catcher, given: Json, failure: StateFailure) -> Json:
    """What a Catch hands on: the state's raw input with the error at the Catch's ResultPath.

    Raises:
        StateFailure: the path does not fit the input, or the whole is over the limit.
    """
    if catcher.result_path is None:
        return given
    error = {"Error": failure.error, "Cause": failure.cause}
    return within_limit(catcher.result_path.place(given, error), "The output of a Catch")
