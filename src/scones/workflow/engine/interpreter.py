"""What follows from what: runs states, and turns what came of them into the changes of a batch.

Everything here happens on the engine's own thread, and nothing takes effect before its batch is journaled: calls,
timers and answers are left in the batch, for afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import Final

from scones.errors import JournalError
from scones.workflow.engine.batch import Batch, Ending, is_large
from scones.workflow.engine.context import context_object
from scones.workflow.engine.failure import HEARTBEAT_TIMEOUT, RUNTIME, TIMEOUT, StateFailure
from scones.workflow.engine.fanout import FanOut
from scones.workflow.engine.integrations import Integrations
from scones.workflow.engine.journal import Journal
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import Fallible, Map, Parallel, State, StateMachine, Task, Wait
from scones.workflow.engine.paths import Scope
from scones.workflow.engine.records import Status
from scones.workflow.engine.retrying import covers, retry_delay
from scones.workflow.engine.run import PARKED, Branch, Phase, Run
from scones.workflow.engine.states import Done, caught, finish, perform, wait_until
from scones.workflow.engine.subexecutions import SubExecutions
from scones.workflow.engine.tasks import Tasks
from scones.workflow.engine.variables import check_total, in_scope
from scones.workflow.engine.workers import Workers

__all__ = ["Interpreter"]

_LOGGER = logging.getLogger(__name__)
_MOST_STEPS: Final = 2000
"""States that are run in one turn ..."""
_MOST_SIZE: Final = 4_000_000
"""... and about so many characters that are journaled with it."""
_MOST_EVENTS: Final = 25_000
"""Events of an execution's history (Step Functions quotas); ends a machine that goes round for ever."""


class Interpreter:
    """All executions that run, and the rules by which they go on.

    Args:
        journal: for what is parked there.
        machines: that can be started, by name.
        integrations: makes calls.
        random: for jitter, ``States.UUID`` and names.
        workers: on whose threads.
        slots: how many calls may be under way.
        now: the time of day, POSIX seconds, for JSONata's ``$now``.
        post: hands a change to a later turn of the engine, from any thread.
    """

    def __init__(
        self,
        journal: Journal,
        machines: Mapping[str, StateMachine],
        integrations: Integrations,
        random: Random,
        workers: Workers,
        slots: int,
        now: Callable[[], float],
        post: Callable[[Callable[[Batch], None]], None],
    ) -> None:
        self.journal = journal
        self.machines = machines
        self.integrations = integrations
        self.random = random
        self.post = post
        self._now = now
        self.runs: dict[int, Run] = {}
        self.named: dict[tuple[str, str], Run] = {}
        self.tasks = Tasks(self, integrations, workers, slots)
        self._fanout = FanOut(self)
        self._subs = SubExecutions(self)
        self._last_run, self._last_branch = journal.last_ids()

    # Beginnings

    def begin(
        self, batch: Batch, machine_name: str, machine: StateMachine, name: str, given: Json, digest: str,
        parent: Branch | None = None, item: int = 0,
    ) -> Run:  # fmt: skip
        """Begin an execution; ``parent`` is the branch that waits for its end."""
        self._last_run += 1
        parent_id = parent.group if parent is not None else None
        run = Run(self._last_run, name, machine_name, machine, batch.now, given, digest, parent_id, item)
        run.root = self.branch(run, None, 0)
        batch.event(run, "ExecutionStarted", None, {"input": given})
        batch.begun.append(run)
        batch.names[machine_name, name] = digest, batch.now
        self.adopt(batch, run)
        self.enter(batch, run.root, machine.start_at, given)
        return run

    def known(self, batch: Batch, machine_name: str, name: str) -> tuple[str, float] | None:
        """Of an execution that there is or was the digest of its input and its start (POSIX seconds)."""
        run = self.named.get((machine_name, name))
        if run is not None:
            return run.digest, run.started
        # One that began in this turn may have ended in it, too, and is not in the journal yet.
        return batch.names.get((machine_name, name)) or self.journal.known(machine_name, name)

    def branch(self, run: Run, parent: Branch | None, item: int) -> Branch:
        """A new branch."""
        return Branch(self.number(), run, parent, item)

    def number(self) -> int:
        """A number that no branch and no group has had."""
        self._last_branch += 1
        return self._last_branch

    def resume(self, batch: Batch, run: Run) -> None:
        """Go on with an execution of the journal, once it and all the others were adopted."""
        for branch in run.root.tree():
            self.tasks.expect(branch)
            if branch.due is not None:
                batch.timers.append((branch.due, branch, branch.ticket))
            elif branch.phase is Phase.READY:
                batch.agenda.append((branch, branch.ticket))
            elif branch.phase is Phase.JOINING:
                self._fanout.resume(batch, branch)
            elif branch.phase is Phase.MAPPING:
                self._subs.resume(branch)
            if branch.phase is Phase.CALLED and branch.token is None:
                self._subs.wait_for(branch)

    def adopt(self, batch: Batch, run: Run) -> None:
        """An execution runs from now on."""
        self.runs[run.id] = run
        self.named[run.machine_name, run.name] = run
        self._subs.adopt(run)
        if run.machine.timeout is not None:
            batch.timers.append((run.started + run.machine.timeout, run.root, -1))

    # Turns

    def work(self, batch: Batch, *, pausing: bool = False) -> None:
        """Run what is on the batch's agenda, and as many Tasks as there are slots; while ``pausing``, neither."""
        steps = 0
        while True:
            # In a loop, since executions that wait for executions can be any number deep.
            if batch.doomed:
                self.end(batch, batch.doomed.popleft(), "ABORTED", error="", cause="What waited for it has ended")
                continue
            if batch.ended:
                self._subs.child_ended(batch, *batch.ended.popleft())
                continue
            if pausing:
                return
            if batch.agenda:
                branch, ticket = batch.agenda.popleft()
            elif (first := self.tasks.next()) is not None:
                branch, ticket = first
            else:
                return
            if branch.ticket != ticket or branch.run.over:
                continue
            steps += 1
            if steps > _MOST_STEPS or batch.size > _MOST_SIZE:
                # A machine that goes round without a Task must not keep the others from being journaled.
                self._later([(branch, ticket), *batch.agenda])
                batch.agenda.clear()
                return
            self.guarded(batch, branch, partial(self._step, batch, branch))

    def _later(self, steps: list[tuple[Branch, int]]) -> None:
        self.post(lambda batch: batch.agenda.extend(steps))

    def guarded(self, batch: Batch, branch: Branch, change: Callable[[], None]) -> None:
        """Make a change of a branch; what goes wrong is the branch's failure, or the execution's end."""
        try:
            try:
                change()
            except StateFailure as failure:
                self.failed(batch, branch, failure)
        except JournalError:
            raise
        except Exception as error:
            # Such as data nested too deeply to be journaled: this execution fails, the others go on.
            run = branch.run
            _LOGGER.exception("the execution %s of %s cannot go on", run.name, run.machine_name)
            self.end(batch, run, "FAILED", error=RUNTIME, cause=f"{type(error).__name__}: {error}")

    def enter(self, batch: Batch, branch: Branch, name: str, given: Json) -> None:
        """A branch goes on to a state."""
        state = branch.run.machine.states[name]
        branch.packed = batch.pack(branch.run, given)
        branch.large = is_large(branch.packed)
        batch.event(branch.run, f"{state.type}StateEntered", name, {"input": given})
        branch.state, branch.input, branch.entered, branch.attempts = name, given, batch.now, {}
        self.rest(batch, branch, Phase.READY)
        batch.agenda.append((branch, branch.ticket))

    def rest(
        self, batch: Batch, branch: Branch, phase: Phase, due: float | None = None, deadline: float | None = None
    ) -> None:
        """Where a branch is now, until something happens; whatever it was waiting for, it no longer is."""
        branch.ticket += 1
        branch.phase, branch.due, branch.deadline = phase, due, deadline
        if phase is not Phase.CALLED:
            branch.begun = 0
            self.tasks.forget(branch)
        self.tasks.release(batch, branch)
        if due is not None:
            batch.timers.append((due, branch, branch.ticket))
        batch.touch(branch)

    def state(self, branch: Branch) -> State:
        """The state that a branch is in."""
        return branch.run.machine.states[branch.state]

    def data(self, branch: Branch) -> Json:
        """The raw input of the state that a branch is in; of one that has ended, its output."""
        if branch.input is PARKED:
            branch.input = self.journal.input(branch)
        return branch.input

    def scope(self, branch: Branch) -> Scope:
        """What the state that a branch is in may read."""
        context = self._context(branch) if branch.run.machine.reads_context else {}
        return Scope(self.data(branch), context, self.random, in_scope(branch), now=self._now)

    def _context(self, branch: Branch) -> dict[str, Json]:
        run = branch.run
        if run.input is PARKED:
            run.input = self.journal.execution_input(run)
        at: Branch | None = branch
        while at is not None and at.parent is not None:
            if isinstance(self.state(at.parent), Map):
                return context_object(branch, self._fanout.item_context(at.parent, at.item))
            at = at.parent
        return context_object(branch)

    def _step(self, batch: Batch, branch: Branch) -> None:
        run, state = branch.run, self.state(branch)
        if run.last_event >= _MOST_EVENTS:
            cause = f"The execution has had {_MOST_EVENTS:,} events, the most it may have"
            self.end(batch, run, "FAILED", error=RUNTIME, cause=cause)
        elif isinstance(state, Task):
            (self._subs.start if state.resource.kind == "start" else self.tasks.begin)(batch, branch, state)
        elif isinstance(state, Parallel):
            self._fanout.begin_parallel(batch, branch, state)
        elif isinstance(state, Map):
            (self._fanout.begin_map if state.child is None else self._subs.begin_map)(batch, branch, state)
        elif isinstance(state, Wait):
            due = wait_until(state, self.scope(branch), batch.now)
            if due <= batch.now:
                self._perform(batch, branch, state)
            else:
                # A wait's end is journaled as it begins: a restart neither shortens nor lengthens it.
                self.rest(batch, branch, Phase.WAITING, due)
        else:
            self._perform(batch, branch, state)

    def _perform(self, batch: Batch, branch: Branch, state: State) -> None:
        done = perform(state, self.scope(branch))  # type: ignore[arg-type]
        check_total(branch, done.variables)
        self.done(batch, branch, done)

    def succeeded(self, batch: Batch, branch: Branch, state: Fallible, result: Json) -> None:
        """The work of a Task, Parallel or Map has this raw result."""
        done = finish(state, self.scope(branch), result)
        check_total(branch, done.variables)
        details = {"output": result} if isinstance(state, Task) else {}
        kind = "MapRun" if isinstance(state, Map) and state.child is not None else f"{state.type}State"
        batch.event(branch.run, "TaskSucceeded" if isinstance(state, Task) else f"{kind}Succeeded", state.name, details)
        self._clear(batch, branch)
        self.done(batch, branch, done)

    def done(self, batch: Batch, branch: Branch, done: Done) -> None:
        """The state that a branch is in has ended well."""
        state = self.state(branch)
        batch.event(branch.run, f"{state.type}StateExited", state.name, {"output": done.output})
        if done.variables:
            branch.variables = {**branch.variables, **done.variables}
            branch.assigned = batch.pack(branch.run, branch.variables)
        if done.next is not None:
            self.enter(batch, branch, done.next, done.output)
        elif branch.parent is None:
            self.end(batch, branch.run, "SUCCEEDED", done.output)
        else:
            self._fanout.child_done(batch, branch, done.output)

    def failed(self, batch: Batch, branch: Branch, failure: StateFailure) -> None:
        """The state that a branch is in has failed: it is tried again, caught, or ends what it is part of."""
        state = self.state(branch)
        if isinstance(state, Fallible):
            raw = self.scope(branch)
            self._clear(batch, branch)
            if self._retried(batch, branch, state, failure):
                return
            self._tell_failure(batch, branch, state, failure, {})
            for catcher in state.catch:
                if covers(catcher.errors, failure.error):
                    try:
                        done = caught(catcher, raw, failure)
                        check_total(branch, done.variables)
                    except StateFailure as second:
                        failure = second
                        break
                    self.done(batch, branch, done)
                    return
        if branch.parent is None:
            self.end(batch, branch.run, "FAILED", error=failure.error, cause=failure.cause)
        else:
            self._fanout.child_failed(batch, branch, failure)

    def _retried(self, batch: Batch, branch: Branch, state: Fallible, failure: StateFailure) -> bool:
        # The first Retry that matches decides, also when it is used up.
        for index, retrier in enumerate(state.retry):
            if covers(retrier.errors, failure.error):
                retries = branch.attempts.get(index, 0)
                if retries >= retrier.max_attempts:
                    return False
                due = batch.now + retry_delay(retrier, retries, self.random)
                self._tell_failure(batch, branch, state, failure, {"retryAt": due})
                branch.attempts = {**branch.attempts, index: retries + 1}
                self.rest(batch, branch, Phase.READY, due)
                return True
        return False

    def _tell_failure(
        self, batch: Batch, branch: Branch, state: Fallible, failure: StateFailure, more: Mapping[str, Json]
    ) -> None:
        if isinstance(state, Task):
            kind = "TaskTimedOut" if failure.error in (TIMEOUT, HEARTBEAT_TIMEOUT) else "TaskFailed"
        else:
            kind = "MapRunFailed" if isinstance(state, Map) and state.child is not None else f"{state.type}StateFailed"
        details = {"error": failure.error, "cause": failure.cause, **more}
        batch.event(branch.run, kind, state.name, details)

    def end(
        self, batch: Batch, run: Run, status: Status, output: Json = None, error: str | None = None,
        cause: str | None = None,
    ) -> None:  # fmt: skip
        """An execution ends, whatever it is doing."""
        if run.over:
            return
        words = {"SUCCEEDED": "Succeeded", "FAILED": "Failed", "TIMED_OUT": "TimedOut", "ABORTED": "Aborted"}
        details = {"output": output} if status == "SUCCEEDED" else {"error": error, "cause": cause}
        batch.event(run, f"Execution{words[status]}", None, details)
        run.over = True
        self.drop(batch, run.root)
        batch.endings.append(Ending(run, status, batch.pack(run, output), error, cause))
        del self.runs[run.id], self.named[run.machine_name, run.name]
        if run.parent is not None:
            batch.ended.append((run, status, output, error, cause))

    def drop(self, batch: Batch, branch: Branch) -> None:
        """A branch is gone, and with it all that works for it."""
        branch.ticket += 1
        self._clear(batch, branch)
        self.tasks.release(batch, branch)
        self.tasks.forget(branch)
        batch.drop(branch)

    def _clear(self, batch: Batch, branch: Branch) -> None:
        """What works for a branch is no longer needed: its children, and the executions that it waits for."""
        self._fanout.clear(batch, branch)
        self._subs.clear(batch, branch)

    # From outside

    def awaits(self, branch: Branch, ticket: int) -> bool:
        """Whether anything still waits for a timer."""
        return not branch.run.over and ticket in (-1, branch.ticket)

    def wake(self, batch: Batch, branch: Branch, ticket: int) -> None:
        """A timer has rung."""
        if not self.awaits(branch, ticket):
            return
        if ticket == -1:
            run, seconds = branch.run, branch.run.machine.timeout
            cause = f"The execution took longer than its {seconds} s"
            self.end(batch, run, "TIMED_OUT", error=TIMEOUT, cause=cause)
        else:
            self.guarded(batch, branch, lambda: self._due(batch, branch))

    def _due(self, batch: Batch, branch: Branch) -> None:
        state = self.state(branch)
        if branch.call is not None or branch.phase is Phase.CALLED:
            assert isinstance(state, Task)
            self.tasks.due(batch, branch, state)
        elif branch.phase is Phase.WAITING:
            self._perform(batch, branch, state)
        else:
            branch.due = None
            batch.agenda.append((branch, branch.ticket))
