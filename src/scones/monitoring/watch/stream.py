"""Read what is new in a capture: each event once, whatever files it is in, and whenever these came."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from scones.capture import CANDIDATE_VARIANT, CaptureProblems, CaptureRecord, capture_lines, decode_line, event_hash
from scones.errors import ObjectMissing
from scones.monitoring.watch.position import UNDATED, FileRead, Position
from scones.store import Bucket, Entry

__all__ = ["Captured", "NewRecords", "capture_days", "read_new"]

_DATED: Final = re.compile(r"/(\d{4}(?:/\d\d){0,3})$")
_DAY: Final = len("2026-11-20")
_MOST: Final = 2_000
_MOST_BYTES: Final = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Captured:
    """A record, and the key of the file that it lies in."""

    record: CaptureRecord
    file: str


@dataclass(frozen=True)
class NewRecords:
    """What was not read before.

    Attributes:
        records: in order of time.
        position: to go on from.
        files: how many were read, in whole or in part.
        duplicates: records left out, as their event had been read before. Those that come again with a file that has
            changed are not counted.
        problems: lines, records and files that could not be used, each counted once.
        newest: time of the newest record, POSIX seconds; None where there is none. A clock that is fast does not count:
            a record is no newer than its file, and no newer than now.
        more: whether more is left to be read.
    """

    records: list[Captured]
    position: Position
    files: int
    duplicates: int
    problems: CaptureProblems
    newest: float | None
    more: bool


def read_new(
    bucket: Bucket,
    prefix: str,
    position: Position,
    *,
    now: datetime,
    since: datetime | None = None,
    wants_picture: Callable[[CaptureRecord], bool] = lambda _: True,
    most: int = _MOST,
    most_bytes: int = _MOST_BYTES,
) -> NewRecords:
    """Read what is new below a prefix, the files in order of the times that their keys name.

    Files come late, come twice, grow after they were read, and hold what other files hold: see
    :class:`~scones.monitoring.watch.position.Position` for what is remembered of them.

    Args:
        bucket: where the capture lies.
        prefix: a folder, as ``capture/scones``; SageMaker's folders by day may lie at any depth below it. A folder
            without any folders in it is read whole.
        position: where the look before ended.
        now: the time.
        since: look only for files whose keys name this hour or a later one, which costs less; None: for all that may
            still come.
        wants_picture: whether a record's picture is to be read; what is not read is not even decoded.
        most: how many records to read; of a file of more, a part. ``most_bytes``: how many bytes of pictures, about.

    Raises:
        StoreError: the store does not answer; then nothing was read.
    """
    reading = _Reading(position, now, wants_picture, most, most_bytes)
    first = position.first_day(now)
    if since is not None:
        first = max(first, f"{since.astimezone(UTC):%Y-%m-%d/%H}")
    for day, folders in capture_days(bucket, prefix.strip("/"), first):
        entries = [entry for folder in folders for entry in bucket.entries(f"{folder}/" if folder else "")]
        for entry in sorted(filter(reading.is_new, entries), key=lambda entry: (entry.key.split("/")[-2:], entry.key)):
            if reading.full:
                return reading.result(more=True)
            reading.read(bucket, day, entry)
    return reading.result(more=reading.broken_off)


def capture_days(bucket: Bucket, prefix: str, first: str) -> list[tuple[str, list[str]]]:
    """The folders from a day, or an hour, as ``2026-11-20/10``, on: by day, in order; what has no day first."""
    found: dict[str, list[str]] = {}

    def descend(folder: str) -> None:
        dated = _DATED.search(f"/{folder}")
        named = dated[1].replace("/", "-", 2) if dated else ""
        day = named[:_DAY]
        if named < first[: len(named)]:
            return
        is_day = len(day) == _DAY and _is_date(day)
        if is_day and (len(named) > _DAY or not first.startswith(f"{day}/")):
            found.setdefault(day, []).append(folder)
            return
        inside = bucket.folders(folder)
        if not inside and not is_day:
            found.setdefault(UNDATED, []).append(folder)
        for name in inside:
            if name != CANDIDATE_VARIANT:  # another model's answers: those of a canary, too
                descend(f"{folder}/{name}" if folder else name)

    descend(prefix)
    return sorted(found.items(), key=lambda one: (one[0] != UNDATED, one[0]))


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@dataclass
class _Reading:
    """What a pass through new files gathers."""

    position: Position
    now: datetime
    wants_picture: Callable[[CaptureRecord], bool]
    most: int
    most_bytes: int
    records: list[Captured] = field(default_factory=list)
    files: dict[str, list[FileRead]] = field(default_factory=dict)
    events: dict[str, list[int]] = field(default_factory=dict)
    broken_off: bool = False
    opened: int = 0
    size: int = 0
    duplicates: int = 0
    problems: CaptureProblems = field(default_factory=CaptureProblems)
    newest: float | None = None

    def __post_init__(self) -> None:
        self._known_files = self.position.known_files()
        self._new_events: set[int] = set()

    @cached_property
    def _known_events(self) -> NDArray[np.uint64]:
        return self.position.known_events()

    @property
    def full(self) -> bool:
        return self.broken_off or len(self.records) >= self.most or self.size >= self.most_bytes

    def is_new(self, entry: Entry) -> bool:
        known = self._known_files.get(event_hash(entry.key))
        return entry.key.endswith(".jsonl") and (known is None or known[1] != _hash(entry) or known[2] > 0)

    def read(self, bucket: Bucket, day: str, entry: Entry) -> None:
        """Read a file to its end, or until there is enough."""
        key, own = event_hash(entry.key), _hash(entry)
        known = self._known_files.get(key)
        changed = known is not None and known[1] != own
        done = known[2] if known is not None and not changed else 0
        self.opened += 1
        try:
            for number, line in enumerate(capture_lines(bucket.chunks(entry.key)), start=1):
                if number <= done or not line or line.isspace():
                    continue
                if self.full:
                    self.broken_off = True
                    self.files.setdefault(day, []).append((key, own, number - 1))
                    return
                self._take(day, entry, number, line, changed)
        except ObjectMissing as error:  # it was deleted meanwhile
            self.problems.add(entry.key, str(error))
            return
        self.files.setdefault(day, []).append((key, own, 0))

    def _take(self, day: str, entry: Entry, number: int, line: bytes, changed: bool) -> None:
        try:
            record = decode_line(line, pictures=0)
            # of one event, the answers of two models are two records
            event = event_hash(f"{record.attributes.get('model_version', '')}/{record.event_id}")
            fault = record.fault
        except ValueError as error:  # what cannot be read is known by its text, should its file be read again
            record, event, fault = None, event_hash(f"{entry.key}/{line!r}"), str(error)
        if record is not None and record.time.timestamp() <= self.position.since:
            return
        if self._is_known(event):
            self.duplicates += not changed
            return
        self._new_events.add(event)
        self.events.setdefault(day, []).append(event)
        if record is not None and fault is None and record.unread and self.wants_picture(record):
            try:
                record = decode_line(line)
            except ValueError as error:  # its picture is no base64
                fault = str(error)
        if record is None or fault is not None:
            self.problems.add(f"{entry.key} line {number}", fault or "")
            return
        self.records.append(Captured(record, entry.key))
        self.size += len(record.picture or b"")
        time = min(record.time.timestamp(), entry.modified, self.now.timestamp())
        self.newest = time if self.newest is None else max(self.newest, time)

    def _is_known(self, event: int) -> bool:
        if event in self._new_events:
            return True
        place = int(np.searchsorted(self._known_events, np.uint64(event)))
        return place < len(self._known_events) and int(self._known_events[place]) == event

    def result(self, *, more: bool) -> NewRecords:
        return NewRecords(
            sorted(self.records, key=lambda one: one.record.time),
            self.position.after(self.files, self.events, self.now),
            self.opened,
            self.duplicates,
            self.problems,
            self.newest,
            more,
        )


def _hash(entry: Entry) -> int:
    """Changes when the file does."""
    return event_hash(f"{entry.key}/{entry.size}/{entry.etag}")
