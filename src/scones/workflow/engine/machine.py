"""A state machine as the engine runs it: typed, frozen, every path and template already read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from scones.workflow.engine.choice import Rule
from scones.workflow.engine.data import Template
from scones.workflow.engine.integrations import Resource
from scones.workflow.engine.intrinsics import Expression
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import Path

__all__ = ["Catcher", "Choice", "Fail", "Pass", "Retrier", "State", "StateMachine", "Succeed", "Task", "Wait"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrier:
    """When to try a Task again. Times in seconds; ``max_delay`` None is no limit."""

    errors: tuple[str, ...]
    interval: int
    max_attempts: int
    backoff_rate: float
    max_delay: int | None
    full_jitter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Catcher:
    """Where to go on when a Task has failed; ``result_path`` None throws the error away."""

    errors: tuple[str, ...]
    next: str
    result_path: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What all states have; a path that is None was ``null`` in the definition."""

    name: str
    input_path: Path | None
    output_path: Path | None

    @property
    def type(self) -> str:
        """The state's Type, such as ``Task``."""
        return type(self).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(State):
    """Work done outside the engine; ``timeout`` in seconds, None for no limit; ``next`` None ends."""

    resource: Resource
    parameters: Template | None
    result_selector: Template | None
    result_path: Path | None
    timeout: int | None
    retry: tuple[Retrier, ...]
    catch: tuple[Catcher, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(State):
    """Data made from data. ``result`` holds the one fixed Result, or nothing (a Result may be null)."""

    parameters: Template | None
    result: tuple[Json, ...]
    result_path: Path | None
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(State):
    """A fork: the first rule that matches says where to go on, else ``default``."""

    rules: tuple[tuple[Rule, str], ...]
    default: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(State):
    """A pause of so many seconds."""

    seconds: int
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(State):
    """The end, well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(State):
    """The end, with an error name and a cause: texts, or expressions that give one."""

    error: str | Expression
    cause: str | Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMachine:
    """A definition that has been checked; made by :func:`scones.workflow.engine.load`.

    ``text`` is its JSON with all substitutions made, ``timeout`` is in seconds, None for no limit.
    """

    text: str
    start_at: str
    states: Mapping[str, State]
    timeout: int | None

    @property
    def hash(self) -> str:
        """The SHA-256 of the text: an execution ends on the definition that it began with."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()
