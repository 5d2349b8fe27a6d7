"""The order within layers: as few crossings as barycentres and swaps of neighbours find.

Sugiyama's barycentre method, with the transposition of Gansner, Koutsofios, North and Vo ("A Technique for
Drawing Directed Graphs", 1993).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

from scones.workflow.diagram.layers import LEFT, Slot

__all__ = ["reduce_crossings"]

_SWEEPS: Final = 16


def reduce_crossings(layers: list[list[Slot]]) -> None:
    """Order each layer anew; the same layers always give the same order."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        for number in range(1, len(layers)) if down else range(len(layers) - 2, -1, -1):
            _sort(layers[number], layers[number - 1 if down else number + 1], above=down)
        _swap(layers)
        if (count := _crossings(layers)) < fewest:
            best, fewest = [list(layer) for layer in layers], count
    layers[:] = best


def _crossings(layers: Sequence[Sequence[Slot]]) -> int:
    """How many pairs of edges cross, of those between a layer and the next, loops included."""
    total = 0
    for upper, lower in pairwise(layers):
        at = {slot: index for index, slot in enumerate(lower)}
        ends: list[float] = []  # of the edges that begin further left, sorted
        for slot in upper:
            mine = _ends(slot, at, above=False)
            total += sum(len(ends) - bisect_right(ends, end) for end in mine)
            for end in mine:
                insort(ends, end)
    return total


def _ends(slot: Slot, at: Mapping[Slot, int], *, above: bool) -> list[float]:
    """Where a place's edges end in the next layer; a loop ends beside it, and further out the shorter it is.

    So a short loop is put outside a long one: it turns first, and they do not cross.
    """
    ends: list[float] = [at[other] for other, _ in (slot.above if above else slot.below)]
    for side, length in slot.turns_in if above else slot.turns_out:
        out = 1 / (1 + length)
        ends.append(-1 - out if side == LEFT else len(at) + out)
    return ends


def _sort(layer: list[Slot], beside: Sequence[Slot], *, above: bool) -> None:
    at = {slot: index for index, slot in enumerate(beside)}
    middles = {}
    for index, slot in enumerate(layer):
        ends = _ends(slot, at, above=above)
        middles[slot] = sum(ends) / len(ends) if ends else float(index)
    layer.sort(key=middles.__getitem__)


def _swap(layers: Sequence[list[Slot]]) -> None:
    """Exchange neighbours where it saves crossings."""
    for number, layer in enumerate(layers):
        upper = {slot: index for index, slot in enumerate(layers[number - 1])} if number else {}
        lower = {slot: index for index, slot in enumerate(layers[number + 1])} if number + 1 < len(layers) else {}
        ends = {slot: (_ends(slot, upper, above=True), _ends(slot, lower, above=False)) for slot in layer}
        for left in range(len(layer) - 1):
            one, other = ends[layer[left]], ends[layer[left + 1]]
            now, swapped = (
                sum(a > b for mine, yours in zip(first, second, strict=True) for a in mine for b in yours)
                for first, second in ((one, other), (other, one))
            )
            if swapped < now:
                layer[left], layer[left + 1] = layer[left + 1], layer[left]
