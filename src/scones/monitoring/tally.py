"""Sum up captured inferences in one pass; memory does not grow with their number, and two sums add up to one."""

from __future__ import annotations

import heapq
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from scones.capture import CaptureProblems, CaptureRecord
from scones.monitoring.summary import Dot, Summary, Unsure, VersionFigures
from scones.monitoring.timeline import BUCKETS, Timeline

__all__ = ["Place", "Tally", "summarise"]

Place = tuple[int, int, int]
"""Where a record stands: a hash of its file's name and size, the number of its line, the hash of its event id."""
_T = TypeVar("_T")
_Rank = tuple[float, float]


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
    tally = Tally(keep, sample)
    for record in records:
        if (fault := record.fault) is not None:
            problems.add(f"record {record.event_id}", fault)
        else:
            tally.add(record, labels, threshold)
    return tally.summary(problems, tuple(unsure for unsure, _ in tally.unsure()))


class Tally:
    """What was seen so far.

    Args:
        keep, sample: as in :func:`summarise`.
    """

    def __init__(self, keep: int = 24, sample: int = 1000) -> None:
        self._timeline, self._mix, self._thresholds = Timeline(), Counter[str](), Counter[float]()
        self._versions: dict[str, _Version] = {}
        self._unsure, self._dots = _Largest[tuple[Unsure, Place | None]](keep), _Largest[Dot](sample)
        self._without_picture = 0

    def add(
        self,
        record: CaptureRecord,
        labels: Sequence[str] = (),
        threshold: float | None = None,
        *,
        place: Place | None = None,
        shown: bool = True,
    ) -> None:
        """Count a record that has no fault.

        Args:
            record: of the capture.
            labels, threshold: as in :func:`summarise`.
            place: where its picture and name can be read again; None to keep them now.
            shown: whether it may be one of the least sure.
        """
        confidence = record.confidence
        limit = record.threshold(threshold)
        label = record.label(labels)
        self._timeline.add(record.time, confidence, limit)
        self._mix[label] += 1
        if limit is not None:
            self._thresholds[limit] += 1
        name = record.attributes.get("model_version", "")
        version = self._versions.get(name)
        if version is None:
            version = self._versions[name] = _Version(record.time, record.time)
        below = limit is not None and confidence < limit
        version.first, version.last = min(version.first, record.time), max(version.last, record.time)
        version.records += 1
        version.judged += limit is not None
        version.below += below
        version.total += confidence
        self._without_picture += not record.has_picture

        # A hash as the key makes the sample fair, and the same whatever the order of the records.
        digest = zlib.crc32(f"{record.event_id}/{record.time.timestamp()}".encode(errors="replace"))
        if self._dots.takes((digest, confidence)):
            self._dots.offer((digest, confidence), Dot(record.time, confidence, limit))
        if shown and self._unsure.takes((-confidence, digest)):
            kept = (record.picture, record.inference_id or record.event_id) if place is None else (None, "")
            self._unsure.offer(
                (-confidence, digest), (Unsure(record.time, label, confidence, limit, name, *kept), place)
            )

    def merge(self, other: Tally) -> None:
        """Count what another one counted."""
        self._timeline.merge(other._timeline)
        self._mix.update(other._mix)
        self._thresholds.update(other._thresholds)
        for name, version in other._versions.items():
            self._versions.setdefault(name, _Version(version.first, version.last)).add(version)
        self._unsure.merge(other._unsure)
        self._dots.merge(other._dots)
        self._without_picture += other._without_picture

    def unsure(self) -> list[tuple[Unsure, Place | None]]:
        """The least sure, the least first, and where they stand."""
        return self._unsure.kept()

    def summary(self, problems: CaptureProblems, unsure: tuple[Unsure, ...], picture_share: float = 1) -> Summary:
        """The summary; the arguments are its fields."""
        count = self._mix.total()
        versions, histogram = self._versions.values(), self._timeline.histogram()
        return Summary(
            records=count,
            first=min((entry.first for entry in versions), default=None),
            last=max((entry.last for entry in versions), default=None),
            mean_confidence=sum(entry.total for entry in versions) / count if count else None,
            judged=self._thresholds.total(),
            below=sum(entry.below for entry in versions),
            thresholds=dict(sorted(self._thresholds.items())),
            labels=dict(sorted(self._mix.items(), key=lambda item: (-item[1], item[0]))),
            versions=tuple(
                sorted(
                    (entry.figures(name) for name, entry in self._versions.items()),
                    key=lambda entry: (entry.first, entry.version),
                )
            ),
            bin_seconds=self._timeline.seconds,
            bins=self._timeline.bins(),
            histogram=tuple(histogram[place] for place in range(BUCKETS)),
            unsure=unsure,
            dots=tuple(sorted(self._dots.kept(), key=lambda dot: (dot.time, dot.confidence))),
            without_picture=self._without_picture,
            problems=problems,
            picture_share=picture_share,
        )

    def to_json(self) -> dict[str, Any]:
        """All that it counted, as JSON holds it: no pictures, no ids."""
        return {
            "timeline": self._timeline.to_json(),
            "labels": dict(self._mix),
            "thresholds": [[limit, number] for limit, number in self._thresholds.items()],
            "versions": {name: entry.to_json() for name, entry in self._versions.items()},
            "unsure": [
                [rank, one.time.isoformat(), one.label, one.confidence, one.threshold, one.model_version, place]
                for rank, (one, place) in self._unsure.ranked()
            ],
            "dots": [[rank, dot.time.isoformat(), dot.confidence, dot.threshold] for rank, dot in self._dots.ranked()],
            "without_picture": self._without_picture,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Tally:
        """What :meth:`to_json` made; of the least sure, pictures and names are read again from their places."""
        tally = cls()
        tally._timeline = Timeline.from_json(value["timeline"])
        tally._mix.update(value["labels"])
        tally._thresholds.update(dict(value["thresholds"]))
        tally._versions = {name: _Version.from_json(entry) for name, entry in value["versions"].items()}
        for rank, time, label, confidence, threshold, version, place in value["unsure"]:
            unsure = Unsure(datetime.fromisoformat(time), label, confidence, threshold, version, None, "")
            tally._unsure.offer(tuple(rank), (unsure, tuple(place)))
        for rank, time, confidence, threshold in value["dots"]:
            tally._dots.offer(tuple(rank), Dot(datetime.fromisoformat(time), confidence, threshold))
        tally._without_picture = value["without_picture"]
        return tally


@dataclass
class _Version:
    first: datetime
    last: datetime
    records: int = 0
    judged: int = 0
    below: int = 0
    total: float = 0.0

    def add(self, other: _Version) -> None:
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.records += other.records
        self.judged += other.judged
        self.below += other.below
        self.total += other.total

    def figures(self, name: str) -> VersionFigures:
        mean = self.total / self.records
        return VersionFigures(name, self.records, self.judged, self.below, mean, self.first, self.last)

    def to_json(self) -> list[Any]:
        return [self.first.isoformat(), self.last.isoformat(), self.records, self.judged, self.below, self.total]

    @classmethod
    def from_json(cls, value: list[Any]) -> _Version:
        return cls(datetime.fromisoformat(value[0]), datetime.fromisoformat(value[1]), *value[2:])


class _Largest(Generic[_T]):
    """Keeps the values of the largest ranks."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[_Rank, int, _T]] = []
        self._offered = 0  # two of the same rank are never compared themselves

    def takes(self, rank: _Rank) -> bool:
        return len(self._heap) < self._size or (self._size > 0 and rank > self._heap[0][0])

    def offer(self, rank: _Rank, value: _T) -> None:
        self._offered += 1
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, (rank, self._offered, value))
        elif self.takes(rank):
            heapq.heapreplace(self._heap, (rank, self._offered, value))

    def merge(self, other: _Largest[_T]) -> None:
        for rank, value in other.ranked():
            self.offer(rank, value)

    def ranked(self) -> list[tuple[_Rank, _T]]:
        """From the largest rank to the smallest."""
        return [(rank, value) for rank, _, value in sorted(self._heap, key=lambda item: item[:2], reverse=True)]

    def kept(self) -> list[_T]:
        return [value for _, value in self.ranked()]
