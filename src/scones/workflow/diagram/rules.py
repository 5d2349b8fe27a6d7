"""Choice rules as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["rule_text"]

_RELATIONS: Final = {
    "Equals": "=",
    "LessThanEquals": "≤",
    "GreaterThanEquals": "≥",
    "LessThan": "<",
    "GreaterThan": ">",
}
_TESTS: Final = {
    "IsPresent": "present",
    "IsNull": "null",
    "IsNumeric": "a number",
    "IsString": "text",
    "IsBoolean": "true or false",
    "IsTimestamp": "a timestamp",
}
_KINDS: Final = ("String", "Numeric", "Boolean", "Timestamp")
_UNREADABLE: Final = "a rule"


def rule_text(rule: Any) -> str:
    """A rule of a Choice, in one line.

    Example:
        >>> rule_text({"Variable": "$.body.duplicate", "BooleanEquals": True, "Next": "Duplicate"})
        '$.body.duplicate = true'
        >>> rule_text({"Not": {"Or": [
        ...     {"Variable": "$.n", "NumericGreaterThanEqualsPath": "$.most"},
        ...     {"Variable": "$.name", "IsPresent": False},
        ... ]}})
        'not ($.n ≥ $.most or $.name is not present)'
        >>> rule_text({"Condition": "{% $count > 3 %}"})
        '$count > 3'
    """
    return _text(rule, inner=False)


def _text(rule: Any, *, inner: bool) -> str:
    if not isinstance(rule, Mapping):
        return _UNREADABLE
    for key, word in (("And", " and "), ("Or", " or ")):
        if isinstance(rule.get(key), list):
            joined = word.join(_text(part, inner=True) for part in rule[key]) or _UNREADABLE
            return f"({joined})" if inner and len(rule[key]) > 1 else joined
    if "Not" in rule:
        held = _text(rule["Not"], inner=True)
        return f"not {held}" if held.startswith("(") else f"not ({held})"
    if isinstance(rule.get("Condition"), str):  # JSONata
        return str(rule["Condition"]).removeprefix("{%").removesuffix("%}").strip()
    return _comparison(rule)


def _comparison(rule: Mapping[str, Any]) -> str:
    variable = str(rule.get("Variable", "?"))
    for key, operand in rule.items():
        if key in _TESTS:
            return f"{variable} is {'' if operand is not False else 'not '}{_TESTS[key]}"
        if key == "StringMatches":
            return f"{variable} like {_value(operand)}"
        for kind in _KINDS:
            relation = key.removeprefix(kind).removesuffix("Path")
            if key.startswith(kind) and relation in _RELATIONS:
                is_text = isinstance(operand, str)
                plain = is_text and (key.endswith("Path") or kind == "Timestamp")
                return f"{variable} {_RELATIONS[relation]} {operand if plain else _value(operand)}"
    return _UNREADABLE


def _value(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
