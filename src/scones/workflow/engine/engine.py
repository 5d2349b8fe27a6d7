"""The engine: runs executions of state machines on this machine and journals every change before it counts.

A state is run by a worker thread. Each time that an execution's fate is settled its ticket changes; an
answer that comes with an old ticket, from a function that was given up, is thrown away. So a Task's
timeout, the machine's timeout and an abort need no help from the function that hangs.
"""

from __future__ import annotations

import logging
import random as random_module
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random

from scones.errors import JournalError, WorkflowError
from scones.workflow.engine.clock import Clock, SystemClock
from scones.workflow.engine.definition import load
from scones.workflow.engine.failure import RUNTIME, TIMEOUT, StartRefused, StateFailure
from scones.workflow.engine.integrations import Integrations, PutObject
from scones.workflow.engine.journal import Journal
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import StateMachine, Task
from scones.workflow.engine.reader import execution_arn
from scones.workflow.engine.records import (
    Change,
    Ended,
    Entered,
    Event,
    Execution,
    ExecutionDetail,
    NewEvent,
    Pending,
    Status,
)
from scones.workflow.engine.run import Run
from scones.workflow.engine.scheduler import Scheduler
from scones.workflow.engine.starting import check_start
from scones.workflow.engine.states import Done, perform
from scones.workflow.engine.transitions import begin, context_object, decide, fail

__all__ = ["Engine"]

_LOGGER = logging.getLogger(__name__)


class Engine:
    """Runs executions; a process that is killed goes on where it was when the engine is opened again.

    A Task that was running when the process died runs again, so a function sees its event at least once.

    Args:
        journal_path: the journal's file, made where it is missing. One engine at a time may use it.
        machines: the machines by name: loaded, or as a definition without substitutions. An execution
            ends on the definition that it began with, whatever stands here after a restart.
        functions: handlers ``handler(event, context)`` by the name that FunctionName or the ARN has.
        put_object: writes an object for ``aws-sdk:s3:putObject``: bucket, key, body.
        clock: the time of day.
        random: for jitter, ``States.UUID`` and the names of executions started without one.
        concurrency: how many states run at the same time.
        on_event: told of every event after it was journaled, in the order of each execution, from
            several threads at once. It must be quick; what it raises is logged.

    Raises:
        DefinitionError: a machine's definition is wrong.
        JournalError: the journal cannot be used.
    """

    def __init__(
        self,
        journal_path: Path | str,
        machines: Mapping[str, StateMachine | str | Mapping[str, Json]],
        functions: Mapping[str, Callable[..., object]] | None = None,
        put_object: PutObject | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        concurrency: int = 8,
        on_event: Callable[[Event], None] | None = None,
    ) -> None:
        self._machines = {
            name: given if isinstance(given, StateMachine) else load(given, source=f"the machine {name}")
            for name, given in machines.items()
        }
        self._clock = clock or SystemClock()
        self._random = random or random_module.SystemRandom()
        self._on_event = on_event
        self._integrations = Integrations(functions or {}, put_object, self._start_from_task, self._clock, self._random)
        self._definitions: dict[str, StateMachine] = {}
        self._live: dict[int, Run] = {}
        self._changed = threading.Condition()
        self._starting = threading.RLock()
        self._broken: JournalError | None = None
        self._stopped = False
        self._journal = Journal(Path(journal_path))
        self._scheduler: Scheduler[Run] = Scheduler(self._work, self._clock, concurrency)
        try:
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
        machine = machine.rsplit(":", 1)[-1] if machine.startswith("arn:") else machine
        name = str(uuid.UUID(int=self._random.getrandbits(128), version=4)) if name is None else name
        definition = check_start(self._machines, machine, given, name)
        with self._starting:
            self.check()
            events, entered = begin(definition, given, self._clock.now())
            pending, written = self._journal.begin(machine, name, definition, entered, events)
            self._publish(written)
            if pending is not None:
                self._adopt(pending, definition)
        return self._journal.describe(name, machine)

    def status(self, name: str, machine: str | None = None) -> Status:
        """An execution's status; raises as :meth:`describe`."""
        return self._journal.status(name, machine)

    def describe(self, name: str, machine: str | None = None) -> ExecutionDetail:
        """An execution by name or ARN.

        Raises:
            ExecutionMissing: there is none.
            WorkflowError: several machines have one of that name, and ``machine`` does not say which.
        """
        return self._journal.describe(name, machine)

    def history(self, name: str, machine: str | None = None) -> list[Event]:
        """An execution's events, oldest first; raises as :meth:`describe`."""
        return self._journal.history(name, machine)

    def executions(self, machine: str | None = None, status: Status | None = None, limit: int = 100) -> list[Execution]:
        """The newest executions, newest first, of one machine or with one status where these are given."""
        return self._journal.executions(machine, status, limit)

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
        with self._starting:  # what is in the journal is live then, or has ended
            keys = [self._journal.find(name, machine) for name in names]
        self._wait_for(lambda: not any(key in self._live for key in keys), timeout)
        return [self._journal.describe(name, machine) for name in names]

    def join(self, timeout: float | None = None) -> None:
        """Wait until every execution has ended; raises as :meth:`wait`."""
        self._wait_for(lambda: not self._live, timeout)

    def abort(self, name: str, machine: str | None = None, *, error: str = "", cause: str = "") -> None:
        """End a running execution as ABORTED; one that has ended stays as it is.

        Raises:
            ExecutionMissing: there is none of that name.
        """
        with self._starting:  # what is in the journal is live then, or has ended
            run = self._live.get(self._journal.find(name, machine))
        if run is not None:
            details = {"error": error, "cause": cause}
            self._end_now(run, [NewEvent("ExecutionAborted", None, details)], Ended("ABORTED", None, error, cause))

    def recover(self) -> int:
        """Take up every execution of the journal that runs and that nobody runs; answers how many.

        Opening an engine does this. Waits and timeouts go on from when they began, whatever time the
        process was not there.
        """
        with self._starting:
            # In this order: one that ends in between must not be taken up again.
            with self._changed:
                live = set(self._live)
            orphans = [pending for pending in self._journal.pending() if pending.id not in live]
            for pending in orphans:
                self._adopt(pending, self._definition(pending.definition))
        return len(orphans)

    def stop(self, grace: float = 10.0) -> None:
        """Start no more states, let the running ones end, and close the journal.

        Args:
            grace: seconds to wait for running functions. One that takes longer is given up, and runs
                again when the engine is opened again.
        """
        self._scheduler.halt()
        if not self._scheduler.join(grace):
            _LOGGER.warning("functions still ran after %g s; they run again when the engine is opened again", grace)
        self._stopped = True
        self._journal.close()
        with self._changed:
            self._changed.notify_all()

    def _start_from_task(self, machine: str, given: Json, name: str) -> tuple[str, float]:
        try:
            execution = self.start(machine, given, name)
        except StartRefused as error:
            raise StateFailure(f"StepFunctions.{error.error}Exception", str(error)) from error
        return execution.arn, execution.started.timestamp()

    def _definition(self, fingerprint: str) -> StateMachine:
        if fingerprint not in self._definitions:
            self._definitions[fingerprint] = load(self._journal.definition(fingerprint), source="the journal")
        return self._definitions[fingerprint]

    def _adopt(self, pending: Pending, machine: StateMachine) -> None:
        run = Run(pending, machine)
        with self._changed:
            self._live[pending.id] = run
        if machine.timeout is not None:
            deadline = pending.started + machine.timeout
            cause = f"The execution took longer than its {machine.timeout} s"
            event = NewEvent("ExecutionTimedOut", None, {"error": TIMEOUT, "cause": cause})
            ended = Ended("TIMED_OUT", None, TIMEOUT, cause)
            self._scheduler.at(deadline, lambda: self._end_now(run, [event], ended))
            if deadline <= self._clock.now():
                return
        self._schedule(run)

    def _schedule(self, run: Run) -> None:
        if run.at.due is None:
            self._scheduler.submit(run)
        else:
            self._scheduler.at(run.at.due, lambda: self._scheduler.submit(run))

    def _work(self, run: Run) -> bool:
        """Run an execution until it ends or has to wait; False where the worker was replaced meanwhile."""
        with run.lock:
            if run.over:
                return True
            run.holder = threading.current_thread()
        try:
            while not self._scheduler.stopping:
                ticket = run.ticket
                given, outcome = self._attempt(run, ticket)
                change = self._settle(run, ticket, given, outcome)
                if change is None:
                    return False
                if isinstance(change, Ended):
                    return True
                if run.at.due is not None:
                    self._schedule(run)
                    return True
        except JournalError as error:
            self._break(error)
        except Exception as error:
            # Such as data nested too deeply to be journaled: this execution fails, the others go on.
            _LOGGER.exception("the execution %s of %s cannot go on", run.at.name, run.at.machine)
            events, ended = fail(StateFailure(RUNTIME, f"{type(error).__name__}: {error}"))
            self._end_now(run, events, ended)
            return False
        return True

    def _attempt(self, run: Run, ticket: int) -> tuple[Json, Done | StateFailure]:
        """The state's raw input, and what came of running it."""
        execution_input, given = self._journal.inputs(run.at.id)
        state = run.machine.states[run.at.state]

        def call(task: Task, parameters: Json) -> Json:
            if task.timeout is not None:
                self._scheduler.at(self._clock.now() + task.timeout, lambda: self._give_up(run, ticket, task))
            visit = f"{execution_arn(run.at.machine, run.at.name)}/{run.at.last_event}"
            name = str(uuid.uuid5(uuid.NAMESPACE_OID, visit))
            return self._integrations.call(task.resource, parameters, task.timeout, name)

        try:
            return given, perform(state, given, context_object(run.at, execution_input), self._random, call)
        except StateFailure as failure:
            return given, failure

    def _give_up(self, run: Run, ticket: int, task: Task) -> None:
        """The Task's time is over; on the timer's thread."""
        if run.ticket != ticket:
            return
        failure = StateFailure(TIMEOUT, f"The state {task.name} took longer than its {task.timeout} s")
        try:
            _, given = self._journal.inputs(run.at.id)
            change = self._settle(run, ticket, given, failure, give_up=True)
        except JournalError as error:
            self._break(error)
        else:
            if change is not None and not isinstance(change, Ended):
                self._schedule(run)

    def _settle(
        self, run: Run, ticket: int, given: Json, outcome: Done | StateFailure, *, give_up: bool = False
    ) -> Change | None:
        """Journal what came of a state; None where the execution's fate was settled by somebody else."""
        with run.lock:
            if run.over or run.ticket != ticket:
                return None
            events, change = decide(run.machine, run.at, given, outcome, now=self._clock.now(), random=self._random)
            written = self._apply(run, events, change)
            if give_up or not isinstance(change, Entered) or change.due is not None:
                self._release(run, give_up=give_up)
        self._announce(run, written)
        return change

    def _end_now(self, run: Run, events: Sequence[NewEvent], ended: Change) -> None:
        """End an execution whatever it is doing."""
        try:
            with run.lock:
                if run.over:
                    return
                written = self._apply(run, events, ended)
                self._release(run, give_up=True)
            self._announce(run, written)
        except JournalError as error:
            self._break(error)

    def _apply(self, run: Run, events: Sequence[NewEvent], change: Change) -> list[Event]:
        """Journal a change, then let it take effect."""
        written = self._journal.record(run.at, events, change, self._clock.now())
        run.follow(change, written[-1].id)
        return written

    def _release(self, run: Run, *, give_up: bool) -> None:
        """The worker no longer has this execution; one that may hang is given up, and another takes its place."""
        if give_up and run.holder is not None:
            self._scheduler.replace(run.holder)
        run.holder = None

    def _announce(self, run: Run, written: Sequence[Event]) -> None:
        self._publish(written)
        if run.over:
            with self._changed:
                self._live.pop(run.at.id, None)
                self._changed.notify_all()

    def _publish(self, events: Sequence[Event]) -> None:
        if self._on_event is None:
            return
        for event in events:
            try:
                self._on_event(event)
            except Exception:
                _LOGGER.exception("on_event failed")

    def _break(self, error: JournalError) -> None:
        """The journal cannot be written: nothing may take effect any more; start, join and wait say so."""
        with self._changed:
            # Stopped: a function that was given up by stop has come back.
            if self._stopped or self._broken is not None:
                return
            self._broken = error
            self._changed.notify_all()
        _LOGGER.debug("the engine stops: %s", error)
        self._scheduler.halt()

    def check(self) -> None:
        """Raise what keeps the engine from working: JournalError, or WorkflowError once it was stopped."""
        if self._broken is not None:
            raise self._broken
        if self._stopped:
            raise WorkflowError("the engine was stopped; open it again to go on")

    def _wait_for(self, ended: Callable[[], bool], timeout: float | None) -> None:
        def settled() -> bool:
            return ended() or self._stopped or self._broken is not None

        with self._changed:
            in_time = self._changed.wait_for(settled, timeout)
            done = ended()
        if not done:
            self.check()
        if not in_time:
            raise WorkflowError(f"executions still run after {timeout:g} s; wait longer, or look at their history")
