"""Questions to people that are on their way: no process should end before they are asked."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from scones.workflow.reviews import MACHINE, has_asked

if TYPE_CHECKING:
    from scones.workflow.engine import Event

__all__ = ["Questions"]


class Questions:
    """Knows which reviews are at work: they ask, or end after an answer. Those that wait for a person are not.

    Args:
        told: called when none is at work any more.
    """

    def __init__(self, told: Callable[[], None] = lambda: None) -> None:
        self._told = told
        self._at_work: set[str] = set()
        self._lock = threading.Lock()

    def heed(self, event: Event) -> None:
        """Hear of what happens; the engine's ``on_event`` calls it."""
        if event.machine != MACHINE:
            return
        with self._lock:
            (self._at_work.discard if has_asked(event) else self._at_work.add)(event.execution)
            none = not self._at_work
        if none:
            self._told()

    @property
    def at_work(self) -> int:
        """How many reviews do not wait for a person."""
        with self._lock:
            return len(self._at_work)
