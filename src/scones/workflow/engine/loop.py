"""The engine's own thread: each turn takes what has come in, journals what follows, and lets it take effect."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any, Final, TypeVar

from scones.errors import JournalError, WorkflowError
from scones.workflow.engine.batch import Batch
from scones.workflow.engine.clock import Clock
from scones.workflow.engine.interpreter import Interpreter
from scones.workflow.engine.journal import Journal
from scones.workflow.engine.records import Event
from scones.workflow.engine.run import Branch

__all__ = ["Loop"]

_LOGGER = logging.getLogger(__name__)
_LONGEST_NAP: Final = 60.0
"""Seconds after which the clock is looked at again: the time of day may be set, or the machine sleep."""
_FEW_TIMERS: Final = 1000
"""Timers that are kept whether or not anything waits for them any more."""
_MOST_CHANGES: Final = 256
"""Changes that one turn takes, so that none waits long for the disk."""

Answer = TypeVar("Answer")


class Loop:
    """Runs turns on a thread of its own.

    Args:
        journal: where each turn's batch goes before it takes effect.
        clock: the time of day.
        on_event: told of every event after it was journaled; None for nobody.
        tidy: called now and then; answers in how many seconds it wants to be called again.
    """

    def __init__(
        self, journal: Journal, clock: Clock, on_event: Callable[[Event], None] | None, tidy: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._on_event = on_event
        self._tidy = tidy
        self._tidy_at = clock.now()
        self._inbox: deque[Callable[[Batch], None]] = deque()
        self._changed = threading.Condition()
        self._timers: list[tuple[float, int, Branch, int]] = []
        self._order = itertools.count()
        self._most_timers = _FEW_TIMERS
        self._replies: set[Future[Any]] = set()
        self._waiters: dict[int, list[threading.Event]] = {}
        self._broken: JournalError | None = None
        self._pausing = self._stopped = False
        self._holding = True
        self._thread = threading.Thread(target=self._run, name="scones-engine", daemon=True)
        self.live: set[int] = set()
        """What runs, as the journal knows it."""

    def start(self, interpreter: Interpreter) -> None:
        """Begin with the turns."""
        self._interpreter = interpreter
        self._thread.start()

    def post(self, change: Callable[[Batch], None]) -> None:
        """Hand a change to the next turn, from any thread."""
        with self._changed:
            self._inbox.append(change)
            self._changed.notify_all()

    def ask(self, change: Callable[[Batch], Answer]) -> Answer:
        """Have a change made, and answer what it answers once that is journaled.

        Raises:
            JournalError: it could not be journaled; then nothing has changed.
            WorkflowError: the engine was stopped.
        """
        self._not_from_here()
        reply: Future[Answer] = Future()

        def turn(batch: Batch) -> None:
            try:
                answer = change(batch)
            except JournalError:
                raise
            except Exception as error:  # noqa: BLE001 - the caller's to deal with
                self._replies.discard(reply)
                reply.set_exception(error)
            else:
                batch.after.append(lambda: self._give(reply, answer))

        with self._changed:
            if self._broken is not None or self._stopped:
                self.check()
            self._replies.add(reply)
            self._inbox.append(turn)
            self._changed.notify_all()
        return reply.result()

    def wait(self, key: int, timeout: float | None, deadline: float | None) -> None:
        """Wait until an execution has ended, to the deadline (monotonic seconds) at most.

        Raises:
            JournalError: the engine broke.
            WorkflowError: it has not ended in time, or the engine was stopped.
        """
        self._not_from_here()
        waiter = threading.Event()
        with self._changed:
            if key not in self.live:
                return
            if self._stopped or self._broken is not None:
                waiter.set()
            else:
                self._waiters.setdefault(key, []).append(waiter)
        in_time = waiter.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        self._check_wait(in_time=in_time, ended=key not in self.live, timeout=timeout)

    def join(self, timeout: float | None) -> None:
        """Wait until every execution has ended; raises as :meth:`wait`."""

        self._not_from_here()

        def over() -> bool:
            return not self.live or self._stopped or self._broken is not None

        with self._changed:
            in_time = self._changed.wait_for(over, timeout)
        self._check_wait(in_time=in_time, ended=not self.live, timeout=timeout)

    def check(self) -> None:
        """Raise what keeps the engine from working: JournalError, or WorkflowError once it was stopped."""
        if self._broken is not None:
            raise self._broken
        if self._pausing:
            raise WorkflowError("the engine was stopped; open it again to go on")

    def release(self) -> None:
        """Let timers fire: until then, waits and timeouts that are over are held back."""
        with self._changed:
            self._holding = False
            self._changed.notify_all()

    def pause(self) -> None:
        """Run no more states; what comes in is still journaled."""
        self._not_from_here()
        with self._changed:
            self._pausing = True

    def stop(self) -> None:
        """Make the last turns, and end."""
        with self._changed:
            self._pausing = self._stopped = True
            self._changed.notify_all()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()
        self._wake_everybody()

    def _run(self) -> None:
        while (changes := self._take()) is not None:
            batch = Batch(self._clock.now(), telling=self._on_event is not None)
            try:
                for change in changes:
                    change(batch)
                self._interpreter.work(batch, pausing=self._pausing)
                with self._changed:
                    self.live.update(run.id for run in batch.begun)
                if batch:
                    self._journal.commit(batch)
                self._take_effect(batch)
                if batch.now >= self._tidy_at and not self._pausing:
                    self._tidy_at = batch.now + self._tidy()
            except JournalError as error:
                self._break(error)
                return
            except BaseException as error:
                # Nothing of this turn is journaled. What is in the journal is right; what is in memory may not be.
                _LOGGER.exception("the engine stops")
                self._break(JournalError(f"the engine stops, and loses nothing: {type(error).__name__}: {error}"))
                return

    def _take(self) -> list[Callable[[Batch], None]] | None:
        """What the next turn is about; None once the engine has stopped."""
        with self._changed:
            while not self._inbox and not self._stopped and (pause := self._pause_seconds()) > 0:
                self._clock.wait(self._changed, pause)
            if self._stopped and not self._inbox:
                return None
            changes = [self._inbox.popleft() for _ in range(min(len(self._inbox), _MOST_CHANGES))]
        now = self._clock.now()
        while not self._resting and self._timers and self._timers[0][0] <= now and len(changes) < 2 * _MOST_CHANGES:
            _, _, branch, ticket = heapq.heappop(self._timers)
            changes.append(partial(self._interpreter.wake, branch=branch, ticket=ticket))
        return changes

    @property
    def _resting(self) -> bool:
        """Whether no timer may fire."""
        return self._pausing or self._holding

    def _pause_seconds(self) -> float:
        if self._resting:
            return _LONGEST_NAP
        due = min(self._tidy_at, self._timers[0][0] if self._timers else self._tidy_at)
        return min(_LONGEST_NAP, due - self._clock.now())

    def _take_effect(self, batch: Batch) -> None:
        batch.settle()
        for due, branch, ticket in batch.timers:
            heapq.heappush(self._timers, (due, next(self._order), branch, ticket))
        if len(self._timers) > self._most_timers:
            # Most are of Tasks that have long ended, and would be held until their timeouts.
            self._timers = [timer for timer in self._timers if self._interpreter.awaits(*timer[2:])]
            heapq.heapify(self._timers)
            self._most_timers = 2 * len(self._timers) + _FEW_TIMERS
        for event in batch.told:
            try:
                assert self._on_event is not None
                self._on_event(event)
            except Exception:
                _LOGGER.exception("on_event failed")
        with self._changed:
            self.live.difference_update(ending.run.id for ending in batch.endings)
            waiters = [waiter for ending in batch.endings for waiter in self._waiters.pop(ending.run.id, ())]
            if batch.endings and not self.live:
                self._changed.notify_all()
        for waiter in waiters:
            waiter.set()
        for effect in batch.after:
            effect()

    def _give(self, reply: Future[Answer], answer: Answer) -> None:
        self._replies.discard(reply)
        reply.set_result(answer)

    def _break(self, error: JournalError) -> None:
        """The journal cannot be written: nothing may take effect any more; start, join and wait say so."""
        _LOGGER.debug("the engine stops: %s", error)
        with self._changed:
            self._broken = error
            replies, self._replies = self._replies, set()
        for reply in replies:
            reply.set_exception(error)
        self._wake_everybody()

    def _not_from_here(self) -> None:
        if threading.current_thread() is self._thread:
            raise WorkflowError("on_event runs on the engine's own thread, which cannot wait for itself: use another")

    def _wake_everybody(self) -> None:
        with self._changed:
            waiters, self._waiters = self._waiters, {}
            self._changed.notify_all()
        for waiter in itertools.chain(*waiters.values()):
            waiter.set()

    def _check_wait(self, *, in_time: bool, ended: bool, timeout: float | None) -> None:
        if ended:
            return
        self.check()
        if not in_time:
            raise WorkflowError(f"executions still run after {timeout:g} s; wait longer, or look at their history")
