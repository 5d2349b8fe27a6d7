"""What a look goes on from, and how it is written down: so that of several monitors each event counts once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final

from scones.errors import ObjectExists, StoreError
from scones.monitoring.watch.history import forget_states, new_state_key, newest_number, read_look
from scones.monitoring.watch.position import Position
from scones.monitoring.watch.records import Look, Totals
from scones.monitoring.watch.state import WatchState, load_position, load_state, pack
from scones.store import Bucket, Layout

__all__ = ["Basis", "find_basis", "write_look"]

_log = logging.getLogger(__name__)
_LOOKED_BACK: Final = 20
"""Looks that are tried, should the newest ones be damaged."""


@dataclass(frozen=True)
class Basis:
    """What a look goes on from.

    Attributes:
        number: of the newest look; 0 where there is none.
        last: the newest look that can be read.
        state: what was left of it; None where there is nothing to go on from.
        position: where to go on reading.
        note: what is to be said of it.
    """

    number: int
    last: Look | None
    state: WatchState | None
    position: Position
    note: str = ""

    @property
    def totals(self) -> Totals:
        """Counts of what was read up to there."""
        if self.state is not None:
            return self.state.totals
        return self.last.totals if self.last is not None else Totals()

    @property
    def newest(self) -> float | None:
        """Time of the newest record, POSIX seconds."""
        if self.state is not None:
            return self.state.newest
        return self.last.newest.timestamp() if self.last is not None and self.last.newest is not None else None


def find_basis(bucket: Bucket, endpoint: str) -> Basis:
    """Find what the next look goes on from.

    It is what the newest look left. Where that is damaged, it is what the look before left: then what the newest look
    read is read again, and its detector and its totals come out the same. Where that is damaged as well, a new watch
    begins after what was read: all that the state still tells of it, else what the newest look says.

    Raises:
        StoreError: the store does not answer.
    """
    while True:
        number = newest_number(bucket, endpoint)
        last = None
        for place in range(number, max(0, number - _LOOKED_BACK), -1):
            look = read_look(bucket, endpoint, place)
            last = last or look
            if place >= number - 1 and look is not None and (state := load_state(bucket, look.state)) is not None:
                fault = f"what look {number} left is damaged or gone: what it read was read again"
                return Basis(number, last, state, state.position, "" if place == number else fault)
            if place < number and last is not None:
                break
        if newest_number(bucket, endpoint) != number:
            continue  # another monitor went on meanwhile, and removed what this one was about to read
        position = load_position(bucket, last.state) if last is not None else None
        if position is None:
            position = Position(since=last.newest.timestamp() if last is not None and last.newest is not None else 0.0)
        fault = (
            f"what look {number} and the one before left is damaged, gone or of another version: the watch begins anew"
        )
        return Basis(number, last, None, position, fault if number else "")


def write_look(bucket: Bucket, endpoint: str, look: Look, state: WatchState, after: int) -> bool:
    """Write down a look: first the state, under a key of its own, then the look, if no other came after ``after``.

    Returns:
        Whether it is written; False where another monitor was first.

    Raises:
        StoreError: the store does not answer, or is full.
    """
    key = new_state_key(endpoint, after + 1)
    bucket.put(key, pack(state))
    try:
        bucket.append(
            Layout.watch_series(endpoint), look.model_copy(update={"state": key}).model_dump(mode="json"), after=after
        )
    except ObjectExists:
        there = read_look(bucket, endpoint, after + 1)
        if there is None or there.state != key:  # else it is this very one, and only the store's answer was lost
            bucket.delete(key)
            return False
    try:
        forget_states(bucket, endpoint, after + 1)
    except StoreError as error:
        _log.warning("states of earlier looks at %s stay until the next look: %s", endpoint, error)
    return True
