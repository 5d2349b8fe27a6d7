"""Follow arrivals to the end of their executions, in the journal of an engine that another process runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from itertools import islice
from queue import Empty, SimpleQueue

from scones.errors import ExecutionMissing
from scones.store import Bucket
from scones.workflow.arrivals import MACHINE, execution_name
from scones.workflow.engine import ExecutionDetail, JournalReader
from scones.workflow.generator import Sent
from scones.workflow.tally import Figures, Tally

__all__ = ["Follower", "follow", "look"]

_INTERVAL = 0.5
"""Seconds from poll to poll."""
_PATIENCE = 100
_SWEEP = 1000
"""A poll looks at the arrivals that were sent first until so many have not ended, and at so many of all in turn."""


class Follower:
    """Finds out which arrivals' executions have ended.

    What a poll costs depends on how many have ended since the last one, not on how many are in the journal
    or under way: each execution is looked up by its name.

    Args:
        reader: of the engine's journal.
        bucket: where the arrivals lie.
    """

    def __init__(self, reader: JournalReader, bucket: Bucket) -> None:
        self._reader, self._bucket = reader, bucket
        self._open: dict[str, Sent] = {}  # by the name of the execution, in the order of sending
        self._running: set[str] = set()
        self._sweep: Iterator[str] = iter(())

    @property
    def running(self) -> int:
        """Executions that are known to run."""
        return len(self._running)

    @property
    def oldest(self) -> float | None:
        """When the first of the arrivals that are awaited was written, POSIX seconds; None: none is awaited."""
        first = next(iter(self._open.values()), None)
        return None if first is None else first.written

    def add(self, sent: Sent) -> None:
        """Follow an arrival too; a duplicate is the arrival that it repeats."""
        if not sent.planned.again:
            self._open[execution_name(self._bucket, sent.key)] = sent

    def poll(self) -> list[tuple[Sent, ExecutionDetail]]:
        """The arrivals whose executions have ended since the last poll; not always all of them at once.

        Raises:
            JournalError: the journal cannot be read.
        """
        ended: list[tuple[Sent, ExecutionDetail]] = []
        patience = _PATIENCE
        # The engine works them in about this order.
        for name in list(self._open):
            if not self._look(name, ended):
                patience -= 1
                if not patience:
                    break
        turn = list(islice(self._sweep, _SWEEP))
        if len(turn) < _SWEEP:
            self._sweep = iter(list(self._open))
        for name in turn:
            self._look(name, ended)
        return ended

    def _look(self, name: str, ended: list[tuple[Sent, ExecutionDetail]]) -> bool:
        if name not in self._open:
            return True
        try:
            status = self._reader.status(name, MACHINE)
        except ExecutionMissing:
            return False
        if status == "RUNNING":
            self._running.add(name)
            return False
        self._running.discard(name)
        ended.append((self._open.pop(name), self._reader.describe(name, MACHINE)))
        return True


def look(came: SimpleQueue[Sent], tally: Tally, follower: Follower, now: Callable[[], float]) -> Figures:
    """Take in what was sent and what has ended since the last look.

    Args:
        came: what was sent.
        tally, follower: are told of it.
        now: POSIX seconds.

    Raises:
        JournalError: the journal cannot be read.
    """
    while True:
        try:
            sent = came.get_nowait()
        except Empty:
            break
        tally.sent(sent)
        follower.add(sent)
    for sent, execution in follower.poll():
        tally.ended(sent, execution)
    return tally.figures(now(), running=follower.running, oldest=follower.oldest)


def follow(
    sending: Future[None],
    came: SimpleQueue[Sent],
    tally: Tally,
    follower: Follower,
    *,
    timeout: float,
    show: Callable[[Figures], None],
    now: Callable[[], float],
    clock: Callable[[], float],
    sleep: Callable[[float], object],
) -> Figures:
    """Follow arrivals while they are sent, and then until all have ended or the time is over.

    Args:
        sending: done when all are sent.
        came: each as it was sent.
        tally, follower: are told of it.
        timeout: seconds to wait after the last was sent.
        show: called with the figures twice a second.
        now: POSIX seconds.
        clock: seconds, monotonic.
        sleep: waits for a number of seconds.

    Returns:
        The last figures.

    Raises:
        JournalError: the journal cannot be read.
        SconesError: what sending raised.
    """
    deadline: float | None = None
    while True:
        done = sending.done()  # first, so that the last ones are in what came
        if done:
            sending.result()
        figures = look(came, tally, follower, now)
        show(figures)
        if done:
            deadline = clock() + timeout if deadline is None else deadline
            if follower.oldest is None or clock() >= deadline:
                return figures
        sleep(_INTERVAL)
