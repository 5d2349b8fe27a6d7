"""Who answers: the model in production, and perhaps a candidate beside it, seen by some callers or by none."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from scones.capture import event_hash
from scones.contracts import Answer

if TYPE_CHECKING:
    from scones.classifier import Classifier

__all__ = ["VARIANT", "Lineup", "Slot"]

VARIANT = "AllTraffic"
"""The production variant's name, as SageMaker calls one that stands alone."""


@dataclass(frozen=True, eq=False)
class Slot:
    """A model that answers.

    Attributes:
        variant: the name that callers know it by.
        classifier: the model.
        threshold: the least confidence at which it decides alone, 0 to 1; told with each answer.
        batch: the most pictures that it is given at once.
    """

    variant: str
    classifier: Classifier
    threshold: float
    batch: int = 1

    @property
    def version(self) -> str:
        """The model's version."""
        return self.classifier.info.version

    def attributes(self, inference_id: str) -> str:
        """What is told with an answer, see :class:`scones.contracts.Answer`."""
        before, after = self._attributes
        return before + inference_id + after

    @cached_property
    def _attributes(self) -> list[str]:
        info, mark = self.classifier.info, "\0"
        answer = Answer(
            model_version=info.version,
            threshold=self.threshold,
            inference_id=mark,
            labels=info.labels,
            task=info.task,
        )
        return answer.header().split(mark)

    @cached_property
    def captured(self) -> dict[str, str]:
        """What is captured with an answer besides."""
        labels = ",".join(self.classifier.info.labels)
        return {"model_version": self.version, "threshold": repr(self.threshold), "labels": labels}


@dataclass(frozen=True)
class Lineup:
    """All that answer at a time. It is replaced as a whole, so that each answer is by one stated version.

    Attributes:
        production: answers what nobody else does.
        candidate: answers a share of the pictures for real, where ``weight`` is above 0; with a weight of 0 it
            answers in the shadow, where callers do not see it.
        weight: that share, 0 to 1.

    Example:
        >>> from types import SimpleNamespace as Any
        >>> old, new = Slot(VARIANT, Any(), 0.9), Slot("candidate", Any(), 0.9)
        >>> lineup = Lineup(old, new, weight=0.1)
        >>> sum(lineup.choose(f"event-{number}") is new for number in range(1000))
        91
        >>> lineup.choose("event-1", "candidate") is new
        True
    """

    production: Slot
    candidate: Slot | None = None
    weight: float = 0.0

    @property
    def slots(self) -> tuple[Slot, ...]:
        """All models in it."""
        return (self.production,) if self.candidate is None else (self.production, self.candidate)

    @property
    def shadow(self) -> Slot | None:
        """The candidate, where it answers unseen."""
        return self.candidate if self.weight == 0 else None

    @property
    def thresholds(self) -> dict[str, tuple[str, float]]:
        """By role, the version that answers and its threshold."""
        found = {"production": (self.production.version, self.production.threshold)}
        if self.candidate is not None:
            found["candidate"] = (self.candidate.version, self.candidate.threshold)
        return found

    @property
    def variants(self) -> tuple[str, ...]:
        """The names that a caller may ask for."""
        seen = [self.production] if self.candidate is None or self.weight == 0 else [self.production, self.candidate]
        return tuple(slot.variant for slot in seen)

    def choose(self, event: str, variant: str | None = None) -> Slot:
        """Who answers a request.

        Args:
            event: the caller's inference id, else the endpoint's own; the same is always answered by the same.
            variant: the one that the caller asks for, one of :attr:`variants`; any other means production.
        """
        if self.candidate is None or self.weight == 0 or variant == self.production.variant:
            return self.production
        if variant == self.candidate.variant:
            return self.candidate
        # salted: else the pictures that a monitor samples by the same hash would be the candidate's, all or none
        drawn = event_hash(f"candidate {event}") / 2**64
        return self.candidate if drawn < self.weight else self.production
