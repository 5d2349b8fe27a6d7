"""Executions that an execution starts: by a Task, or one for each item of a distributed Map."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from scones.workflow.engine.data import DATA_LIMIT, fill
from scones.workflow.engine.failure import EXCEED_TOLERATED, StartRefused, StateFailure
from scones.workflow.engine.integrations import text_parameter
from scones.workflow.engine.items import CHUNK, Chunks, Items, Plan, read_items
from scones.workflow.engine.jsontext import Json, digest, dump, load
from scones.workflow.engine.machine import Map, Task
from scones.workflow.engine.paths import Path, Scope
from scones.workflow.engine.reader import execution_arn
from scones.workflow.engine.records import ExecutionDetail, Status
from scones.workflow.engine.resources import ARN_PREFIX
from scones.workflow.engine.results import array, write_results
from scones.workflow.engine.run import PARKED, Branch, Phase, Run
from scones.workflow.engine.starting import check_start, machine_name
from scones.workflow.engine.states import argument, effective, item_input, map_items, number

if TYPE_CHECKING:
    from scones.workflow.engine.batch import Batch
    from scones.workflow.engine.interpreter import Interpreter

__all__ = ["SubExecutions"]

_NOT_IN_LABEL = re.compile(r"[^\w.@+=()!'-]")
_MOST: Final = 1000
"""Child executions that are begun at the same time, whatever MaxConcurrency allows: more would only fill memory."""


class SubExecutions:
    """Starts executions for branches, and brings their ends back to them."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter
        self._waiting: dict[int, Branch] = {}
        """Branches that wait for executions, by their groups."""
        self._children: dict[int, dict[int, Run]] = {}
        """The executions that each of them waits for."""

    # A Task

    def start(self, batch: Batch, branch: Branch, task: Task) -> None:
        """Run a Task ``states:startExecution``, in any of its forms."""
        run = branch.run
        parameters = argument(task, self._interpreter.scope(branch))
        given = parameters.get("Input", {})
        if isinstance(given, str):
            # StartExecution takes its input as JSON text; a JSON object given in its place is what it means.
            try:
                given = load(given)
            except ValueError as error:
                raise StateFailure("StepFunctions.InvalidExecutionInputException", f"Input: {error}") from error
        # The same for the same visit of the same state, so that a Task that runs again starts no second execution.
        visit = f"{execution_arn(run.machine_name, run.name)}/{branch.id}/{run.last_event}"
        made_up = str(uuid.uuid5(uuid.NAMESPACE_OID, visit))
        name = text_parameter(parameters, "Name") if "Name" in parameters else made_up
        machine = machine_name(text_parameter(parameters, "StateMachineArn"))
        waits = task.resource.pattern != ""
        try:
            definition = check_start(self._interpreter.machines, machine, given, name)
            fingerprint = digest(given)
            known = self._interpreter.known(batch, machine, name)
            if known is not None and (waits or known[0] != fingerprint):
                raise StartRefused(
                    "ExecutionAlreadyExists", f"machine {machine} has had an execution {name!r}; choose another name"
                )
        except StartRefused as error:
            raise StateFailure(f"StepFunctions.{error.error}Exception", str(error)) from error
        if known is None:
            if waits:
                batch.event(run, "TaskSubmitted", task.name, {"output": {"ExecutionArn": execution_arn(machine, name)}})
                timeout, _ = self._interpreter.tasks.limits(branch, task)
                deadline = batch.now + timeout if timeout else None
                self._interpreter.rest(batch, branch, Phase.CALLED, deadline, deadline)
                self._wait(branch)
            parent = branch if waits else None
            self._interpreter.begin(batch, machine, definition, name, given, fingerprint, parent)
        if not waits:
            started = batch.now if known is None else known[1]
            moment = datetime.fromtimestamp(started, UTC).isoformat()
            result = {"ExecutionArn": execution_arn(machine, name), "StartDate": moment}
            self._interpreter.succeeded(batch, branch, task, result)

    def wait_for(self, branch: Branch) -> None:
        """Take up a branch of the journal that waits for executions."""
        self._waiting[branch.group] = branch

    def _wait(self, branch: Branch) -> None:
        branch.group = self._interpreter.number()
        self._waiting[branch.group] = branch

    def adopt(self, run: Run) -> None:
        """Keep in mind that somebody waits for an execution, or soon will."""
        if run.parent is not None:
            self._children.setdefault(run.parent, {})[run.id] = run

    def child_ended(
        self, batch: Batch, run: Run, status: Status, output: Json, error: str | None, cause: str | None
    ) -> None:
        """An execution that somebody waits for has ended."""
        assert run.parent is not None
        branch = self._waiting.get(run.parent)
        self._children.get(run.parent, {}).pop(run.id, None)
        if branch is None or branch.run.over:
            return
        state = self._interpreter.state(branch)
        if isinstance(state, Map):
            branch.active -= 1
            branch.failures += status != "SUCCEEDED"
            self._interpreter.guarded(batch, branch, lambda: self._feed(batch, branch, state))
        elif isinstance(state, Task):
            self._task_ended(batch, branch, state, run, status, output, error, cause)

    def _task_ended(
        self, batch: Batch, branch: Branch, task: Task, run: Run, status: Status, output: Json, error: str | None,
        cause: str | None,
    ) -> None:  # fmt: skip
        as_json = task.resource.pattern == "sync2"
        given = run.input if run.input is not PARKED else self._interpreter.journal.execution_input(run)
        told: dict[str, Json] = {
            "ExecutionArn": execution_arn(run.machine_name, run.name),
            "Input": given if as_json else dump(given),
            "InputDetails": {"Included": True},
            "Name": run.name,
            "StartDate": round(run.started * 1000),
            "StateMachineArn": _machine_arn(run.machine_name),
            "Status": status,
            "StopDate": round(batch.now * 1000),
        }
        if status == "SUCCEEDED":
            told |= {"Output": output if as_json else dump(output), "OutputDetails": {"Included": True}}
            self._interpreter.guarded(batch, branch, lambda: self._interpreter.succeeded(batch, branch, task, told))
        else:
            failure = StateFailure("States.TaskFailed", dump({**told, "Error": error, "Cause": cause}))
            self._interpreter.guarded(batch, branch, lambda: self._interpreter.failed(batch, branch, failure))

    # A distributed Map

    def begin_map(self, batch: Batch, branch: Branch, state: Map) -> None:
        """Begin a distributed Map: read its items where it has a reader."""
        interpreter = self._interpreter
        if state.reader is None:
            count = len(map_items(state, self._scope(branch, state)))
            self._begin_children(batch, branch, state, count)
            self._feed(batch, branch, state)
            return
        reader, scope, objects = state.reader, self._scope(branch, state), interpreter.integrations.objects
        parameters = fill(reader.parameters, scope)
        most = _whole(reader.max_items, scope, "MaxItemsPath", 10**9)

        def keep(batch: Batch, read: Json) -> None:
            count, chunks = read
            self._begin_children(batch, branch, state, count)
            batch.items.extend((branch.group, index, chunk) for index, chunk in enumerate(chunks))
            self._feed_later(branch, state)

        interpreter.tasks.call(batch, branch, lambda: read_items(reader, objects, parameters, most), keep)

    def _begin_children(self, batch: Batch, branch: Branch, state: Map, count: int) -> None:
        self._interpreter.rest(batch, branch, Phase.MAPPING)
        self._wait(branch)
        branch.active = branch.failures = 0
        batch.event(branch.run, "MapStateStarted", state.name, {"length": count})
        batch.event(branch.run, "MapRunStarted", state.name, {"mapRunArn": self._map_run(branch, state)})

    def _feed_later(self, branch: Branch, state: Map) -> None:
        """Begin children in a later turn, when what they are made of is in the journal."""
        ticket = branch.ticket

        def feed(batch: Batch) -> None:
            if branch.ticket == ticket and not branch.run.over:
                self._interpreter.guarded(batch, branch, lambda: self._feed(batch, branch, state))

        self._interpreter.post(feed)

    def resume(self, branch: Branch) -> None:
        """Take up a distributed Map of the journal: child executions that have ended stay ended."""
        state = self._interpreter.state(branch)
        assert isinstance(state, Map)
        counts = self._interpreter.journal.children(branch.group)
        branch.begun, branch.active = counts.total(), counts["RUNNING"]
        branch.failures = counts.total() - counts["RUNNING"] - counts["SUCCEEDED"]
        self.wait_for(branch)
        self._feed_later(branch, state)

    def clear(self, batch: Batch, branch: Branch) -> None:
        """Nobody waits for a branch's executions any more: they are stopped."""
        if not branch.group:
            return
        self._waiting.pop(branch.group, None)
        batch.groups.append(branch.group)
        batch.doomed.extend(self._children.pop(branch.group, {}).values())
        branch.group = 0

    def _plan(self, branch: Branch, state: Map) -> Plan:
        scope = self._scope(branch, state)
        items = self._items(branch, state, scope)
        items.skip(branch.begun)
        at_once = number(state.max_concurrency or 0, scope, "MaxConcurrencyPath", 10**9) or _MOST
        count = state.tolerated_count
        return Plan(
            items,
            min(at_once, _MOST),
            None if count is None else number(count, scope, "ToleratedFailureCountPath", 10**9),
            number(state.tolerated_percentage, scope, "ToleratedFailurePercentagePath", 100),
        )

    def _items(self, branch: Branch, state: Map, scope: Scope) -> Items:
        journal, group = self._interpreter.journal, branch.group

        keys: list[str] = []

        def shape(index: int, item: Json) -> Json:
            return item_input(state, scope, index, item, keys[index] if keys else None)

        items: list[Json] | Chunks
        if state.reader is None:
            found = map_items(state, scope)
            items, count = (list(found.values()) if isinstance(found, dict) else found), len(found)
            keys.extend(found if isinstance(found, dict) else ())
        else:
            chunks = journal.item_chunks(group)
            count = CHUNK * (chunks - 1) + len(journal.items(group, chunks - 1)) if chunks else 0
            items = Chunks(lambda chunk: journal.items(group, chunk))
        if state.batcher is None:
            return Items(count, items, shape)
        batcher = state.batcher
        most_items = _whole(batcher.most_items, scope, "MaxItemsPerBatchPath", 10**9)
        most_bytes = _whole(batcher.most_bytes, scope, "MaxInputBytesPerBatchPath", 262_144)
        extra = None if batcher.batch_input is None else fill(batcher.batch_input, scope)
        return Items(count, items, shape, most_items, most_bytes, extra)

    def _feed(self, batch: Batch, branch: Branch, state: Map) -> None:
        """Begin as many children as may run at the same time; gather when all have ended."""
        interpreter = self._interpreter
        if branch.plan is None:
            branch.plan = self._plan(branch, state)
        items = branch.plan.items
        _check_failures(branch, branch.plan, batched=state.batcher is not None)
        assert state.child is not None
        while items.left and branch.active < branch.plan.at_once:
            given = items.take()
            visit = f"{self._map_run(branch, state)}/{branch.begun}"
            name = str(uuid.uuid5(uuid.NAMESPACE_OID, visit))
            interpreter.begin(
                batch, self._child_name(branch, state), state.child, name, given, digest(given), branch, branch.begun
            )
            branch.begun += 1
            branch.active += 1
        if branch.active == 0 and not items.left:
            ticket = branch.ticket
            # What the children gave is read from the journal, once this batch is in it.
            interpreter.post(lambda later: self._gather(later, branch, ticket, state))

    def _gather(self, batch: Batch, branch: Branch, ticket: int, state: Map) -> None:
        if branch.ticket != ticket or branch.run.over or branch.call is not None:
            return
        interpreter, writer = self._interpreter, state.writer
        group, child, map_run = (
            branch.group,
            _machine_arn(self._child_name(branch, state)),
            self._map_run(branch, state),
        )

        def read() -> Iterator[ExecutionDetail]:
            return interpreter.journal.children_of(group)

        def gather() -> None:
            work: Callable[[], Json]
            if writer is None or writer.parameters is None:
                work = partial(array, writer, read(), child, most=DATA_LIMIT)
            else:
                parameters = fill(writer.parameters, self._scope(branch, state))
                objects = interpreter.integrations.objects
                work = partial(
                    write_results, writer, objects, parameters, read(), map_run=map_run, arn_of_machine=child
                )
            interpreter.tasks.call(
                batch, branch, work, lambda later, result: interpreter.succeeded(later, branch, state, result)
            )

        interpreter.guarded(batch, branch, gather)

    def _scope(self, branch: Branch, state: Map) -> Scope:
        return effective(state, self._interpreter.scope(branch))

    def _child_name(self, branch: Branch, state: Map) -> str:
        # What AWS does not allow in a Label would also make an ARN that nobody could read.
        return f"{branch.run.machine_name}/{_NOT_IN_LABEL.sub('-', state.label or state.name)}"

    def _map_run(self, branch: Branch, state: Map) -> str:
        run = branch.run
        made_up = uuid.uuid5(uuid.NAMESPACE_OID, f"{execution_arn(run.machine_name, run.name)}/{branch.group}")
        return f"arn:aws:states:{ARN_PREFIX}:mapRun:{self._child_name(branch, state)}:{made_up}"


def _machine_arn(name: str) -> str:
    return f"arn:aws:states:{ARN_PREFIX}:stateMachine:{name}"


def _check_failures(branch: Branch, plan: Plan, *, batched: bool) -> None:
    """Raises a StateFailure where more child executions have failed than a Map tolerates."""
    failures, most, share = branch.failures, plan.tolerated_count, plan.tolerated_percentage
    total = branch.begun if batched else plan.items.count  # of batches, the last shows how many there are
    known = not batched or not plan.items.left
    too_many = most is not None and failures > most
    too_large_a_share = (most is None or share > 0) and (known or share == 0) and 100 * failures > share * total
    if too_many or too_large_a_share:
        tolerated = f"{most:g}" if too_many else f"{share:g} %"
        cause = f"{failures} of {total} child executions failed, more than the tolerated {tolerated}"
        raise StateFailure(EXCEED_TOLERATED, cause)


def _whole(given: int | Path | None, scope: Scope, what: str, most: int) -> int | None:
    return None if given is None else int(number(given, scope, what, most))
