"""Worker threads for what a Task calls, so that a function that takes its time, or hangs, holds up nothing else."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from scones.workflow.engine.clock import Clock
from scones.workflow.engine.failure import RUNTIME, StateFailure
from scones.workflow.engine.jsontext import Json

__all__ = ["Call", "Outcome", "Workers"]

Outcome: TypeAlias = "Json | StateFailure"


@dataclass(slots=True, eq=False)
class Call:
    """One call: what is to be done, and what is to be done with what came of it.

    ``started`` (POSIX seconds) is None until a worker has taken it, ``beat`` until somebody has sent a heartbeat;
    ``given_up`` says that nobody waits any more, ``replaced`` that another worker has taken the place of the one that
    is busy with it.
    """

    work: Callable[[], Json]
    then: Callable[[Outcome], None]
    timeout: float | None = None
    heartbeat: float | None = None
    started: float | None = None
    beat: float | None = None
    given_up: bool = False
    worker: threading.Thread | None = field(default=None, repr=False)
    replaced: bool = False


class Workers:
    """So many threads, and one more for each call that was given up while it ran.

    Args:
        count: how many calls run at the same time.
        clock: for the time at which a call has started.
    """

    def __init__(self, count: int, clock: Clock) -> None:
        self._clock = clock
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._stopping = False
        for _ in range(count):
            self._spawn()

    def submit(self, call: Call) -> None:
        """Have a call made by the next free worker."""
        self._calls.put(call)

    def give_up(self, call: Call) -> None:
        """Nobody waits for this call any more: another worker takes the place of one that is busy with it."""
        with self._lock:
            call.given_up = True
            call.replaced = call.worker is not None
            if call.worker is not None:
                self._threads.discard(call.worker)
        if call.replaced:
            self._spawn()

    def stop(self, grace: float) -> bool:
        """Start no more calls, wait at most so many seconds for those that run; answers whether all have ended."""
        with self._lock:
            self._stopping = True
            threads = set(self._threads)
        for _ in threads:
            self._calls.put(None)
        deadline = time.monotonic() + grace
        for thread in threads - {threading.current_thread()}:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def _spawn(self) -> None:
        # Daemons: a function that hangs must not keep the process alive.
        thread = threading.Thread(target=self._run, name="scones-worker", daemon=True)
        with self._lock:
            if not self._stopping:
                self._threads.add(thread)
                thread.start()

    def _run(self) -> None:
        needed = True
        while needed and (call := self._calls.get()) is not None:
            with self._lock:
                if self._stopping:
                    break
                call.worker = None if call.given_up else threading.current_thread()
            if call.worker is not None:
                call.started = self._clock.now()
                outcome = _make(call)
                with self._lock:
                    call.worker = None
                    needed = not call.replaced
                call.then(outcome)
        with self._lock:
            self._threads.discard(threading.current_thread())


def _make(call: Call) -> Outcome:
    try:
        return call.work()
    except StateFailure as failure:
        return failure
    except BaseException as error:  # noqa: BLE001 - the state's failure; it must not end the worker
        return StateFailure(RUNTIME, f"{type(error).__name__}: {error}")
