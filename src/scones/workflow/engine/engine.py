"""The engine: runs executions of state machines on this machine and journals every change before it counts.

One thread owns all that runs. In each turn it takes what has come in (starts, answers, timers), works out what
follows, journals all of it in one transaction, and then lets it take effect; so many executions share one write to
the disk. Functions are called by worker threads, and an answer that nobody waits for any more is thrown away.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import random as random_module
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Final, Generic, TypeVar

from scones.errors import JournalError, WorkflowError
from scones.workflow.engine.batch import Batch
from scones.workflow.engine.clock import Clock, SystemClock
from scones.workflow.engine.definition import load
from scones.workflow.engine.failure import StartRefused, StateFailure, TaskTimedOut
from scones.workflow.engine.integrations import Integrations, Publish
from scones.workflow.engine.interpreter import Interpreter
from scones.workflow.engine.items import Objects
from scones.workflow.engine.journal import Journal
from scones.workflow.engine.jsontext import Json, digest, dump
from scones.workflow.engine.jsontext import load as load_json
from scones.workflow.engine.machine import StateMachine
from scones.workflow.engine.reader import execution_arn
from scones.workflow.engine.records import Event, Execution, ExecutionDetail, Status
from scones.workflow.engine.run import Branch, Run
from scones.workflow.engine.starting import check_start, machine_name
from scones.workflow.engine.workers import Outcome, Workers

__all__ = ["Engine"]

_LOGGER = logging.getLogger(__name__)
_LONGEST_NAP: Final = 60.0
"""Seconds after which the clock is looked at again: the time of day may be set, or the machine sleep."""
_MOST_CHANGES: Final = 256
"""Changes that one turn takes, so that none waits long for the disk."""
_PREFETCH: Final = 2
"""Calls under way for each worker, so that no worker waits for the disk."""

Answer = TypeVar("Answer")


class _Reply(Generic[Answer]):
    """The answer to a caller that waits for a turn."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._error: BaseException | None = None
        self._answer: Answer | None = None

    def give(self, answer: Answer) -> None:
        self._answer = answer
        self._done.set()

    def refuse(self, error: BaseException) -> None:
        self._error = error
        self._done.set()

    def wait(self) -> Answer:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._answer  # type: ignore[return-value]


class Engine:
    """Runs executions; a process that is killed goes on where it was when the engine is opened again.

    A Task that was running when the process died runs again, so a function sees its event at least once.

    Args:
        journal_path: the journal's file, made where it is missing. One engine at a time may use it.
        machines: the machines by name: loaded, or as a definition without substitutions. An execution
            ends on the definition that it began with, whatever stands here after a restart.
        functions: handlers ``handler(event, context)`` by the name that FunctionName or the ARN has.
        objects: the object store that machines read and write (``s3:getObject`` and its like).
        publish: publishes a message of ``sns:publish``, and answers its id.
        clock: the time of day.
        random: for jitter, ``States.UUID`` and the names of executions started without one.
        concurrency: how many calls run at the same time.
        keep_days: days after which an execution that has ended is removed with its history ...
        keep_count: ... or when so many newer ones have ended.
        on_event: told of every event after it was journaled, in order, from the engine's own thread. It
            must be quick; what it raises is logged.

    Raises:
        DefinitionError: a machine's definition is wrong.
        JournalError: the journal cannot be used.
    """

    def __init__(
        self,
        journal_path: Path | str,
        machines: Mapping[str, StateMachine | str | Mapping[str, Json]],
        functions: Mapping[str, Callable[..., object]] | None = None,
        objects: Objects | None = None,
        publish: Publish | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        concurrency: int = 8,
        keep_days: float = 90.0,
        keep_count: int = 1_000_000,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._machines = {
            name: given if isinstance(given, StateMachine) else load(given, source=f"the machine {name}")
            for name, given in machines.items()
        }
        self._clock = clock or SystemClock()
        self._random = random or random_module.SystemRandom()
        self._on_event = on_event
        self._keep = (keep_days * 86_400.0, keep_count)
        self._definitions: dict[str, StateMachine] = {}
        self._inbox: deque[Callable[[Batch], None]] = deque()
        self._replies: set[_Reply[object]] = set()
        self._timers: list[tuple[float, int, Branch, int]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._live: set[int] = set()  # what runs, as the journal knows it
        self._waiters: dict[int, list[threading.Event]] = {}
        self._broken: JournalError | None = None
        self._stopping = self._stopped = False
        self._journal = Journal(Path(journal_path))
        try:
            self._reader = Journal.open_readonly(Path(journal_path))
            integrations = Integrations(functions or {}, objects, publish, self._clock, self._random)
            self._workers = Workers(concurrency, self._clock)
            self._interpreter = Interpreter(
                self._journal,
                self._machines,
                integrations,
                self._random,
                concurrency * _PREFETCH,
                post=self._post,
                submit=self._workers.submit,
                give_up=self._workers.give_up,
                ended=self._tell_waiters,
            )
            self._thread = threading.Thread(target=self._run, name="scones-engine", daemon=True)
            self._thread.start()
            self.recover()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, machine: str, given: Json, name: str | None = None) -> Execution:
        """Start an execution, and answer before it has run.

        The same name with the same input answers the execution that there is, also when it has ended
        (AWS refuses that), so that whoever was killed after a start can start again.

        Args:
            machine: the machine's name or ARN.
            given: the input, JSON of at most 262,144 bytes.
            name: 1 to 80 letters, digits or ``-_.@+=()!'``, unique for the machine; None makes one up.

        Raises:
            StartRefused: ``StateMachineDoesNotExist``, ``InvalidName``, ``InvalidExecutionInput``, or
                ``ExecutionAlreadyExists`` where the name is taken by an execution with another input.
            JournalError: the execution could not be journaled, and so was not started.
        """
        machine = machine_name(machine)
        name = str(uuid.UUID(int=self._random.getrandbits(128), version=4)) if name is None else name
        definition = check_start(self._machines, machine, given, name)
        fingerprint = digest(given)
        given = load_json(dump(given))  # the caller may go on to change its own

        def begin(batch: Batch) -> Execution | None:
            run = self._interpreter.named.get((machine, name))
            known = run.digest if run is not None else self._journal.known(machine, name)
            if known is None:
                run = self._interpreter.begin(batch, machine, definition, name, given, fingerprint)
            elif known != fingerprint:
                raise StartRefused(
                    "ExecutionAlreadyExists",
                    f"machine {machine} has had an execution {name!r} with another input; choose another name",
                )
            return None if run is None else _running(run)

        return self._ask(begin) or self._reader.describe(name, machine)

    def status(self, name: str, machine: str | None = None) -> Status:
        """An execution's status; raises as :meth:`describe`."""
        return self._reader.status(name, machine)

    def describe(self, name: str, machine: str | None = None) -> ExecutionDetail:
        """An execution by name or ARN.

        Raises:
            ExecutionMissing: there is none.
            WorkflowError: several machines have one of that name, and ``machine`` does not say which.
        """
        return self._reader.describe(name, machine)

    def history(self, name: str, machine: str | None = None) -> list[Event]:
        """An execution's events, oldest first; raises as :meth:`describe`."""
        return self._reader.history(name, machine)

    def executions(self, machine: str | None = None, status: Status | None = None, limit: int = 100) -> list[Execution]:
        """The newest executions, newest first, of one machine or with one status where these are given."""
        return self._reader.executions(machine, status, limit)

    @property
    def running(self) -> int:
        """How many executions run, those of distributed Maps among them."""
        return len(self._live)

    def wait(self, *names: str, machine: str | None = None, timeout: float | None = None) -> list[ExecutionDetail]:
        """Wait until executions have ended, and answer them.

        Args:
            names: their names or ARNs.
            machine: the machine that they are of, where the names alone do not say.
            timeout: seconds to wait at most.

        Raises:
            ExecutionMissing: there is none of such a name.
            WorkflowError: they have not ended in time, or the engine was stopped.
            JournalError: the engine broke because its journal could not be written.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        for name in names:
            self._wait_for(self._reader.find(name, machine), timeout, deadline)
        return [self._reader.describe(name, machine) for name in names]

    def join(self, timeout: float | None = None) -> None:
        """Wait until every execution has ended; raises as :meth:`wait`."""
        with self._changed:
            in_time = self._changed.wait_for(lambda: not self._live or self._over, timeout)
        self._check_wait(in_time=in_time, ended=not self._live, timeout=timeout)

    def abort(self, name: str, machine: str | None = None, *, error: str = "", cause: str = "") -> None:
        """End a running execution as ABORTED; one that has ended stays as it is.

        Raises:
            ExecutionMissing: there is none of that name.
        """
        key = self._reader.find(name, machine)

        def abort(batch: Batch) -> None:
            run = self._interpreter.runs.get(key)
            if run is not None:
                self._interpreter.end(batch, run, "ABORTED", error=error, cause=cause)

        self._ask(abort)

    def send_task_success(self, token: str, output: Json) -> None:
        """Give the result of a Task that waits for its token.

        Raises:
            TaskTimedOut: no Task waits for this token: it has ended, or there never was one.
            StartRefused: ``InvalidOutput``, where the output is no JSON.
        """
        try:
            output = load_json(dump(output))
        except (TypeError, ValueError, RecursionError) as error:
            raise StartRefused("InvalidOutput", f"the output is not JSON: {error}") from error
        self._answer_token(token, output)

    def send_task_failure(self, token: str, error: str = "", cause: str = "") -> None:
        """Fail a Task that waits for its token; raises as :meth:`send_task_success`."""
        self._answer_token(token, StateFailure(error, cause))

    def send_task_heartbeat(self, token: str) -> None:
        """Say that a Task is being worked on, so that its HeartbeatSeconds begin anew; raises as above."""
        if not self._ask(lambda batch: self._interpreter.heartbeat(batch, token)):
            raise TaskTimedOut

    def recover(self) -> int:
        """Take up every execution of the journal that runs and that nobody runs; answers how many.

        Opening an engine does this. Waits and timeouts go on from when they began, whatever time the
        process was not there.
        """

        def recover(batch: Batch) -> int:
            found = [run for run in self._journal.running(self._definition) if run.id not in self._interpreter.runs]
            # All of them first: one may wait for another.
            self._interpreter.runs.update((run.id, run) for run in found)
            self._live.update(run.id for run in found)
            for run in found:
                self._interpreter.resume(batch, run)
            return len(found)

        return self._ask(recover)

    def prune(self, *, days: float | None = None, count: int | None = None) -> int:
        """Remove executions that have ended, with their histories; answers how many.

        The engine does this by itself, by ``keep_days`` and ``keep_count``, when it is opened and every hour.
        A name that is forgotten can be started again.

        Args:
            days: those that ended so many days ago or more; None for the engine's own setting.
            count: all but the newest so many; None for the engine's own setting.
        """
        before = self._clock.now() - (self._keep[0] if days is None else days * 86_400.0)
        keep = self._keep[1] if count is None else count
        removed = 0
        while some := self._ask(lambda _: self._journal.prune(before, keep)):
            removed += some
        return removed

    def stop(self, grace: float = 10.0) -> None:
        """Start no more states, let the running ones end, and close the journal.

        Args:
            grace: seconds to wait for running functions. One that takes longer is given up, and runs
                again when the engine is opened again.
        """
        with self._changed:
            self._stopping = True
        if hasattr(self, "_workers") and not self._workers.stop(grace):
            _LOGGER.warning("functions still ran after %g s; they run again when the engine is opened again", grace)
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if hasattr(self, "_thread") and self._thread is not threading.current_thread():
            self._thread.join()
        if hasattr(self, "_reader"):
            self._reader.close()
        self._journal.close()
        self._wake_everybody()

    def check(self) -> None:
        """Raise what keeps the engine from working: JournalError, or WorkflowError once it was stopped."""
        if self._broken is not None:
            raise self._broken
        if self._stopping:
            raise WorkflowError("the engine was stopped; open it again to go on")

    # The engine's thread

    def _run(self) -> None:
        while (changes := self._take()) is not None:
            batch = Batch(self._clock.now(), self._on_event is not None)
            for change in changes:
                change(batch)
            try:
                self._interpreter.work(batch)
                if batch:
                    self._journal.commit(batch)
            except JournalError as error:
                self._break(error)
                return
            self._take_effect(batch)

    def _take(self) -> list[Callable[[Batch], None]] | None:
        """What the next turn is about; None once the engine has stopped."""
        with self._changed:
            while not self._inbox and not self._stopped and (pause := self._pause()) > 0:
                self._clock.wait(self._changed, pause)
            if self._stopped and not self._inbox:
                return None
            changes = [self._inbox.popleft() for _ in range(min(len(self._inbox), _MOST_CHANGES))]
        if not self._stopping:
            now = self._clock.now()
            while self._timers and self._timers[0][0] <= now:
                _, _, branch, ticket = heapq.heappop(self._timers)
                changes.append(partial(self._interpreter.wake, branch=branch, ticket=ticket))
        return changes

    def _pause(self) -> float:
        if not self._timers or self._stopping:
            return _LONGEST_NAP
        return min(_LONGEST_NAP, self._timers[0][0] - self._clock.now())

    def _take_effect(self, batch: Batch) -> None:
        batch.settle()
        self._live.update(run.id for run in batch.begun)
        for due, branch, ticket in batch.timers:
            heapq.heappush(self._timers, (due, next(self._order), branch, ticket))
        for event in batch.told:
            try:
                assert self._on_event is not None
                self._on_event(event)
            except Exception:
                _LOGGER.exception("on_event failed")
        for effect in batch.after:
            effect()
        if batch.endings and not self._live:
            with self._changed:
                self._changed.notify_all()

    def _post(self, change: Callable[[Batch], None]) -> None:
        """Hand a change to the next turn, from any thread."""
        with self._changed:
            self._inbox.append(change)
            self._changed.notify_all()

    def _ask(self, change: Callable[[Batch], Answer]) -> Answer:
        """Have a change made, and answer what it answers once it is journaled."""
        reply: _Reply[Answer] = _Reply()

        def turn(batch: Batch) -> None:
            try:
                answer = change(batch)
            except JournalError as error:
                reply.refuse(error)
                raise
            except Exception as error:  # noqa: BLE001 - the caller's to deal with
                reply.refuse(error)
            else:
                batch.after.append(lambda: self._give(reply, answer))

        with self._changed:
            self.check()
            self._replies.add(reply)  # type: ignore[arg-type]
            self._inbox.append(turn)
            self._changed.notify_all()
        return reply.wait()

    def _give(self, reply: _Reply[Answer], answer: Answer) -> None:
        self._replies.discard(reply)  # type: ignore[arg-type]
        reply.give(answer)

    def _answer_token(self, token: str, outcome: Outcome) -> None:
        if not self._ask(lambda batch: self._interpreter.token_answer(batch, token, outcome)):
            raise TaskTimedOut

    def _definition(self, fingerprint: str) -> StateMachine:
        if fingerprint not in self._definitions:
            self._definitions[fingerprint] = load(self._journal.definition(fingerprint), source="the journal")
        return self._definitions[fingerprint]

    def _break(self, error: JournalError) -> None:
        """The journal cannot be written: nothing may take effect any more; start, join and wait say so."""
        with self._changed:
            self._broken = error
            replies, self._replies = self._replies, set()
        _LOGGER.debug("the engine stops: %s", error)
        for reply in replies:
            reply.refuse(error)
        self._wake_everybody()

    # Those who wait

    @property
    def _over(self) -> bool:
        return self._stopped or self._broken is not None

    def _tell_waiters(self, run: Run) -> None:
        with self._changed:
            self._live.discard(run.id)
            waiters = self._waiters.pop(run.id, ())
        for waiter in waiters:
            waiter.set()

    def _wake_everybody(self) -> None:
        with self._changed:
            waiters, self._waiters = self._waiters, {}
            self._changed.notify_all()
        for waiter in itertools.chain(*waiters.values()):
            waiter.set()

    def _wait_for(self, key: int, timeout: float | None, deadline: float | None) -> None:
        waiter = threading.Event()
        with self._changed:
            if key not in self._live:
                return
            if not self._over:
                self._waiters.setdefault(key, []).append(waiter)
            else:
                waiter.set()
        in_time = waiter.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        self._check_wait(in_time=in_time, ended=key not in self._live, timeout=timeout)

    def _check_wait(self, *, in_time: bool, ended: bool, timeout: float | None) -> None:
        if ended:
            return
        self.check()
        if not in_time:
            raise WorkflowError(f"executions still run after {timeout:g} s; wait longer, or look at their history")


def _running(run: Run) -> Execution:
    return Execution(
        run.machine_name, run.name, execution_arn(run.machine_name, run.name), "RUNNING",
        datetime.fromtimestamp(run.started, UTC), None, None, None,
    )  # fmt: skip
