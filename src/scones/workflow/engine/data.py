"""How data flows through a state: payload templates, and the limit on what passes between states.

The semantics are those of the Step Functions Developer Guide, "Processing input and output". Here the two query
languages meet: a template holds paths and intrinsic functions, or JSONata expressions.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from scones.workflow.engine.failure import DATA_LIMIT_EXCEEDED, RUNTIME, StateFailure
from scones.workflow.engine.intrinsics import Call, evaluate, parse_expression
from scones.workflow.engine.jsonata import Query, compile_query, is_query
from scones.workflow.engine.jsontext import Json, dump_ascii, dump_bytes
from scones.workflow.engine.paths import Path, PathMissing, Scope

__all__ = ["DATA_LIMIT", "Made", "Template", "compile_queries", "compile_template", "fill", "select", "within_limit"]

DATA_LIMIT: Final = 262_144
"""The most bytes of UTF-8 JSON text that a state may take or give (Step Functions quotas)."""

Template: TypeAlias = Any
"""JSON in which an expression stands at the place of each value that is to be looked up."""


@dataclass(frozen=True, slots=True)
class Made:
    """What a field of a JSONata state makes, which may be any JSON; None in the template is ``null``."""

    template: Template


def compile_queries(value: Json, place: str, problems: list[str], extra: Collection[str] = ()) -> Template:
    """Read the value of a field of a JSONata state: each text between ``{%`` and ``%}`` is an expression.

    Args:
        value: the field's JSON.
        place: where it stands in the document, for the messages.
        problems: where each problem is added, as ``place: what is wrong``.
        extra: what ``$states`` has there besides ``input`` and ``context``.
    """
    if isinstance(value, dict):
        return {key: compile_queries(item, f"{place}.{key}", problems, extra) for key, item in value.items()}
    if isinstance(value, list):
        return [compile_queries(item, f"{place}[{index}]", problems, extra) for index, item in enumerate(value)]
    return compile_query(value, place, problems, extra) if is_query(value) else value


def compile_template(template: Json, place: str, problems: list[str]) -> Template:
    """Read a payload template: a key that ends in ``.$`` holds a path or an intrinsic function.

    Args:
        template: the JSON of a Parameters or ResultSelector field.
        place: where it stands in the document, for the messages.
        problems: where each problem is added, as ``place: what is wrong``.
    """
    if isinstance(template, list):
        return [compile_template(item, f"{place}[{index}]", problems) for index, item in enumerate(template)]
    if not isinstance(template, dict):
        return template
    compiled: dict[str, Template] = {}
    for key, value in template.items():
        name = key.removesuffix(".$")
        here = f"{place}.{key}"
        if name in compiled:
            problems.append(f"{here}: {name} is given twice, once with .$ and once without")
        if name == key:
            compiled[name] = compile_template(value, here, problems)
        elif not isinstance(value, str):
            problems.append(f"{here}: a key that ends in .$ needs a path or an intrinsic function, not {value!r}")
        else:
            try:
                compiled[name] = parse_expression(value)
            except ValueError as error:
                problems.append(f"{here}: {error}")
    return compiled


def fill(template: Template, scope: Scope) -> Json:
    """The template with every expression replaced by its value.

    Raises:
        StateFailure: as :func:`scones.workflow.engine.intrinsics.evaluate`, or ``States.QueryEvaluationError``.
    """
    if isinstance(template, Query):
        return template.read(scope)
    if isinstance(template, Made):
        return fill(template.template, scope)
    if isinstance(template, Path | Call):
        return evaluate(template, scope)
    if isinstance(template, dict):
        return {key: fill(value, scope) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(item, scope) for item in template]
    return template


def select(path: Path | None, scope: Scope, field: str) -> Json:
    """What InputPath or OutputPath selects; None, which is ``null`` in the definition, selects ``{}``.

    Raises:
        StateFailure: ``States.Runtime`` where the path leads nowhere.
    """
    if path is None:
        return {}
    try:
        return path.read(scope)
    except PathMissing:
        raise StateFailure(RUNTIME, f"{field} {path.text} leads nowhere in the state's data") from None


def within_limit(value: Json, what: str) -> Json:
    """The value itself, when its JSON text is small enough to pass between states.

    Raises:
        StateFailure: ``States.DataLimitExceeded`` where it is not.
    """
    # The ASCII text is never shorter than the UTF-8 text that counts, and quicker to make.
    size = len(dump_ascii(value))
    if size > DATA_LIMIT and (size := len(dump_bytes(value))) > DATA_LIMIT:
        raise StateFailure(
            DATA_LIMIT_EXCEEDED, f"{what} is {size:,} bytes, more than the {DATA_LIMIT:,} that may pass between states"
        )
    return value
