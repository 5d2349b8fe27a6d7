"""What is done again and again, and may fail for a while: tried again after pauses that grow, and told once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scones.errors import SconesError, WorkflowError

__all__ = ["Chores"]

_LONGEST_PAUSE: Final = 60.0
"""Seconds between two tries of what fails."""
_SHARE: Final = 4.0
"""Times as long as a chore took, it is not done again: it takes a fifth of the time at most."""


class Chores:
    """Does things that may fail.

    Args:
        patient: try again what fails; else raise it.
        every: seconds from one time to the next, at least. After a failure as many, then twice as many, and so on.
        say: tells a person.
        clock: seconds, monotonic.
    """

    def __init__(self, *, patient: bool, every: float, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self._patient, self._every, self._say, self._clock = patient, every, say, clock
        self._due: dict[str, float] = {}
        self._pauses: dict[str, float] = {}  # of what failed last

    def do(self, what: str, do: Callable[[], object], *, now: bool = False) -> bool:
        """Do something, unless it was done or failed a short while ago; answers whether it was done.

        Args:
            what: its name, for the message.
            do: does it.
            now: only a failure is a reason to wait.

        Raises:
            WorkflowError: the engine cannot go on, whatever is tried again.
            SconesError: what ``do`` raises, where nobody is patient.
        """
        began, pause = self._clock(), self._pauses.get(what)
        if (pause is not None or not now) and began < self._due.get(what, began):
            return False
        try:
            do()
        except WorkflowError:
            raise
        except SconesError as error:
            if not self._patient:
                raise
            if pause is None:
                self._say(f"{what}: {error}; it is tried again")
            self._pauses[what] = self._every if pause is None else min(_LONGEST_PAUSE, 2 * pause)
            self._due[what] = self._clock() + self._pauses[what]
            return False
        ended = self._clock()
        self._due[what] = ended + max(self._every, _SHARE * (ended - began))
        if self._pauses.pop(what, None) is not None:
            self._say(f"{what}: all is well again")
        return True
