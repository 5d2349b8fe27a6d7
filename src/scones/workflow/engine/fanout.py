"""Parallel, and Map inside an execution: children of a branch, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from scones.workflow.engine.batch import is_large
from scones.workflow.engine.failure import StateFailure
from scones.workflow.engine.items import SETTINGS, Items, Plan
from scones.workflow.engine.jsontext import Json, dump_ascii
from scones.workflow.engine.machine import Fallible, Map, Parallel
from scones.workflow.engine.run import Branch, Phase
from scones.workflow.engine.states import argument, effective, item_input, item_source, keeps_settings, map_settings

if TYPE_CHECKING:
    from scones.workflow.engine.batch import Batch
    from scones.workflow.engine.interpreter import Interpreter

__all__ = ["FanOut"]

_MOST: Final = 40
"""Items that an inline Map without MaxConcurrency works at the same time (Step Functions Developer Guide)."""


class FanOut:
    """Begins, joins and clears away the children of branches."""

    def __init__(self, interpreter: Interpreter) -> None:
        self._interpreter = interpreter

    def begin_parallel(self, batch: Batch, branch: Branch, state: Parallel) -> None:
        """Begin every branch of a Parallel, each with the same input."""
        given = argument(state, self._interpreter.scope(branch))
        batch.event(branch.run, "ParallelStateStarted", state.name, {})
        self._interpreter.rest(batch, branch, Phase.JOINING)
        branch.children, branch.active = {}, len(state.branches)
        for item, start_at in enumerate(state.branches):
            self._begin(batch, branch, item, start_at, given)

    def begin_map(self, batch: Batch, branch: Branch, state: Map) -> None:
        """Begin the first items of an inline Map."""
        settings = map_settings(state, effective(state, self._interpreter.scope(branch)))
        if keeps_settings(state):
            batch.items.append((branch.id, SETTINGS, dump_ascii(settings)))
        plan = self._plan(branch, state, settings)
        batch.event(branch.run, "MapStateStarted", state.name, {"length": plan.items.count})
        self._interpreter.rest(batch, branch, Phase.JOINING)
        branch.children, branch.active, branch.plan = {}, 0, plan
        self._feed(batch, branch, state)

    def resume(self, batch: Batch, branch: Branch) -> None:
        """Take up a Parallel or an inline Map of the journal: children that have ended stay ended."""
        children = branch.children = branch.children or {}
        branch.active = sum(child.phase is not Phase.DONE for child in children.values())
        state = self._interpreter.state(branch)
        if isinstance(state, Map):
            self._interpreter.guarded(batch, branch, lambda: self._feed(batch, branch, state))

    def item_context(self, parent: Branch, item: int) -> Json:
        """``$$.Map`` in the work for an item of a Map."""
        state = self._interpreter.state(parent)
        assert isinstance(state, Map)
        if parent.plan is None:
            parent.plan = self._plan(parent, state)
        return {"Item": {"Index": item, "Value": parent.plan.items.item(item)}}

    def child_done(self, batch: Batch, child: Branch, output: Json) -> None:
        """A child has ended well."""
        parent = child.parent
        assert parent is not None
        state = self._interpreter.state(parent)
        assert isinstance(state, Fallible)
        if isinstance(state, Map):
            batch.event(child.run, "MapIterationSucceeded", state.name, {"index": child.item})
        child.input, child.packed = output, batch.pack(child.run, output)
        child.large = is_large(child.packed)
        self._interpreter.rest(batch, child, Phase.DONE)
        parent.active -= 1
        self._interpreter.guarded(batch, parent, lambda: self._go_on(batch, parent, state))

    def child_failed(self, batch: Batch, child: Branch, failure: StateFailure) -> None:
        """A child has failed: so has the state, and its other children stop."""
        parent = child.parent
        assert parent is not None
        state = self._interpreter.state(parent)
        if isinstance(state, Map):
            details = {"index": child.item, "error": failure.error, "cause": failure.cause}
            batch.event(child.run, "MapIterationFailed", state.name, details)
        self._interpreter.failed(batch, parent, failure)

    def clear(self, batch: Batch, branch: Branch) -> None:
        """The children of a branch are no longer needed."""
        children, branch.children, branch.plan = branch.children, None, None
        if children is not None:
            state = branch.run.machine.states.get(branch.state)  # none where the definition can no longer be read
            if state is None or (isinstance(state, Map) and keeps_settings(state)):
                batch.forget_items(branch.id)
        for child in (children or {}).values():
            self._interpreter.drop(batch, child)

    def _plan(self, branch: Branch, state: Map, settings: Json = None) -> Plan:
        scope = effective(state, self._interpreter.scope(branch))
        if settings is None and keeps_settings(state):
            settings = self._interpreter.journal.settings(branch.id)
        settings = settings or map_settings(state, scope)
        listed = settings["items"]
        source = item_source(state, settings)
        items = Items(len(listed), listed, lambda number, item: item_input(state, scope, number, item, source))
        items.skip(branch.begun)
        return Plan(items, settings["at_once"] or _MOST)

    def _go_on(self, batch: Batch, branch: Branch, state: Fallible) -> None:
        if isinstance(state, Map):
            self._feed(batch, branch, state)
        elif branch.active == 0:
            self._join(batch, branch, state)

    def _feed(self, batch: Batch, branch: Branch, state: Map) -> None:
        """Begin as many items as may work at the same time; join when all have ended."""
        if branch.plan is None:
            branch.plan = self._plan(branch, state)
        items = branch.plan.items
        while items.left and branch.active < branch.plan.at_once:
            item = branch.begun
            batch.event(branch.run, "MapIterationStarted", state.name, {"index": item})
            given = items.take()
            branch.begun += 1
            branch.active += 1
            batch.touch(branch)
            self._begin(batch, branch, item, state.start_at, given)
        if branch.active == 0 and not items.left:
            self._join(batch, branch, state)

    def _begin(self, batch: Batch, parent: Branch, item: int, start_at: str, given: Json) -> None:
        child = self._interpreter.branch(parent.run, parent, item)
        assert parent.children is not None
        parent.children[child.id] = child
        self._interpreter.enter(batch, child, start_at, given)

    def _join(self, batch: Batch, branch: Branch, state: Fallible) -> None:
        children = sorted((branch.children or {}).values(), key=lambda child: child.item)
        self._interpreter.succeeded(batch, branch, state, [self._interpreter.data(child) for child in children])
