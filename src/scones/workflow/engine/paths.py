"""Reference paths: ``$.a.b[0]['c d']`` into the state's data, ``$$.Execution.Name`` into the context object.

A reference path names exactly one place (Amazon States Language, "Reference Paths"); wildcards, filters
and deep scans are refused when a definition is loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from scones.workflow.engine.failure import RESULT_PATH_MATCH_FAILURE, StateFailure
from scones.workflow.engine.jsontext import Json

__all__ = ["Path", "PathMissing", "Scope", "parse_path", "scan_path"]

_STEP = re.compile(
    r"""
      \.(?P<name>[^\s.,:()\[\]'"*?@$]+)
    | \[(?P<index>\d+)\]
    | \['(?P<single>(?:[^'\\]|\\.)*)'\]
    | \["(?P<double>(?:[^"\\]|\\.)*)"\]
    """,
    re.VERBOSE,
)


class PathMissing(LookupError):
    """The data has nothing at that path."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may read: the state's data, the context object, and randomness for ``States.UUID``."""

    data: Json
    context: Json
    random: Random


@dataclass(frozen=True, slots=True)
class Path:
    """A reference path, read from its text by :func:`parse_path`."""

    text: str
    in_context: bool
    steps: tuple[str | int, ...]

    def read(self, scope: Scope) -> Json:
        """The value at this path.

        Raises:
            PathMissing: there is none.
        """
        value: Json = scope.context if self.in_context else scope.data
        for step in self.steps:
            fits = isinstance(value, dict if isinstance(step, str) else list)
            if not fits:
                raise PathMissing(self.text)
            try:
                value = value[step]
            except LookupError:
                raise PathMissing(self.text) from None
        return value

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
        if isinstance(step, int) and isinstance(data, list) and step < len(data):
            return [*data[:step], self._place(data[step], rest, value), *data[step + 1 :]]
        raise StateFailure(RESULT_PATH_MATCH_FAILURE, f"ResultPath {self.text} does not fit the state's input")


def scan_path(text: str, start: int = 0) -> tuple[Path, int]:
    """Read the path that begins at ``start``; answers it and the position behind it.

    Raises:
        ValueError: no path begins there.
    """
    if not text.startswith("$", start):
        raise ValueError(f"a path starts with $, this one does not: {text[start:]!r}")
    in_context = text.startswith("$$", start)
    end = start + (2 if in_context else 1)
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
    return Path(text[start:end], in_context, tuple(steps)), end


def parse_path(text: str) -> Path:
    """Read a whole text as a path.

    Raises:
        ValueError: it is none, or more than a reference path.

    Example:
        >>> parse_path("$.a[0]['c d']").steps
        ('a', 0, 'c d')
    """
    path, end = scan_path(text)
    if end != len(text):
        raise ValueError(
            f"{text!r} is no reference path at {text[end:]!r}: wildcards, filters and deep scans are not supported"
        )
    return path
