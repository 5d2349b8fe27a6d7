"""Watch a stream of pictures for drift, one by one, with a proven bound on false alarms. No I/O.

Each channel makes several bets against "nothing has changed" (:mod:`scones.monitoring.drift.bets`), whose gains e have
a mean of at most 1 on healthy pictures. Each bet runs an e-detector of the Shiryaev-Roberts kind (Shin, Ramdas and
Rinaldo 2023, "E-detectors: a nonparametric framework for sequential change detection"):

    M_t = (M_{t-1} + 1) e_t,    M_0 = 0,

the sum, over all times at which the drift may have begun, of what a bet begun then has won. M_t - t is a
supermartingale on healthy pictures, and so it is with the weighted mean of M over all bets of all channels, however
these depend on each other. So the mean is at most N on average when it first reaches a line or N pictures are over
(optional stopping), and by Markov's inequality

    P(mean M_t >= N / alpha for any t <= N) <= alpha.

The bets hold with probability 1 - delta over the draw of the reference. So with alpha + delta = 0.05 at most 5 % of
healthy streams raise any alarm in their first N = 10,000 pictures, whatever the number of channels and looks.

What is assumed: given the past, a healthy picture is distributed as the reference pictures are; pictures that are
independent, and of which the reference is a random sample, fulfil it. Pictures of the same thing in a row (bursts,
duplicates) and cycles (day and night) do not: a burst multiplies the same gain again and again, and a night that the
reference holds only in part looks like a drift to darkness, which it is. Then watch blocks
(:mod:`scones.monitoring.drift.blocks`): take one picture a burst, or the mean of a block long enough to be independent
of the next (a whole day, for cycles), of the reference as well as of the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from scones.contracts import first_fault
from scones.errors import SettingsError
from scones.monitoring.drift.bets import rank_bets, share_bets
from scones.monitoring.drift.reference import DriftReference

__all__ = ["Bets", "ChannelAlarm", "Detector", "WatchPlan"]

_LARGEST: Final = 1e250
_TELLING: Final = 0.05
"""Share of the strongest channel's evidence from which another is named beside it."""


class WatchPlan(BaseModel):
    """How a stream is watched.

    Attributes:
        horizon: healthy pictures for which the bound holds.
        false_alarms: most that the probability of any alarm in them may be, 0 to 1.
        for_reference: the share of it that covers the luck of the reference's draw.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    horizon: int = 10_000
    false_alarms: float = 0.05
    for_reference: float = 0.2

    @property
    def delta(self) -> float:
        """The probability that the reference misleads."""
        return self.false_alarms * self.for_reference

    @property
    def alarm_line(self) -> float:
        """The evidence at which there is an alarm."""
        return self.horizon / (self.false_alarms - self.delta)


@dataclass(frozen=True)
class Bets:
    """All bets of all channels.

    Attributes:
        log_gains: float64 (bets, places + 1): by place; the last column, 0, is for what is not known.
        channel: (bets,), the channel's column.
        weight: (bets,), their sum is 1; channels weigh the same, and the bets within a channel.
    """

    log_gains: NDArray[np.float64]
    channel: NDArray[np.int64]
    weight: NDArray[np.float64]

    @classmethod
    def against(cls, reference: DriftReference, plan: WatchPlan) -> Self:
        """Make the bets."""
        delta = plan.delta / len(reference.channels)
        tables = [rank_bets(reference.pictures, delta) for _ in reference.ranked]
        tables += [share_bets(np.array(counts), delta) for counts in reference.counted.values()]
        width = max(table.shape[1] for table in tables) + 1
        return cls(
            np.concatenate([np.pad(table, ((0, 0), (0, width - table.shape[1]))) for table in tables]),
            np.repeat(np.arange(len(tables)), [len(table) for table in tables]),
            np.concatenate([np.full(len(table), 1 / len(table) / len(tables)) for table in tables]),
        )

    def logs(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """The logarithms of the gains, (..., bets), of pictures at ``places`` (..., channels)."""
        return self.log_gains[self._rows, places[..., self.channel]]

    @cached_property
    def _rows(self) -> NDArray[np.int64]:
        return np.arange(len(self.channel))


@dataclass(frozen=True)
class ChannelAlarm:
    """A channel that tells of the drift.

    Attributes:
        channel: its name; ``column`` its place in the reference.
        evidence: its part of the evidence that is held against the alarm line.
        since: number, in the stream, of the first picture that likely drifted: where the channel's strongest bet
            would best have begun.
        bet: its strongest bet's row.
    """

    channel: str
    column: int
    evidence: float
    since: int
    bet: int


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plan: WatchPlan
    reference: DriftReference
    seen: int
    alarmed: int | None
    sums: list[float]
    best: list[float]
    since: list[int]


class Detector:
    """Watches one stream.

    Args:
        reference: what healthy pictures look like.
        plan: how it is watched.

    Attributes:
        seen: pictures so far.
        alarmed: number of the picture that raised the first alarm, from 0; None as long as there is none.
    """

    def __init__(self, reference: DriftReference, plan: WatchPlan | None = None) -> None:
        self.reference = reference
        self.plan = plan or WatchPlan()
        self.bets = Bets.against(reference, self.plan)
        self.seen = 0
        self.alarmed: int | None = None
        self._sums = np.zeros(len(self.bets.weight))
        self._best = np.zeros_like(self._sums)
        self._since = np.zeros(len(self._sums), np.int64)

    @property
    def evidence(self) -> float:
        """The evidence now; there is an alarm at the plan's ``alarm_line``."""
        return float(self.bets.weight @ self._sums)

    @property
    def by_channel(self) -> dict[str, float]:
        """The evidence, parted among the channels."""
        parts = np.bincount(self.bets.channel, self.bets.weight * self._sums, len(self.reference.channels))
        return dict(zip(self.reference.channels, parts.tolist(), strict=True))

    def add(self, places: NDArray[np.int64]) -> bool:
        """Take in pictures; the time for each does not grow with their number.

        Args:
            places: (N, channels), as the reference's :meth:`~DriftReference.places` with ``first=self.seen``.

        Returns:
            Whether there has been an alarm. After it the sums go on; a new detector watches for the next drift.
        """
        for gains in self.bets.logs(places):
            self._sums = np.minimum((self._sums + 1) * np.exp(gains), _LARGEST)
            fresh = self._best <= 0
            self._since[fresh] = self.seen
            self._best = np.where(fresh, 0, self._best) + gains
            if self.alarmed is None and self.evidence >= self.plan.alarm_line:
                self.alarmed = self.seen
            self.seen += 1
        return self.alarmed is not None

    def telling(self) -> list[ChannelAlarm]:
        """The channels that tell most of a drift, the strongest first."""
        parts = self.by_channel
        strongest, found = max(parts.values()), []
        for column, (name, part) in enumerate(parts.items()):
            if part and part >= _TELLING * strongest:
                rows = np.flatnonzero(self.bets.channel == column)
                bet = int(rows[self._sums[rows].argmax()])
                found.append(ChannelAlarm(name, column, part, int(self._since[bet]), bet))
        return sorted(found, key=lambda alarm: -alarm.evidence)

    def responsible(self, alarm: ChannelAlarm, places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
        """Find the pictures that a channel's evidence comes from.

        Args:
            alarm: one of :meth:`telling`.
            places: (N, channels), of the stream from its first picture on.
            most: how many to find.

        Returns:
            Numbers in the stream, from the change point on, of pictures that speak for the drift: those with the
            largest gains first, among equals the first.
        """
        gains = self.bets.logs(places[alarm.since :])[:, alarm.bet]
        order = np.argsort(-gains, kind="stable")[:most]
        return alarm.since + order[gains[order] > 0]

    def to_json(self) -> str:
        """All of it; :meth:`from_json` goes on as if there had been no break."""
        return _State(
            plan=self.plan, reference=self.reference, seen=self.seen, alarmed=self.alarmed,
            sums=self._sums.tolist(), best=self._best.tolist(), since=self._since.tolist(),
        ).model_dump_json()  # fmt: skip

    @classmethod
    def from_json(cls, text: str) -> Detector:
        """Read a detector back.

        Raises:
            SettingsError: it is something else, or of a version with other bets.
        """
        try:
            state = _State.model_validate_json(text)
        except ValidationError as error:
            raise SettingsError(f"this is no detector's state ({first_fault(error)}): start a new one") from error
        found = cls(state.reference, state.plan)
        if not len(found._sums) == len(state.sums) == len(state.best) == len(state.since):
            raise SettingsError("this detector's state is of another version, with other bets: start a new one")
        found.seen, found.alarmed = state.seen, state.alarmed
        found._sums, found._best = np.array(state.sums), np.array(state.best)
        found._since = np.array(state.since, np.int64)
        return found
