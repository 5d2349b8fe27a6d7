"""The engine: runs executions of state machines on this machine and journals every change before it counts.

One thread owns all that runs (:mod:`scones.workflow.engine.loop`). In each turn it takes what has come in (starts,
answers, timers), works out what follows, journals all of it in one transaction, and then lets it take effect; so many
executions share one write to the disk. Functions are called by worker threads, and an answer that nobody waits for
any more is thrown away.
"""

from __future__ import annotations

import logging
import random as random_module
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from scones.errors import DefinitionError, WorkflowError
from scones.workflow.engine.batch import Batch
from scones.workflow.engine.clock import Clock, SystemClock
from scones.workflow.engine.data import DATA_LIMIT
from scones.workflow.engine.definition import load, read_again
from scones.workflow.engine.failure import RUNTIME, StartRefused, StateFailure, TaskTimedOut
from scones.workflow.engine.integrations import Integrations, Publish
from scones.workflow.engine.interpreter import Interpreter
from scones.workflow.engine.items import Objects
from scones.workflow.engine.journal import Journal
from scones.workflow.engine.jsontext import Json, digest, dump, dump_bytes
from scones.workflow.engine.jsontext import load as load_json
from scones.workflow.engine.loop import Loop
from scones.workflow.engine.machine import StateMachine
from scones.workflow.engine.reader import JournalReader, execution_arn
from scones.workflow.engine.records import Event, Execution, ExecutionDetail, Status
from scones.workflow.engine.run import Run
from scones.workflow.engine.starting import check_start, machine_name
from scones.workflow.engine.workers import Outcome, Workers

__all__ = ["Engine"]

_LOGGER = logging.getLogger(__name__)
_DAY: Final = 86_400.0
_TIDY_EVERY: Final = 3600.0
"""Seconds between two looks for executions that are too old to be kept."""
_PREFETCH: Final = 2
"""Calls under way for each worker, so that no worker waits for the disk."""


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
        first: called once, with the engine, when it is open and before any wait or timeout ends: what was answered
            while no engine ran then counts, though the time for it has passed meanwhile. What it raises keeps the
            engine from being opened.

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
        first: Callable[[Engine], object] | None = None,
    ) -> None:
        self._machines = {
            name: given if isinstance(given, StateMachine) else load(given, source=f"the machine {name}")
            for name, given in machines.items()
        }
        self._clock = clock or SystemClock()
        self._random = random or random_module.SystemRandom()
        self._keep = (keep_days * _DAY, keep_count)
        self._definitions: dict[str, StateMachine] = {}
        self._unreadable: dict[str, DefinitionError] = {}
        self._closed = False
        with ExitStack() as opened:
            self._journal = Journal(Path(journal_path))
            opened.callback(self._journal.close)
            self._reader = Journal.open_readonly(Path(journal_path))
            opened.callback(self._reader.close)
            self._loop = Loop(self._journal, self._clock, on_event, self._tidy)
            opened.callback(self._loop.stop)
            self._workers = Workers(concurrency, self._clock)
            opened.callback(self._workers.stop, 0.0)
            integrations = Integrations(functions or {}, objects, publish, self._clock, self._random)
            self._interpreter = Interpreter(
                self._journal, self._machines, integrations, self._random, self._workers, concurrency * _PREFETCH,
                self._clock.now, self._loop.post,
            )  # fmt: skip
            self._loop.start(self._interpreter)
            self.recover()
            if first is not None:
                first(self)
            self._loop.release()
            opened.pop_all()

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
        given = load_json(dump(given))  # the caller may go on to change its own
        fingerprint = digest(given)

        def begin(batch: Batch) -> Execution | None:
            known = self._interpreter.known(batch, machine, name)
            if known is None:
                self._interpreter.begin(batch, machine, definition, name, given, fingerprint)
            elif known[0] != fingerprint:
                raise StartRefused(
                    "ExecutionAlreadyExists",
                    f"machine {machine} has had an execution {name!r} with another input; choose another name",
                )
            run = self._interpreter.named.get((machine, name))
            return None if run is None else _running(run)

        return self._loop.ask(begin) or self._open_reader.describe(name, machine)

    def status(self, name: str, machine: str | None = None) -> Status:
        """An execution's status; raises as :meth:`describe`."""
        return self._open_reader.status(name, machine)

    def describe(self, name: str, machine: str | None = None) -> ExecutionDetail:
        """An execution by name or ARN.

        Raises:
            ExecutionMissing: there is none.
            WorkflowError: several machines have one of that name, and ``machine`` does not say which.
        """
        return self._open_reader.describe(name, machine)

    def history(self, name: str, machine: str | None = None) -> list[Event]:
        """An execution's events, oldest first; raises as :meth:`describe`."""
        return self._open_reader.history(name, machine)

    def executions(self, machine: str | None = None, status: Status | None = None, limit: int = 100) -> list[Execution]:
        """The newest executions, newest first, of one machine or with one status where these are given."""
        return self._open_reader.executions(machine, status, limit)

    @property
    def running(self) -> int:
        """How many executions run, those of distributed Maps among them."""
        return len(self._loop.live)

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
            running = self._interpreter.named.get((machine or "", name))
            key = self._open_reader.find(name, machine) if running is None else running.id
            self._loop.wait(key, timeout, deadline)
        return [self._open_reader.describe(name, machine) for name in names]

    def join(self, timeout: float | None = None) -> None:
        """Wait until every execution has ended; raises as :meth:`wait`."""
        self._loop.join(timeout)

    def abort(self, name: str, machine: str | None = None, *, error: str = "", cause: str = "") -> None:
        """End a running execution as ABORTED; one that has ended stays as it is.

        Raises:
            ExecutionMissing: there is none of that name.
        """
        key = self._open_reader.find(name, machine)

        def abort(batch: Batch) -> None:
            run = self._interpreter.runs.get(key)
            if run is not None:
                self._interpreter.end(batch, run, "ABORTED", error=error, cause=cause)

        self._loop.ask(abort)

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
        if (size := len(dump_bytes(output))) > DATA_LIMIT:
            raise StartRefused("InvalidOutput", f"the output is {size:,} bytes; at most {DATA_LIMIT:,} can be given")
        self._answer_token(token, output)

    def send_task_failure(self, token: str, error: str = "", cause: str = "") -> None:
        """Fail a Task that waits for its token; raises as :meth:`send_task_success`."""
        self._answer_token(token, StateFailure(error or "", cause or ""))

    def send_task_heartbeat(self, token: str) -> None:
        """Say that a Task is being worked on, so that its HeartbeatSeconds begin anew; raises as above."""
        if not self._loop.ask(lambda batch: self._interpreter.tasks.heartbeat(batch, token)):
            raise TaskTimedOut

    def recover(self) -> int:
        """Take up every execution of the journal that runs and that nobody runs; answers how many.

        Opening an engine does this. Waits and timeouts go on from when they began, whatever time the
        process was not there.
        """

        def recover(batch: Batch) -> int:
            ending = {one.run.id for one in batch.endings}
            known = self._interpreter.runs.keys() | ending
            found = [run for run in self._journal.running(self._definition) if run.id not in known]
            self._loop.live.update(run.id for run in found)
            for run in found:  # all of them first: one may wait for another
                self._interpreter.adopt(batch, run)
            for run in found:
                if (fault := self._unreadable.get(run.machine.hash)) is None:
                    self._interpreter.resume(batch, run)
                else:
                    self._interpreter.end(batch, run, "FAILED", error=RUNTIME, cause=str(fault))
            return len(found)

        return self._loop.ask(recover)

    def prune(self, *, days: float | None = None, count: int | None = None) -> int:
        """Remove executions that have ended, with their histories; answers how many.

        The engine does this by itself, by ``keep_days`` and ``keep_count``, when it is opened and every hour.
        A name that is forgotten can be started again.

        Args:
            days: those that ended so many days ago or more; None for the engine's own setting.
            count: all but the newest so many; None for the engine's own setting.
        """
        before = self._clock.now() - (self._keep[0] if days is None else days * _DAY)
        keep = self._keep[1] if count is None else count
        removed = 0
        while some := self._loop.ask(lambda _: self._journal.prune(before, keep)):
            removed += some
        return removed

    def stop(self, grace: float = 10.0) -> None:
        """Start no more states, let the running ones end, and close the journal.

        Args:
            grace: seconds to wait for running functions. One that takes longer is given up, and runs
                again when the engine is opened again.
        """
        self._loop.pause()
        if not self._workers.stop(grace):
            _LOGGER.warning("functions still ran after %g s; they run again when the engine is opened again", grace)
        self._loop.stop()
        self._closed = True
        self._reader.close()
        self._journal.close()

    @property
    def _open_reader(self) -> JournalReader:
        if self._closed:
            raise WorkflowError("the engine was stopped; open it again, or read its journal: Journal.open_readonly")
        return self._reader

    def check(self) -> None:
        """Raise what keeps the engine from working: JournalError, or WorkflowError once it was stopped."""
        self._loop.check()

    def _answer_token(self, token: str, outcome: Outcome) -> None:
        if not self._loop.ask(lambda batch: self._interpreter.tasks.answer(batch, token, outcome)):
            raise TaskTimedOut

    def _definition(self, fingerprint: str) -> StateMachine:
        if fingerprint not in self._definitions:
            text = self._journal.definition(fingerprint)
            try:
                self._definitions[fingerprint] = read_again(text)
            except DefinitionError as fault:
                # It must not keep the others from going on.
                unreadable = StateMachine(text=text, start_at="", states={}, timeout=None)
                self._unreadable[unreadable.hash] = fault
                self._definitions[fingerprint] = unreadable
        return self._definitions[fingerprint]

    def _tidy(self) -> float:
        """Remove some of what is too old to be kept; answers in how many seconds to look again."""
        some = self._journal.prune(self._clock.now() - self._keep[0], self._keep[1])
        return 0.0 if some else _TIDY_EVERY


def _running(run: Run) -> Execution:
    return Execution(
        run.machine_name, run.name, execution_arn(run.machine_name, run.name), "RUNNING",
        datetime.fromtimestamp(run.started, UTC), None, None, None,
    )  # fmt: skip
