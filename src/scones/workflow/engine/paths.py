"""Paths: ``$.a[0]['b c']`` into the state's data, ``$$.Execution.Name`` into the context object, ``$name.a`` into a
variable.

A reference path names exactly one place (Amazon States Language, "Reference Paths"). Where data is only read, a path
may go on with a query, which finds any number of values and gives them as a list: ``$.a[*].b``, ``$..b``, ``$.a[1:3]``,
``$.a[?(@.b > 1)]``. Queries are python-jsonpath's, which is loaded only where a definition has one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import TYPE_CHECKING, Final, cast

from scones.workflow.engine.failure import RESULT_PATH_MATCH_FAILURE, StateFailure
from scones.workflow.engine.jsontext import Json

if TYPE_CHECKING:
    from jsonpath import JSONPath

__all__ = ["VARIABLE", "Path", "PathMissing", "Scope", "parse_path", "scan_path"]

_STEP = re.compile(
    r"""
      \.(?P<name>[^\s.,:()\[\]'"*?@$]+)
    | \[(?P<index>-?\d+)\]
    | \.?\['(?P<single>(?:[^'\\]|\\.)*)'\]
    | \.?\["(?P<double>(?:[^"\\]|\\.)*)"\]
    """,
    re.VERBOSE,
)
VARIABLE: Final = re.compile(r"[^\W\d]\w{0,79}")
"""The name of a variable: a Unicode identifier of at most 80 characters."""


_SELECTOR = re.compile(r"\.\.\[|\.\.\*|\.\.[^\s.,:()\[\]'\"*?@$]+|\.\*|\.[^\s.,:()\[\]'\"*?@$]+|\[")
_SEVERAL = re.compile(r"""\s*(['"])(?:\\.|(?!\1).)*\1\s*,""")
_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|/(?:[^/\\]|\\.)+/\w*|[\[\]]|[^'\"\[\]]", re.DOTALL)


class PathMissing(LookupError):
    """The data has nothing at that path."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may read: the state's data, the context object, randomness for ``States.UUID``, variables.

    ``states`` is what JSONata's ``$states`` has besides the context object; empty for the raw input alone. ``now`` is
    the time of day, POSIX seconds.
    """

    data: Json
    context: Json
    random: Random
    variables: Mapping[str, Json] = field(default_factory=dict)
    states: Mapping[str, Json] = field(default_factory=dict)
    now: Callable[[], float] = time.time

    @property
    def said(self) -> Mapping[str, Json]:
        """``$states`` without the context object: the raw input, and the state's result or error where it has one."""
        return self.states or {"input": self.data}

    def of(self, data: Json, **more: Json) -> Scope:
        """The same for other data: what ``$`` is from now on, and what ``$states`` has more."""
        return replace(self, data=data, states={**self.said, **more})


@dataclass(frozen=True, slots=True)
class Path:
    """A path, read from its text by :func:`parse_path`.

    ``root`` is ``$`` (the state's data), ``$$`` (the context object) or ``$name`` (a variable); ``query`` is what
    follows the steps that name one place, None in a reference path.
    """

    text: str
    root: str
    steps: tuple[str | int, ...]
    query: JSONPath | None = None

    def read(self, scope: Scope) -> Json:
        """The value at this path; of a query the list of all that it finds, which may be empty.

        Raises:
            PathMissing: there is none, or the query's own place is not there.
        """
        value = self._start(scope)
        for step in self.steps:
            fits = isinstance(value, dict if isinstance(step, str) else list)
            if not fits:
                raise PathMissing(self.text)
            try:
                value = value[step]
            except LookupError:
                raise PathMissing(self.text) from None
        return value if self.query is None else self.query.findall(value)

    def _start(self, scope: Scope) -> Json:
        if self.root == "$":
            return scope.data
        if self.root == "$$":
            return scope.context
        try:
            return scope.variables[self.root[1:]]
        except KeyError:
            raise PathMissing(self.text) from None

    def place(self, data: Json, value: Json) -> Json:
        """A copy of ``data`` with ``value`` at this path; missing objects on the way are made.

        Raises:
            StateFailure: ``States.ResultPathMatchFailure`` where the path does not fit the data.
        """
        return self._place(data, self.steps, value)

    def _place(self, data: Json, steps: tuple[str | int, ...], value: Json) -> Json:
        if not steps:
            return value
        step, rest = steps[0], steps[1:]
        if isinstance(step, str) and isinstance(data, dict):
            return {**data, step: self._place(data.get(step, {}), rest, value)}
        if isinstance(step, int) and isinstance(data, list) and 0 <= step < len(data):
            return [*data[:step], self._place(data[step], rest, value), *data[step + 1 :]]
        raise StateFailure(RESULT_PATH_MATCH_FAILURE, f"ResultPath {self.text} does not fit the state's input")


def scan_path(text: str, start: int = 0) -> tuple[Path, int]:
    """Read the path that begins at ``start``; answers it and the position behind it.

    Raises:
        ValueError: no path begins there.
    """
    if not text.startswith("$", start):
        raise ValueError(f"a path starts with $, this one does not: {text[start:]!r}")
    variable = VARIABLE.match(text, start + 1)
    end = variable.end() if variable else start + (2 if text.startswith("$$", start) else 1)
    root = text[start:end]
    steps: list[str | int] = []
    while match := _STEP.match(text, end):
        end = match.end()
        kind = match.lastgroup or ""
        if kind == "index":
            steps.append(int(match[kind]))
        elif kind == "name":
            steps.append(match[kind])
        else:
            steps.append(re.sub(r"\\(.)", r"\1", match[kind]))
    rest = _scan_query(text, end)
    query = _query(text[end:rest]) if rest > end else None
    return Path(text[start:rest], root, tuple(steps), query), rest


def _scan_query(text: str, at: int) -> int:
    """Where a query ends that begins here: behind ``.*``, ``..name`` and brackets, whose own brackets balance."""
    while match := _SELECTOR.match(text, at):
        at = match.end()
        if match[0].endswith("[") and _SEVERAL.match(text, at):
            raise ValueError(f"{text!r} selects several names at once, which is not supported: name them one by one")
        depth = text.count("[", match.start(), at)
        while depth and (token := _TOKEN.match(text, at)):
            depth += {"[": 1, "]": -1}.get(token[0], 0)
            at = token.end()
        if depth:
            raise ValueError(f"{text!r} lacks a closing bracket at {text[match.start() :]!r}")
    return at


def _query(text: str) -> JSONPath:
    import jsonpath

    try:
        return cast("JSONPath", jsonpath.compile(f"${text}"))
    except jsonpath.JSONPathError as error:
        reason = str(error).split("\n", 1)[0]
        raise ValueError(f"{text!r} is no JSONPath query: {reason}") from error


def parse_path(text: str, *, reference: bool = False) -> Path:
    """Read a whole text as a path.

    Args:
        text: the path.
        reference: it must name exactly one place.

    Raises:
        ValueError: it is none, or more than a reference path where one is needed.

    Example:
        >>> parse_path("$.a[0]['c d']").steps
        ('a', 0, 'c d')
    """
    path, end = scan_path(text)
    if end != len(text):
        raise ValueError(f"{text!r} is no path at {text[end:]!r}")
    if reference and (path.query is not None or any(isinstance(step, int) and step < 0 for step in path.steps)):
        raise ValueError(f"{text!r} is no reference path: it must name one place, without wildcards, filters or scans")
    return path
