"""The latest pictures by their bytes: the same one again tells nothing new, and a detector must not see it. No I/O.

A camera that sends a picture twice, or a request that is tried again under a new event id, would make it bet on the
same gain again and again, which looks like a drift.
"""

from __future__ import annotations

import hashlib
from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["LATEST", "LatestPictures", "content_number", "note_of_repeats"]

LATEST: Final = 20_000
"""Pictures that are remembered: the same one is shown again when so many others came in between."""
_NONE: Final = 0
_MANY: Final = 20
"""Repeats in a look from which a person is asked about them, where more came again than anew."""


def content_number(picture: bytes) -> int:
    """Eight bytes that stand for a picture's, as a number from 1."""
    return int.from_bytes(hashlib.blake2b(picture, digest_size=8).digest()) or 1


class LatestPictures:
    """The latest 20,000 pictures that were shown; those that were not captured take a place without being known.

    Args:
        numbers: uint64 (N,), of earlier ones, the last one's last.

    Example:
        >>> latest = LatestPictures(np.zeros(0, np.uint64))
        >>> latest.add(b"a picture")
        >>> [picture in latest for picture in (b"a picture", b"another")]
        [True, False]
    """

    def __init__(self, numbers: NDArray[np.uint64]) -> None:
        self._order: deque[int] = deque(numbers[-LATEST:].tolist())
        self._known = set(self._order) - {_NONE}

    def __contains__(self, picture: bytes) -> bool:
        return content_number(picture) in self._known

    def add(self, picture: bytes | None) -> None:
        """Remember one that is not known yet; None: it was not captured."""
        number = _NONE if picture is None else content_number(picture)
        self._order.append(number)
        if number != _NONE:
            self._known.add(number)
        if len(self._order) > LATEST:
            self._known.discard(self._order.popleft())

    @property
    def numbers(self) -> NDArray[np.uint64]:
        """uint64 (N,), to go on from; 0 for those that were not captured."""
        return np.array(self._order, np.uint64)


def note_of_repeats(repeats: int, pictures: int) -> str:
    """Say so where most of what is new came before: a camera may be stuck, which no detector sees.

    Args:
        repeats: pictures of a look that came before.
        pictures: those that did not.
    """
    if repeats < _MANY or repeats <= pictures:
        return ""
    return (
        f"{repeats:,} of {repeats + pictures:,} new pictures came before, byte for byte, and were not shown again: "
        "see whether a camera is stuck, or a caller sends each more than once"
    )
