"""What is known when the monitor decides, and what it proves. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Self

from scones.monitoring.watch.comparison import Comparison
from scones.monitoring.watch.records import Look, Standing
from scones.monitoring.watch.rules import Rules, confirmed_error, harmful, recovered

__all__ = ["Case", "Known"]


@dataclass(frozen=True)
class Known:
    """What there is to choose from.

    Attributes:
        production: the version in production; ``promoted``: since when; ``record``: the number of that record.
        candidate: the model that may take its place, beside production; None where there is none, or none is left that
            was not tried since the endpoint was last trusted.
        before: the model that was in production before, beside the present one; None where there is none.
        same_drift: whether the model before sees the drift too; None where nobody can tell.
        erred: an error was confirmed since the endpoint was last trusted.
        pictures: new ones since the present stance was taken.
    """

    production: str
    promoted: datetime
    record: int = 0
    candidate: Comparison | None = None
    before: Comparison | None = None
    same_drift: bool | None = None
    erred: bool = False
    pictures: int = 0


@dataclass(frozen=True)
class Case:
    """What a transition is decided on; ``looks`` are those that count."""

    standing: Standing
    looks: Sequence[Look]
    rules: Rules
    known: Known

    @classmethod
    def of(cls, standing: Standing, looks: Sequence[Look], rules: Rules, known: Known) -> Self:
        """Take the looks that count: at the model in production, with new pictures, since the stance was taken."""
        counted = [look for look in looks if look.pictures and look.at > standing.at]
        return cls(standing, [look for look in counted if look.version == known.production], rules, known)

    @cached_property
    def harm(self) -> bool:
        """Whether harm was found often enough in a row."""
        return all(harmful(look, self.rules) for look in self.looks[-self.rules.looks_to_act :])

    @cached_property
    def well(self) -> bool:
        """Whether there is proof that nothing is wrong: that none is seen is not enough."""
        last = self.looks[-self.rules.looks_to_return :]
        if len(last) < self.rules.looks_to_return or any(harmful(look, self.rules) for look in last):
            return False
        if all(recovered(look, self.rules) for look in last):
            return True
        erred = self.known.erred or any(confirmed_error(look, self.rules) for look in self.looks)
        # an alarm stays until the detector is begun anew: so it raised none in all that it has seen
        quiet = min(last[-1].seen, self.known.pictures) if all(look.alarm is None for look in last) else 0
        return not erred and quiet >= self.rules.healthy_pictures

    @property
    def shadowed(self) -> bool:
        """Whether the candidate answered enough in the shadow."""
        return self.known.pictures >= self.rules.shadow_pictures

    @property
    def tried(self) -> int:
        """Pictures that the candidate answered so far, more or less, where it is a canary."""
        return round(self.known.pictures * self.standing.weight)

    @property
    def answered(self) -> bool:
        """Whether those are enough."""
        return self.tried >= self.rules.canary_pictures

    @cached_property
    def before_helps(self) -> bool:
        """Whether it is shown that to go back would end the harm, and that the harm came with the present model."""
        before, known = self.known.before, self.known
        began = [look.alarm.began for look in self.looks[-self.rules.looks_to_act :] if look.alarm is not None]
        return (
            before is not None
            and known.same_drift is False
            and all(known.promoted <= each for each in began)
            and before.verdict(self.rules) == "better"
        )

    @cached_property
    def candidate(self) -> str:
        """What became of the candidate: its verdict, or "none"."""
        candidate, on_trial = self.known.candidate, self.standing.candidate
        if candidate is None or (on_trial is not None and candidate.version != on_trial):
            return "none"
        return candidate.verdict(self.rules)

    @cached_property
    def fails(self) -> bool:
        """Whether there is no candidate to go on with."""
        return self.candidate in ("none", "worse")

    @property
    def returned(self) -> bool:
        """Whether the model that was gone back to is in production."""
        return self.known.production == self.standing.version
