"""What a state does with data: pure, and the same whatever the engine calls in between.

``InputPath → Parameters → (the work) → ResultSelector → ResultPath → OutputPath``, and Assign beside ResultSelector, as
in the Step Functions Developer Guide, "Processing input and output" and "Passing data between states with variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scones.workflow.engine.choice import matches, timestamp
from scones.workflow.engine.data import Template, fill, select, within_limit
from scones.workflow.engine.failure import NO_CHOICE_MATCHED, RUNTIME, StateFailure
from scones.workflow.engine.intrinsics import Expression, evaluate
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import LONGEST, Catcher, Choice, Fail, Fallible, Map, Pass, State, Succeed, Wait
from scones.workflow.engine.paths import Path, PathMissing, Scope

__all__ = [
    "Done",
    "argument",
    "caught",
    "effective",
    "finish",
    "item_input",
    "map_items",
    "number",
    "perform",
    "wait_until",
]


@dataclass(frozen=True, slots=True)
class Done:
    """A state has ended well: its output, the state that follows (None at the end), the variables that it set."""

    output: Json
    next: str | None
    variables: Mapping[str, Json] = field(default_factory=dict)


def perform(state: Pass | Choice | Wait | Succeed | Fail, raw: Scope) -> Done:
    """Run a state that needs nothing but data.

    Args:
        state: the state; of a Wait, its end.
        raw: the state's raw input, and what else it may read.

    Raises:
        StateFailure: the state failed; a Fail state always does.
    """
    if isinstance(state, Fail):
        raise StateFailure(_text(state.error, raw), _text(state.cause, raw))
    scope = effective(state, raw)
    if isinstance(state, Choice):
        rule = next((rule for rule in state.rules if matches(rule.rule, scope)), None)
        onward, assign = (rule.next, rule.assign) if rule is not None else (state.default, state.assign)
        if onward is None:
            raise StateFailure(NO_CHOICE_MATCHED, f"No rule of the state {state.name} matches, and it has no Default")
        return Done(_output(state, scope.data, scope), onward, _assigned(assign, scope))
    if isinstance(state, Pass):
        result = scope.data if state.parameters is None else fill(state.parameters, scope)
        if state.result:
            result = state.result[0]
        merged = raw.data if state.result_path is None else state.result_path.place(raw.data, result)
        return Done(_output(state, merged, scope), state.next, _assigned(state.assign, scope.of(result)))
    onward = state.next if isinstance(state, Wait) else None
    return Done(_output(state, scope.data, scope), onward, _assigned(state.assign, scope))


def effective(state: State, raw: Scope) -> Scope:
    """What a state may read once InputPath has selected its data.

    Raises:
        StateFailure: the path leads nowhere, or the input is too long.
    """
    within_limit(raw.data, f"The input of the state {state.name}")
    return raw.of(select(state.input_path, raw, "InputPath"))


def argument(state: Fallible, raw: Scope) -> Json:
    """The effective input of a Task or a Parallel: after InputPath and Parameters.

    Raises:
        StateFailure: a path leads nowhere, or it is too long to pass on.
    """
    scope = effective(state, raw)
    if state.parameters is None:
        return scope.data
    return within_limit(fill(state.parameters, scope), f"The effective input of the state {state.name}")


def finish(state: Fallible, raw: Scope, result: Json) -> Done:
    """What a Task, Parallel or Map makes of the raw result of its work.

    Raises:
        StateFailure: a path does not fit, or the data is too long to pass on.
    """
    scope = raw.of(within_limit(result, f"The result of the state {state.name}"))
    selected = result if state.result_selector is None else fill(state.result_selector, scope)
    merged = raw.data if state.result_path is None else state.result_path.place(raw.data, selected)
    return Done(_output(state, merged, raw), state.next, _assigned(state.assign, scope))


def caught(catcher: Catcher, raw: Scope, failure: StateFailure) -> Done:
    """What a Catch hands on: the state's raw input with the error at the Catch's ResultPath.

    Raises:
        StateFailure: the path does not fit the input, or the whole is over the limit.
    """
    error: Json = {"Error": failure.error, "Cause": failure.cause}
    variables = _assigned(catcher.assign, raw.of(error))
    if catcher.result_path is None:
        return Done(raw.data, catcher.next, variables)
    output = within_limit(catcher.result_path.place(raw.data, error), "The output of a Catch")
    return Done(output, catcher.next, variables)


def wait_until(state: Wait, raw: Scope, now: float) -> float:
    """When a Wait that begins now ends, POSIX seconds.

    Raises:
        StateFailure: a path leads nowhere, or to what is no time.
    """
    scope = effective(state, raw)
    if state.timestamp is None:
        return now + number(state.seconds or 0, scope, "SecondsPath", LONGEST)
    given = _read(state.timestamp, scope, "TimestampPath") if isinstance(state.timestamp, Path) else state.timestamp
    moment = timestamp(given)
    if moment is None:
        raise StateFailure(RUNTIME, f"The wait {state.name} needs an RFC 3339 time, not {given!r}")
    return moment.replace(microsecond=0).timestamp()  # whole seconds, as on AWS


def map_items(state: Map, scope: Scope) -> list[Json] | dict[str, Json]:
    """The items of a Map that reads them from its input; a distributed one takes the members of an object too.

    Raises:
        StateFailure: ``States.Runtime`` where ItemsPath leads to neither.
    """
    items = scope.data if state.items_path is None else _read(state.items_path, scope, "ItemsPath")
    if not isinstance(items, list if state.child is None else list | dict):
        raise StateFailure(RUNTIME, f"The items of the Map {state.name} must be a list, not {str(items)[:80]}")
    return items


def item_input(state: Map, scope: Scope, index: int, value: Json, key: str | None = None) -> Json:
    """What a Map gives to one item's work: the item, or what its ItemSelector makes of it."""
    if state.parameters is None:
        return value
    item = {"Index": index, "Value": value} | ({} if state.reader else {"Source": "STATE_DATA"})
    if key is not None:
        item["Key"] = key
    context = {**scope.context, "Map": {"Item": item}}
    return fill(state.parameters, Scope(scope.data, context, scope.random, scope.variables))


def number(given: float | Path, scope: Scope, what: str, most: float, least: float = 0) -> float:
    """A number that the definition states, or a whole one that the data states at a path.

    Raises:
        StateFailure: ``States.Runtime`` where it is none, or out of bounds.
    """
    if not isinstance(given, Path):
        return given
    value = _read(given, scope, what)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        bounds = f"from {least} to {most}"
        raise StateFailure(RUNTIME, f"{what} {given.text} must lead to a whole number {bounds}, not {value!r}")
    return value


def _output(state: State, data: Json, scope: Scope) -> Json:
    selected = select(state.output_path, scope.of(data), "OutputPath")
    return within_limit(selected, f"The output of the state {state.name}")


def _assigned(template: Template | None, scope: Scope) -> Mapping[str, Json]:
    if template is None:
        return {}
    variables: dict[str, Json] = within_limit(fill(template, scope), f"The Assign of {', '.join(template)}")
    return variables


def _read(path: Path, scope: Scope, what: str) -> Json:
    try:
        return path.read(scope)
    except PathMissing:
        raise StateFailure(RUNTIME, f"{what} {path.text} leads nowhere in the state's data") from None


def _text(value: str | Expression, scope: Scope) -> str:
    if isinstance(value, Path):
        text = _read(value, scope, "ErrorPath or CausePath")
    else:
        text = value if isinstance(value, str) else evaluate(value, scope)
    if not isinstance(text, str):
        raise StateFailure(RUNTIME, f"The Error and Cause of a Fail state must be texts, not {text!r}")
    return text
