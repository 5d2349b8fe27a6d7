"""What bets against "nothing has changed" have won on a stream, or on many streams at once. No I/O.

Each bet runs an e-detector of the Shiryaev-Roberts kind (Shin, Ramdas and Rinaldo 2023, "E-detectors: a nonparametric
framework for sequential change detection"): with e_t, by what picture t multiplies its stake,

    M_t = (M_{t-1} + 1) e_t,    M_0 = 0,

the sum, over all times at which a drift may have begun, of what a bet begun then has won.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from scones.monitoring.drift.bets import class_bets, rank_bets
from scones.monitoring.drift.reference import DriftReference

__all__ = ["Bets", "Wealth"]

_LARGEST: Final = 1e250


@dataclass(frozen=True)
class Bets:
    """All bets of all channels.

    Attributes:
        gains: float64 (phases, bets, bins + 1): by what the stake is multiplied, by the bin of the channel's place; the
            last column, 1, is for what is not known.
        urn: bool (bets,), whether it is on a rank, and divided by its mean over what comes next (Polya's urn).
        start: float64 (phases, bets), how many gaps the reference has; 1 where there is no urn.
        channel: int64 (bets,), the channel's column.
        weight: float64 (bets,), their sum is 1; channels weigh the same, and the bets within a channel.
    """

    gains: NDArray[np.float64]
    urn: NDArray[np.bool_]
    start: NDArray[np.float64]
    channel: NDArray[np.int64]
    weight: NDArray[np.float64]

    @classmethod
    def against(cls, reference: DriftReference, horizon: int, delta: float) -> Self:
        """Make the bets.

        Args:
            reference: what they are against.
            horizon: pictures for which they hold.
            delta: the probability, over the draw of the reference, that the true mean of any of them exceeds 1.
        """
        parts, bounded = reference.parts, len(reference.counted) + len(reference.sought)
        chance = delta / max(bounded, 1)
        tables = [[rank_bets(part.pictures) for part in parts] for _ in reference.ranked]
        urns = len(tables)
        tables += [
            [class_bets(np.array(part.counted[name]), chance / len(parts)) for part in parts]
            for name in reference.counted
        ]
        tables += [list(sought.bets(horizon, chance)) for sought in reference.sought.values()]
        sizes = [len(table[0]) for table in tables]
        width = max(phase.shape[1] for table in tables for phase in table) + 1
        gains = np.ones((len(parts), sum(sizes), width))
        for table, row in zip(tables, np.cumsum([0, *sizes]), strict=False):
            for phase, own in enumerate(table):
                gains[phase, row : row + len(own), : own.shape[1]] = own
        urn = np.repeat(np.arange(len(tables)) < urns, sizes)
        gaps = np.array([part.pictures + 1.0 for part in parts])
        return cls(
            gains,
            urn,
            np.where(urn, gaps[:, None], 1.0),
            np.repeat(np.arange(len(tables)), sizes),
            np.repeat([1 / size / len(tables) for size in sizes], sizes),
        )

    @property
    def phases(self) -> int:
        """How many phases the reference tells apart."""
        return len(self.gains)

    def logs(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """The logarithms of what is won at ``places`` (..., channels), urns as at the start: (..., bets)."""
        return np.log(self.raw(places))

    def raw(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """By what stakes are multiplied at ``places`` (..., channels), before urns are divided by: (..., bets)."""
        at = places[..., self.channel]
        return self.gains[at % self.phases, self._rows, at // self.phases]

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        return np.arange(len(self.channel))


class Wealth:
    """What all bets have won, on one stream or on several at the same time.

    Args:
        bets: the bets.
        shape: of the streams; none is one stream.

    Attributes:
        sums: float64 (*shape, bets), M of each bet.
        known: float64 (*shape, phases, bets): the gaps, and pictures so far, of the urns; ``drawn`` is the sum of what
            each of them gains a bet. Both stay 1 where there is no urn.
    """

    def __init__(self, bets: Bets, shape: tuple[int, ...] = ()) -> None:
        self.bets = bets
        self.sums = np.zeros((*shape, len(bets.channel)))
        self.known = np.broadcast_to(bets.start, (*shape, *bets.start.shape)).copy()
        self.drawn = self.known.copy()  # as the mean gain is 1

    def add(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Take in a picture of each stream.

        Args:
            places: (*shape, channels).

        Returns:
            By what it multiplied each stake, (*shape, bets).
        """
        at = places[..., self.bets.channel]
        raw, phase = self.bets.raw(places), (at % self.bets.phases)[..., None, :]
        known, drawn = (np.take_along_axis(part, phase, -2)[..., 0, :] for part in (self.known, self.drawn))
        seen = at >= 0
        gains: NDArray[np.float64] = np.where(seen, raw * known / drawn, 1.0)
        learns = seen & self.bets.urn
        np.put_along_axis(self.known, phase, (known + learns)[..., None, :], -2)
        np.put_along_axis(self.drawn, phase, (drawn + np.where(learns, raw, 0))[..., None, :], -2)
        self.sums += 1
        self.sums *= gains
        np.minimum(self.sums, _LARGEST, out=self.sums)
        return gains

    def evidence(self) -> NDArray[np.float64]:
        """The evidence of each channel, (*shape, channels): the sum of its bets' M, weighted."""
        firsts = np.flatnonzero(np.diff(self.bets.channel, prepend=-1))
        found: NDArray[np.float64] = np.add.reduceat(self.sums * self.bets.weight, firsts, axis=-1)
        return found
