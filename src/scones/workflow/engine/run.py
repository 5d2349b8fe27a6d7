"""An execution that runs, as the engine holds it in memory; its data stays in the journal."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from scones.workflow.engine.machine import StateMachine
from scones.workflow.engine.records import Change, Delayed, Entered, Pending

__all__ = ["Run"]


@dataclass(slots=True, eq=False)
class Run:
    """Where an execution is. Everything in it changes under its lock.

    ``ticket`` changes with every step, so that an answer to an earlier one is known as such;
    ``holder`` is the worker that has the execution.
    """

    at: Pending
    machine: StateMachine
    lock: threading.Lock = field(default_factory=threading.Lock)
    ticket: int = 0
    holder: threading.Thread | None = None
    over: bool = False

    def follow(self, change: Change, last_event: int) -> None:
        """Take a step that has been journaled."""
        self.ticket += 1
        if isinstance(change, Entered):
            self.at = replace(
                self.at,
                state=change.state,
                entered=change.time,
                attempts={},
                due=change.due,
                last_event=last_event,
            )
        elif isinstance(change, Delayed):
            self.at = replace(self.at, attempts=change.attempts, due=change.due, last_event=last_event)
        else:
            self.over = True
