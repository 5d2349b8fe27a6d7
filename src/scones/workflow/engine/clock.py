"""Time, as the engine sees it."""

from __future__ import annotations

import threading
import time
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """The time of day, and a way to let some of it pass; tests pass in one that runs faster."""

    def now(self) -> float:
        """POSIX seconds. Journaled, so it must go on across restarts."""
        ...

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait on a condition that the caller holds, until it is notified or the seconds have passed."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """POSIX seconds."""
        return time.time()

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        """Wait on a condition that the caller holds, until it is notified or the seconds have passed."""
        condition.wait(seconds)
