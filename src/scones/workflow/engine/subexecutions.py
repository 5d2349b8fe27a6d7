"""Executions that an execution starts: by a Task, or one for each item of a distributed Map."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from scones.workflow.engine.data import DATA_LIMIT
from scones.workflow.engine.failure import EXCEED_TOLERATED, StartRefused, StateFailure
from scones.workflow.engine.integrations import text_parameter
from scones.workflow.engine.items import CHUNK, SETTINGS, Chunks, Items, Plan, read_items
from scones.workflow.engine.jsontext import Json, digest, dump, dump_ascii, load
from scones.workflow.engine.machine import Map, Task
from scones.workflow.engine.paths import Scope
from scones.workflow.engine.reader import execution_arn
from scones.workflow.engine.records import ExecutionDetail, Status
from scones.workflow.engine.resources import ARN_PREFIX
from scones.workflow.engine.results import array, write_results
from scones.workflow.engine.run import PARKED, Branch, Phase, Run
from scones.workflow.engine.starting import check_start, machine_name
from scones.workflow.engine.states import (
    argument,
    effective,
    filled,
    item_input,
    item_source,
    keeps_settings,
    map_settings,
    number,
)

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
        scope = self._scope(branch, state)
        settings = map_settings(state, scope)
        if state.reader is None:
            self._begin_children(batch, branch, state, len(settings["items"]), settings)
            branch.plan = self._plan(branch, state, settings)
            self._feed(batch, branch, state)
            return
        reader, objects = state.reader, interpreter.integrations.objects
        most = None if reader.max_items is None else int(number(reader.max_items, scope, "MaxItemsPath", 10**9, 1))

        def keep(batch: Batch, read: Json) -> None:
            count, chunks = read
            self._begin_children(batch, branch, state, count, settings)
            batch.items.extend((branch.group, index, chunk) for index, chunk in enumerate(chunks))
            self._feed_later(branch, state)

        interpreter.tasks.call(batch, branch, lambda: read_items(reader, objects, settings["reads"], most), keep)

    def _begin_children(self, batch: Batch, branch: Branch, state: Map, count: int, settings: Json) -> None:
        self._interpreter.rest(batch, branch, Phase.MAPPING)
        self._wait(branch)
        if keeps_settings(state):
            batch.items.append((branch.group, SETTINGS, dump_ascii(settings)))
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
        batch.forget_items(branch.group)
        batch.doomed.extend(self._children.pop(branch.group, {}).values())
        branch.group = 0

    def _plan(self, branch: Branch, state: Map, settings: Json = None) -> Plan:
        scope = self._scope(branch, state)
        if settings is None and keeps_settings(state):
            settings = self._interpreter.journal.settings(branch.group)
        settings = settings or map_settings(state, scope)
        items = self._items(branch, state, scope, settings)
        items.skip(branch.begun)
        at_once = min(settings["at_once"] or _MOST, _MOST)
        return Plan(items, at_once, settings["tolerated_count"], settings["tolerated_percentage"])

    def _items(self, branch: Branch, state: Map, scope: Scope, settings: Json) -> Items:
        journal, group = self._interpreter.journal, branch.group

        keys: list[str] = []
        source = item_source(state, settings)

        def shape(index: int, item: Json) -> Json:
            return item_input(state, scope, index, item, source, keys[index] if keys else None)

        items: list[Json] | Chunks
        if state.reader is None:
            found = settings["items"]
            items, count = (list(found.values()) if isinstance(found, dict) else found), len(found)
            keys.extend(found if isinstance(found, dict) else ())
        else:
            chunks = journal.item_chunks(group)
            count = CHUNK * (chunks - 1) + len(journal.items(group, chunks - 1)) if chunks else 0
            items = Chunks(lambda chunk: journal.items(group, chunk))
        return Items(count, items, shape, settings["most_items"], settings["most_bytes"], settings["batch_input"])

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
                what = f"What the ResultWriter of {state.name} takes"
                parameters = filled(writer.parameters, self._scope(branch, state), what)
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
