"""What is known of a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scones.forgetting.person import Person
from scones.forgetting.staged import Staged
from scones.layout import Layout
from scones.retraining.pictures import inference_of

if TYPE_CHECKING:
    from scones.workflow.engine import Execution

__all__ = ["Found"]


@dataclass
class Found:
    """What is known of a person.

    Attributes:
        person: who.
        capture: what the capture lies under.
        objects: keys that go whole, by what they lie under; under ``arrivals`` also pictures of theirs elsewhere.
        lines: of files that hold records of many, how many are the person's: by kind and key.
        staged: datasets that hold their pictures.
        executions: in the journal.
        inferences: ids of their inferences.
        pictures: keys of their pictures outside of ``arrivals/``.
        kept: what stays or cannot be told, and why: a sentence each.
        obstacles: what must end first: a sentence each.
    """

    person: Person
    capture: str = Layout.CAPTURE
    objects: dict[str, list[str]] = field(default_factory=dict)
    lines: dict[str, dict[str, int]] = field(default_factory=dict)
    staged: list[Staged] = field(default_factory=list)
    executions: list[Execution] = field(default_factory=list)
    inferences: set[str] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    kept: list[str] = field(default_factory=list)
    obstacles: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of each kind; a kind of which there is nothing is left out."""
        numbers = Counter({kind: len(keys) for kind, keys in self.objects.items()})
        numbers.update({kind: sum(files.values()) for kind, files in self.lines.items()})
        numbers.update({"datasets": sum(len(one.pictures) for one in self.staged), "executions": len(self.executions)})
        return {kind: number for kind, number in numbers.items() if number}

    @property
    def keys(self) -> dict[str, list[str]]:
        """Which: keys of objects, files of lines and pictures; names of executions."""
        named = {**self.objects, **{kind: list(files) for kind, files in self.lines.items()}}
        named["datasets"] = [key for one in self.staged for key in one.pictures]
        named["executions"] = [f"{one.machine}:{one.name}" for one in self.executions]
        return {kind: keys for kind, keys in named.items() if keys}

    def names_inference(self, value: Any) -> bool:
        """Whether an entry of a dataset names a captured picture, by an inference of theirs."""
        if isinstance(value, dict):
            return any(self.names_inference(one) for one in value.values())
        if isinstance(value, list):
            return any(self.names_inference(one) for one in value)
        return isinstance(value, str) and inference_of(value) in self.inferences

    def names(self, value: Any) -> bool:
        """Whether a message or a record is about the person."""
        return self.person.is_in(value, self.pictures)
