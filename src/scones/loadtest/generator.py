"""Processes of their own that send a load, so that what they measure is not what they take from each other."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import reduce
from multiprocessing.connection import Connection
from operator import add
from types import TracebackType
from typing import Final

from scones.errors import EndpointError
from scones.loadtest.counts import Counts, Load
from scones.loadtest.loop import send_load
from scones.loadtest.step import Step, step_of
from scones.loadtest.target import Target

__all__ = ["Generator"]

_AHEAD: Final = 0.05
"""Seconds from the order to its begin, so that all processes begin at once."""


class Generator:
    """Sends loads from processes of its own, one load after the other; use it with ``with``.

    Args:
        target: whom to ask.
        requests: sent in turn; as :func:`scones.loadtest.requests.encode_request` makes them.
        processes: how many; one is enough for some thousand requests a second.
    """

    def __init__(self, target: Target, requests: Sequence[bytes], processes: int = 1) -> None:
        # spawned, not forked: the caller may have threads
        context = multiprocessing.get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, target, list(requests)), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Generator:
        try:
            for pipe in self._pipes:
                _receive(pipe)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.terminate()
            process.join()
        for pipe in self._pipes:
            pipe.close()

    def send(self, load: Load) -> Step:
        """Send a load, wait until it is over, and say what it came to.

        Raises:
            EndpointError: a process ended.
        """
        begin = time.monotonic() + _AHEAD
        number = len(self._pipes)
        for place, pipe in enumerate(self._pipes):
            with suppress(OSError):  # it has ended, as is seen when its figures do not come
                pipe.send((load.part(place, number), begin))
        counts = reduce(add, [_receive(pipe) for pipe in self._pipes])
        return step_of(load, counts, processes=number)


def _receive(pipe: Connection) -> Counts:
    try:
        found = pipe.recv()
    except (EOFError, OSError) as error:
        raise EndpointError("a process that sends the load ended: is this machine out of memory?") from error
    assert isinstance(found, Counts)
    return found


def _work(pipe: Connection, target: Target, requests: list[bytes]) -> None:
    """What a process does until it is ended, or the one that made it is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches it too, and is the other's to heed
    gc.disable()  # nothing here goes in circles, and a collection would be measured as the endpoint's
    send: Callable[[Counts], None] = pipe.send
    send(Counts())
    while True:
        try:
            load, begin = pipe.recv()
        except EOFError:
            return
        send(send_load(target, requests, load, begin=begin))
