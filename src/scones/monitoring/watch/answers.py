"""Which of the captured records are answers of the model that is watched. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scones.capture import CaptureProblems, CaptureRecord
    from scones.monitoring.watch.stream import Captured

__all__ = ["answers_of", "note_of_others", "version_of", "whole_answers"]


def version_of(record: CaptureRecord, production: str) -> str:
    """Which model answered; an endpoint that does not say is taken to run the one in production."""
    return record.attributes.get("model_version") or production


def answers_of(version: str, records: Sequence[Captured]) -> list[Captured]:
    """The records of the model in production."""
    return [one for one in records if version_of(one.record, version) == version]


def whole_answers(records: Sequence[Captured], problems: CaptureProblems, labels: int) -> list[Captured]:
    """The records that have a probability for each of the model's labels; the others are counted as problems."""
    found = []
    for one in records:
        if len(one.record.probabilities) == labels:
            found.append(one)
        else:
            told = f"{len(one.record.probabilities)} probabilities, where the model has {labels} labels"
            problems.add(f"{one.file} event {one.record.event_id}", told)
    return found


def note_of_others(version: str, records: Sequence[Captured]) -> str:
    """Say so where no record is of the model in production: the endpoint may still run another one."""
    if not records or answers_of(version, records):
        return ""
    other = version_of(records[-1].record, version)
    return f"no new answer is of model {version}, which is in production; the last one is of {other}"
