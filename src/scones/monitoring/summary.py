"""Sum up captured inferences in one pass; memory does not grow with their number."""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from scones.capture import CaptureProblems, CaptureRecord
from scones.monitoring.timeline import BUCKETS, TimeBin, Timeline

__all__ = ["Dot", "Summary", "Unsure", "VersionFigures", "summarise"]


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


@dataclass
class _Version:
    first: datetime
    last: datetime
    records: int = 0
    judged: int = 0
    below: int = 0
    total: float = 0.0


def summarise(
    records: Iterable[CaptureRecord],
    labels: Sequence[str] = (),
    threshold: float | None = None,
    *,
    keep: int = 24,
    sample: int = 1000,
    problems: CaptureProblems | None = None,
) -> Summary:
    """Sum up captured inferences in one pass. Their order does not matter.

    A record's own attributes (``threshold``, ``labels``, ``model_version``) go first; an endpoint that is
    not ours sends none, and then the arguments hold. A label that nobody names is "class 0", "class 1"…
    A record whose answer is no list of probabilities is counted among the problems and left out.

    Args:
        records: as :func:`scones.capture.read_capture` yields them.
        labels: names of the classes, for records that carry none and have as many probabilities.
        threshold: for records that carry none, 0 to 1; None when unknown.
        keep: how many of the least sure to keep with their pictures.
        sample: how many records to keep for drawing them one by one, without pictures.
        problems: what the reader of ``records`` could not read; it may still be filling it.

    Returns:
        The summary; of no records, an empty one.

    Example:
        >>> from datetime import UTC
        >>> record = CaptureRecord("e", "", datetime(2026, 11, 20, tzinfo=UTC), (0.7, 0.3))
        >>> summary = summarise([record], ["bicycle", "motorcycle"], 0.9)
        >>> summary.labels, summary.below_share
        ({'bicycle': 1}, 1.0)
    """
    problems = CaptureProblems() if problems is None else problems
    timeline, mix, thresholds = Timeline(), Counter[str](), Counter[float]()
    versions: dict[str, _Version] = {}
    unsure, dots = _Largest[Unsure](keep), _Largest[Dot](sample)
    without_picture = 0
    for record in records:
        if (fault := record.fault) is not None:
            problems.add(f"record {record.event_id}", fault)
            continue
        confidence = record.confidence
        limit = record.threshold(threshold)
        label = record.label(labels)
        below = limit is not None and confidence < limit
        timeline.add(record.time, confidence, limit)
        mix[label] += 1
        if limit is not None:
            thresholds[limit] += 1
        version = versions.get(name := record.attributes.get("model_version", ""))
        if version is None:
            version = versions[name] = _Version(record.time, record.time)
        version.first, version.last = min(version.first, record.time), max(version.last, record.time)
        version.records += 1
        version.judged += limit is not None
        version.below += below
        version.total += confidence
        without_picture += record.picture is None

        # A hash as the key makes the sample fair, and the same whatever the order of the records.
        digest = zlib.crc32(f"{record.event_id}/{record.time.timestamp()}".encode())
        dots.offer((digest, confidence), Dot(record.time, confidence, limit))
        if unsure.takes((-confidence, digest)):
            caller = record.inference_id or record.event_id
            unsure.offer(
                (-confidence, digest), Unsure(record.time, label, confidence, limit, name, record.picture, caller)
            )

    count = mix.total()
    histogram = timeline.histogram()
    return Summary(
        records=count,
        first=min((entry.first for entry in versions.values()), default=None),
        last=max((entry.last for entry in versions.values()), default=None),
        mean_confidence=sum(entry.total for entry in versions.values()) / count if count else None,
        judged=thresholds.total(),
        below=sum(entry.below for entry in versions.values()),
        thresholds=dict(sorted(thresholds.items())),
        labels=dict(sorted(mix.items(), key=lambda item: (-item[1], item[0]))),
        versions=_versions(versions),
        bin_seconds=timeline.seconds,
        bins=timeline.bins(),
        histogram=tuple(histogram[place] for place in range(BUCKETS)),
        unsure=tuple(unsure.kept()),
        dots=tuple(sorted(dots.kept(), key=lambda dot: (dot.time, dot.confidence))),
        without_picture=without_picture,
        problems=problems,
    )


_T = TypeVar("_T")
_Rank = tuple[float, float]


class _Largest(Generic[_T]):
    """Keeps the values of the largest ranks."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[_Rank, int, _T]] = []
        self._order = itertools.count()  # two of the same rank are never compared themselves

    def takes(self, rank: _Rank) -> bool:
        return len(self._heap) < self._size or (self._size > 0 and rank > self._heap[0][0])

    def offer(self, rank: _Rank, value: _T) -> None:
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, (rank, next(self._order), value))
        elif self.takes(rank):
            heapq.heapreplace(self._heap, (rank, next(self._order), value))

    def kept(self) -> list[_T]:
        """From the largest rank to the smallest."""
        return [value for _, _, value in sorted(self._heap, key=lambda item: item[:2], reverse=True)]


def _versions(versions: dict[str, _Version]) -> tuple[VersionFigures, ...]:
    found = [
        VersionFigures(name, one.records, one.judged, one.below, one.total / one.records, one.first, one.last)
        for name, one in versions.items()
    ]
    return tuple(sorted(found, key=lambda entry: (entry.first, entry.version)))


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
