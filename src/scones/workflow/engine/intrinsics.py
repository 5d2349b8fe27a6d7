"""Intrinsic functions of the Amazon States Language: ``States.Format('{} of {}', $.n, $.total)``.

An expression is read once, when the definition is loaded, and evaluated each time that a state runs.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from scones.workflow.engine.failure import INTRINSIC_FAILURE, RUNTIME, StateFailure
from scones.workflow.engine.jsontext import Json, digest, dump, load
from scones.workflow.engine.paths import Path, PathMissing, Scope, scan_path

__all__ = ["Call", "Expression", "call", "evaluate", "parse_expression"]


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted argument with its escapes still in it: ``States.Format`` tells ``{`` from ``\\{``."""

    raw: str


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, true, false or null."""

    value: Json


@dataclass(frozen=True, slots=True)
class Call:
    """An intrinsic function and its arguments."""

    name: str
    arguments: tuple[Argument, ...]


Expression: TypeAlias = Path | Call
"""What may stand behind a key that ends in ``.$``."""

Argument: TypeAlias = Path | Call | Text | Constant

_NAME = re.compile(r"States\.(\w+)\s*\(")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_CONSTANT = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_FORMAT = re.compile(r"\{\}|\\(.)", re.DOTALL)
_BLANK = re.compile(r"\s*")
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=]")
_LONGEST_RANGE = 1000
_LONGEST_ENCODED = 10_000
_ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def parse_expression(text: str) -> Expression:
    """Read a path or an intrinsic function.

    Raises:
        ValueError: it is neither, or calls a function that this engine does not have, or with the wrong
            number of arguments.
    """
    expression, end = _scan(text, 0)
    if isinstance(expression, Text | Constant):
        raise ValueError(f"{text!r} is neither a path ($...) nor an intrinsic function (States...)")
    if text[end:].strip():
        raise ValueError(f"{text!r} goes on after the expression: {text[end:]!r}")
    return expression


def _scan(text: str, start: int) -> tuple[Argument, int]:
    if text.startswith("$", start):
        return scan_path(text, start)
    if match := _NAME.match(text, start):
        return _scan_call(text, match[1], match.end())
    if match := _QUOTED.match(text, start):
        return Text(match[1]), match.end()
    if match := _CONSTANT.match(text, start):
        return Constant(load(match[0])), match.end()
    raise ValueError(f"{text!r} is no path and no intrinsic function at {text[start:]!r}")


def _scan_call(text: str, name: str, start: int) -> tuple[Call, int]:
    if name not in _FUNCTIONS:
        known = ", ".join(f"States.{known}" for known in _FUNCTIONS)
        raise ValueError(f"States.{name} is not supported; this engine has {known}")
    arguments: list[Argument] = []
    at = _skip(text, start)
    while not text.startswith(")", at):
        argument, at = _scan(text, at)
        arguments.append(argument)
        at = _skip(text, at)
        if text.startswith(",", at):
            at = _skip(text, at + 1)
        elif not text.startswith(")", at):
            raise ValueError(f"{text!r} lacks a comma or a bracket at {text[at:]!r}")
    least, most = _FUNCTIONS[name].arity
    if not least <= len(arguments) <= most:
        more = "" if most == least else " or more" if most == _ANY else f" to {most}"
        raise ValueError(f"States.{name} takes {least}{more}, not {len(arguments)}")
    return Call(name, tuple(arguments)), at + 1


def _skip(text: str, at: int) -> int:
    match = _BLANK.match(text, at)
    assert match is not None
    return match.end()


def evaluate(expression: Expression, scope: Scope) -> Json:
    """The value of an expression.

    Raises:
        StateFailure: ``States.Runtime`` where a path leads nowhere, ``States.IntrinsicFailure``
            where a function cannot do what it is asked.
    """
    return _value(expression, scope)


def call(name: str, random: Random, values: list[Json]) -> Json:
    """What an intrinsic function makes of its arguments; ``name`` is without ``States.``.

    Raises:
        TypeError, ValueError, LookupError: it cannot do what it is asked.
    """
    return _FUNCTIONS[name].apply(random, values)


def _value(argument: Argument, scope: Scope) -> Json:
    if isinstance(argument, Path):
        try:
            return argument.read(scope)
        except PathMissing as error:
            raise StateFailure(RUNTIME, f"The path {error} leads nowhere in the state's data") from None
    if isinstance(argument, Text):
        return _ESCAPE.sub(r"\1", argument.raw)
    if isinstance(argument, Constant):
        return argument.value
    function = _FUNCTIONS[argument.name]
    values = [
        given.raw if function.raw_text and isinstance(given, Text) else _value(given, scope)
        for given in argument.arguments
    ]
    try:
        return call(argument.name, scope.random, values)
    except (TypeError, ValueError, LookupError, RecursionError) as error:
        raise StateFailure(INTRINSIC_FAILURE, f"States.{argument.name}: {error}") from error


def _string(value: Json) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{dump(value)[:80]} is no string")
    return value


def _shown(value: Json) -> str:
    """A value as States.Format writes it: AWS writes objects and arrays, which the States Language forbids, as Java."""
    if isinstance(value, list):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}={_shown(item)}' for key, item in value.items())}}}"
    return value if isinstance(value, str) else dump(value)


def _format(_: Random, values: list[Json]) -> Json:
    template, *rest = values
    remaining = iter(rest)

    def fill(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        try:
            value = next(remaining)
        except StopIteration:
            raise ValueError("the template has more {} than there are arguments") from None
        return _shown(value)

    text = _FORMAT.sub(fill, _string(template))
    if any(True for _ in remaining):
        raise ValueError("the template has fewer {} than there are arguments")
    return text


def _json_merge(_: Random, values: list[Json]) -> Json:
    first, second, deep = values
    if deep is not False:
        raise ValueError("only a shallow merge is defined: the third argument must be false")
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise TypeError("both arguments must be JSON objects")
    return {**first, **second}


def _hash(_: Random, values: list[Json]) -> Json:
    data, algorithm = values
    if algorithm not in _ALGORITHMS:
        raise ValueError(f"{algorithm!r} is not one of {', '.join(_ALGORITHMS)}")
    text = _encodable(data if isinstance(data, str) else dump(data))
    return hashlib.new(_ALGORITHMS[algorithm], text.encode(), usedforsecurity=False).hexdigest()


def _array(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError(f"{dump(value)[:80]} is no array")
    return value


def _whole(value: Json) -> int:
    """A number, rounded to the nearest whole one, half of the way upwards."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{dump(value)[:80]} is no number")
    return math.floor(value + 0.5)


def _array_get_item(_: Random, values: list[Json]) -> Json:
    array, index = _array(values[0]), _whole(values[1])
    if not 0 <= index < len(array):
        raise LookupError(f"no item {index} in the array")
    return array[index]


def _array_partition(_: Random, values: list[Json]) -> Json:
    array, size = _array(values[0]), _whole(values[1])
    if size < 1:
        raise ValueError(f"chunks of {size} cannot be made")
    return [array[start : start + size] for start in range(0, len(array), size)]


def _array_range(_: Random, values: list[Json]) -> Json:
    first, last, step = map(_whole, values)
    if step == 0:
        raise ValueError("a step of 0 leads nowhere")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > _LONGEST_RANGE:
        raise ValueError(f"the range has {len(numbers):,} numbers, more than the {_LONGEST_RANGE:,} that it may have")
    return list(numbers)


def _array_unique(_: Random, values: list[Json]) -> Json:
    found: dict[str, Json] = {}
    for item in _array(values[0]):
        found.setdefault(digest(item), item)
    return list(found.values())


def _array_contains(_: Random, values: list[Json]) -> Json:
    sought = digest(values[1])
    return any(digest(item) == sought for item in _array(values[0]))


def _encodable(value: Json) -> str:
    text = _string(value)
    if len(text) > _LONGEST_ENCODED:
        raise ValueError(f"the text has {len(text):,} characters, more than the {_LONGEST_ENCODED:,} that it may have")
    return text


def _decode(_: Random, values: list[Json]) -> Json:
    # MIME's decoder passes over line breaks and whatever else is not of the alphabet (RFC 2045, 6.8).
    return base64.b64decode(_NO_BASE64.sub("", _encodable(values[0])), validate=True).decode()


def _math_random(random: Random, values: list[Json]) -> Json:
    first, end, *seed = map(_whole, values)
    if first >= end:
        raise ValueError(f"there is no number from {first} to below {end}")
    return (Random(seed[0]) if seed else random).randrange(first, end)


def _math_add(_: Random, values: list[Json]) -> Json:
    numbers = [_whole(value) for value in values]
    for number in numbers:
        if not -(2**31) <= number < 2**31:
            raise ValueError(f"{number} is no integer of 32 bits")
    return sum(numbers)


def _string_split(_: Random, values: list[Json]) -> Json:
    text, delimiters = map(_string, values)
    if not delimiters:
        raise ValueError("there is no delimiter to split at")
    return [part for part in re.split(f"[{re.escape(delimiters)}]", text) if part]


@dataclass(frozen=True, slots=True)
class _Function:
    apply: Callable[[Random, list[Json]], Json]
    arity: tuple[float, float]
    raw_text: bool = False


_ANY = float("inf")
_FUNCTIONS = {
    "Array": _Function(lambda _, values: values, (0, _ANY)),
    "ArrayContains": _Function(_array_contains, (2, 2)),
    "ArrayGetItem": _Function(_array_get_item, (2, 2)),
    "ArrayLength": _Function(lambda _, values: len(_array(values[0])), (1, 1)),
    "ArrayPartition": _Function(_array_partition, (2, 2)),
    "ArrayRange": _Function(_array_range, (3, 3)),
    "ArrayUnique": _Function(_array_unique, (1, 1)),
    "Base64Decode": _Function(_decode, (1, 1)),
    "Base64Encode": _Function(lambda _, values: base64.b64encode(_encodable(values[0]).encode()).decode(), (1, 1)),
    "Format": _Function(_format, (1, _ANY), raw_text=True),
    "Hash": _Function(_hash, (2, 2)),
    "JsonMerge": _Function(_json_merge, (3, 3)),
    "JsonToString": _Function(lambda _, values: dump(values[0]), (1, 1)),
    "MathAdd": _Function(_math_add, (2, 2)),
    "MathRandom": _Function(_math_random, (2, 3)),
    "StringSplit": _Function(_string_split, (2, 2)),
    "StringToJson": _Function(lambda _, values: load(_string(values[0])), (1, 1)),
    "UUID": _Function(lambda random, _: str(uuid.UUID(int=random.getrandbits(128), version=4)), (0, 0)),
}
