"""Loads a definition: substitutes, checks, and gives a frozen, typed state machine.

All problems are found at once, each with its place in the document; what this engine cannot run is
refused here and never while an execution runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from scones.errors import DefinitionError
from scones.workflow.engine.choice import compile_rule
from scones.workflow.engine.failure import ALL, RESERVED
from scones.workflow.engine.fields import Fields
from scones.workflow.engine.integrations import PARAMETERS, Resource, parse_resource
from scones.workflow.engine.jsontext import Json, dump
from scones.workflow.engine.jsontext import load as load_json
from scones.workflow.engine.machine import (
    Catcher,
    Choice,
    Fail,
    Pass,
    Retrier,
    State,
    StateMachine,
    Succeed,
    Task,
    Wait,
)

__all__ = ["load"]

_SUBSTITUTION = re.compile(r"\$\{([A-Za-z_][\w.:]*)\}")
_LONGEST: Final = 99_999_999
"""The most seconds of a wait or a timeout, and the most retries (Amazon States Language)."""

_MACHINE = {"Comment", "QueryLanguage", "StartAt", "States", "TimeoutSeconds", "Version"}
_ANY_STATE = {"Comment", "QueryLanguage", "Type"}
_PATHS = {"InputPath", "OutputPath"}
_ONWARD = {"Next", "End"}
_FIELDS: dict[str, set[str]] = {
    "Task": _PATHS
    | _ONWARD
    | {"Catch", "Parameters", "Resource", "ResultPath", "ResultSelector", "Retry", "TimeoutSeconds"},
    "Pass": _PATHS | _ONWARD | {"Parameters", "Result", "ResultPath"},
    "Choice": _PATHS | {"Choices", "Default"},
    "Wait": _PATHS | _ONWARD | {"Seconds"},
    "Succeed": _PATHS,
    "Fail": {"Cause", "CausePath", "Error", "ErrorPath"},
}
_RETRIER = {
    "BackoffRate",
    "Comment",
    "ErrorEquals",
    "IntervalSeconds",
    "JitterStrategy",
    "MaxAttempts",
    "MaxDelaySeconds",
}
_CATCHER = {"Comment", "ErrorEquals", "Next", "ResultPath"}


def load(
    definition: str | Mapping[str, Json],
    substitutions: Mapping[str, str] | None = None,
    *,
    source: str = "the definition",
) -> StateMachine:
    """Load an Amazon States Language definition (query language JSONPath).

    Args:
        definition: the document as JSON text or as a mapping.
        substitutions: the value of each ``${Name}`` in the document's texts, as in the
            ``DefinitionSubstitutions`` of CloudFormation; names that the document does not use are fine.
        source: what to call the document in a message, such as its path.

    Raises:
        DefinitionError: with every problem of the document, a line each.

    Example:
        >>> machine = load('{"StartAt": "Hello", "States": {"Hello": {"Type": "Succeed"}}}')
        >>> machine.states["Hello"].type
        'Succeed'
        >>> load({"StartAt": "Hello", "States": {"Hello": {"Type": "Map"}}})
        Traceback (most recent call last):
        ...
        scones.errors.DefinitionError: 1 problem in the definition:
          States.Hello.Type: Map is not supported by this engine, which has Choice, Fail, Pass, Succeed, Task, Wait
    """
    problems: list[str] = []
    document = _parse(definition, problems)
    machine = None
    if isinstance(document, dict):
        document = _substitute(document, substitutions or {}, "", problems)
        machine = _read_machine(Fields(document, "", problems), dump(document))
    elif not problems:
        problems.append("the document: must be a JSON object")
    if problems or machine is None:
        count = f"{len(problems)} problem{'' if len(problems) == 1 else 's'}"
        raise DefinitionError(f"{count} in {source}:\n  " + "\n  ".join(problems))
    return machine


def _parse(definition: str | Mapping[str, Json], problems: list[str]) -> Json:
    def unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        # JSON lets a key stand twice and Python keeps the last: a state would vanish without a word.
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = {key for key, _ in pairs if sum(other == key for other, _ in pairs) > 1}
            problems.append(f"the document: {', '.join(sorted(twice))} stands twice in the same object")
        return found

    try:
        text = definition if isinstance(definition, str) else dump(dict(definition))
        load_json(text)
        return json.loads(text, object_pairs_hook=unique)
    except (TypeError, ValueError, RecursionError) as error:
        problems.append(f"the document: is no JSON: {error}")
        return None


def _substitute(value: Json, substitutions: Mapping[str, str], place: str, problems: list[str]) -> Json:
    if isinstance(value, dict):
        return {
            key: _substitute(item, substitutions, f"{place}.{key}" if place else key, problems)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_substitute(item, substitutions, f"{place}[{index}]", problems) for index, item in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        if match[1] not in substitutions:
            problems.append(f"{place}: {match[0]} has no value; add {match[1]} to the substitutions")
        return str(substitutions.get(match[1], ""))

    return _SUBSTITUTION.sub(replace, value)


def _read_machine(fields: Fields, text: str) -> StateMachine | None:
    fields.refuse_others(_MACHINE, "a state machine")
    _check_language(fields)
    if fields.data.get("Version", "1.0") != "1.0":
        fields.note("Version", f"must be 1.0, not {fields.data['Version']!r}")
    start_at = fields.text("StartAt")
    timeout = fields.whole("TimeoutSeconds", 1, _LONGEST)
    given = fields.data.get("States")
    if not isinstance(given, dict) or not given:
        fields.note("States", "must be a JSON object of at least one state")
        return None
    states = {name: _read_state(name, state, fields.problems) for name, state in given.items()}
    _check_graph(start_at, given, fields.problems)
    known = {name: state for name, state in states.items() if state is not None}
    return StateMachine(text=text, start_at=start_at, states=MappingProxyType(known), timeout=timeout)


def _check_language(fields: Fields) -> None:
    language = fields.data.get("QueryLanguage", "JSONPath")
    if language != "JSONPath":
        fields.note("QueryLanguage", f"must be JSONPath, not {language!r}")


def _edges(state: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Where a state leads, with the place of each name; from the JSON, so that a faulty state counts too."""
    for key in ("Next", "Default"):
        if key in state:
            yield key, state[key]
    for key in ("Choices", "Catch"):
        entries = state.get(key)
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            if isinstance(entry, dict) and "Next" in entry:
                yield f"{key}[{index}].Next", entry["Next"]


def _check_graph(start_at: str, states: Mapping[str, Json], problems: list[str]) -> None:
    def target(place: str, name: Json) -> str | None:
        if isinstance(name, str) and name in states:
            return name
        problems.append(f"{place}: there is no state {name!r}")
        return None

    leads = {
        name: [target(f"States.{name}.{place}", next_name) for place, next_name in _edges(state)]
        for name, state in states.items()
        if isinstance(state, dict)
    }
    first = target("StartAt", start_at) if start_at else None
    if first is None:
        return
    reached: set[str] = set()
    ahead: list[str | None] = [first]
    while ahead:
        name = ahead.pop()
        if name is not None and name not in reached:
            reached.add(name)
            ahead.extend(leads.get(name, []))
    problems.extend(f"States.{name}: no other state leads here" for name in states if name not in reached)


def _read_state(name: str, given: Json, problems: list[str]) -> State | None:
    fields = Fields(given if isinstance(given, dict) else {}, f"States.{name}", problems)
    if not isinstance(given, dict):
        problems.append(f"States.{name}: must be a JSON object, not {given!r}")
        return None
    kind = fields.text("Type")
    if kind not in _FIELDS:
        if kind:
            supported = ", ".join(sorted(_FIELDS))
            fields.note("Type", f"{kind} is not supported by this engine, which has {supported}")
        return None
    fields.refuse_others(_ANY_STATE | _FIELDS[kind], f"a {kind} state")
    _check_language(fields)
    return _READERS[kind](name, fields)


def _onward(fields: Fields) -> str | None:
    """The next state, None at the end."""
    ends = fields.data.get("End", False)
    if not isinstance(ends, bool):
        fields.note("End", f"must be true or false, not {ends!r}")
    if ends is True:
        if "Next" in fields.data:
            fields.note("End", "cannot stand beside Next")
        return None
    return fields.text("Next") or None


def _read_task(name: str, fields: Fields) -> Task:
    return Task(
        name=name,
        input_path=fields.path("InputPath"),
        output_path=fields.path("OutputPath"),
        resource=_read_resource(fields),
        parameters=fields.template("Parameters"),
        result_selector=fields.template("ResultSelector"),
        result_path=fields.path("ResultPath", reference=True),
        timeout=fields.whole("TimeoutSeconds", 1, _LONGEST),
        retry=tuple(map(_read_retrier, _with_errors(fields, "Retry"))),
        catch=tuple(map(_read_catcher, _with_errors(fields, "Catch"))),
        next=_onward(fields),
    )


def _read_resource(fields: Fields) -> Resource:
    text = fields.text("Resource")
    try:
        resource = parse_resource(text)
    except ValueError as error:
        if text:
            fields.note("Resource", str(error))
        return Resource("function")
    if resource.kind in PARAMETERS:
        needed, optional = PARAMETERS[resource.kind]
        given = fields.data.get("Parameters", {})
        names = {key.removesuffix(".$") for key in given} if isinstance(given, dict) else set()
        for key in sorted(needed - names):
            fields.note(f"Parameters.{key}", f"is missing; {text} needs it")
        for key in sorted(names - needed - optional):
            fields.note(f"Parameters.{key}", f"not supported for {text}")
    return resource


def _with_errors(fields: Fields, key: str) -> list[Fields]:
    """The entries of Retry or Catch, after a look at the error names, which the two have in common."""
    entries = fields.objects(key)
    for index, entry in enumerate(entries):
        errors = entry.data.get("ErrorEquals")
        for error in errors if isinstance(errors, list) else []:
            if isinstance(error, str) and error.startswith("States.") and error not in RESERVED:
                entry.note("ErrorEquals", f"{error} is no error name of the States Language and would never match")
            if error == ALL and len(errors or []) > 1:
                entry.note("ErrorEquals", f"{ALL} must stand alone")
            if error == ALL and index < len(entries) - 1:
                entry.note("ErrorEquals", f"{ALL} must be in the last entry: those after it would never be asked")
    return entries


def _read_retrier(fields: Fields) -> Retrier:
    fields.refuse_others(_RETRIER, "Retry")
    interval = fields.whole("IntervalSeconds", 1, _LONGEST, 1) or 1
    max_delay = fields.whole("MaxDelaySeconds", 1, 31_622_400)
    if max_delay is not None and max_delay <= interval:
        fields.note("MaxDelaySeconds", f"must be more than IntervalSeconds, which is {interval}")
    jitter = fields.data.get("JitterStrategy", "NONE")
    if jitter not in ("FULL", "NONE"):
        fields.note("JitterStrategy", f"must be FULL or NONE, not {jitter!r}")
    return Retrier(
        errors=fields.names("ErrorEquals"),
        interval=interval,
        max_attempts=fields.whole("MaxAttempts", 0, _LONGEST, 3) or 0,
        backoff_rate=fields.factor("BackoffRate", 2.0),
        max_delay=max_delay,
        full_jitter=jitter == "FULL",
    )


def _read_catcher(fields: Fields) -> Catcher:
    fields.refuse_others(_CATCHER, "Catch")
    return Catcher(
        errors=fields.names("ErrorEquals"),
        next=fields.text("Next"),
        result_path=fields.path("ResultPath", reference=True),
    )


def _read_pass(name: str, fields: Fields) -> Pass:
    return Pass(
        name=name,
        input_path=fields.path("InputPath"),
        output_path=fields.path("OutputPath"),
        parameters=fields.template("Parameters"),
        result=(fields.data["Result"],) if "Result" in fields.data else (),
        result_path=fields.path("ResultPath", reference=True),
        next=_onward(fields),
    )


def _read_choice(name: str, fields: Fields) -> Choice:
    entries = fields.objects("Choices")
    if not fields.data.get("Choices"):
        fields.note("Choices", "must be a list of at least one rule")
    rules = [(compile_rule(entry.data, entry.place, fields.problems), entry.text("Next")) for entry in entries]
    return Choice(
        name=name,
        input_path=fields.path("InputPath"),
        output_path=fields.path("OutputPath"),
        rules=tuple((rule, onward) for rule, onward in rules if rule is not None),
        default=fields.text("Default") if "Default" in fields.data else None,
    )


def _read_wait(name: str, fields: Fields) -> Wait:
    if "Seconds" not in fields.data:
        fields.note("Seconds", "is missing; this engine waits for a number of seconds only")
    return Wait(
        name=name,
        input_path=fields.path("InputPath"),
        output_path=fields.path("OutputPath"),
        seconds=fields.whole("Seconds", 0, _LONGEST, 0) or 0,
        next=_onward(fields),
    )


def _read_succeed(name: str, fields: Fields) -> Succeed:
    return Succeed(name=name, input_path=fields.path("InputPath"), output_path=fields.path("OutputPath"))


def _read_fail(name: str, fields: Fields) -> Fail:
    return Fail(
        name=name,
        input_path=fields.path("InputPath"),
        output_path=fields.path("OutputPath"),
        error=fields.text_or_expression("Error"),
        cause=fields.text_or_expression("Cause"),
    )


_READERS: dict[str, Callable[[str, Fields], State]] = {
    "Task": _read_task,
    "Pass": _read_pass,
    "Choice": _read_choice,
    "Wait": _read_wait,
    "Succeed": _read_succeed,
    "Fail": _read_fail,
}
