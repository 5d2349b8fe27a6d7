"""What one turn of the engine changes: journaled in one transaction, and only then does it take effect."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from scones.workflow.engine.jsontext import Json, dump
from scones.workflow.engine.reader import MARK_IN_JSON, pack
from scones.workflow.engine.records import Event, Status
from scones.workflow.engine.run import PARKED, Branch, Run

__all__ = ["Batch", "Ending", "is_large"]

_LONG = 1024
"""Characters of packed text from which a branch's input stays in the journal alone."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How an execution has ended; ``output`` is packed."""

    run: Run
    status: Status
    output: str
    error: str | None
    cause: str | None


@dataclass(slots=True)
class Batch:
    """The changes of one turn, in the order in which they were made.

    Args:
        now: the turn's time, POSIX seconds.
        telling: whether events are to be told to somebody.
    """

    now: float
    telling: bool = False
    agenda: deque[tuple[Branch, int]] = field(default_factory=deque)
    """Branches whose state is to be run in this turn, with their tickets."""
    begun: list[Run] = field(default_factory=list)
    names: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)
    """Machine and name of the executions that have begun, with the digest of the input and the time of the start."""
    doomed: deque[Run] = field(default_factory=deque)
    """Executions that are to be aborted in this turn."""
    ended: deque[tuple[Run, Status, Json, str | None, str | None]] = field(default_factory=deque)
    """Executions that have ended and that somebody waits for: status, output, error and cause."""
    size: int = 0
    """Characters that were packed."""
    endings: list[Ending] = field(default_factory=list)
    branches: dict[int, Branch] = field(default_factory=dict)
    dropped: list[int] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)
    """Branches and groups of Maps that have ended: their items are no longer needed."""
    events: list[tuple[Any, ...]] = field(default_factory=list)
    texts: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    items: list[tuple[int, int, str]] = field(default_factory=list)
    told: list[Event] = field(default_factory=list)
    timers: list[tuple[float, Branch, int]] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)
    """What takes effect once the batch is journaled."""
    _packed: dict[tuple[int, int], tuple[Json, str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether there is anything to journal."""
        return bool(self.events or self.branches or self.dropped or self.items)

    def pack(self, run: Run, value: Json) -> str:
        """A value's text for the journal; its long texts are kept once an execution.

        Raises:
            RecursionError: the value is nested too deeply.
        """
        # The same object is often input, output and detail of an event; it is held here, so its id is its own.
        key = (run.id, id(value))
        known = self._packed.get(key)
        if known is not None:
            return known[1]
        packed, texts = pack(value)
        for fingerprint, text in texts.items():
            if fingerprint not in run.kept:
                run.kept.add(fingerprint)
                self.texts.append((run.id, fingerprint, text.encode("utf-8", "surrogatepass")))
        self._packed[key] = (value, packed)
        self.size += len(packed) + sum(map(len, texts.values()))
        return packed

    def event(self, run: Run, kind: str, state: str | None, details: Mapping[str, Json]) -> None:
        """Add an event to an execution's history."""
        text = ",".join(f"{dump(name)}:{self.pack(run, value)}" for name, value in details.items())
        run.last_event += 1
        self.events.append((run.id, run.last_event, kind, self.now, state, f"{{{text}}}"))
        if self.telling:
            moment = datetime.fromtimestamp(self.now, UTC)
            self.told.append(Event(run.machine_name, run.name, run.last_event, kind, moment, state, details))

    def forget_items(self, owner: int) -> None:
        """What is kept for a Map is no longer needed; ``owner`` is its branch, or the group of its executions."""
        self.groups.append(owner)
        self.items = [kept for kept in self.items if kept[0] != owner]

    def touch(self, branch: Branch) -> None:
        """The branch's row is to be written as it is at the end of the turn."""
        self.branches[branch.id] = branch

    def drop(self, branch: Branch) -> None:
        """The branch is gone."""
        self.branches.pop(branch.id, None)
        self.dropped.append(branch.id)

    def settle(self) -> None:
        """The batch is journaled: what is long and rests is from now on in the journal alone."""
        for run in self.begun:
            run.large = is_large(self.pack(run, run.input))
        for branch in self.branches.values():
            branch.packed = branch.assigned = None
            if branch.large and branch.call is None:
                branch.input = PARKED
            if branch.run.large:
                branch.run.input = PARKED


def is_large(packed: str) -> bool:
    """Whether a packed value is so long, with the texts that it refers to, that it is to stay in the journal."""
    return len(packed) > _LONG or MARK_IN_JSON in packed
