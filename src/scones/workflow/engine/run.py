"""What runs, as the engine holds it in memory: executions, and in each the branches of its work.

An execution is a tree. Its root is where it is; a state Parallel or an inline Map gives the branch that is in it
children, one for each branch or item. Only the engine's own thread touches any of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import StateMachine

if TYPE_CHECKING:
    from scones.workflow.engine.items import Plan
    from scones.workflow.engine.workers import Call

__all__ = ["PARKED", "Branch", "Phase", "Run"]

PARKED: Final = object()
"""Stands for data that is in the journal only, so that what waits costs little memory."""


class Phase(IntEnum):
    """What a branch is doing in its state. Journaled, so the numbers stay."""

    READY = 0
    """The state is to be run: at once, or at ``due`` (a retry)."""
    WAITING = 1
    """A Wait, until ``due``."""
    CALLED = 2
    """A Task whose answer somebody sends: with a token, or by the end of an execution. ``due`` is when it is late."""
    JOINING = 3
    """A Parallel or an inline Map, whose children work."""
    MAPPING = 4
    """A distributed Map, whose child executions work."""
    DONE = 5
    """A child that has ended; ``input`` holds its output."""


@dataclass(slots=True, eq=False)
class Run:
    """An execution that has not ended. ``parent`` is the group of a branch of another one that waits for this one."""

    id: int
    name: str
    machine_name: str
    machine: StateMachine
    started: float
    input: Json
    digest: str
    parent: int | None
    item: int
    last_event: int = 0
    over: bool = False
    large: bool = True
    """Whether the input is so long that it is to stay in the journal."""
    kept: set[bytes] = field(default_factory=set)
    """Hashes of the long texts that are known to be in the journal."""
    assigned: float = 0
    """Bytes that its variables hold at most."""

    root: Branch = field(init=False, repr=False)


@dataclass(slots=True, eq=False)
class Branch:
    """Where an execution, or one of its parallel branches, is.

    ``ticket`` changes with every step, so that a late answer or timer is known as such. ``packed`` and ``assigned``
    are the texts of input and variables that are to be written next time: None where the journal's own is right.
    """

    id: int
    run: Run
    parent: Branch | None
    item: int
    state: str = ""
    phase: Phase = Phase.READY
    entered: float = 0.0
    input: Json = PARKED
    packed: str | None = None
    variables: Mapping[str, Json] = field(default_factory=dict)
    assigned: str | None = None
    attempts: Mapping[int, int] = field(default_factory=dict)
    due: float | None = None
    deadline: float | None = None
    token: str | None = None
    begun: int = 0
    """Items that a Map has begun."""
    group: int = 0
    """What the executions that it waits for know it by (their ``parent``); 0 where it waits for none."""
    ticket: int = 0
    began: float | None = None
    """When the last call of this Task was begun."""
    call: Call | None = None
    large: bool = True
    """Whether the input is so long that it is to stay in the journal while nothing works on it."""
    children: dict[int, Branch] | None = None
    active: int = 0
    """Children, or child executions, that work."""
    failures: int = 0
    """Child executions that failed."""
    plan: Plan | None = None
    """How a Map goes through its items; None until it is worked out."""

    def tree(self) -> list[Branch]:
        """This branch, and all that it has given birth to."""
        found = [self]
        for child in (self.children or {}).values():
            found += child.tree()
        return found
