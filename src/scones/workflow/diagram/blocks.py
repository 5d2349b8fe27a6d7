"""Blocks: places in several layers that lie on one upright line, so that what should be straight is straight."""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

from scones.workflow.diagram.layers import Slot, Thread

__all__ = ["make_blocks"]


def make_blocks(layers: Sequence[Sequence[Slot]], threads: Sequence[Thread]) -> list[list[Slot]]:
    """Gather all places in blocks.

    First the spines: a state and the one that it always leads to. Then the places that an edge passes, long
    edges first. Two are joined only if that crosses nothing that was joined before; so there is always a way to
    lay the blocks out (Brandes and Köpf, "Fast and Simple Horizontal Coordinate Assignment", 2001).
    """
    at = {slot: index for layer in layers for index, slot in enumerate(layer)}
    joined: list[list[tuple[int, int]]] = [[] for _ in layers]
    block_of = {slot: [slot] for layer in layers for slot in layer}
    for upper, lower in [*_spines(threads), *_passes(threads)]:
        link = (at[upper], at[lower])
        beside = joined[upper.layer]
        index = bisect(beside, link)
        if (index and beside[index - 1][1] >= link[1]) or (index < len(beside) and beside[index][1] <= link[1]):
            continue
        beside.insert(index, link)
        one, other = block_of[upper], block_of[lower]
        one.extend(other)
        for slot in other:
            block_of[slot] = one
    return list({id(block): block for block in block_of.values()}.values())


def _spines(threads: Sequence[Thread]) -> Iterator[tuple[Slot, Slot]]:
    plain = [thread for thread in threads if thread.edge.kind != "catch" and not thread.side]
    sources = Counter(thread.slots[0] for thread in plain)
    targets = Counter(thread.target for thread in plain)
    for thread in plain:
        if sources[thread.slots[0]] == 1 and targets[thread.target] == 1 and thread.label is None:
            yield from pairwise(thread.slots)


def _passes(threads: Sequence[Thread]) -> Iterator[tuple[Slot, Slot]]:
    for thread in sorted(threads, key=lambda one: -len(one.slots)):
        for upper, lower in pairwise(thread.slots):
            if upper.kind == lower.kind == "bend":
                yield upper, lower
