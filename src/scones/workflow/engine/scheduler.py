"""Worker threads, and a timer that hands them work when it is due: a retry or a wait blocks no worker."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from scones.workflow.engine.clock import Clock

__all__ = ["Scheduler"]

_LOGGER = logging.getLogger(__name__)
_LONGEST_NAP: Final = 60.0
"""Seconds after which the timer looks at the clock again: the time of day may be set, or the machine sleep."""

Item = TypeVar("Item")


class Scheduler(Generic[Item]):
    """Runs items on worker threads, first in, first out.

    Args:
        work: does an item's work. It answers whether the worker is free for more; where it is not,
            somebody has called :meth:`replace` for it and the thread ends.
        clock: says when a timer is due.
        workers: how many threads work.
    """

    def __init__(self, work: Callable[[Item], bool], clock: Clock, workers: int) -> None:
        self._work = work
        self._clock = clock
        self._ready: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._threads: set[threading.Thread] = set()
        self.stopping = False
        self._spawn(self._run_timer, "timer")
        for _ in range(workers):
            self._spawn(self._run_worker, "worker")

    def submit(self, item: Item) -> None:
        """Hand an item to the next free worker."""
        self._ready.put(item)

    def at(self, due: float, call: Callable[[], None]) -> None:
        """Call something, briefly, on the timer's thread when the time (POSIX seconds) has come."""
        with self._changed:
            heapq.heappush(self._timers, (due, next(self._order), call))
            self._changed.notify_all()

    def replace(self, worker: threading.Thread) -> None:
        """Start another worker in the place of one whose item was taken away while it may hang for ever."""
        with self._changed:
            self._threads.discard(worker)
        self._spawn(self._run_worker, "worker")

    def halt(self) -> None:
        """Start nothing more; what runs goes on."""
        with self._changed:
            self.stopping = True
            self._changed.notify_all()
            count = len(self._threads)
        for _ in range(count):
            self._ready.put(None)

    def join(self, grace: float) -> bool:
        """Wait for the threads to end, for at most so many seconds; answers whether they have."""
        deadline = time.monotonic() + grace
        with self._changed:
            threads = self._threads - {threading.current_thread()}
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _spawn(self, target: Callable[[], None], name: str) -> None:
        # Daemons: a function that hangs must not keep the process alive.
        thread = threading.Thread(target=target, name=f"scones-{name}", daemon=True)
        with self._changed:
            self._threads.add(thread)
        thread.start()

    def _run_worker(self) -> None:
        free = True
        while free and not self.stopping:
            item = self._ready.get()
            if item is not None and not self.stopping:
                free = self._work(item)
        with self._changed:
            self._threads.discard(threading.current_thread())

    def _run_timer(self) -> None:
        while True:
            with self._changed:
                while not self.stopping and (pause := self._pause()) > 0:
                    self._clock.wait(self._changed, pause)
                if self.stopping:
                    return
                _, _, call = heapq.heappop(self._timers)
            try:
                call()
            except Exception:
                # One bad timer must not stop all others.
                _LOGGER.exception("a timer failed")

    def _pause(self) -> float:
        if not self._timers:
            return _LONGEST_NAP
        return min(_LONGEST_NAP, self._timers[0][0] - self._clock.now())
