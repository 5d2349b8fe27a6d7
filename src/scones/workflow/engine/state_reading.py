"""Reads each type of state from the JSON of a definition; every problem is noted with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from scones.workflow.engine.choice import Condition, compile_rule, is_timestamp
from scones.workflow.engine.failure import ALL, RESERVED
from scones.workflow.engine.fields import Fields, Language
from scones.workflow.engine.jsonata import MISSING, is_query, is_there
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import (
    LONGEST,
    Catcher,
    Choice,
    ChoiceRule,
    Fail,
    Parallel,
    Pass,
    Retrier,
    State,
    StateMachine,
    Succeed,
    Task,
    Wait,
)
from scones.workflow.engine.map_reading import MAP_FIELDS, MAP_QUERIES, read_map
from scones.workflow.engine.resources import PARAMETERS, Resource, parse_resource

__all__ = ["read_language", "read_state"]

_ANY_STATE = {"Comment", "QueryLanguage", "Type"}
_PATHS = {"InputPath", "OutputPath"}
_ONWARD = {"Assign", "Next", "End"}
_FALLIBLE = _PATHS | _ONWARD | {"Catch", "Parameters", "ResultPath", "ResultSelector", "Retry"}
_WITH_PATHS: dict[str, set[str]] = {
    "Task": _FALLIBLE
    | {"HeartbeatSeconds", "HeartbeatSecondsPath", "Resource", "TimeoutSeconds", "TimeoutSecondsPath"},
    "Parallel": _FALLIBLE | {"Branches"},
    "Map": _FALLIBLE | MAP_FIELDS,
    "Pass": _PATHS | _ONWARD | {"Parameters", "Result", "ResultPath"},
    "Choice": _PATHS | {"Assign", "Choices", "Default"},
    "Wait": _PATHS | _ONWARD | {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"},
    "Succeed": _PATHS,
    "Fail": {"Cause", "CausePath", "Error", "ErrorPath"},
}
_MADE = _ONWARD | {"Output"}
_WITH_QUERIES: dict[str, set[str]] = {
    "Task": _MADE | {"Arguments", "Catch", "HeartbeatSeconds", "Resource", "Retry", "TimeoutSeconds"},
    "Parallel": _MADE | {"Arguments", "Branches", "Catch", "Retry"},
    "Map": _MADE | MAP_QUERIES | {"Catch", "Retry"},
    "Pass": _MADE,
    "Choice": {"Assign", "Choices", "Default", "Output"},
    "Wait": _MADE | {"Seconds", "Timestamp"},
    "Succeed": {"Output"},
    "Fail": {"Cause", "Error"},
}
_FIELDS: Final[Mapping[Language, Mapping[str, set[str]]]] = {"JSONPath": _WITH_PATHS, "JSONata": _WITH_QUERIES}
_TOKEN: Final[Mapping[Language, str]] = {"JSONPath": "$$.Task.Token", "JSONata": "$states.context.Task.Token"}
_RETRIER = {
    "BackoffRate",
    "Comment",
    "ErrorEquals",
    "IntervalSeconds",
    "JitterStrategy",
    "MaxAttempts",
    "MaxDelaySeconds",
}
_CATCHER = {"Assign", "Comment", "ErrorEquals", "Next"}


def read_language(fields: Fields, around: Language) -> Language:
    """The query language of a machine, or of a state of one; ``around`` is what counts where none is stated."""
    if "QueryLanguage" not in fields.data:
        return around
    language: Language = "JSONata" if fields.data["QueryLanguage"] == "JSONata" else "JSONPath"
    if fields.data["QueryLanguage"] != language:
        fields.note("QueryLanguage", f"must be JSONPath or JSONata, not {fields.data['QueryLanguage']!r}")
    elif language == "JSONata" and not is_there():
        fields.note("QueryLanguage", f"JSONata {MISSING}")
    elif language != around and around == "JSONata":
        fields.note("QueryLanguage", "cannot be JSONPath in a state of a machine whose QueryLanguage is JSONata")
    return language


def read_state(
    name: str, fields: Fields, branch: Callable[[Fields], str], child: Callable[[Fields], StateMachine]
) -> State | None:
    """Read a state.

    Args:
        name: its name.
        fields: its JSON.
        branch: reads a flow inside it, and answers the state that the flow starts at.
        child: reads a distributed Map's processor.

    Returns:
        The state, which is of use only where no problem was noted; None where its Type is not known.
    """
    fields.language = read_language(fields, fields.language)
    if fields.language == "JSONata" and not is_there():
        return None  # which is noted once, where the definition says JSONata
    known = _FIELDS[fields.language]
    kind = fields.text("Type")
    if kind not in known:
        if kind:
            fields.note("Type", f"{kind} is not a type of state: use one of {', '.join(sorted(known))}")
        return None
    fields.refuse_others(_ANY_STATE | known[kind], f"a {kind} state")
    fallible = kind in ("Task", "Parallel", "Map")
    result = ("result",) if fallible else ()
    common: dict[str, Any] = {"name": name, "input_path": fields.path("InputPath"), "output": fields.output(result)}
    if "Assign" in known[kind]:
        common["assign"] = fields.variables("Assign", result)
    if "Next" in known[kind]:
        common["next"] = _onward(fields)
    if fallible:
        common |= {
            "parameters": fields.template(_arguments(fields)),
            "result_selector": None if fields.language == "JSONata" else fields.template("ResultSelector"),
            "result_path": fields.path("ResultPath", reference=True),
            "retry": tuple(map(_read_retrier, _with_errors(fields, "Retry"))),
            "catch": tuple(map(_read_catcher, _with_errors(fields, "Catch"))),
        }
    if kind == "Map":
        return read_map(fields, common, branch, child)
    if kind == "Parallel":
        return _read_parallel(fields, common, branch)
    return _READERS[kind](fields, common)


def _arguments(fields: Fields) -> str:
    return "Parameters" if fields.language == "JSONPath" else "Arguments"


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


def _read_task(fields: Fields, common: dict[str, Any]) -> Task:
    timeout = fields.whole_or_path("TimeoutSeconds", 1, LONGEST)
    heartbeat = fields.whole_or_path("HeartbeatSeconds", 1, LONGEST)
    if isinstance(timeout, int) and isinstance(heartbeat, int) and heartbeat >= timeout:
        fields.note("HeartbeatSeconds", f"must be less than TimeoutSeconds, which is {timeout}")
    return Task(**common, resource=_read_resource(fields), timeout=timeout, heartbeat=heartbeat)


def _read_resource(fields: Fields) -> Resource:
    text = fields.text("Resource")
    try:
        resource = parse_resource(text)
    except ValueError as error:
        if text:
            fields.note("Resource", str(error))
        return Resource("function")
    key = _arguments(fields)
    given: Json = fields.data.get(key, {})
    if resource.kind in PARAMETERS and not (fields.language == "JSONata" and is_query(given)):
        needed, optional = PARAMETERS[resource.kind]
        names = {key.removesuffix(".$") for key in given} if isinstance(given, dict) else set()
        for name in sorted(needed - names):
            fields.note(f"{key}.{name}", f"is missing; {text} needs it")
        for name in sorted(names - needed - optional):
            fields.note(f"{key}.{name}", f"not supported for {text}")
    token = _TOKEN[fields.language]
    if resource.pattern == "token" and token.removesuffix(".Task.Token") not in str(given):
        fields.note(key, f"must hand on {token}, or nobody could ever end this state")
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
    interval = fields.whole("IntervalSeconds", 1, LONGEST, 1) or 1
    max_delay = fields.whole("MaxDelaySeconds", 1, 31_622_400)
    if max_delay is not None and max_delay <= interval:
        fields.note("MaxDelaySeconds", f"must be more than IntervalSeconds, which is {interval}")
    return Retrier(
        errors=fields.names("ErrorEquals"),
        interval=interval,
        max_attempts=fields.whole("MaxAttempts", 0, LONGEST, 3) or 0,
        backoff_rate=fields.factor("BackoffRate", 2.0),
        max_delay=max_delay,
        full_jitter=fields.word("JitterStrategy", ("FULL", "NONE"), "NONE") == "FULL",
    )


def _read_catcher(fields: Fields) -> Catcher:
    fields.refuse_others(_CATCHER | {"ResultPath" if fields.language == "JSONPath" else "Output"}, "Catch")
    error = ("errorOutput",)
    return Catcher(
        errors=fields.names("ErrorEquals"),
        next=fields.text("Next"),
        result_path=fields.path("ResultPath", reference=True),
        output=fields.made("Output", error) if fields.language == "JSONata" else None,
        assign=fields.variables("Assign", error),
    )


def _read_parallel(fields: Fields, common: dict[str, Any], branch: Callable[[Fields], str]) -> Parallel:
    if not fields.data.get("Branches"):
        fields.note("Branches", "must be a list of at least one branch")
    return Parallel(**common, branches=tuple(map(branch, fields.objects("Branches"))))


def _read_pass(fields: Fields, common: dict[str, Any]) -> Pass:
    return Pass(
        **common,
        parameters=None if fields.language == "JSONata" else fields.template("Parameters"),
        result=(fields.data["Result"],) if "Result" in fields.data else (),
        result_path=fields.path("ResultPath", reference=True),
    )


def _read_choice(fields: Fields, common: dict[str, Any]) -> Choice:
    entries = fields.objects("Choices")
    if not fields.data.get("Choices"):
        fields.note("Choices", "must be a list of at least one rule")
    rules: list[ChoiceRule] = []
    for entry in entries:
        by_paths = fields.language == "JSONPath"
        rule = compile_rule(entry.data, entry.place, fields.problems) if by_paths else _read_condition(entry)
        output = common["output"] if by_paths else entry.output()
        read = {"next": entry.text("Next"), "assign": entry.variables("Assign")}
        if rule is not None:
            rules.append(ChoiceRule(rule=rule, output=output, **read))  # type: ignore[arg-type]
    default = fields.text("Default") if "Default" in fields.data else None
    return Choice(**common, rules=tuple(rules), default=default)


def _read_condition(fields: Fields) -> Condition | None:
    """A rule of a JSONata state."""
    fields.refuse_others({"Assign", "Comment", "Condition", "Next", "Output"}, "a choice rule")
    value = fields.data.get("Condition")
    if isinstance(value, bool):
        return Condition(value)
    if (query := fields.query("Condition")) is None:
        fields.note("Condition", "is missing" if value is None else f"must be true, false or {{% … %}}, not {value!r}")
    return None if query is None else Condition(query)


def _read_wait(fields: Fields, common: dict[str, Any]) -> Wait:
    can = sorted(_FIELDS[fields.language]["Wait"] & {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"})
    forms = [key for key in can if key in fields.data]
    if len(forms) != 1:
        has = " and ".join(forms) or "none"
        fields.note("Type", f"a Wait needs one of {', '.join(can)}; this one has {has}")
    timestamp = fields.path("TimestampPath") if "TimestampPath" in forms else fields.query("Timestamp")
    given = fields.text("Timestamp") if timestamp is None and "Timestamp" in forms else None
    if given and not is_timestamp(given):
        fields.note("Timestamp", f"must be an RFC 3339 time such as 2026-03-14T01:59:00Z, not {given!r}")
    return Wait(
        **common,
        seconds=fields.whole_or_path("Seconds", 0, LONGEST),
        timestamp=given if timestamp is None else timestamp,
    )


def _read_fail(fields: Fields, common: dict[str, Any]) -> Fail:
    return Fail(**common, error=fields.text_or_expression("Error"), cause=fields.text_or_expression("Cause"))


_READERS: dict[str, Callable[[Fields, dict[str, Any]], State]] = {
    "Task": _read_task,
    "Pass": _read_pass,
    "Choice": _read_choice,
    "Wait": _read_wait,
    "Succeed": lambda _, common: Succeed(**common),
    "Fail": _read_fail,
}
