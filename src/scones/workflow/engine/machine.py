"""A state machine as the engine runs it: typed, frozen, every path and template already read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from scones.workflow.engine.choice import Rule
from scones.workflow.engine.data import Made, Template
from scones.workflow.engine.intrinsics import Expression
from scones.workflow.engine.jsonata import Query
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.paths import Path
from scones.workflow.engine.resources import Resource

__all__ = [
    "LONGEST",
    "Batcher",
    "Catcher",
    "Choice",
    "ChoiceRule",
    "Fail",
    "Fallible",
    "ItemReader",
    "Map",
    "Parallel",
    "Pass",
    "ResultWriter",
    "Retrier",
    "State",
    "StateMachine",
    "Succeed",
    "Task",
    "Wait",
    "Whole",
]

LONGEST: Final = 99_999_999
"""The most seconds of a wait or a timeout, and the most retries (Amazon States Language)."""
_CONTEXT: Final = re.compile(r"\$\$|\$states(?!\.(?:input|result|errorOutput)\b)")

Whole: TypeAlias = int | Path | Query
"""A whole number, or where the data says it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrier:
    """When to try a state again. Times in seconds; ``max_delay`` None is no limit."""

    errors: tuple[str, ...]
    interval: int
    max_attempts: int
    backoff_rate: float
    max_delay: int | None
    full_jitter: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Catcher:
    """Where to go on when a state has failed; ``result_path`` None throws the error away, ``output`` is JSONata's."""

    errors: tuple[str, ...]
    next: str
    result_path: Path | None
    output: Made | None = None
    assign: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What all states have; a path that is None was ``null`` in the definition.

    A state of JSONata has ``$`` for every path that it cannot have, and no result selector: so its output is its
    result, or what its Output makes.
    """

    name: str
    input_path: Path | None
    output: Path | Made | None
    assign: Template | None = None

    @property
    def type(self) -> str:
        """The state's Type, such as ``Task``."""
        return type(self).__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallible(State):
    """What Task, Parallel and Map have: work that may fail, be tried again and be caught; ``next`` None ends."""

    parameters: Template | None
    result_selector: Template | None
    result_path: Path | None
    retry: tuple[Retrier, ...]
    catch: tuple[Catcher, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Fallible):
    """Work done outside the engine; ``timeout`` and ``heartbeat`` in seconds, None for no limit."""

    resource: Resource
    timeout: Whole | None
    heartbeat: Whole | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel(Fallible):
    """Branches at the same time; ``branches`` holds the state that each starts at."""

    branches: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReader:
    """Where a distributed Map's items come from: ``JSON``, ``JSONL``, ``CSV``, or ``LIST`` for a list of objects."""

    format: str
    parameters: Template
    headers: tuple[str, ...] | None
    delimiter: str
    max_items: Whole | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batcher:
    """How many items one child gets at most, by number and by bytes, and what each batch gets besides."""

    most_items: Whole | None
    most_bytes: Whole | None
    batch_input: Template | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultWriter:
    """How a distributed Map gives its results; ``parameters`` None keeps them in the state's output."""

    parameters: Template | None
    transformation: str
    lines: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Map(Fallible):
    """The same work for each item of a list; ``parameters`` is the ItemSelector.

    Inline, each item runs from ``start_at`` inside the execution. Distributed, each is an execution of ``child``.
    """

    items: Path | Made | None
    max_concurrency: Whole | None
    start_at: str
    child: StateMachine | None = None
    label: str = ""
    reader: ItemReader | None = None
    batcher: Batcher | None = None
    writer: ResultWriter | None = None
    tolerated_count: Whole | None = None
    tolerated_percentage: float | Path | Query = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass(State):
    """Data made from data. ``result`` holds the one fixed Result, or nothing (a Result may be null)."""

    parameters: Template | None
    result: tuple[Json, ...]
    result_path: Path | None
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceRule:
    """One rule of a Choice, where it leads, the state's output then, and the variables that it sets."""

    rule: Rule
    next: str
    output: Path | Made | None
    assign: Template | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice(State):
    """A fork: the first rule that matches says where to go on, else ``default``."""

    rules: tuple[ChoiceRule, ...]
    default: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(State):
    """A pause: of ``seconds``, or until ``timestamp`` (RFC 3339); a path or an expression where the data says it."""

    seconds: Whole | None
    timestamp: str | Path | Query | None
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Succeed(State):
    """The end, well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(State):
    """The end, with an error name and a cause: texts, or expressions that give one."""

    error: str | Expression | Query
    cause: str | Expression | Query


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMachine:
    """A definition that has been checked; made by :func:`scones.workflow.engine.load`.

    ``text`` is its JSON with all substitutions made; ``states`` holds those of Parallel branches and inline Maps
    too, as their names are unique in the whole machine; ``timeout`` is in seconds, None for no limit. ``hash`` is the
    SHA-256 of the text: an execution ends on the definition that it began with. ``reads_context`` is False where
    nothing in it can ask for the context object.
    """

    text: str
    start_at: str
    states: Mapping[str, State]
    timeout: int | None
    hash: str = field(init=False)
    reads_context: bool = field(init=False)

    def __post_init__(self) -> None:
        encoded = self.text.encode("utf-8", "surrogatepass")
        object.__setattr__(self, "hash", hashlib.sha256(encoded).hexdigest())
        object.__setattr__(self, "reads_context", _CONTEXT.search(self.text) is not None)
