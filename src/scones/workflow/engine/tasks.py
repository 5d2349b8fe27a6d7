"""Tasks: calls that workers make, as many at a time as there are slots, and those that somebody ends with a token."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from scones.workflow.engine.failure import HEARTBEAT_TIMEOUT, TIMEOUT, StateFailure
from scones.workflow.engine.integrations import Integrations
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import LONGEST, Task
from scones.workflow.engine.run import Branch, Phase
from scones.workflow.engine.states import argument, effective, number
from scones.workflow.engine.workers import Call, Outcome, Workers

if TYPE_CHECKING:
    from scones.workflow.engine.batch import Batch
    from scones.workflow.engine.interpreter import Interpreter

__all__ = ["Tasks", "is_engine_token"]

_TOKEN_MARK: Final = "engine."  # noqa: S105 - no password
"""Begins each token; one of Step Functions is base64, which has no full stop."""


def is_engine_token(token: str) -> bool:
    """Whether an engine of this kind made a task token, and not Step Functions."""
    return token.startswith(_TOKEN_MARK)


class Tasks:
    """Begins Tasks, and brings back what came of them.

    Args:
        interpreter: what the Tasks are part of.
        integrations: makes the calls.
        workers: on whose threads.
        slots: how many calls may be under way; further Tasks wait in line, with their data in the journal.
    """

    def __init__(self, interpreter: Interpreter, integrations: Integrations, workers: Workers, slots: int) -> None:
        self._interpreter = interpreter
        self._integrations = integrations
        self._workers = workers
        self._slots = slots
        self._line: deque[tuple[Branch, int]] = deque()
        self._first: Branch | None = None
        self._tokens: dict[str, Branch] = {}

    def next(self) -> tuple[Branch, int] | None:
        """The first in line, where there is a slot for it."""
        if not self._line or self._slots <= 0:
            return None
        first = self._line.popleft()
        self._first = first[0]
        return first

    def begin(self, batch: Batch, branch: Branch, task: Task) -> None:
        """Run a Task."""
        # Who has waited in line goes first: else a large Map would keep everybody else waiting to its end.
        if self._slots <= 0 or (self._line and branch is not self._first):
            self._line.append((branch, branch.ticket))
            return
        if task.resource.pattern == "token" and branch.token is None:
            branch.token = _TOKEN_MARK + secrets.token_urlsafe(48)
            self._tokens[branch.token] = branch
            batch.touch(branch)
        parameters = argument(task, self._interpreter.scope(branch))
        timeout, heartbeat = self.limits(branch, task)
        self.call(
            batch, branch, lambda: self._integrations.call(task.resource, parameters, timeout),
            lambda later, result: self._called(later, branch, task, result, timeout), timeout, heartbeat,
        )  # fmt: skip

    def call(
        self, batch: Batch, branch: Branch, work: Callable[[], Json], then: Callable[[Batch, Json], None],
        timeout: float | None = None, heartbeat: float | None = None,
    ) -> None:  # fmt: skip
        """Have a worker do something once the batch is journaled, and go on with its result."""
        interpreter, ticket = self._interpreter, branch.ticket

        def answer(batch: Batch, outcome: Outcome) -> None:
            if call.given_up:
                return
            self._slots += 1
            branch.call, branch.began = None, call.started
            if branch.ticket != ticket or branch.run.over:
                return
            if isinstance(outcome, StateFailure):
                interpreter.guarded(batch, branch, lambda: interpreter.failed(batch, branch, outcome))
            else:
                interpreter.guarded(batch, branch, lambda: then(batch, outcome))

        call = Call(work, lambda outcome: interpreter.post(lambda later: answer(later, outcome)), timeout, heartbeat)
        self._slots -= 1
        branch.call = call
        batch.after.append(lambda: self._workers.submit(call))
        if timeout is not None or heartbeat is not None:
            batch.timers.append((batch.now + _first(timeout, heartbeat), branch, ticket))

    def release(self, batch: Batch, branch: Branch) -> None:
        """Wait no longer for a branch's call."""
        call, branch.call = branch.call, None
        if call is not None and not call.given_up:
            self._slots += 1
            call.given_up = True
            batch.after.append(lambda: self._workers.give_up(call))

    def due(self, batch: Batch, branch: Branch, task: Task) -> None:
        """The time of a Task that was called, or of one that waits for its token, is over."""
        call = branch.call
        if call is None:
            late = branch.deadline is not None and branch.deadline <= batch.now
            self._interpreter.failed(batch, branch, _too_late(task, heartbeat=not late))
            return
        # It may have been called only now, as other calls were before it, or have sent a heartbeat.
        began = batch.now if call.started is None else call.started
        ends = began + (LONGEST if call.timeout is None else call.timeout)
        beats = max(began, call.beat or 0.0) + (LONGEST if call.heartbeat is None else call.heartbeat)
        if min(ends, beats) > batch.now:
            batch.timers.append((min(ends, beats), branch, branch.ticket))
        else:
            self._interpreter.failed(batch, branch, _too_late(task, heartbeat=beats < ends))

    def expect(self, branch: Branch) -> None:
        """Take up a Task of the journal that has a token."""
        if branch.token is not None:
            self._tokens[branch.token] = branch

    def forget(self, branch: Branch) -> None:
        """A branch's token is good for nothing any more."""
        if branch.token is not None:
            self._tokens.pop(branch.token, None)
            branch.token = None

    def answer(self, batch: Batch, token: str, outcome: Outcome) -> bool:
        """Somebody sends a Task's result or failure; False where no Task waits for it."""
        interpreter, branch = self._interpreter, self._tokens.get(token)
        if branch is None:
            return False
        task = interpreter.state(branch)
        assert isinstance(task, Task)
        if isinstance(outcome, StateFailure):
            interpreter.guarded(batch, branch, lambda: interpreter.failed(batch, branch, outcome))
        else:
            interpreter.guarded(batch, branch, lambda: interpreter.succeeded(batch, branch, task, outcome))
        return True

    def heartbeat(self, batch: Batch, token: str) -> bool:
        """Somebody works on a Task; False where no Task waits for it."""
        branch = self._tokens.get(token)
        if branch is None:
            return False
        task = self._interpreter.state(branch)
        assert isinstance(task, Task)
        if branch.call is not None:
            branch.call.beat = batch.now
        elif branch.phase is Phase.CALLED and task.heartbeat is not None:
            self._await_token(batch, branch, task, branch.deadline)
        return True

    def limits(self, branch: Branch, task: Task) -> tuple[float | None, float | None]:
        """A Task's timeout and heartbeat in seconds, None for none."""
        if task.timeout is None and task.heartbeat is None:
            return None, None
        scope = effective(task, self._interpreter.scope(branch))
        timeout = None if task.timeout is None else number(task.timeout, scope, "TimeoutSecondsPath", LONGEST, 1)
        heartbeat = (
            None if task.heartbeat is None else number(task.heartbeat, scope, "HeartbeatSecondsPath", LONGEST, 1)
        )
        return timeout, heartbeat

    def _called(self, batch: Batch, branch: Branch, task: Task, result: Json, timeout: float | None) -> None:
        if task.resource.pattern != "token":
            self._interpreter.succeeded(batch, branch, task, result)
            return
        batch.event(branch.run, "TaskSubmitted", branch.state, {"output": result})
        began = batch.now if branch.began is None else branch.began
        self._await_token(batch, branch, task, None if timeout is None else began + timeout)

    def _await_token(self, batch: Batch, branch: Branch, task: Task, deadline: float | None) -> None:
        _, heartbeat = self.limits(branch, task)
        limits = [limit for limit in (deadline, heartbeat and batch.now + heartbeat) if limit]
        self._interpreter.rest(batch, branch, Phase.CALLED, min(limits, default=None), deadline)


def _first(timeout: float | None, heartbeat: float | None) -> float:
    return min(LONGEST if timeout is None else timeout, LONGEST if heartbeat is None else heartbeat)


def _too_late(task: Task, *, heartbeat: bool) -> StateFailure:
    if heartbeat:
        return StateFailure(HEARTBEAT_TIMEOUT, f"The state {task.name} sent no heartbeat in time")
    return StateFailure(TIMEOUT, f"The state {task.name} took longer than its TimeoutSeconds")
