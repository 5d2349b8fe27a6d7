"""How ``scones generate`` sends: alone, or followed to the end of what it sent; Ctrl+C ends either."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from queue import SimpleQueue

from scones.cli._common import progress_bar
from scones.cli._traffic import traffic_display
from scones.errors import JournalError
from scones.workflow.engine import Journal, JournalReader
from scones.workflow.following import Follower, follow, look
from scones.workflow.generator import Sender, Sent, send_all
from scones.workflow.schedule import Schedule
from scones.workflow.tally import Figures, Tally
from scones.workflow.traffic import Planned

__all__ = ["Sending"]


class Sending:
    """Sends arrivals once.

    Args:
        sender: writes them; its ``sleep`` is ``stop.wait``.
        schedule: says when they are due.
        planned: the arrivals.
        stop: ends the sending early.
    """

    def __init__(self, sender: Sender, schedule: Schedule, planned: Iterator[Planned], stop: threading.Event) -> None:
        self.interrupted = False
        """A person ended it."""
        self._sender, self._schedule, self._planned, self._stop = sender, schedule, planned, stop
        self._sent: list[Sent] = []

    @property
    def arrivals(self) -> list[str]:
        """The arrivals that were sent, each once, in their order."""
        return list({sent.planned.number: sent.arrival.path for sent in sorted(self._sent, key=_number)}.values())

    def alone(self, *, quiet: bool) -> Figures:
        """Send them, and tell nothing of what becomes of them; raises as :func:`send_all`."""
        tally = self._tally()
        with progress_bar(quiet) as bar:
            line = bar.add_task("arrivals", total=tally.total)

            def told(sent: Sent) -> None:
                self._sent.append(sent)
                bar.advance(line)

            try:
                send_all(self._sender, self._planned, told=told, stop=self._stop)
            except KeyboardInterrupt:
                self.interrupted = True
        for sent in self._sent:
            tally.sent(sent)
        return tally.figures(time.time())

    def followed(self, journal: Path, timeout: float, *, quiet: bool) -> Figures:
        """Send them, and show what becomes of them until all have ended or the time is over.

        Raises:
            JournalError: there is no journal, or it cannot be read.
            SconesError: as :func:`send_all`.
        """
        came: SimpleQueue[Sent] = SimpleQueue()

        def told(sent: Sent) -> None:
            self._sent.append(sent)
            came.put(sent)

        sender = self._sender
        title = f"arrivals at {sender.task}/{sender.depot}, run {sender.run}, seed {sender.seed}"
        with _reader(journal) as reader, traffic_display(title, quiet) as show, ThreadPoolExecutor(1) as pool:
            tally, follower = self._tally(), Follower(reader, sender.bucket)
            sending = pool.submit(send_all, sender, self._planned, told=told, stop=self._stop)
            try:
                return follow(
                    sending,
                    came,
                    tally,
                    follower,
                    timeout=timeout,
                    show=show,
                    now=time.time,
                    clock=time.monotonic,
                    sleep=time.sleep,
                )
            except KeyboardInterrupt:
                self.interrupted = True
                self._stop.set()
                wait([sending])
                figures = look(came, tally, follower, time.time)
                show(figures)
                return figures
            finally:
                self._stop.set()

    def _tally(self) -> Tally:
        seed = self._sender.seed
        return Tally(self._schedule.dues(seed), self._schedule.total(seed), time.time())


def _number(sent: Sent) -> int:
    return sent.planned.number


def _reader(journal: Path) -> JournalReader:
    if not journal.is_file():
        raise JournalError(
            f"--follow reads the journal of an engine at work, and there is none at {journal}: start `scones serve` "
            "and `scones run --watch` in other terminals first, or leave --follow out and work the arrivals later"
        )
    return Journal.open_readonly(journal)
