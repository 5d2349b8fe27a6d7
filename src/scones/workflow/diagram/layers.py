"""Layers: each state below all that lead to it, loops left out, and a place in each layer that an edge passes.

The first steps of Sugiyama, Tagawa and Toda ("Methods for Visual Understanding of Hierarchical System
Structures", 1981): cycles are broken where a depth-first walk comes back, layers are longest paths. A label
is a place of its own, in a layer of labels just below the edge's source, so nothing can lie upon it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal, TypeAlias

from scones.workflow.diagram.graph import Edge, Graph

__all__ = ["LEFT", "RIGHT", "Layers", "Size", "Slot", "SlotKind", "Thread", "make_layers"]

SlotKind: TypeAlias = Literal["state", "mark", "label", "bend"]
Size: TypeAlias = tuple[float, float]
"""Width and height, in pixels."""

LEFT: Final = -1
RIGHT: Final = 1
START: Final = (18.0, 18.0)
END: Final = (18.0, 18.0)
_WEIGHTS: Final = {"start": 8.0, "next": 4.0, "end": 4.0, "rule": 2.0, "default": 2.0, "catch": 1.0}


@dataclass(slots=True, eq=False)
class Slot:
    """A place in a layer.

    Attributes:
        kind: what lies there: a state, the start's or an end's mark, a label, or an edge that passes.
        width, height: in pixels.
        name: the state's.
        above, below: the places that edges lead from and to, in the next layers, each with how much the edge
            wants to be straight.
        turns_in, turns_out: the sides (LEFT, RIGHT) from which loops come in above, and to which they go out below,
            with how many layers each loop passes.
        layer: the number of its layer.
        x: of its middle.
        y: of its top.
    """

    kind: SlotKind
    width: float
    height: float
    name: str | None = None
    above: list[tuple[Slot, float]] = field(default_factory=list)
    below: list[tuple[Slot, float]] = field(default_factory=list)
    turns_in: list[tuple[int, int]] = field(default_factory=list)
    turns_out: list[tuple[int, int]] = field(default_factory=list)
    layer: int = 0
    x: float = 0.0
    y: float = 0.0


@dataclass(slots=True, eq=False)
class Thread:
    """An edge's course through the layers.

    Attributes:
        edge: which.
        slots: a place in each layer, from the source down to the target; of a loop only its source, and its label.
        target: where it ends.
        label: the place of its label.
        side: where a loop goes up again, beside everything: LEFT or RIGHT; 0 for an edge that leads down.
    """

    edge: Edge
    slots: list[Slot]
    target: Slot
    label: Slot | None = None
    side: int = 0


@dataclass(slots=True)
class Layers:
    """The layers from the top, and the edges' courses through them, in the graph's order."""

    layers: list[list[Slot]]
    threads: list[Thread]

    def turn(self, thread: Thread, side: int) -> None:
        """Let a loop go up at a side."""
        length = thread.slots[-1].layer - thread.target.layer
        if thread.side:
            thread.slots[-1].turns_out.remove((thread.side, length))
            thread.target.turns_in.remove((thread.side, length))
        thread.side = side
        thread.slots[-1].turns_out.append((side, length))
        thread.target.turns_in.append((side, length))


def make_layers(graph: Graph, sizes: Mapping[str, Size], labels: Mapping[Edge, Size]) -> Layers:
    """Find the layers.

    Args:
        graph: what to draw.
        sizes: of each state's box.
        labels: the size of the label of each edge that has one.
    """
    states = {name: Slot("state", *sizes[name], name) for name in graph.states}
    start = Slot("mark", *START)
    links = []
    for edge in graph.edges:
        source = start if edge.source is None else states[edge.source]
        links.append((edge, source, Slot("mark", *END) if edge.target is None else states[edge.target]))
    roots = [start, *states.values()] if any(edge.source is None for edge in graph.edges) else list(states.values())
    ways: dict[Slot, list[tuple[int, Slot]]] = {slot: [] for slot in roots}
    for index, (_, source, target) in enumerate(links):
        ways[source].append((index, target))
        ways.setdefault(target, [])
    order, loops = _walk(roots, ways)
    ranks = {slot: 0 if slot is start else 1 for slot in order}
    for slot in order:
        for index, target in ways[slot]:
            if index not in loops:
                ranks[target] = max(ranks[target], ranks[slot] + 1)
    # a state's layer has an even number, the layer of the labels of what leads from it the next
    used = {2 * rank for rank in ranks.values()}
    used |= {2 * ranks[source] + 1 for edge, source, _ in links if edge in labels}
    numbers = {number: index for index, number in enumerate(sorted(used))}
    found = Layers([[] for _ in numbers], [])
    for slot in order:
        slot.layer = numbers[2 * ranks[slot]]
    for index, (edge, source, target) in enumerate(links):
        label = Slot("label", *labels[edge], layer=numbers[2 * ranks[source] + 1]) if edge in labels else None
        thread = Thread(edge, [source, label] if label else [source], target, label)
        if index in loops:
            found.turn(thread, RIGHT)
        else:
            passed = range(thread.slots[-1].layer + 1, target.layer)
            thread.slots += [*(Slot("bend", 0.0, 0.0, layer=number) for number in passed), target]
        found.threads.append(thread)
        _join(thread)
    _fill(found, roots)
    return found


def _walk(roots: list[Slot], ways: Mapping[Slot, list[tuple[int, Slot]]]) -> tuple[list[Slot], set[int]]:
    """All places, each before those that it leads to, and the links that lead back to where the walk came from."""
    done: list[Slot] = []
    loops: set[int] = set()
    seen: set[Slot] = set()
    for root in roots:
        if root in seen:
            continue
        seen.add(root)
        path = [(root, iter(ways[root]))]
        on_path = {root}
        while path:
            slot, ahead = path[-1]
            for index, target in ahead:
                if target in on_path:
                    loops.add(index)
                elif target not in seen:
                    seen.add(target)
                    on_path.add(target)
                    path.append((target, iter(ways[target])))
                    break
            else:
                path.pop()
                on_path.remove(slot)
                done.append(slot)
    return done[::-1], loops


def _join(thread: Thread) -> None:
    """Tell the places along a thread of each other; the longer an edge, the straighter it wants to be."""
    for upper, lower in pairwise(thread.slots):
        weight = _WEIGHTS[thread.edge.kind]
        kinds = (upper.kind, lower.kind)
        if kinds == ("bend", "bend"):
            weight *= 8.0
        elif kinds != ("label", "bend") and ("label" in kinds or "bend" in kinds):
            weight *= 2.0  # a label belongs to its source, whatever way the edge goes from there
        upper.below.append((lower, weight))
        lower.above.append((upper, weight))


def _fill(found: Layers, roots: list[Slot]) -> None:
    """Put each place into its layer, in the order in which a walk from the start meets them."""
    seen: set[Slot] = set()
    for root in roots:
        ahead = [root]
        while ahead:
            slot = ahead.pop()
            if slot in seen:
                continue
            seen.add(slot)
            found.layers[slot.layer].append(slot)
            ahead.extend(lower for lower, _ in reversed(slot.below))
