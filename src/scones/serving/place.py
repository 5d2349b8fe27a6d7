"""A worker's place: whoever holds it has the same number and the same listening socket."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from scones.serving.channel import Channel
from scones.serving.forking import fork

__all__ = ["Place"]

_LONGEST_DELAY: Final = 10.0
"""Seconds between two forks of a worker that dies every time."""


@dataclass(eq=False)
class Place:
    """A place that a process holds, or none at the moment.

    Attributes:
        number: from 0.
        listener: open as long as the place is, whoever holds it.
        pid: of the process; 0 while there is none.
        channel: to it; None when it is gone, or about to.
        ready: it answers.
        told: what it said of the models that it was told to prepare: its answers to the golden pictures, or a fault.
        fork_at: when the next one is to be forked, by ``time.monotonic``.
    """

    number: int
    listener: socket.socket
    pid: int = 0
    channel: Channel | None = None
    ready: bool = False
    told: list[bytes] | str | None = None
    fork_at: float = 0.0
    _born: float = 0.0
    _delay: float = 0.0

    def send(self, message: Any) -> None:
        """To whoever holds it."""
        if self.channel is not None:
            self.channel.send(message)

    def fork(self, work: Callable[[Channel], None]) -> Channel:
        """Let a new process hold it.

        Args:
            work: what it does; it is given its end of the channel, and closes what is not its own.

        Returns:
            This end of the channel.
        """
        here, there = Channel.pair()

        def begin() -> None:
            here.close()
            work(there)

        self._born = time.monotonic()
        self.pid = fork(begin)
        there.close()
        self.channel = here
        return here

    def bury(self) -> str:
        """The process has ended, or is to at once; the longer it lived, the sooner the next one may be forked.

        Returns:
            How it ended, in words.
        """
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        now = time.monotonic()
        if now - self._born > _LONGEST_DELAY:
            self._delay = 0.0
        self.fork_at = now + self._delay
        self._delay = min(_LONGEST_DELAY, 2 * self._delay + 0.5)
        self.pid, self.ready = 0, False
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
