import random
from typing import Any

import pytest

from scones.workflow.engine.choice import compile_rule, matches
from scones.workflow.engine.failure import StateFailure
from scones.workflow.engine.paths import Scope

DATA = {
    "s": "scone",
    "n": 5,
    "t": True,
    "z": None,
    "at": "2026-11-20T10:00:00Z",
    "other": {"s": "scone", "n": 7, "t": False, "at": "2026-11-20T11:30:00+01:00"},
    "star": "a*b",
    "key": "arrivals/vehicles/n/1.png",
}


def matches_data(rule: dict[str, Any]) -> bool:
    problems: list[str] = []
    compiled = compile_rule(rule, "r", problems)
    assert not problems
    assert compiled is not None
    return matches(compiled, Scope(DATA, {"State": {"RetryCount": 0}}, random.Random(0)))


@pytest.mark.parametrize(
    ("variable", "operator", "operand", "expected"),
    [
        ("$.s", "StringEquals", "scone", True),
        ("$.s", "StringEquals", "Scone", False),
        ("$.s", "StringLessThan", "t", True),
        ("$.s", "StringGreaterThan", "t", False),
        ("$.s", "StringLessThanEquals", "scone", True),
        ("$.s", "StringGreaterThanEquals", "scone", True),
        ("$.s", "StringEqualsPath", "$.other.s", True),
        ("$.s", "StringLessThanPath", "$.other.s", False),
        ("$.n", "NumericEquals", 5.0, True),
        ("$.n", "NumericLessThan", 5, False),
        ("$.n", "NumericGreaterThan", 4.9, True),
        ("$.n", "NumericLessThanEquals", 5, True),
        ("$.n", "NumericGreaterThanEquals", 6, False),
        ("$.n", "NumericLessThanPath", "$.other.n", True),
        ("$$.State.RetryCount", "NumericEquals", 0, True),
        ("$.t", "BooleanEquals", True, True),
        ("$.t", "BooleanEqualsPath", "$.other.t", False),
        ("$.at", "TimestampEquals", "2026-11-20T11:00:00+01:00", True),
        ("$.at", "TimestampLessThan", "2026-11-20T10:00:00.5Z", True),
        ("$.at", "TimestampGreaterThan", "2026-11-20T10:00:00Z", False),
        ("$.at", "TimestampLessThanEquals", "2026-11-20T10:00:00Z", True),
        ("$.at", "TimestampGreaterThanEquals", "2026-11-20T10:00:00Z", True),
        ("$.at", "TimestampLessThanPath", "$.other.at", True),
        ("$.z", "IsNull", True, True),
        ("$.z", "IsPresent", True, True),
        ("$.nowhere", "IsPresent", True, False),
        ("$.nowhere", "IsPresent", False, True),
        ("$.n", "IsNumeric", True, True),
        ("$.t", "IsNumeric", True, False),
        ("$.s", "IsString", False, False),
        ("$.t", "IsBoolean", True, True),
        ("$.at", "IsTimestamp", True, True),
        ("$.s", "IsTimestamp", False, True),
    ],
)
def test_an_operator_compares_as_the_states_language_says(
    variable: str, operator: str, operand: object, expected: bool
) -> None:
    assert matches_data({"Variable": variable, operator: operand, "Next": "x"}) is expected


@pytest.mark.parametrize(
    ("variable", "operator", "operand"),
    [
        ("$.n", "StringEquals", "5"),
        ("$.s", "NumericGreaterThan", 0),
        ("$.t", "NumericEquals", 1),
        ("$.n", "BooleanEquals", True),
        ("$.s", "TimestampLessThan", "2026-11-20T10:00:00Z"),
        ("$.n", "NumericEqualsPath", "$.other.s"),
        ("$.n", "StringMatches", "*"),
    ],
)
def test_a_value_of_another_type_never_matches(variable: str, operator: str, operand: object) -> None:
    assert not matches_data({"Variable": variable, operator: operand, "Next": "x"})


@pytest.mark.parametrize(
    ("variable", "pattern", "expected"),
    [
        ("$.key", "arrivals/*/n/*.png", True),
        ("$.key", "*", True),
        ("$.key", "*.jpg", False),
        ("$.key", "arrivals/vehicles/n/1.png", True),
        ("$.key", "arrivals/*vehicles*vehicles*", False),
        ("$.s", "scone*e", False),
        ("$.star", r"a\*b", True),
        ("$.s", r"sc\*ne", False),
        ("$.s", "s.one", False),
    ],
)
def test_a_star_matches_any_run_of_characters_unless_escaped(variable: str, pattern: str, expected: bool) -> None:
    assert matches_data({"Variable": variable, "StringMatches": pattern, "Next": "x"}) is expected


def test_rules_are_joined_by_and_or_and_not() -> None:
    yes = {"Variable": "$.n", "NumericEquals": 5}
    no = {"Variable": "$.n", "NumericEquals": 6}
    assert matches_data({"And": [yes, {"Not": no}], "Next": "x"})
    assert not matches_data({"And": [yes, no], "Next": "x"})
    assert matches_data({"Or": [no, yes], "Next": "x"})
    # And stops at the first that does not match: the usual guard against a missing value.
    guard = {"Variable": "$.nowhere", "IsPresent": True}
    assert not matches_data({"And": [guard, {"Variable": "$.nowhere", "NumericEquals": 1}], "Next": "x"})


@pytest.mark.parametrize(
    "rule",
    [
        {"Variable": "$.nowhere", "StringEquals": "x"},
        {"Variable": "$.s", "StringEqualsPath": "$.nowhere"},
        {"Variable": "$.nowhere", "IsNull": True},
    ],
)
def test_a_path_that_leads_nowhere_is_a_runtime_error(rule: dict[str, Any]) -> None:
    with pytest.raises(StateFailure, match=r"^States\.Runtime: "):
        matches_data(rule)


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ({"Variable": "$.a", "Next": "x"}, "r: needs exactly one operator, has none"),
        ({"Variable": "$.a", "IsNull": True, "IsString": True}, "r: needs exactly one operator"),
        ({"Variable": "$.a", "StringEqual": "x"}, "r.StringEqual: is no comparison operator"),
        ({"Variable": "$.a", "StringEquals": 1}, "r.StringEquals: 1 is not of the type"),
        ({"Variable": "$.a", "TimestampEquals": "today"}, "r.TimestampEquals: 'today' is not of the type"),
        ({"Variable": "$.a", "IsNull": "yes"}, "r.IsNull: must be true or false"),
        ({"Variable": "$.a", "NumericEqualsPath": 3}, "r.NumericEqualsPath: must be a path"),
        ({"Variable": "$.a", "StringMatches": 3}, "r.StringMatches: needs a pattern"),
        ({"StringEquals": "x"}, "r.Variable: must be a path"),
        ({"Variable": "a", "StringEquals": "x"}, "r.Variable: a path starts with $"),
        ({"And": []}, "r.And: must be a list of at least one rule"),
        ({"Not": 3}, "r.Not: a choice rule must be a JSON object"),
        ({"Or": [{"Variable": "$.a", "IsNull": True, "Next": "x"}]}, "r.Or[0].Next: only a rule"),
    ],
)
def test_a_faulty_rule_is_refused_with_its_place(rule: dict[str, Any], problem: str) -> None:
    problems: list[str] = []
    compile_rule(rule, "r", problems)
    assert any(found.startswith(problem) for found in problems), problems
