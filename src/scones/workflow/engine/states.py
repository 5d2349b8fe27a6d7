"""What a state does with data: pure, and the same whatever the engine calls in between.

``InputPath → Parameters → (the work) → ResultSelector → ResultPath → OutputPath``, and Assign beside ResultSelector;
in JSONata ``Arguments → (the work) → Output``, and Assign beside that; as in the Step Functions Developer Guide,
"Processing input and output" and "Passing data between states with variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from scones.workflow.engine.choice import matches, timestamp
from scones.workflow.engine.data import Made, Template, fill, select, within_limit
from scones.workflow.engine.failure import NO_CHOICE_MATCHED, QUERY_EVALUATION_ERROR, RUNTIME, StateFailure
from scones.workflow.engine.intrinsics import Expression, evaluate
from scones.workflow.engine.jsonata import Query
from scones.workflow.engine.jsontext import Json, dump
from scones.workflow.engine.machine import (
    LONGEST,
    Catcher,
    Choice,
    Fail,
    Fallible,
    Map,
    Pass,
    State,
    Succeed,
    Task,
    Wait,
    Whole,
)
from scones.workflow.engine.paths import Path, PathMissing, Scope

__all__ = [
    "Done",
    "argument",
    "caught",
    "effective",
    "filled",
    "finish",
    "item_input",
    "item_source",
    "keeps_settings",
    "map_settings",
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
        onward, made = (state.default, state) if rule is None else (rule.next, rule)
        if onward is None:
            raise StateFailure(NO_CHOICE_MATCHED, f"No rule of the state {state.name} matches, and it has no Default")
        return Done(_output(state, scope.data, scope, made.output), onward, _assigned(made.assign, scope))
    if isinstance(state, Pass):
        result = scope.data if state.parameters is None else fill(state.parameters, scope)
        if state.result:
            result = state.result[0]
        merged = raw.data if state.result_path is None else state.result_path.place(raw.data, result)
        return Done(_output(state, merged, scope, state.output), state.next, _assigned(state.assign, scope.of(result)))
    onward = state.next if isinstance(state, Wait) else None
    return Done(_output(state, scope.data, scope, state.output), onward, _assigned(state.assign, scope))


def effective(state: State, raw: Scope) -> Scope:
    """What a state may read once InputPath has selected its data.

    Raises:
        StateFailure: the path leads nowhere, or the input is too long.
    """
    within_limit(raw.data, f"The input of the state {state.name}")
    return raw.of(select(state.input_path, raw, "InputPath"))


def argument(state: Fallible, raw: Scope) -> Json:
    """The effective input of a Task or a Parallel: after InputPath and Parameters, or Arguments.

    Raises:
        StateFailure: a path leads nowhere, an expression fails, it is too long to pass on, or is no object where the
            Task's resource takes one.
    """
    scope = effective(state, raw)
    if state.parameters is None:
        return scope.data
    what = f"The effective input of the state {state.name}"
    if isinstance(state, Task) and state.resource.kind != "function":
        return within_limit(filled(state.parameters, scope, what), what)
    return within_limit(fill(state.parameters, scope), what)


def filled(template: Template, scope: Scope, what: str) -> dict[str, Json]:
    """What a template makes, where it must be an object.

    Raises:
        StateFailure: ``States.QueryEvaluationError`` where an expression gives another thing.
    """
    value = fill(template, scope)
    if not isinstance(value, dict):
        raise StateFailure(QUERY_EVALUATION_ERROR, f"{what} must be a JSON object, not {dump(value)[:80]}")
    return value


def finish(state: Fallible, raw: Scope, result: Json) -> Done:
    """What a Task, Parallel or Map makes of the raw result of its work.

    Raises:
        StateFailure: a path does not fit, or the data is too long to pass on.
    """
    scope = raw.of(within_limit(result, f"The result of the state {state.name}"), result=result)
    selected = result if state.result_selector is None else fill(state.result_selector, scope)
    merged = raw.data if state.result_path is None else state.result_path.place(raw.data, selected)
    return Done(_output(state, merged, scope, state.output), state.next, _assigned(state.assign, scope))


def caught(catcher: Catcher, raw: Scope, failure: StateFailure) -> Done:
    """What a Catch hands on: the state's raw input with the error at the Catch's ResultPath, or what its Output makes.

    Raises:
        StateFailure: the path does not fit the input, an expression fails, or the whole is over the limit.
    """
    error: Json = {"Error": failure.error, "Cause": failure.cause}
    scope = raw.of(error, errorOutput=error)
    variables = _assigned(catcher.assign, scope)
    if catcher.output is not None:
        return Done(within_limit(fill(catcher.output, scope), "The output of a Catch"), catcher.next, variables)
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
    given = state.timestamp if isinstance(state.timestamp, str) else _read(state.timestamp, scope, "TimestampPath")
    moment = timestamp(given)
    if moment is None:
        raise _unfit(state.timestamp, f"The wait {state.name}", f"needs an RFC 3339 time, not {given!r}")
    return moment.replace(microsecond=0).timestamp()  # whole seconds, as on AWS


def _map_items(state: Map, scope: Scope) -> list[Json] | dict[str, Json]:
    """The items of a Map that reads them from its input; a distributed one takes the members of an object too.

    Raises:
        StateFailure: ``States.Runtime`` where ItemsPath leads to neither, ``States.QueryEvaluationError`` where Items
            gives neither.
    """
    if isinstance(state.items, Made):
        items = within_limit(fill(state.items, scope), f"The items of the Map {state.name}")
    else:
        items = scope.data if state.items is None else _read(state.items, scope, "ItemsPath")
    if not isinstance(items, list if state.child is None else list | dict):
        what = f"The items of the Map {state.name}"
        raise _unfit(state.items, what, f"must be a list, not {str(items)[:80]}")
    return items


def keeps_settings(state: Map) -> bool:
    """Whether what a Map's data says as it begins is kept: JSONata may say another thing when it is asked again."""
    return isinstance(state.items, Made)


def map_settings(state: Map, scope: Scope) -> dict[str, Json]:
    """All that a Map asks its data for as it begins, as JSON that may be kept.

    ``items`` is None where it has a reader, ``reads`` what the reader takes, None where it has none.

    Raises:
        StateFailure: something in it is of no use.
    """
    batcher = state.batcher

    def whole(given: Whole | None, what: str, most: int) -> Json:
        return None if given is None else number(given, scope, what, most, 1 if what.startswith("MaxI") else 0)

    reader = state.reader
    return {
        "items": _map_items(state, scope) if reader is None else None,
        "reads": reader and filled(reader.parameters, scope, f"What the ItemReader of {state.name} takes"),
        "at_once": number(state.max_concurrency or 0, scope, "MaxConcurrencyPath", 10**9),
        "tolerated_count": whole(state.tolerated_count, "ToleratedFailureCountPath", 10**9),
        "tolerated_percentage": number(state.tolerated_percentage, scope, "ToleratedFailurePercentagePath", 100),
        "most_items": batcher and whole(batcher.most_items, "MaxItemsPerBatchPath", 10**9),
        "most_bytes": batcher and whole(batcher.most_bytes, "MaxInputBytesPerBatchPath", 262_144),
        "batch_input": batcher and fill(batcher.batch_input, scope),
    }


def item_source(state: Map, settings: Json) -> str:
    """``$$.Map.Item.Source``: where the items of a Map come from (Developer Guide, "Context object data for Map")."""
    if state.reader is None:
        return "STATE_DATA"
    place = settings["reads"].get("Key") if state.reader.format != "LIST" else None
    return f"S3://{settings['reads'].get('Bucket')}{'' if place is None else f'/{place}'}"


def item_input(state: Map, scope: Scope, index: int, value: Json, source: str, key: str | None = None) -> Json:
    """What a Map gives to one item's work: the item, or what its ItemSelector makes of it."""
    if state.parameters is None:
        return value
    item = {"Index": index, "Value": value, "Source": source}
    if key is not None:
        item["Key"] = key
    return fill(state.parameters, replace(scope, context={**scope.context, "Map": {"Item": item}}))


def number(given: float | Path | Query, scope: Scope, what: str, most: float, least: float = 0) -> float:
    """A number that the definition states, or a whole one that the data states at a path, or an expression gives.

    Raises:
        StateFailure: ``States.Runtime``, or for an expression ``States.QueryEvaluationError``, where it is none, or
            out of bounds.
    """
    if not isinstance(given, Path | Query):
        return given
    value = _read(given, scope, what)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise _unfit(given, f"{what} {given.text}", f"must give a whole number from {least} to {most}, not {value!r}")
    return value


def _output(state: State, data: Json, scope: Scope, output: Path | Made | None) -> Json:
    selected = fill(output, scope) if isinstance(output, Made) else select(output, scope.of(data), "OutputPath")
    return within_limit(selected, f"The output of the state {state.name}")


def _assigned(template: Template | None, scope: Scope) -> Mapping[str, Json]:
    if template is None:
        return {}
    variables: dict[str, Json] = within_limit(fill(template, scope), f"The Assign of {', '.join(template)}")
    return variables


def _unfit(given: object, what: str, problem: str) -> StateFailure:
    """The failure of a field whose value is of no use: by a path, or by an expression."""
    if isinstance(given, Query):
        return given.failure(problem)
    return StateFailure(QUERY_EVALUATION_ERROR if isinstance(given, Made) else RUNTIME, f"{what} {problem}")


def _read(path: Path | Query, scope: Scope, what: str) -> Json:
    try:
        return path.read(scope)
    except PathMissing:
        raise StateFailure(RUNTIME, f"{what} {path.text} leads nowhere in the state's data") from None


def _text(value: str | Expression | Query, scope: Scope) -> str:
    if isinstance(value, Path | Query):
        text = _read(value, scope, "ErrorPath or CausePath")
    else:
        text = value if isinstance(value, str) else evaluate(value, scope)
    if not isinstance(text, str):
        raise _unfit(value, "The Error and Cause of a Fail state", f"must be a text, not {text!r}")
    return text
