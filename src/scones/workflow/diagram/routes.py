"""The courses of edges: down through their places, sideways only in the channels between layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from scones.workflow.diagram.channels import Strand, assign_tracks
from scones.workflow.diagram.layers import LEFT, Slot, Thread
from scones.workflow.diagram.place import keep_apart

__all__ = ["Point", "route"]

Point: TypeAlias = tuple[float, float]

_TRACK: Final = 12.0
_LANE: Final = 20.0
_PORT: Final = 16.0
_INSET: Final = 20.0
"""No edge leaves a box nearer to its corner."""
_LEAD: Final = 10.0
_ARROW: Final = 16.0
"""An arrow's head needs so much room below the last track."""
_PLAIN: Final = 30.0
_TO_LABEL: Final = 16.0
_FROM_LABEL: Final = 24.0


@dataclass(slots=True)
class _Channel:
    """The room above a layer, or below the last one."""

    strands: list[Strand] = field(default_factory=list)
    top: float = 0.0

    def track(self, strand: Strand) -> float:
        """The y of a strand's track."""
        return self.top + _LEAD + strand.track * _TRACK


@dataclass(slots=True, eq=False)
class _Leg:
    """A part of an edge's course: through a channel."""

    channel: int
    strand: Strand | None


@dataclass(frozen=True, slots=True)
class _End:
    """An end of the part of an edge, at a place: towards which x it goes, and to a loop's lane at which side."""

    x: float
    thread: Thread
    number: int
    side: int = 0


def route(
    layers: Sequence[Sequence[Slot]], threads: Sequence[Thread]
) -> tuple[list[list[Point]], tuple[float, float, float, float]]:
    """Find the course of each edge, and set the y of each place.

    Args:
        layers: the places, with their x.
        threads: the edges.

    Returns:
        The corners of each edge's course, and the left, top, right and bottom of everything.
    """
    lanes = _lanes(layers, threads)
    outs, ins = _ports(layers, threads, lanes)
    channels = [_Channel() for _ in range(len(layers) + 1)]
    legs = [_legs(thread, outs[thread], ins[thread], lanes.get(thread, 0.0), channels) for thread in threads]
    bottom = _stack(layers, channels)
    courses = [
        _course(thread, outs[thread][0], ins[thread][-1], channels, parts)
        for thread, parts in zip(threads, legs, strict=True)
    ]
    slots = [slot for layer in layers for slot in layer]
    sides = [*lanes.values()]
    left = min([*(slot.x - slot.width / 2 for slot in slots), *sides], default=0.0)
    right = max([*(slot.x + slot.width / 2 for slot in slots), *sides], default=0.0)
    return courses, (left, 0.0, right, bottom)


def _lanes(layers: Sequence[Sequence[Slot]], threads: Sequence[Thread]) -> dict[Thread, float]:
    """The x where each loop goes up: beside all that lies in the layers that it passes, short ones inside."""
    edges = [
        [min(slot.x - slot.width / 2 for slot in layer), max(slot.x + slot.width / 2 for slot in layer)]
        for layer in layers
    ]
    found = {}
    loops = [thread for thread in threads if thread.side]
    for thread in sorted(loops, key=lambda loop: loop.slots[-1].layer - loop.target.layer):
        passed = edges[thread.target.layer : thread.slots[-1].layer + 1]
        lows, highs = zip(*passed, strict=True)
        x = min(lows) - _LANE if thread.side == LEFT else max(highs) + _LANE
        for limits in passed:
            limits[0], limits[1] = min(limits[0], x), max(limits[1], x)
        found[thread] = x
    return found


def _ports(
    layers: Sequence[Sequence[Slot]], threads: Sequence[Thread], lanes: dict[Thread, float]
) -> tuple[dict[Thread, list[float]], dict[Thread, list[float]]]:
    """For each edge, the x where it leaves each of its places below, and where it comes into the next from above."""
    leaving: dict[Slot, list[_End]] = {}
    coming: dict[Slot, list[_End]] = {}
    outs: dict[Thread, list[float]] = {}
    ins: dict[Thread, list[float]] = {}
    for thread in threads:
        ends = [*thread.slots[1:]]
        outs[thread] = [slot.x for slot in thread.slots[: len(ends)]]
        ins[thread] = [slot.x for slot in ends]
        for index, (upper, lower) in enumerate(zip(thread.slots, ends, strict=False)):
            leaving.setdefault(upper, []).append(_End(lower.x, thread, index))
        if thread.side:
            outs[thread].append(thread.slots[-1].x)
            ins[thread].append(thread.target.x)
            leaving.setdefault(thread.slots[-1], []).append(_End(lanes[thread], thread, len(ends), thread.side))
    for layer in layers:
        for slot in layer:
            _spread(slot, leaving.get(slot, []), outs)
    # where an edge comes in depends on where it has left, so that it may be straight
    for thread in threads:
        for index, lower in enumerate(thread.slots[1:]):
            coming.setdefault(lower, []).append(_End(outs[thread][index], thread, index))
        if thread.side:
            coming.setdefault(thread.target, []).append(_End(lanes[thread], thread, len(thread.slots) - 1, thread.side))
    for layer in layers:
        for slot in layer:
            _spread(slot, coming.get(slot, []), ins)
    return outs, ins


def _spread(slot: Slot, ends: list[_End], ports: dict[Thread, list[float]]) -> None:
    """Share a place's upper or lower side out among its edges: straight on where that is possible."""
    if slot.kind != "state" or not ends:
        return
    # a loop's end lies outside; of several on a side the innermost outside, so that they do not cross
    ends.sort(key=lambda end: (end.side, -end.x if end.side else end.x))
    half = slot.width / 2 - _INSET
    step = min(_PORT, 2 * half / max(1, len(ends) - 1))
    wanted = []
    for end in ends:
        aside = 0.0 if len(ends) == 1 else min(half, 0.5 * half + step)
        away = end.x - slot.x
        wanted.append(slot.x + (away if abs(away) <= half else aside if away > 0 else -aside))
    apart = keep_apart(wanted, step)
    for index, (end, x) in enumerate(zip(ends, apart, strict=True)):
        low, high = slot.x - half + index * step, slot.x + half - (len(ends) - 1 - index) * step
        ports[end.thread][end.number] = float(round(min(max(x, low), high)))


def _legs(
    thread: Thread, outs: Sequence[float], ins: Sequence[float], lane: float, channels: Sequence[_Channel]
) -> list[_Leg]:
    legs = []
    for upper, out, into in zip(thread.slots[:-1], outs, ins, strict=False):
        strand = None if out == into else Strand((out, into), (True, False))
        legs.append(_Leg(upper.layer + 1, strand))
    if thread.side:
        # a loop's two turns have both ends on the same side of their channel
        legs.append(_Leg(thread.slots[-1].layer + 1, Strand((outs[-1], lane), (True, True))))
        legs.append(_Leg(thread.target.layer, Strand((lane, ins[-1]), (False, False))))
    for leg in legs:
        if leg.strand is not None:
            channels[leg.channel].strands.append(leg.strand)
    return legs


def _stack(layers: Sequence[Sequence[Slot]], channels: Sequence[_Channel]) -> float:
    """Set each y from the top; answers the bottom."""
    y = 0.0
    for number, channel in enumerate(channels):
        above = layers[number - 1] if number else ()
        below = layers[number] if number < len(layers) else ()
        to_label = any(slot.kind == "label" for slot in below)
        from_label = any(slot.kind == "label" for slot in above)
        plain = _TO_LABEL if to_label else _FROM_LABEL if from_label else _PLAIN
        tracks = assign_tracks(channel.strands)
        needed = _LEAD + (tracks - 1) * _TRACK + (_LEAD if to_label or not below else _ARROW)
        channel.top = y
        outermost = not above or not below
        y += needed if tracks and (outermost or needed > plain) else 0.0 if outermost else plain
        if number < len(layers):
            for slot in layers[number]:
                slot.y = y
            y += max(slot.height for slot in layers[number])
    return y


def _course(thread: Thread, out: float, into: float, channels: Sequence[_Channel], legs: Sequence[_Leg]) -> list[Point]:
    points = [(out, thread.slots[0].y + thread.slots[0].height)]
    for leg in legs:
        if leg.strand is not None:
            y = channels[leg.channel].track(leg.strand)
            points += [(x, y) for x in leg.strand.ends]
    points.append((into, thread.target.y))
    return points
