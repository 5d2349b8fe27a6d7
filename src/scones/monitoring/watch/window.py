"""The latest pictures that the detector was shown: what is needed to say why there is an alarm, and how good the
answers are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Window"]

_LATEST: Final = 2_000
"""Pictures that are kept."""


@dataclass(frozen=True)
class Window:
    """W pictures, the latest last. Pictures themselves are not kept: they are found again in the capture.

    Attributes:
        first: number of the first of them in the detector's stream, from 0.
        times: float64 (W,), when they were answered, in POSIX seconds.
        events: their event ids; ``inferences``: the callers' ids, "" where there is none.
        files: keys of the capture files that they lie in.
        places: int32 (W, channels), see :meth:`~scones.monitoring.drift.reference.DriftReference.places`.
        probabilities: float32 (W, K), as the callers got them.
        embeddings: float16 (W, D); NaN where the picture was not captured.
        outside: bool (W,), whether a picture lies far outside of all reference pictures.
    """

    first: int
    times: NDArray[np.float64]
    events: tuple[str, ...]
    inferences: tuple[str, ...]
    files: tuple[str, ...]
    places: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float16]
    outside: NDArray[np.bool_]

    @classmethod
    def none(cls) -> Self:
        """One of no pictures."""
        return cls(
            0, np.zeros(0), (), (), (), np.zeros((0, 0), np.int32), np.zeros((0, 0), np.float32),
            np.zeros((0, 0), np.float16), np.zeros(0, np.bool_),
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.events)

    @property
    def confidence(self) -> NDArray[np.float32]:
        """(W,), the largest probability of each answer."""
        found: NDArray[np.float32] = self.probabilities.max(1) if len(self) else np.zeros(0, np.float32)
        return found

    def then(self, more: Self) -> Self:
        """This window and the pictures that came next, as far as they are among the latest 2,000."""
        if not len(self):
            return more._after(max(0, len(more) - _LATEST))
        joined: dict[str, Any] = {}
        for one in fields(self):
            mine, theirs = getattr(self, one.name), getattr(more, one.name)
            if isinstance(mine, tuple):
                joined[one.name] = mine + theirs
            elif isinstance(mine, np.ndarray):
                joined[one.name] = np.concatenate([mine, theirs])
        whole = type(self)(first=self.first, **joined)
        return whole._after(max(0, len(whole) - _LATEST))

    def _after(self, left: int) -> Self:
        if not left:
            return self
        rest = {one.name: getattr(self, one.name)[left:] for one in fields(self) if one.name != "first"}
        return type(self)(first=self.first + left, **rest)
