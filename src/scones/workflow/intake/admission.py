"""The door: an arrival's execution is started once, and only so many of them run at a time."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

from scones.store import Bucket
from scones.workflow.arrivals import MACHINE, execution_name, executions_of, outcome_of, start_arrival
from scones.workflow.intake.ended import Ended
from scones.workflow.repeats import newest

if TYPE_CHECKING:
    from scones.workflow.engine import Engine, Event, Status
    from scones.workflow.intake.dead_letters import DeadLetters

__all__ = ["Admission", "Begun"]

_ALL: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Begun:
    """An arrival's execution: its name and its status."""

    name: str
    status: Status


class Admission:
    """Starts executions of arrivals from several threads, and counts those that run and how they end.

    Args:
        bucket: the arrivals' bucket.
        letters: the dead letters: such an arrival is not started again by itself.
        most: how many executions may run at a time.
    """

    def __init__(self, bucket: Bucket, letters: DeadLetters, most: int) -> None:
        self.bucket, self.letters, self.most = bucket, letters, most
        self.outcomes: Counter[str] = Counter()
        """How executions ended since the engine was opened."""
        self.first_failure: Ended | None = None
        self.ended: SimpleQueue[Ended | None] = SimpleQueue()
        """What has ended, for whoever follows it up; None only wakes them."""
        self._lock = threading.Lock()
        self._running: dict[str, str] = {}  # keys by execution
        self._unseen: set[str] = set()  # ended, and not followed up yet
        self._gone: set[str] | None = set()  # ended before it was known what ran; None: it is known
        self._starting = 0
        self._closed = False
        self._engine: Engine | None = None

    def heed(self, event: Event) -> None:
        """Hear of what happens; the engine's ``on_event`` calls it, from one thread."""
        if event.machine != MACHINE:
            return
        if event.type == "ExecutionStarted":
            given = event.details.get("input")
            key = str(given.get("s3_key", "")) if isinstance(given, dict) else ""
            with self._lock:
                self._running[event.execution] = key
        elif (status := event.ended) is not None:
            self.outcomes[outcome_of(status, event.details.get("output"))] += 1
            error, cause = str(event.details.get("error") or ""), str(event.details.get("cause") or "")
            with self._lock:
                key = self._running.pop(event.execution, "")
                ended = Ended(event.execution, key, status, error, cause, event.time)
                if self._gone is not None:
                    self._gone.add(event.execution)
                if status != "SUCCEEDED" and self.first_failure is None:
                    self.first_failure = ended
                self._unseen.add(event.execution)
                self.ended.put(ended)  # before anybody can see that it no longer runs

    def attach(self, engine: Engine) -> int:
        """Begin with an engine; answers how many executions it took up that an earlier process had not finished.

        Raises:
            JournalError: the journal cannot be read.
        """
        self._engine = engine
        found = [execution.name for execution in engine.executions(MACHINE, "RUNNING", _ALL)]
        with self._lock:
            assert self._gone is not None
            left = [name for name in found if name not in self._gone]
            self._running = dict.fromkeys(left, "") | self._running
            self._gone = None
        return len(left)

    @property
    def running(self) -> int:
        """How many executions of arrivals run."""
        with self._lock:
            return len(self._running)

    @property
    def full(self) -> bool:
        """Whether no more may be started now."""
        with self._lock:
            return len(self._running) + self._starting >= self.most

    @property
    def closed(self) -> bool:
        """Whether nothing is started any more: the process ends."""
        return self._closed

    def follow_up(self, ended: Ended) -> None:
        """What has ended is seen to."""
        with self._lock:
            self._unseen.discard(ended.name)

    def to_be_seen_to(self, name: str) -> bool:
        """Whether an execution runs, or is among what ``ended`` still holds."""
        with self._lock:  # the journal knows of an end a moment before this does
            return name in self._unseen or name in self._running

    def close(self) -> None:
        """Start nothing any more."""
        self._closed = True

    def wake(self) -> None:
        """Wake whoever waits for the next end."""
        self.ended.put(None)

    def begin(self, key: str, *, retry: bool = False) -> Begun | None:
        """Start an arrival's execution unless it was started before; None where there is no room, or it is closed.

        A dead letter counts as an execution that failed, also where the journal knows of none.

        Args:
            key: where its picture lies.
            retry: start it anew where it ended without a result.

        Raises:
            JournalError: it could not be journaled, and so was not started.
            WorkflowError: the engine was stopped.
            StoreError: only with ``retry``: its results cannot be looked up.
        """
        assert self._engine is not None, "attach an engine first"
        earlier = executions_of(self._engine, self.bucket, key)
        before = newest(earlier)
        if before is not None and (not retry or before[1] == "RUNNING"):
            with self._lock:
                if self._running.get(before[0]) == "":  # an earlier process began it
                    self._running[before[0]] = key
            return Begun(*before)
        if before is None and not retry and key in self.letters:
            return Begun(execution_name(self.bucket, key), "FAILED")
        with self._lock:
            if self._closed or len(self._running) + self._starting >= self.most:
                return None
            self._starting += 1
        try:
            return Begun(*start_arrival(self._engine, self.bucket, key, retry_failed=retry, earlier=earlier))
        finally:
            with self._lock:
                self._starting -= 1
