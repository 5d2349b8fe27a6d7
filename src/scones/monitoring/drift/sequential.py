"""Watch a stream of pictures for drift, one by one, with a proven bound on false alarms. No I/O.

Each channel makes several bets against "nothing has changed" (:mod:`scones.monitoring.drift.bets`), whose gains have a
mean of at most 1 on healthy pictures, given what the channel has shown so far. M_t of a bet
(:mod:`scones.monitoring.drift.wealth`) is what it has won by picture t, summed over all times at which the drift may
have begun. M_t - t is a supermartingale on healthy pictures, and so it is with the weighted sum of a channel's bets,
whose weights sum to w. So that sum is at most w N on average when it first reaches a line or N pictures are over
(optional stopping), and by Markov's inequality

    P(it reaches N / alpha within N pictures) <= w alpha.

All channels together, however they depend on each other, raise a false alarm with probability alpha at most, as their
weights sum to 1. Bets on ranks hold as they are; bets on classes and on what is sought
(:mod:`scones.monitoring.drift.sought`) hold with probability 1 - delta over the draw of the reference. So with
alpha + delta = 0.05 at most 5 % of healthy streams raise any alarm in their first N = 10,000 pictures, whatever the
number of channels and looks, and however small the reference.

What is assumed: healthy pictures are independent, and the reference is a random sample of them. (For bets on ranks it
is enough that reference and stream are exchangeable.) Pictures of the same thing in a row (bursts, duplicates) and
cycles (day and night) are not so: a burst multiplies the same gain again and again, and the night looks like a drift
to darkness, which it is. :mod:`scones.monitoring.drift.blocks` holds what helps: one picture a burst, phases of a
cycle, whole blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from scones.contracts import first_fault
from scones.errors import SettingsError
from scones.monitoring.drift.reference import DriftReference, Scores
from scones.monitoring.drift.sought import Search, pack
from scones.monitoring.drift.wealth import Bets, Wealth

__all__ = ["ChannelAlarm", "Detector", "WatchPlan"]

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
class ChannelAlarm:
    """A channel that tells of the drift.

    Attributes:
        channel: its name; ``column`` its place in the reference.
        evidence: what is held against the alarm line.
        since: number, in the stream, of the first picture that likely drifted: where the channel's strongest bet
            would best have begun.
        bet: its strongest bet's row.
    """

    channel: str
    column: int
    evidence: float
    since: int
    bet: int


class _Seeking(BaseModel):
    model_config = ConfigDict(extra="forbid")

    latest: str
    pending: int


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid")

    plan: WatchPlan
    reference: DriftReference
    seen: int
    placed: int
    alarmed: int | None
    sums: list[float]
    known: list[list[float]]
    drawn: list[list[float]]
    best: list[float]
    since: list[int]
    searches: dict[str, _Seeking]


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
        self.bets = Bets.against(reference, self.plan.horizon, self.plan.delta)
        self.seen = 0
        self.alarmed: int | None = None
        self._placed = 0
        self._wealth = Wealth(self.bets)
        self._best = np.zeros(len(self.bets.channel))
        self._since = np.zeros(len(self.bets.channel), np.int64)
        self._searches = {name: Search(sought) for name, sought in reference.sought.items()}

    @property
    def evidence(self) -> float:
        """The strongest channel's evidence now; there is an alarm at the plan's ``alarm_line``."""
        return float(self._wealth.evidence().max())

    @property
    def by_channel(self) -> dict[str, float]:
        """The evidence of each channel."""
        return dict(zip(self.reference.channels, self._wealth.evidence().tolist(), strict=True))

    def places(self, scores: Scores, phase: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Find where the next pictures of the stream stand, and learn from them what to seek. Then :meth:`add` them.

        Args:
            scores: of N pictures; all channels of the reference.
            phase: (N,), of the cycle, from 0; left out where the reference tells none apart.

        Returns:
            int64 (N, channels), as of the reference's :meth:`~DriftReference.places`, with the channels of embeddings:
            how many of the tails that are watched a picture is in.

        Raises:
            SettingsError: a channel is missing, or a phase is none of the reference's.
            ValueError: the pictures before were not added, or not all of them were placed.
        """
        if self._placed != self.seen:
            raise ValueError(f"{self._placed} pictures were placed, but {self.seen} added: place and add in turns")
        places = self.reference.places(scores, self.seen, phase)
        phase = self.reference.phase_of(len(places), phase)
        for column, (name, search) in enumerate(
            self._searches.items(), len(self.reference.channels) - len(self._searches)
        ):
            bins = search.places(scores[name], phase)
            places[:, column] = np.where(bins < 0, -1, bins * len(self.reference.parts) + phase)
        self._placed += len(places)
        return places

    def add(self, places: NDArray[np.int64]) -> bool:
        """Take in pictures; the time for each does not grow with their number.

        Args:
            places: (N, channels), of :meth:`places`.

        Returns:
            Whether there has been an alarm. After it the sums go on; a new detector watches for the next drift.
        """
        for row in places:
            gains = np.log(self._wealth.add(row))
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
                bet = int(rows[self._wealth.sums[rows].argmax()])
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
            plan=self.plan, reference=self.reference, seen=self.seen, placed=self._placed, alarmed=self.alarmed,
            sums=self._wealth.sums.tolist(), known=self._wealth.known.tolist(), drawn=self._wealth.drawn.tolist(),
            best=self._best.tolist(), since=self._since.tolist(),
            searches={
                name: _Seeking(latest=pack(search.latest), pending=search.pending)
                for name, search in self._searches.items()
            },
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
        wealth, bets = found._wealth, len(found._best)
        known, drawn = np.array(state.known), np.array(state.drawn)
        if not len(state.sums) == len(state.best) == len(state.since) == bets or not (
            known.shape == drawn.shape == wealth.known.shape and state.searches.keys() == found._searches.keys()
        ):
            raise SettingsError("this detector's state is of another version, with other bets: start a new one")
        found.seen, found._placed, found.alarmed = state.seen, state.placed, state.alarmed
        wealth.sums, wealth.known, wealth.drawn = np.array(state.sums), known, drawn
        found._best, found._since = np.array(state.best), np.array(state.since, np.int64)
        for name, kept in state.searches.items():
            sought = found.reference.sought[name]
            found._searches[name] = Search(sought, sought.unpack(kept.latest), kept.pending)
        return found
