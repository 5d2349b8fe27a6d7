"""What production's records add up to.

They are a pile: a promotion lays a model on top, and a rollback takes the top away, so that the next one goes
further back instead of to and fro. Nothing is ever erased: taking away is a record too, which names the record
that counts again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from scones.contracts import Policy
from scones.registry.aliases import Record

__all__ = ["Pile", "pile_up"]


@dataclass(frozen=True)
class Pile:
    """Production's records, added up.

    Attributes:
        standing: the records that still lie upon each other, the one in force last.
        taken_away: versions that a rollback left and that did not come back, with that rollback's record.
    """

    standing: tuple[Record, ...]
    taken_away: dict[str, Policy]


def pile_up(records: Iterable[Record]) -> Pile:
    """Add records up.

    Args:
        records: oldest first, as :func:`scones.registry.history` gives them; a damaged one lies in the pile
            like any other.

    Example:
        >>> def said(number, version, restores=None):
        ...     return Record(number, Policy(version=version, restores=restores, who="", why="", at=""))
        >>> pile = pile_up([said(1, "a"), said(2, "b"), said(3, "c"), said(4, "b", restores=2), said(5, "d")])
        >>> [record.version for record in pile.standing], list(pile.taken_away)
        (['a', 'b', 'd'], ['c'])
    """
    standing: list[Record] = []
    taken_away: dict[str, Policy] = {}
    for record in records:
        below = [one.number for one in standing]
        if record.policy and record.policy.restores in below:
            end = below.index(record.policy.restores) + 1
            taken_away |= {one.version: record.policy for one in standing[end:] if one.version}
            del standing[end:]
        else:
            standing.append(record)
        if record.version:
            taken_away.pop(record.version, None)
    return Pile(tuple(standing), taken_away)
