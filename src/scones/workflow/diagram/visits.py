"""What an execution did: each state's visits, retries and time, and which ways it took, from its history."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from scones.workflow.diagram.graph import Edge, EdgeKind, Graph, State, walk
from scones.workflow.engine import Event

__all__ = ["Course", "StateFigures", "follow"]

StateStatus: TypeAlias = Literal["succeeded", "caught", "running", "stopped", "failed"]
"""``caught``: it failed, and a Catch went on from there; ``stopped``: it had not ended when all did."""
Way: TypeAlias = tuple[str | None, str | None, EdgeKind]
"""An edge by its source, its target and its kind."""


@dataclass(frozen=True, slots=True)
class StateFigures:
    """What an execution did in a state.

    Attributes:
        name: the state's.
        status: how it stands, or how it ended; the worst of its visits.
        visits: how often it was entered.
        retries: how often it was tried again.
        items: of a Map, how many it was for.
        seconds: the sum of its visits, which may have been at the same time.
        error: the last error's name, or "".
        cause: the last error's text, or "".
    """

    name: str
    status: StateStatus
    visits: int
    retries: int
    items: int
    seconds: float
    error: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """What an execution did.

    Attributes:
        status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
        started: UTC; None where the history is empty.
        seconds: since then, to its end or to the last that is known.
        states: of each state that was entered, in the order in which they first were.
        ways: how often each edge was taken.
    """

    status: str
    started: datetime | None
    seconds: float
    states: Mapping[str, StateFigures]
    ways: Mapping[Way, int]


@dataclass(slots=True)
class _Record:
    """A state while the history is read.

    Attributes:
        state: None where the graph has none of that name.
        inside: the names of the states nested in it.
        open: when each visit began that has not ended.
        last: the number of the event by which it was last entered.
        failing: failures that nothing has caught yet.
        stopped: visits that were ended from outside.
    """

    state: State | None
    inside: list[str]
    open: deque[datetime] = field(default_factory=deque)
    last: int = 0
    visits: int = 0
    retries: int = 0
    items: int = 0
    seconds: float = 0.0
    failing: int = 0
    caught: int = 0
    stopped: int = 0
    error: str = ""
    cause: str = ""

    @property
    def is_fail(self) -> bool:
        """Whether it is a Fail state, which is never left."""
        return self.state is not None and self.state.type == "Fail"

    def note(self, event: Event) -> None:
        """Keep an error."""
        self.error = str(event.details.get("error") or "")
        self.cause = str(event.details.get("cause") or "")

    def close(self, at: datetime) -> None:
        """Count the time of the visit that began first."""
        if self.open:
            self.seconds += (at - self.open.popleft()).total_seconds()


def follow(graph: Graph, history: Iterable[Event], *, now: datetime | None = None) -> Course:
    """Follow an execution through its machine.

    Visits that overlap, as those of a Map's items do, are told apart first in, first out. States that the
    graph does not have are counted too.

    Args:
        graph: the machine.
        history: the execution's events; their order does not matter.
        now: until when to count the time of what runs; None for the last event's time.
    """
    follower = _Follower(graph)
    events = sorted(history, key=lambda event: event.id)
    for event in events:
        follower.take(event)
    if not events:
        return Course("RUNNING", None, 0.0, {}, {})
    end = events[-1].time
    if follower.status == "RUNNING" and now is not None:
        end = max(now, end)
    return follower.finish(events[0].time, end)


class _Follower:
    def __init__(self, graph: Graph) -> None:
        self.status = "RUNNING"
        self.records: dict[str, _Record] = {}
        self.ways: dict[Way, int] = {}
        self._states: dict[str, State] = {}
        self._leading: dict[str, list[Edge]] = {}
        self._starts: set[str] = set()
        for part, _ in walk(graph):
            self._states |= part.states
            for edge in part.edges:
                if edge.source is not None:
                    self._leading.setdefault(edge.source, []).append(edge)
                elif edge.target is not None:
                    self._starts.add(edge.target)
        self._inside = {
            name: [inner for region in state.regions for part, _ in walk(region) for inner in part.states]
            for name, state in self._states.items()
        }
        self._left: list[tuple[str, bool]] = []  # the states that were left, and whether after a failure
        self._ending: Event | None = None

    def take(self, event: Event) -> None:
        """Read the next event."""
        if event.state is None:
            self.status = event.ended or self.status
            self._ending = event
            return
        record = self._record(event.state)
        if event.type.endswith("StateEntered"):
            record.open.append(event.time)
            record.visits += 1
            record.last = event.id
            self._arrive(event.state)
        elif event.type.endswith("StateExited"):
            self._leave(record, event)
        elif event.type == "MapStateStarted":
            length = event.details.get("length")
            record.items += length if isinstance(length, int) else 0
        elif "error" in event.details and not event.type.startswith("MapIteration"):  # the Map's own failure follows
            again = "retryAt" in event.details
            record.note(event)
            record.retries += again
            record.failing += not again
            if record.inside and len(record.open) == 1:
                self._cut(record, event, again=again)

    def finish(self, started: datetime, end: datetime) -> Course:
        """Say how everything stands."""
        if self.status == "FAILED":
            _blame(list(self.records.values()), self._ending)
        states = {}
        for name, record in self.records.items():
            seconds = record.seconds + sum((end - since).total_seconds() for since in record.open)
            states[name] = StateFigures(
                name, self._status(record), record.visits, record.retries, record.items, seconds,
                record.error, record.cause,
            )  # fmt: skip
        for name, _ in self._left:  # nothing followed
            self._count_end(name)
        return Course(self.status, started, (end - started).total_seconds(), states, self.ways)

    def _status(self, record: _Record) -> StateStatus:
        encloses_failure = self.status == "FAILED" and record.open and record.inside
        if record.failing or encloses_failure or record.is_fail:
            return "failed"
        if record.open and self.status == "RUNNING":
            return "running"
        if record.open or record.stopped:
            return "stopped"
        return "caught" if record.caught else "succeeded"

    def _record(self, name: str) -> _Record:
        if name not in self.records:
            self.records[name] = _Record(self._states.get(name), self._inside.get(name, []))
        return self.records[name]

    def _cut(self, record: _Record, event: Event, *, again: bool) -> None:
        """What is inside a state has ended with it."""
        inner = [self.records[name] for name in record.inside if name in self.records]
        if "error" in event.details:
            _blame(inner, event)
        for one in inner:
            if not one.failing:
                one.stopped += len(one.open)
            while one.open:
                one.close(event.time)
            if again:
                one.caught += one.failing
                one.failing = 0

    def _arrive(self, name: str) -> None:
        """A state was entered: find the one that was left for it."""
        for index in range(len(self._left) - 1, -1, -1):
            source, failed = self._left[index]
            edges = [edge for edge in self._leading.get(source, ()) if edge.target == name]
            if not edges:
                continue
            del self._left[index]
            catches = [edge for edge in edges if edge.kind == "catch"]
            others = [edge for edge in edges if edge.kind != "catch"]
            taken = (catches if failed else others) or others or catches
            for edge in taken:
                self._count((source, name, edge.kind))
            if taken[0].kind == "catch":
                record = self.records[source]
                record.caught += 1
                record.failing = max(0, record.failing - 1)
            return
        if name in self._starts:
            self._count((None, name, "start"))

    def _leave(self, record: _Record, event: Event) -> None:
        assert event.state is not None
        record.close(event.time)
        if record.inside and not record.open:
            self._cut(record, event, again=False)
        failed = record.failing > 0
        if not failed and any(edge.target is None for edge in self._leading.get(event.state, ())):
            self._count_end(event.state)
        else:
            self._left.append((event.state, failed))

    def _count_end(self, name: str) -> None:
        if any(edge.target is None for edge in self._leading.get(name, ())):
            self._count((name, None, "end"))

    def _count(self, way: Way) -> None:
        self.ways[way] = self.ways.get(way, 0) + 1


def _blame(records: list[_Record], event: Event | None) -> None:
    """Something failed. If no state says so, it was the one that was entered last and encloses no other."""
    if any(one.failing or (one.open and one.is_fail) for one in records):
        return
    found = [record for record in records if record.open and not record.inside]
    if found and event is not None:
        last = max(found, key=lambda record: record.last)
        last.failing += 1
        last.note(event)
