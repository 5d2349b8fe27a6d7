"""What a capture says, in figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scones.capture import CaptureProblems
from scones.monitoring.timeline import TimeBin

__all__ = ["Dot", "Summary", "Unsure", "VersionFigures"]


@dataclass(frozen=True)
class Unsure:
    """One of the least sure inferences.

    Attributes:
        label: the likeliest label, and its ``confidence``, 0 to 1.
        threshold: in force for it; None when unknown.
        picture: the picture file as it was captured; None when it was not.
        name: the caller's inference id, else the endpoint's event id.
    """

    time: datetime
    label: str
    confidence: float
    threshold: float | None
    model_version: str
    picture: bytes | None
    name: str


@dataclass(frozen=True)
class Dot:
    """One record of the sample that is drawn one by one."""

    time: datetime
    confidence: float
    threshold: float | None


@dataclass(frozen=True)
class VersionFigures:
    """The records that one model version answered.

    Attributes:
        version: "" when the records do not tell.
        judged: how many have a threshold to be judged by, and ``below`` it how many are.
        mean: of the confidences, 0 to 1.
        first, last: when it answered first and last.
    """

    version: str
    records: int
    judged: int
    below: int
    mean: float
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Summary:
    """What a capture says.

    Attributes:
        records: how many inferences there are.
        first, last: when the endpoint answered first and last; None when there are no records.
        mean_confidence: 0 to 1; None when there are no records.
        judged: records with a threshold to be judged by; ``below`` it so many lie, which a person decides.
        thresholds: how many records each threshold was in force for.
        labels: how often each label was the likeliest, the most frequent first.
        versions: figures by model version, in the order of their first record.
        bin_seconds, bins: figures over time.
        histogram: counts of the confidences in ``BUCKETS`` (200) buckets of equal width.
        unsure: the least sure, the least first.
        dots: a fair sample of the records (all, when they are few), by time.
        without_picture: records whose picture was not captured.
        problems: lines and records that could not be used.
        picture_share: share of the records, chosen by event id, whose pictures were candidates to be shown: 0 to 1.
    """

    records: int
    first: datetime | None
    last: datetime | None
    mean_confidence: float | None
    judged: int
    below: int
    thresholds: dict[float, int]
    labels: dict[str, int]
    versions: tuple[VersionFigures, ...]
    bin_seconds: int
    bins: tuple[TimeBin, ...]
    histogram: tuple[int, ...]
    unsure: tuple[Unsure, ...]
    dots: tuple[Dot, ...]
    without_picture: int
    problems: CaptureProblems
    picture_share: float = 1

    @property
    def below_share(self) -> float | None:
        """Share of the judged records below the threshold in force, 0 to 1; None when none is judged."""
        return self.below / self.judged if self.judged else None

    @property
    def threshold(self) -> float | None:
        """The threshold in force at the end; None when unknown."""
        return next((entry.threshold for entry in reversed(self.bins) if entry.threshold is not None), None)

    def figures(self) -> dict[str, Any]:
        """The figures for a program, as JSON holds them: no pictures, times in ISO 8601."""
        return {
            "records": self.records,
            "first": _iso(self.first),
            "last": _iso(self.last),
            "mean_confidence": self.mean_confidence,
            "threshold": self.threshold,
            "judged": self.judged,
            "below_threshold": self.below,
            "below_threshold_share": self.below_share,
            "labels": self.labels,
            "versions": [
                {
                    "version": entry.version,
                    "records": entry.records,
                    "mean_confidence": entry.mean,
                    "judged": entry.judged,
                    "below_threshold": entry.below,
                    "first": _iso(entry.first),
                    "last": _iso(entry.last),
                }
                for entry in self.versions
            ],
            "bin_seconds": self.bin_seconds,
            "bins": [
                {
                    "start": _iso(entry.start),
                    "records": entry.records,
                    "judged": entry.judged,
                    "below_threshold": entry.below,
                    "threshold": entry.threshold,
                    "mean": entry.mean,
                    "p10": entry.low,
                    "median": entry.median,
                    "p90": entry.high,
                }
                for entry in self.bins
            ],
            "least_sure": [
                {"name": entry.name, "time": _iso(entry.time), "label": entry.label, "confidence": entry.confidence}
                for entry in self.unsure
            ],
            "without_picture": self.without_picture,
            "problems": {"count": self.problems.lines, "examples": self.problems.examples},
        }


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
