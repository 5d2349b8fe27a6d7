"""The latest pictures that a model answered, read from the newest file of a capture back."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from scones.capture import CaptureProblems, CaptureRecord, capture_lines, decode_line
from scones.errors import ObjectMissing
from scones.monitoring.watch.answers import version_of
from scones.monitoring.watch.position import UNDATED
from scones.monitoring.watch.repeats import content_number
from scones.monitoring.watch.stream import Captured, capture_days

if TYPE_CHECKING:
    from scones.monitoring.watch.health import Health
    from scones.store import Bucket, Entry

__all__ = ["Reading"]

_MOST_BYTES: Final = 256 * 2**20
"""Of one file's lines that are held together, about."""


@dataclass
class Reading:
    """Reads them, each once, and counts what it leaves out.

    Attributes:
        bucket: where the capture lies, under ``prefix``.
        health: of the model.
        last: how many to read.
        since, until: only those that were answered in that time, with time zone.
        times: when each picture, by the number of its bytes, came first, in POSIX seconds.
        repeats: records whose picture came before; ``without``: those that were captured without one.
        problems: lines that cannot be read.
    """

    bucket: Bucket
    prefix: str
    health: Health
    last: int
    since: datetime | None
    until: datetime | None
    times: dict[int, float] = field(default_factory=dict)
    repeats: int = 0
    without: int = 0
    problems: CaptureProblems = field(default_factory=CaptureProblems)

    @property
    def span(self) -> str:
        """The time that was asked for, in words; empty where any was."""
        bounds = (("since", self.since), ("until", self.until))
        return "".join(f" {word} {time:%Y-%m-%d %H:%M} UTC" for word, time in bounds if time is not None)

    def pictures(self) -> Iterator[Captured]:
        """Each picture once, the latest first: until there are enough, or until a day that has none.

        Raises:
            StoreError: the store does not answer.
        """
        first = self.since.astimezone(UTC).date().isoformat() if self.since else ""
        last = self.until.astimezone(UTC).date().isoformat() if self.until else UNDATED
        events: set[str] = set()
        for day, folders in reversed(capture_days(self.bucket, self.prefix.strip("/"), first)):
            if day > last and day != UNDATED:
                continue
            before = len(self.times)
            entries = [entry for folder in folders for entry in self.bucket.entries(f"{folder}/" if folder else "")]
            files = [entry for entry in entries if entry.key.endswith(".jsonl")]
            for entry in sorted(files, key=lambda entry: (entry.key.split("/")[-2:], entry.key), reverse=True):
                for record in self._records(entry):
                    if record.event_id not in events:
                        events.add(record.event_id)
                        if self._is_new(record):
                            yield Captured(record, entry.key)
                    if len(self.times) >= self.last:
                        return
            if files and len(self.times) == before and day != last:
                return

    def _is_new(self, record: CaptureRecord) -> bool:
        assert record.picture is not None
        number, time = content_number(record.picture), record.time.timestamp()
        known = self.times.get(number)
        self.times[number] = time if known is None else min(known, time)
        self.repeats += known is not None
        return known is None

    def _records(self, entry: Entry) -> Iterator[CaptureRecord]:
        """The latest records of a file that may be taken, with their pictures, the last first."""
        lines: deque[bytes] = deque()
        size = 0
        try:
            for line in capture_lines(self.bucket.chunks(entry.key)):
                if not line or line.isspace() or not self._is_wanted(entry, line):
                    continue
                lines.append(line)
                size += len(line)
                while len(lines) > self.last or size > _MOST_BYTES:
                    size -= len(lines.popleft())
        except ObjectMissing:  # it was deleted meanwhile
            return
        while lines:
            try:
                yield decode_line(lines.pop())
            except ValueError as error:  # its picture is no base64
                self.problems.add(entry.key, str(error))

    def _is_wanted(self, entry: Entry, line: bytes) -> bool:
        """Whether a line is an answer of the model, with its picture, in the time that was asked for."""
        try:
            record = decode_line(line, pictures=0)
        except ValueError as error:
            self.problems.add(entry.key, str(error))
            return False
        if record.fault is not None or len(record.probabilities) != len(self.health.labels):
            return False
        if version_of(record, self.health.version) != self.health.version:
            return False
        if (self.since and record.time < self.since) or (self.until and record.time > self.until):
            return False
        self.without += not record.has_picture
        return record.has_picture
