"""From when on the monitor acts, and what it calls harm. No I/O.

A drift as such is no harm: most of them change nothing that anybody would notice. Harm is an error that people
confirmed, or pictures so far from all that the model knows that its answers mean nothing.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scones.monitoring.watch.records import Look

__all__ = ["Rules", "confirmed_error", "far_outside", "harmful", "recovered"]

_Count = Annotated[int, Field(ge=1)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Part = Annotated[float, Field(gt=0, lt=1)]


class Rules(BaseModel):
    """From when on the monitor acts. Going back always takes more than going on: so it does not go to and fro.

    Attributes:
        accuracy_drop: by how much the accuracy that people confirmed must lie below the expected one, 0 to 1; its
            whole interval must.
        outside_share: of the pictures since the change point that must lie far outside of the reference, 0 to 1.
        cautious_threshold: the least threshold in force while the model is not trusted, 0 to 1.
        looks_to_act: looks in a row that must find harm before each step. Looks without new pictures do not count.
        looks_to_return: looks in a row that must find none before a step back; at least ``looks_to_act``.
        healthy_pictures: so many of them must raise no alarm, where no error was confirmed; where one was, people's
            answers must show that it is over.
        shadow_pictures: that a candidate answers in the shadow before anybody gets its answers.
        canary_weight: the share of the pictures that it answers for real then, 0 to 1.
        canary_pictures: that it answers so before its promotion is proposed.
        chance: the probability, at most, that one of two equally good models looks better on answered pictures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accuracy_drop: _Part = 0.05
    outside_share: _Part = 0.2
    cautious_threshold: _Share = 0.99
    looks_to_act: _Count = 2
    looks_to_return: _Count = 4
    healthy_pictures: _Count = 500
    shadow_pictures: _Count = 500
    canary_weight: _Part = 0.1
    canary_pictures: _Count = 500
    chance: _Part = 0.01

    @model_validator(mode="after")
    def _returns_slower(self) -> Self:
        if self.looks_to_return < self.looks_to_act:
            raise ValueError(
                f"looks_to_return is {self.looks_to_return}, but looks_to_act {self.looks_to_act}: raise it"
            )
        return self


def confirmed_error(look: Look, rules: Rules) -> bool:
    """Whether people's answers show that the model errs more than it was expected to."""
    return (
        look.reviewed is not None
        and look.reviewed.answers > 0
        and look.expected is not None
        and look.reviewed.high < look.expected - rules.accuracy_drop
    )


def recovered(look: Look, rules: Rules) -> bool:
    """Whether people's answers show that it does not: the whole interval lies above the line that it lay below."""
    return (
        look.reviewed is not None
        and look.reviewed.answers > 0
        and look.expected is not None
        and look.reviewed.low >= look.expected - rules.accuracy_drop
    )


def far_outside(look: Look, rules: Rules) -> bool:
    """Whether the drift that stands leads far out of all that the model knows."""
    return look.alarm is not None and look.alarm.outside >= rules.outside_share


def harmful(look: Look, rules: Rules) -> bool:
    """Whether it found harm."""
    return confirmed_error(look, rules) or far_outside(look, rules)
