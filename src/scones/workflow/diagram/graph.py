"""A definition as a graph to draw: states, what leads where, and the graphs within Parallel and Map.

Read from the plain document and leniently, so that it draws what the engine cannot run, and what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from scones.errors import DefinitionError
from scones.workflow.diagram.details import state_detail, state_notes
from scones.workflow.diagram.rules import rule_text
from scones.workflow.diagram.text import clean

__all__ = ["Edge", "EdgeKind", "Graph", "State", "read_graph", "walk"]

EdgeKind: TypeAlias = Literal["start", "next", "rule", "default", "catch", "end"]


@dataclass(frozen=True, slots=True)
class Edge:
    """Where one state leads.

    Attributes:
        source: a state's name; None: the graph's start.
        target: a state's name; None: its end.
        kind: what makes an execution go this way.
        label: the rules or the errors, in full; "" where the way is plain.
    """

    source: str | None
    target: str | None
    kind: EdgeKind
    label: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A state.

    Attributes:
        name: as it stands in the document.
        type: its Type; "" where it has none, "missing" where another state leads to a name that there is not.
        detail: what it does, in a few words.
        notes: more, for a tooltip.
        retries: whether it is tried again when it fails.
        regions: the branches of a Parallel, or the one processor of a Map.
    """

    name: str
    type: str
    detail: str = ""
    notes: tuple[str, ...] = ()
    retries: bool = False
    regions: tuple[Graph, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """States by name, in the document's order, and the edges between them."""

    comment: str
    states: Mapping[str, State]
    edges: tuple[Edge, ...]


def read_graph(definition: str | Mapping[str, Any]) -> Graph:
    """Read a definition.

    Args:
        definition: the document, as JSON text or as a mapping.

    Raises:
        DefinitionError: it is no JSON, or has no states.
    """
    try:
        document = json.loads(definition) if isinstance(definition, str) else definition
    except (ValueError, RecursionError) as error:
        raise DefinitionError(f"the definition is no JSON: {error}") from error
    if not isinstance(document, Mapping) or not isinstance(document.get("States"), Mapping) or not document["States"]:
        raise DefinitionError('the definition has nothing to draw: it must be a JSON object with "States"')
    return _graph(document)


def walk(graph: Graph, depth: int = 0) -> Iterator[tuple[Graph, int]]:
    """A graph and all that are nested in it, each with its depth."""
    yield graph, depth
    for state in graph.states.values():
        for region in state.regions:
            yield from walk(region, depth + 1)


def _graph(document: Mapping[str, Any]) -> Graph:
    given = document.get("States")
    states = {name: _state(name, state) for name, state in given.items()} if isinstance(given, Mapping) else {}
    edges: list[Edge] = []
    if isinstance(document.get("StartAt"), str):
        edges.append(Edge(None, document["StartAt"], "start"))
    for name, state in given.items() if isinstance(given, Mapping) else ():
        if isinstance(state, Mapping):
            edges.extend(_merged(_edges(name, state)))
    for edge in edges:
        if edge.target is not None and edge.target not in states:
            states[edge.target] = State(edge.target, "missing", "there is no such state")
    comment = document.get("Comment")
    return Graph(clean(comment) if isinstance(comment, str) else "", states, tuple(edges))


def _state(name: str, given: Any) -> State:
    if not isinstance(given, Mapping):
        return State(name, "", "is no JSON object")
    kind = given.get("Type")
    regions: list[Any] = []
    if kind == "Parallel" and isinstance(given.get("Branches"), list):
        regions = given["Branches"]
    elif kind == "Map":
        regions = [given.get("ItemProcessor", given.get("Iterator"))]
    graphs = (_graph(region) for region in regions if isinstance(region, Mapping))
    return State(
        name,
        clean(kind) if isinstance(kind, str) else "",
        state_detail(given),
        tuple(state_notes(given)),
        isinstance(given.get("Retry"), list) and bool(given["Retry"]),
        tuple(graph for graph in graphs if graph.states),
    )


def _edges(name: str, state: Mapping[str, Any]) -> Iterator[Edge]:
    kind = state.get("Type")
    if kind not in ("Choice", "Succeed", "Fail"):
        if state.get("End") is True:
            yield Edge(name, None, "end")
        elif isinstance(state.get("Next"), str):
            yield Edge(name, state["Next"], "next")
    if kind == "Choice":
        for rule in _objects(state.get("Choices")):
            if isinstance(rule.get("Next"), str):
                yield Edge(name, rule["Next"], "rule", clean(rule_text(rule)))
        if isinstance(state.get("Default"), str):
            yield Edge(name, state["Default"], "default", "Default")
    for catcher in _objects(state.get("Catch")):
        if isinstance(catcher.get("Next"), str):
            errors = catcher.get("ErrorEquals")
            names = map(str, errors) if isinstance(errors, list) else ()
            shown = ", ".join("any error" if error == "States.ALL" else clean(error) for error in names)
            yield Edge(name, catcher["Next"], "catch", shown or "an error")


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _merged(edges: Iterator[Edge]) -> Sequence[Edge]:
    """One edge where several rules, or several catchers, lead from a state to the same."""
    found: dict[tuple[str | None, str], Edge] = {}
    for edge in edges:
        key = (edge.target, edge.kind)
        if key in found:
            word = ", " if edge.kind == "catch" else " or "
            found[key] = replace(edge, label=found[key].label + word + edge.label)
        else:
            found[key] = edge
    return list(found.values())
