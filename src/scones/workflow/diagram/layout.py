"""A graph on paper: where each box, each edge and each label lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from scones.workflow.diagram.boxes import Caption, caption, edge_label, edge_label_size
from scones.workflow.diagram.graph import Edge, Graph, State
from scones.workflow.diagram.layers import LEFT, Layers, Size, Slot, make_layers
from scones.workflow.diagram.order import reduce_crossings
from scones.workflow.diagram.place import place
from scones.workflow.diagram.routes import Point, route

__all__ = ["Box", "Chip", "Place", "Plan", "Region", "Route", "lay_out"]

_MARGIN: Final = 16.0
_BETWEEN: Final = 16.0
"""Between regions, and between a region and what encloses it."""

Place: TypeAlias = tuple[float, float, float, float]
"""Left, top, width, height, in pixels."""


@dataclass(frozen=True, slots=True)
class Region:
    """A graph within a box: its frame, and where in it the plan begins."""

    place: Place
    at: Point
    plan: Plan


@dataclass(frozen=True, slots=True)
class Box:
    """A state on paper."""

    state: State
    caption: Caption
    place: Place
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Chip:
    """An edge's label on paper."""

    lines: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Route:
    """An edge on paper: level and upright lines from point to point."""

    edge: Edge
    points: tuple[Point, ...]
    chip: Chip | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph on paper; places are measured from its top left corner.

    ``marks`` are the middles of the start's mark and the ends', with their edges.
    """

    size: Size
    boxes: tuple[Box, ...]
    routes: tuple[Route, ...]
    marks: tuple[tuple[Edge, Point], ...]


def lay_out(graph: Graph, *, timed: bool = False) -> Plan:
    """Lay out a graph and all that are nested in it.

    Args:
        graph: what to draw.
        timed: keep a line in each box for the times of an execution.
    """
    states = graph.states
    within = {name: [lay_out(region, timed=timed) for region in state.regions] for name, state in states.items()}
    captions = {name: caption(states[name], timed=timed, least=_width(plans)) for name, plans in within.items()}
    sizes = {name: _whole_size(captions[name].size, plans) for name, plans in within.items()}
    lines = {edge: edge_label(edge) for edge in graph.edges if edge.label}
    found = make_layers(graph, sizes, {edge: edge_label_size(text) for edge, text in lines.items()})
    _arrange(found)
    courses, (left, top, right, bottom) = route(found.layers, found.threads)
    shift = (_MARGIN - left, _MARGIN - top)
    slots = {slot.name: slot for layer in found.layers for slot in layer if slot.kind == "state"}
    boxes = []
    for name, state in states.items():
        where = _place(slots[name], shift)
        boxes.append(Box(state, captions[name], where, _regions(within[name], captions[name].size, where)))
    routes, marks = [], []
    for thread, points in zip(found.threads, courses, strict=True):
        chip = Chip(lines[thread.edge], _place(thread.label, shift)) if thread.label else None
        routes.append(Route(thread.edge, tuple((x + shift[0], y + shift[1]) for x, y in points), chip))
        for slot in (thread.slots[0], thread.target):
            if slot.kind == "mark":
                x, y, width, height = _place(slot, shift)
                marks.append((thread.edge, (x + width / 2, y + height / 2)))
    size = (right - left + 2 * _MARGIN, bottom - top + 2 * _MARGIN)
    return Plan(size, tuple(boxes), tuple(routes), tuple(marks))


def _arrange(found: Layers) -> None:
    """Order and place; a loop goes up on the left where it begins and ends in the left half."""
    reduce_crossings(found.layers)
    place(found.layers, found.threads)
    middle = sum(slot.x for layer in found.layers for slot in layer) / sum(map(len, found.layers))
    turned = False
    for thread in found.threads:
        ends = (thread.slots[0].x, thread.target.x)
        if thread.side and max(ends) < middle - 1 and min(ends) < middle - 40:
            found.turn(thread, LEFT)
            turned = True
    if turned:
        reduce_crossings(found.layers)
        place(found.layers, found.threads)


def _place(slot: Slot, shift: Point) -> Place:
    return (slot.x - slot.width / 2 + shift[0], slot.y + shift[1], slot.width, slot.height)


def _width(plans: Sequence[Plan]) -> float:
    """How wide a box has to be for what lies in it."""
    return sum(plan.size[0] for plan in plans) + _BETWEEN * (len(plans) + 1) if plans else 0.0


def _whole_size(head: Size, plans: Sequence[Plan]) -> Size:
    return (head[0], head[1] + max(plan.size[1] for plan in plans) + _BETWEEN) if plans else head


def _regions(plans: Sequence[Plan], head: Size, box: Place) -> tuple[Region, ...]:
    """The regions side by side below the head: all as high as the highest, and together as wide as the box."""
    if not plans:
        return ()
    more = (box[2] - _width(plans)) / len(plans)
    height = max(plan.size[1] for plan in plans)
    x, y = box[0] + _BETWEEN, box[1] + head[1]
    found = []
    for plan in plans:
        found.append(Region((x, y, plan.size[0] + more, height), (round(x + more / 2), y), plan))
        x += plan.size[0] + more + _BETWEEN
    return tuple(found)
