"""Choice rules: the comparison operators of the Amazon States Language, with And, Or and Not, and JSONata's conditions.

A rule is read once, when the definition is loaded, and asked each time that the state runs. A value of
another type than the operator compares never matches; a path that leads nowhere is ``States.Runtime``,
as on AWS, except for ``IsPresent``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from scones.workflow.engine.failure import RUNTIME, StateFailure
from scones.workflow.engine.jsonata import Query
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import Path, PathMissing, Scope, parse_path

__all__ = ["Combination", "Comparison", "Condition", "Rule", "compile_rule", "is_timestamp", "matches", "timestamp"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One value of the data held against a constant, or against another value of the data."""

    variable: Path
    operator: str
    operand: Json | Path


@dataclass(frozen=True, slots=True)
class Combination:
    """Rules joined by ``And``, ``Or`` or ``Not``; Not has one."""

    operator: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule of a JSONata state: true, false, or an expression that says which."""

    value: bool | Query

    def holds(self, scope: Scope) -> bool:
        """Whether the condition is true; raises as :func:`matches`."""
        if isinstance(self.value, bool):
            return self.value
        truth = self.value.read(scope)
        if not isinstance(truth, bool):
            raise self.value.failure(f"must give true or false, not {str(truth)[:80]!r}")
        return truth


Rule: TypeAlias = Comparison | Combination | Condition

_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_COMBINATIONS = ("And", "Or", "Not")


def timestamp(value: Json) -> datetime | None:
    """The moment that an RFC 3339 text names; None where it names none."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def is_timestamp(value: Json) -> bool:
    """Whether a value is an RFC 3339 time, with a ``T`` and a zone, as the States Language wants it."""
    return timestamp(value) is not None


def _number(value: Json) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _truth(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None


def _like(text: str, pattern: str) -> bool:
    """Whether the text fits a pattern in which ``*`` is any run of characters, ``\\*`` a star and ``\\\\`` a backslash.

    Each part between two stars is taken where it first occurs, so the time is linear in the stars
    whatever the text; a regular expression would go back and try again.
    """
    parts = [""]
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            parts.append("")
            continue
        if character == "\\" and (character := next(characters, "")) not in ("*", "\\"):
            raise StateFailure(RUNTIME, f"StringMatches {pattern!r}: a backslash must stand before * or a backslash")
        parts[-1] += character
    first, *middle = parts
    if not middle:
        return text == first
    last = middle.pop()
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    at, end = len(first), len(text) - len(last)
    for part in middle:
        at = text.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


_READERS: dict[str, Callable[[Json], Any]] = {
    "String": _text,
    "Numeric": _number,
    "Boolean": _truth,
    "Timestamp": timestamp,
}
_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda left, right: left == right,
    "LessThan": lambda left, right: left < right,
    "GreaterThan": lambda left, right: left > right,
    "LessThanEquals": lambda left, right: left <= right,
    "GreaterThanEquals": lambda left, right: left >= right,
}
_COMPARISONS: dict[str, tuple[Callable[[Json], Any], Callable[[Any, Any], bool]]] = {
    f"{kind}{name}": (reader, relation)
    for kind, reader in _READERS.items()
    for name, relation in _RELATIONS.items()
    if kind != "Boolean" or name == "Equals"
}
_TESTS: dict[str, Callable[[Json], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": lambda value: _number(value) is not None,
    "IsString": lambda value: _text(value) is not None,
    "IsBoolean": lambda value: _truth(value) is not None,
    "IsTimestamp": is_timestamp,
}
_OPERATORS = {*_COMPARISONS, *(f"{name}Path" for name in _COMPARISONS), "StringMatches", *_TESTS, "IsPresent"}


def matches(rule: Rule, scope: Scope) -> bool:
    """Whether the data fits the rule.

    Raises:
        StateFailure: ``States.Runtime`` where a path leads nowhere, ``States.QueryEvaluationError`` where a condition
            fails or is no truth value.
    """
    if isinstance(rule, Condition):
        return rule.holds(scope)
    if isinstance(rule, Combination):
        if rule.operator == "Not":
            return not matches(rule.rules[0], scope)
        return (all if rule.operator == "And" else any)(matches(part, scope) for part in rule.rules)
    return _compared(rule, scope)


def _compared(rule: Comparison, scope: Scope) -> bool:
    if rule.operator == "IsPresent":
        return _present(rule.variable, scope) is rule.operand
    value = _read(rule.variable, scope)
    if rule.operator in _TESTS:
        return _TESTS[rule.operator](value) is rule.operand
    operand = _read(rule.operand, scope) if isinstance(rule.operand, Path) else rule.operand
    if rule.operator == "StringMatches":
        return isinstance(value, str) and _like(value, operand)
    reader, relation = _COMPARISONS[rule.operator.removesuffix("Path")]
    left, right = reader(value), reader(operand)
    return left is not None and right is not None and relation(left, right)


def _present(path: Path, scope: Scope) -> bool:
    try:
        path.read(scope)
    except PathMissing:
        return False
    return True


def _read(path: Path, scope: Scope) -> Json:
    try:
        return path.read(scope)
    except PathMissing:
        raise StateFailure(RUNTIME, f"The choice asks for {path.text}, which is not in the state's data") from None


def compile_rule(rule: Json, place: str, problems: list[str], *, top: bool = True) -> Rule | None:
    """Read a choice rule; None where it has a problem.

    Args:
        rule: the JSON of the rule.
        place: where it stands in the document, for the messages.
        problems: where each problem is added, as ``place: what is wrong``.
        top: whether it stands in Choices itself, where alone ``Next`` belongs.
    """
    if not isinstance(rule, dict):
        problems.append(f"{place}: a choice rule must be a JSON object, not {rule!r}")
        return None
    if not top:
        misplaced = sorted({"Assign", "Next"} & rule.keys())
        problems.extend(f"{place}.{key}: only a rule that stands in Choices itself has it" for key in misplaced)
    allowed = {"Assign", "Next", "Comment", "Variable", *_COMBINATIONS, *_OPERATORS}
    problems.extend(f"{place}.{key}: is no comparison operator" for key in rule if key not in allowed)
    operators = [key for key in rule if key in _OPERATORS or key in _COMBINATIONS]
    if len(operators) != 1:
        problems.append(f"{place}: needs exactly one operator, has {', '.join(operators) or 'none'}")
        return None
    operator = operators[0]
    if operator in _COMBINATIONS:
        return _compile_combination(operator, rule[operator], f"{place}.{operator}", problems)
    return _compile_comparison(rule, operator, place, problems)


def _compile_combination(operator: str, given: Json, place: str, problems: list[str]) -> Rule | None:
    if operator == "Not":
        inner = compile_rule(given, place, problems, top=False)
        return inner and Combination(operator, (inner,))
    if not isinstance(given, list) or not given:
        problems.append(f"{place}: must be a list of at least one rule")
        return None
    rules = [compile_rule(item, f"{place}[{index}]", problems, top=False) for index, item in enumerate(given)]
    return Combination(operator, tuple(rule for rule in rules if rule is not None))


def _compile_comparison(rule: dict[str, Json], operator: str, place: str, problems: list[str]) -> Rule | None:
    variable = _compile_path(rule.get("Variable"), f"{place}.Variable", problems)
    here = f"{place}.{operator}"
    operand = rule[operator]
    if operator in _OPERATORS and operator.endswith("Path"):
        operand = _compile_path(operand, here, problems)
    elif operator in _COMPARISONS and _COMPARISONS[operator][0](operand) is None:
        problems.append(f"{here}: {operand!r} is not of the type that it compares")
    elif operator == "StringMatches" and not isinstance(operand, str):
        problems.append(f"{here}: needs a pattern, not {operand!r}")
    elif operator.startswith("Is") and not isinstance(operand, bool):
        problems.append(f"{here}: must be true or false, not {operand!r}")
    return Comparison(variable, operator, operand) if variable is not None else None


def _compile_path(text: Json, place: str, problems: list[str]) -> Path | None:
    if not isinstance(text, str):
        problems.append(f"{place}: must be a path ($...), not {text!r}")
        return None
    try:
        return parse_path(text)
    except ValueError as error:
        problems.append(f"{place}: {error}")
        return None
