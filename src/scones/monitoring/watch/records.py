"""What the monitor writes down: a record a look, and a record a change of stance. Both are series in the store."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

__all__ = ["Alarm", "Baseline", "ChannelEvidence", "Estimate", "Look", "MixShare", "Stance", "Standing", "Totals"]

_Share = Annotated[float, Field(ge=0, le=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Stance(StrEnum):
    """How the endpoint is run, from trust to none."""

    OBSERVING = "observing"
    """Production answers as it was promoted to."""
    CAUTIOUS = "cautious"
    """The threshold is raised: the model abstains more, and people decide more."""
    SHADOWING = "shadowing"
    """Cautious, and a candidate answers the same pictures in the shadow, where nobody sees it."""
    CANARY = "canary"
    """Cautious, and the candidate answers a share of the pictures for real."""
    ROLLED_BACK = "rolled back"
    """The model before answers again, as the present one was found to do harm that the one before does not."""


class ChannelEvidence(_Record):
    """A channel that tells of a drift.

    Attributes:
        channel: its name.
        evidence: what is held against the alarm line.
        began: time of the first picture that likely drifted (the change point).
    """

    channel: str
    evidence: float
    began: AwareDatetime


class Alarm(_Record):
    """A drift that was found.

    Attributes:
        at: time of the picture that raised it; ``picture`` is its number in the stream, from 0.
        began: the change point of the channel that tells most.
        channels: those that tell, the strongest first.
        outside: a share of the pictures since the change point that lies far outside of all reference pictures,
            0 to 1: there the model's answers mean nothing.
        responsible: event ids of the pictures that tell most, the most telling first.
    """

    at: AwareDatetime
    picture: int
    began: AwareDatetime
    channels: tuple[ChannelEvidence, ...]
    outside: _Share = 0.0
    responsible: tuple[str, ...] = ()


class Estimate(_Record):
    """Estimated accuracy.

    Attributes:
        share: of right answers, 0 to 1; ``low`` and ``high`` are the ends of its 95 % interval.
        answers: of people, that it stands on; 0 where it stands on the model's confidence.
        warning: what it cannot see; empty where it stands on answers.
    """

    share: _Share
    low: _Share
    high: _Share
    answers: int = 0
    warning: str = ""


class MixShare(_Record):
    """The estimated share of a class among the pictures, 0 to 1, with the ends of its 95 % interval."""

    share: _Share
    low: _Share
    high: _Share


class Totals(_Record):
    """Counts of all looks since the watch of an endpoint began, the newest with them; they never fall."""

    records: int = 0
    pictures: int = 0
    duplicates: int = 0
    repeats: int = 0
    unreadable: int = 0

    def plus(self, other: Totals) -> Totals:
        """Both together."""
        return Totals(**{name: count + getattr(other, name) for name, count in self})


class Baseline(_Record):
    """Captured pictures that a person declared healthy; it lies in the file of the model's health.

    Attributes:
        who, why: for the record; ``at`` when.
        first, last: times of the first and the last of them; ``pictures`` is how many there are, each counted once.
        phases: of the day that are told apart; 1: none.
    """

    who: str
    why: str
    at: AwareDatetime
    first: AwareDatetime
    last: AwareDatetime
    pictures: int
    phases: int = 1

    @property
    def said(self) -> str:
        """Which pictures, and who declared them healthy, and why."""
        return f"{self} ({self.who}: {self.why})"

    def __str__(self) -> str:
        told = f"{self.pictures:,} captured pictures, {self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} UTC"
        return told if self.phases == 1 else f"{told}, in {self.phases} phases of the day"


class Look(_Record):
    """A record of the series ``watch/{endpoint}``: what a look saw. Shares are 0 to 1.

    Attributes:
        at: when it looked; ``task`` and ``version`` say which model's answers it watches.
        state: key of what the next look goes on from (files and events that were read, the detector, a window of the
            latest pictures); it is written before this record and lies under ``watch-state/{endpoint}/``.
        start, until: times of the first and the last new record; None when there is none.
        files, records: new ones that were read; ``pictures`` of them were shown to the detector, and ``seen`` is how
            many it has been shown since it began; ``others`` of them are answers of other models, which only count.
        duplicates: records whose event had been read before, left out; ``repeats``: those whose picture is, byte for
            byte, one of the latest that were shown, which count but are not shown again; ``unreadable``: lines, files
            and pictures that could not be used. ``totals`` are these counts of all looks.
        newest: time of the newest record there is; None while there has been none.
        gap: seconds since the newest record there is, where they are more than the limit; None else. A gap is an alarm.
        confidence: mean, of the new records; None when there is none. ``labels``: how often each was the likeliest.
        evidence: by channel, after this look; ``alarm_line`` is where any of them is an alarm.
        alarm: the drift that stands; it stays until the detector is begun anew.
        accuracy: of the latest window: without labels; ``reviewed``: with people's answers, None where there are none.
        expected: the accuracy on the calibration pictures.
        mix: of the latest window, by label; ``mix_warning`` says why it should not be believed, else it is empty.
        baseline: the captured pictures that new ones are compared with, and who declared them healthy, in words; empty
            where they are compared with the model's dataset.
        note: what a person should know besides: that the watch begins anew, and why; that the data has a hole.
    """

    at: AwareDatetime
    task: str
    version: str
    state: str
    start: AwareDatetime | None = None
    until: AwareDatetime | None = None
    files: int = 0
    records: int = 0
    pictures: int = 0
    seen: int = 0
    others: int = 0
    duplicates: int = 0
    repeats: int = 0
    unreadable: int = 0
    totals: Totals = Totals()
    newest: AwareDatetime | None = None
    gap: float | None = None
    confidence: float | None = None
    labels: dict[str, int] = {}
    evidence: dict[str, float] = {}
    alarm_line: float
    alarm: Alarm | None = None
    accuracy: Estimate | None = None
    reviewed: Estimate | None = None
    expected: _Share | None = None
    mix: dict[str, MixShare] = {}
    mix_warning: str = ""
    baseline: str = ""
    note: str = ""

    @property
    def strongest(self) -> float:
        """The evidence of the channel that tells most, to be held against the alarm line."""
        return max(self.evidence.values(), default=0.0)


class Standing(_Record):
    """A record of the series ``stances/{endpoint}``: how the endpoint is to be run from now on.

    It says all of what is wanted, so that whoever applies it needs no other record, and applying it twice is the same
    as once. The newest counts.

    Attributes:
        stance: how.
        version: the model that is to answer; None leaves production to the registry. It is put in production once, and
            only if production's newest record is still the one of number ``after``: who changed it since knew better.
        threshold: the least threshold in force, 0 to 1; None leaves the model's own.
        candidate: the model that answers in the shadow or as a canary; ``weight`` is its share of the pictures.
        held: a person decided, and the monitor changes nothing until a person lets it go.
        dry_run: the monitor only says what it would do: this is not applied.
        who, why: for the record; ``at`` when.
        look: number of the look that it was decided on; None when a person decided.
    """

    stance: Stance = Stance.OBSERVING
    version: str | None = None
    after: int = 0
    threshold: _Share | None = None
    candidate: str | None = None
    weight: _Share = 0.0
    held: bool = False
    dry_run: bool = False
    who: str
    why: str
    at: AwareDatetime
    look: int | None = None
