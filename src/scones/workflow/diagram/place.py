"""Where places lie within their layers: edges short and straight, and nothing upon another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from scones.workflow.diagram.blocks import make_blocks
from scones.workflow.diagram.layers import Slot, Thread

__all__ = ["keep_apart", "place"]

_ROUNDS: Final = 160
_PASSES: Final = 6
_WORK: Final = 1_500_000
"""Large machines get fewer rounds: at most so many steps in all."""
_GAPS: Final = {"state": 32.0, "mark": 28.0, "label": 14.0, "bend": 18.0}


@dataclass(slots=True)
class _Body:
    """A block that moves sideways as one."""

    slots: list[Slot]
    x: float
    links: list[tuple[int, float]] = field(default_factory=list)
    weight: float = 0.0


@dataclass(slots=True)
class _Apart:
    """One body right of another by a distance, and how hard they press against it."""

    left: int
    right: int
    least: float
    pressure: float = 0.0


def _distance(left: Slot, right: Slot) -> float:
    """How far apart the middles of two neighbours are at least, in pixels."""
    gap = max(_GAPS[left.kind], _GAPS[right.kind])
    if left.kind != right.kind:
        gap = min(gap, 24.0)
    return (left.width + right.width) / 2 + gap


def keep_apart(wanted: Sequence[float], step: float) -> list[float]:
    """The positions nearest to those wanted (least squares) that keep their order and a distance.

    By pooling adjacent violators (Ayer et al., 1955).

    Args:
        wanted: positions.
        step: of each to the next, at least.

    Example:
        >>> keep_apart([0.0, 1.0, 10.0], 3)
        [-1.0, 2.0, 10.0]
    """
    blocks: list[tuple[float, int]] = []  # mean, how many
    for index, position in enumerate(wanted):
        mean, count = position - index * step, 1
        while blocks and blocks[-1][0] > mean:
            before, more = blocks.pop()
            mean, count = (before * more + mean * count) / (more + count), count + more
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    return [mean + index * step for index, mean in enumerate(means)]


def place(layers: Sequence[Sequence[Slot]], threads: Sequence[Thread]) -> None:
    """Set each place's x, in whole pixels.

    It minimises the weighted squares of the edges' sideways steps under the distances between neighbours:
    projected gradient steps with Nesterov's momentum, each projection by Hildreth's method, which moves
    whatever presses against each other in turn.
    """
    bodies, aparts = _bodies(layers, threads)
    rounds = max(20, min(_ROUNDS, _WORK // (_PASSES * len(aparts) + 1)))
    before = [body.x for body in bodies]
    for number in range(rounds):
        momentum = number / (number + 3)
        ahead = [body.x + momentum * (body.x - old) for body, old in zip(bodies, before, strict=True)]
        before = [body.x for body in bodies]
        for body, x in zip(bodies, ahead, strict=True):
            pull = sum(weight * ahead[other] for other, weight in body.links)
            body.x = (x + pull / body.weight) / 2 if body.links else x
        _press(bodies, aparts)
    _settle(bodies, aparts)
    for body in bodies:
        for slot in body.slots:
            slot.x = float(round(body.x))


def _bodies(layers: Sequence[Sequence[Slot]], threads: Sequence[Thread]) -> tuple[list[_Body], list[_Apart]]:
    for layer in layers:
        at = 0.0
        for left, slot in zip([None, *layer], layer, strict=False):
            at += _distance(left, slot) if left else 0.0
            slot.x = at
        for slot in layer:
            slot.x -= at / 2
    bodies = [_Body(block, sum(slot.x for slot in block) / len(block)) for block in make_blocks(layers, threads)]
    number = {slot: index for index, body in enumerate(bodies) for slot in body.slots}
    for index, body in enumerate(bodies):
        for slot in body.slots:
            body.links += [(number[other], weight) for other, weight in (*slot.above, *slot.below)]
        body.links = [(other, weight) for other, weight in body.links if other != index]
        body.weight = sum(weight for _, weight in body.links) or 0.1
    least: dict[tuple[int, int], float] = {}
    for layer in layers:
        for left, right in pairwise(layer):
            pair = (number[left], number[right])
            least[pair] = max(least.get(pair, 0.0), _distance(left, right))
    return bodies, [_Apart(left, right, gap) for (left, right), gap in least.items()]


def _press(bodies: Sequence[_Body], aparts: Sequence[_Apart]) -> None:
    """Move bodies apart where they are too near, the lighter ones further."""
    for apart in aparts:
        bodies[apart.left].x -= apart.pressure / bodies[apart.left].weight
        bodies[apart.right].x += apart.pressure / bodies[apart.right].weight
    for _ in range(_PASSES):
        for apart in aparts:
            left, right = bodies[apart.left], bodies[apart.right]
            lacking = left.x + apart.least - right.x
            change = max(-apart.pressure, lacking / (1 / left.weight + 1 / right.weight))
            apart.pressure += change
            left.x -= change / left.weight
            right.x += change / right.weight


def _settle(bodies: Sequence[_Body], aparts: Sequence[_Apart]) -> None:
    """Close what is left of the way, from the left: every distance is kept then."""
    waiting = [0] * len(bodies)
    following: list[list[_Apart]] = [[] for _ in bodies]
    for apart in aparts:
        waiting[apart.right] += 1
        following[apart.left].append(apart)
    ahead = [index for index, count in enumerate(waiting) if count == 0]
    while ahead:
        index = ahead.pop()
        bodies[index].x = float(round(bodies[index].x))
        for apart in following[index]:
            bodies[apart.right].x = max(bodies[apart.right].x, bodies[index].x + apart.least)
            waiting[apart.right] -= 1
            if waiting[apart.right] == 0:
                ahead.append(apart.right)
