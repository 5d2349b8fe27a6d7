"""JSONata: the expressions between ``{%`` and ``%}`` of states whose QueryLanguage is JSONata.

What an expression may refer to is in the Amazon States Language, "JSONata Concepts"; the functions that Step Functions
adds are in its Developer Guide, "Transforming data with JSONata". The language itself is jsonata-python's, of the extra
``jsonata``, which is loaded only where a definition has such a state. An expression is read once, with its definition,
and bounded whenever it is evaluated, as that happens on the engine's own thread.
"""

from __future__ import annotations

import functools
import math
import re
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from scones.workflow.engine.failure import QUERY_EVALUATION_ERROR, StateFailure
from scones.workflow.engine.intrinsics import call
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import Scope

__all__ = ["MISSING", "Query", "compile_query", "is_query", "is_there"]

MISSING: Final = "needs jsonata-python, which is not installed: pip install 'scones[jsonata]'"
_LONGEST: Final = 2.0
"""Seconds that one expression may take: it keeps the engine's thread from everybody else."""
_LONGEST_SEARCH: Final = 0.5
"""Seconds after which a regular expression gives up, which may be late: it does not look at the clock all the time."""
_LARGEST: Final = 4_000_000
"""Characters of a text, items of a list or values of a result that an expression may make."""
_STATES: Final = frozenset({"input", "result", "errorOutput", "context"})
_LOCK: Final = threading.Lock()
"""The library keeps what is being evaluated, and its parser, in places that all expressions share."""


@dataclass(frozen=True, slots=True)
class Query:
    """An expression, read by :func:`compile_query`; ``names`` and ``states`` are what it may ask for."""

    text: str
    place: str
    names: frozenset[str]
    states: frozenset[str]
    compiled: Any

    def read(self, scope: Scope) -> Json:
        """The expression's value.

        Raises:
            StateFailure: ``States.QueryEvaluationError``: it fails, gives nothing, or what is not JSON, or takes too
                long.
        """
        known = {**scope.said, "context": scope.context}
        bindings: dict[str, Any] = {name: scope.variables[name] for name in self.names & scope.variables.keys()}
        if self.states:
            bindings["states"] = {name: known[name] for name in self.states & known.keys()}
        try:
            with _LOCK:
                return _evaluated(self, {name: _given(value) for name, value in bindings.items()}, scope)
        except Exception as error:  # whatever the library raises: its own errors, and those of Python
            reason = "it calls itself too deeply" if isinstance(error, RecursionError) else str(error)
            raise self.failure(f"fails: {reason or type(error).__name__}") from error

    def failure(self, what: str) -> StateFailure:
        """``States.QueryEvaluationError`` with what is wrong with the expression or its value."""
        return StateFailure(QUERY_EVALUATION_ERROR, f"The JSONata expression {self.text!r} of {self.place} {what}")


def is_query(value: Json) -> bool:
    """Whether a value of a definition is an expression: a text between ``{%`` and ``%}``."""
    return isinstance(value, str) and len(value) >= 4 and value.startswith("{%") and value.endswith("%}")


def is_there() -> bool:
    """Whether the extra ``jsonata`` is installed."""
    try:
        _library()
    except ImportError:
        return False
    return True


def compile_query(value: str, place: str, problems: list[str], extra: Collection[str] = ()) -> Query | None:
    """Read an expression; None where it has a problem.

    Args:
        value: the text with its ``{%`` and ``%}``.
        place: where it stands in the document, for the messages.
        problems: where each problem is added, as ``place: what is wrong``.
        extra: what ``$states`` has there besides ``input`` and ``context``.
    """
    text = value[2:-2].strip()
    try:
        with _LOCK:
            compiled = _library().Jsonata(text, regex_engine=_Pattern)
            compiled.set_output_convert_nulls(False)
    except Exception as error:  # noqa: BLE001 - the library's own, and Python's where a regular expression is faulty
        at = getattr(error, "location", -1)
        where = f" at character {at}" if at > 0 else ""
        problems.append(f"{place}: {text!r} is no JSONata{where}: {error}")
        return None
    found = list(_references(compiled.ast, top=True))
    allowed = {"input", "context", *extra}
    for kind, name in dict.fromkeys(found):
        if kind == "top":
            problems.append(
                f"{place}: {name} refers to no data at the top level of {text!r}; "
                "begin with $states.input, or with a variable"
            )
        elif kind == "states" and name not in allowed:
            there = ", ".join(f"$states.{one}" for one in sorted(allowed))
            problems.append(f"{place}: there is no $states.{name} here, but {there}")
        elif (kind, name) == ("name", "eval"):
            problems.append(f"{place}: $eval is not there in Step Functions; $parse reads JSON text")
    names = frozenset(name for kind, name in found if kind == "name")
    members = frozenset(name for kind, name in found if kind == "states")
    return Query(text, place, names - {"states"}, _STATES if "states" in names else members, compiled)


_SAME_LEVEL: Final = (
    "procedure", "arguments", "body", "lhs", "rhs", "lhs_object", "expression", "expressions", "condition", "then",
    "_else",
)  # fmt: skip
_DEEPER: Final = ("predicate", "stages", "group", "terms", "pattern", "update", "delete", "expr")
"""Where ``$`` and a bare name stand for what the step before has found."""


def _references(node: Any, *, top: bool) -> Iterator[tuple[str, str]]:
    """What an expression refers to: ``name`` for a variable, ``states`` for a member of ``$states``, ``top`` for what
    would be the input document, which there is not. Where the top level ends is measured in AWS's own validation."""
    if isinstance(node, list | tuple):
        for part in node:
            yield from _references(part, top=top)
        return
    kind = getattr(node, "type", None)
    if kind is None and not hasattr(node, "lhs_object"):
        return
    steps = getattr(node, "steps", None) or []
    value = str(getattr(node, "value", ""))
    if kind == "variable" and value in ("", "$"):
        if top or value == "$":
            yield "top", f"${value}"
    elif kind == "variable":
        yield "name", value
    elif kind in ("name", "wildcard", "descendant") and top:
        yield "top", value
    if len(steps) > 1 and (steps[0].type, steps[0].value, steps[1].type) == ("variable", "states", "name"):
        yield "states", str(steps[1].value)
        yield from _references([getattr(steps[0], name, None) for name in _DEEPER], top=False)
    else:
        yield from _references(steps[:1], top=top)
    yield from _references(steps[1:], top=False)
    for names, level in ((_SAME_LEVEL, top), (_DEEPER, False)):
        yield from _references([getattr(node, name, None) for name in names], top=level)


def _evaluated(query: Query, bindings: Mapping[str, Any], scope: Scope) -> Json:
    library = _library()
    frame = library.Jsonata.Frame(None)
    functions = _functions(scope)
    for name in query.names & functions.keys():
        frame.bind(name, library.Jsonata.JLambda(functions[name]))
    for name, value in bindings.items():
        frame.bind(name, value)
    ends = time.monotonic() + _LONGEST

    def entered(*_: Any) -> None:
        if time.monotonic() > ends:
            raise TimeoutError(f"it takes longer than {_LONGEST:g} s")

    def left(_expression: Any, _input: Any, _frame: Any, result: Any) -> None:
        if isinstance(result, str | list) and len(result) > _LARGEST:
            raise ValueError(f"it makes something of more than {_LARGEST:,} characters or items")

    frame.set_evaluate_entry_callback(entered)
    frame.set_evaluate_exit_callback(left)
    result = query.compiled.evaluate(None, frame)
    if result is None:
        raise ValueError("it gives nothing (undefined), which is not JSON")
    return _json(result)


def _functions(scope: Scope) -> dict[str, Callable[..., Any]]:
    """The functions that Step Functions adds, those that ask for the time, and one that the library is slow at."""
    moment = round(1000 * scope.now())

    def now(picture: Json = None, timezone: Json = None) -> Json:
        return _library().Functions.datetime_from_millis(moment, picture, timezone)

    return {
        "distinct": _distinct,
        "hash": _function(lambda data, algorithm: call("Hash", scope.random, [data, algorithm])),
        "millis": _function(lambda: moment),
        "now": _function(now),
        "parse": _function(lambda text: call("StringToJson", scope.random, [text])),
        "partition": _function(lambda array, size: call("ArrayPartition", scope.random, [array, size])),
        "random": _function(lambda seed=None: (scope.random if seed is None else Random(seed)).random()),
        "range": _function(lambda first, last, step: call("ArrayRange", scope.random, [first, last, step])),
        "uuid": _function(lambda: call("UUID", scope.random, [])),
    }


def _function(function: Callable[..., Json]) -> Callable[..., Any]:
    @functools.wraps(function)  # the library counts its parameters
    def called(*arguments: Any) -> Any:
        return _given(function(*(None if one is None else _json(one) for one in arguments)))

    return called


def _distinct(array: Any) -> Any:
    """``$distinct`` in linear time: the library compares each item with all before it, minutes for a state's input."""
    if not isinstance(array, list):
        return array
    first: dict[Any, Any] = {}
    for item in array:
        first.setdefault(_key(item), item)
    utils = _library().Utils
    found = utils.create_sequence() if isinstance(array, utils.JList) else []
    found.extend(first.values())
    return found


def _key(value: Any) -> Any:
    """Of two values the same where they are equal."""
    if isinstance(value, dict):
        return "object", frozenset((name, _key(item)) for name, item in value.items())
    if isinstance(value, list):
        return "list", tuple(map(_key, value))
    return type(value) is bool, value


def _given(value: Json) -> Any:
    """A value as the library takes it: a copy, as it changes some, with a null that it can tell from undefined."""
    if value is None:
        return _library().Utils.NULL_VALUE
    if isinstance(value, dict):
        return {key: _given(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_given(item) for item in value]
    return value


def _json(result: Any) -> Json:
    """A value of the library's as JSON.

    Raises:
        ValueError: it is none, or too large.
    """
    null, count = _library().Utils.NULL_VALUE, 0

    def plain(value: Any) -> Json:
        nonlocal count
        count += 1
        if count > _LARGEST:
            raise ValueError(f"its value is made of more than {_LARGEST:,} parts")
        if value is null or value is None:
            return None
        if isinstance(value, bool | int | str):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        if isinstance(value, list):
            return [plain(item) for item in value]
        kind = "NaN or an infinite number" if isinstance(value, float) else "a function or a regular expression"
        raise ValueError(f"it gives {kind}, which is not JSON")

    return plain(result)


class _Pattern:
    """A regular expression that gives up in time: Python's own could search for years.

    Args:
        pattern: the text between the slashes.
        flags: the letters behind them, as the library reads them.
    """

    def __init__(self, pattern: str, flags: Any) -> None:
        import regex

        chosen = (regex.IGNORECASE if flags.case_insensitive else 0) | (regex.MULTILINE if flags.multiline else 0)
        self._compiled = regex.compile(pattern, chosen)

    def search(self, string: str) -> Any:
        return self._compiled.search(string, timeout=_LONGEST_SEARCH)

    def finditer(self, string: str) -> Any:
        return self._compiled.finditer(string, timeout=_LONGEST_SEARCH)

    def split(self, string: str, maxsplit: int = 0) -> Any:
        return self._compiled.split(string, maxsplit, timeout=_LONGEST_SEARCH)

    def sub(self, repl: Any, string: str, count: int = 0) -> Any:
        for group in re.findall(r"\\g<(\d+)>", repl) if isinstance(repl, str) else ():
            if int(group) > self._compiled.groups:
                # In Python's words, by which the library knows what to leave out.
                raise ValueError(f"invalid group reference {group} at position 0")
        return self._compiled.sub(repl, string, count, timeout=_LONGEST_SEARCH)


def _small(size: int | None) -> int | None:
    if size is not None and size > _LARGEST:
        raise ValueError(f"it asks for more than {_LARGEST:,} characters")
    return size


@functools.cache
def _library() -> Any:
    """The library, without what it does to others.

    Raises:
        ImportError: it is not installed.
    """
    limit = sys.getrecursionlimit()
    try:
        import jsonata
        import jsonata.datetimeutils
        import jsonata.functions
        import jsonata.jsonata
        import regex  # noqa: F401 - the other half of the extra
    finally:
        sys.setrecursionlimit(limit)  # it sets ten times as much for the whole process
    vars(jsonata.jsonata)["print"] = lambda *_: None  # it prints data before it raises
    # before it makes what no clock could stop: a text, or a power of ten, of as many digits as anybody asks for
    functions, times = jsonata.functions.Functions, jsonata.datetimeutils.DateTimeUtils
    left_pad, right_pad, width = functions.left_pad, functions.right_pad, times._parse_width
    functions.left_pad = staticmethod(lambda text, size, sign: left_pad(text, _small(size), sign))
    functions.right_pad = staticmethod(lambda text, size, sign: right_pad(text, _small(size), sign))
    times._parse_width = staticmethod(lambda text: _small(width(text)))
    return jsonata
