"""What was summed up of a day's capture: kept in the store, so that the next run reads only files that are new."""

from __future__ import annotations

import base64
import json
import logging
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scones.capture import CaptureProblems, event_hash
from scones.errors import ObjectMissing, StoreError
from scones.monitoring.tally import Tally
from scones.store import Bucket, Entry, Layout

__all__ = ["CaptureDay", "CaptureFile", "Complaint", "by_day", "forget_days", "load_day", "save_day"]

_log = logging.getLogger(__name__)
_DATED = re.compile(r"(?:^|/)(\d{4})/(\d\d)/(\d\d)/\d\d/[^/]+$")
_UNDATED = "undated"
_EXAMPLES = 5
Complaint = tuple[int, int, str]
"""What could not be used: the hash of its file, the number of its line, why."""


@dataclass(frozen=True, slots=True)
class CaptureFile:
    """A file of the capture as it was listed: its key, its size in bytes, and a hash that changes when it does."""

    key: str
    size: int
    hash: int

    @classmethod
    def of(cls, entry: Entry) -> CaptureFile:
        """A file from the store's list."""
        return cls(entry.key, entry.size, event_hash(f"{entry.key}/{entry.size}/{entry.etag}"))


@dataclass
class CaptureDay:
    """What the files of a day hold.

    Attributes:
        files: hashes of the files that were read.
        events: hashes of the event ids that were counted.
        tally: of their records.
        unusable: lines and records that could not be used; ``complaints``: the first few.
    """

    files: array[int] = field(default_factory=lambda: array("Q"))
    events: array[int] = field(default_factory=lambda: array("Q"))
    tally: Tally = field(default_factory=Tally)
    unusable: int = 0
    complaints: list[Complaint] = field(default_factory=list)

    def merge(self, other: CaptureDay) -> None:
        """Take in what was read of other files."""
        self.files.extend(other.files)
        self.events.extend(other.events)
        self.tally.merge(other.tally)
        self.unusable += other.unusable
        self.complaints = [*self.complaints, *other.complaints][:_EXAMPLES]

    def complain(self, file: CaptureFile, line: int, reason: str) -> None:
        """Count what could not be used."""
        self.unusable += 1
        if len(self.complaints) < _EXAMPLES:
            self.complaints.append((file.hash, line, reason))

    def tell(self, problems: CaptureProblems, keys: dict[int, str]) -> None:
        """Add what could not be used to the problems, by the keys of the files' hashes."""
        for file, line, reason in self.complaints:
            problems.add(f"{keys.get(file, 'a file')} line {line}" if line else keys.get(file, "a file"), reason)
        problems.lines += self.unusable - len(self.complaints)


def by_day(entries: Iterable[Entry]) -> dict[str, list[CaptureFile]]:
    """The capture files of a list by the day that their keys name, in order, and each day's in their order."""
    days: dict[str, list[CaptureFile]] = {}
    for entry in entries:
        if entry.key.endswith(".jsonl"):
            found = _DATED.search(entry.key)
            days.setdefault("-".join(found.groups()) if found else _UNDATED, []).append(CaptureFile.of(entry))
    for files in days.values():
        files.sort(key=lambda file: (file.key.split("/")[-2:], file.key))
    return dict(sorted(days.items()))


def load_day(bucket: Bucket, name: str, day: str, there: Sequence[CaptureFile]) -> CaptureDay:
    """What is kept of a day; an empty one where nothing is, or where a file that it counts is gone or has changed.

    What is kept is only a copy: where it cannot be read, it is made anew.

    Args:
        bucket: of the capture.
        name: of the question, see :meth:`scones.store.Layout.capture_day`.
        day: as :func:`by_day` names it.
        there: its files now.
    """
    try:
        value = json.loads(bucket.get(Layout.capture_day(name, day)))
        kept = CaptureDay(
            _unpacked(value["files"]),
            _unpacked(value["events"]),
            Tally.from_json(value["tally"]),
            value["unusable"],
            [(file, line, reason) for file, line, reason in value["complaints"]],
        )
    except ObjectMissing:
        return CaptureDay()
    except (StoreError, KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        _log.warning("what was kept of the capture of %s cannot be read (%s), and is made anew", day, error)
        return CaptureDay()
    return kept if {file.hash for file in there}.issuperset(kept.files) else CaptureDay()


def save_day(bucket: Bucket, name: str, day: str, kept: CaptureDay) -> None:
    """Keep a day for the next run. Where the store takes nothing, the next run reads the day again."""
    value = {
        "files": _packed(kept.files),
        "events": _packed(kept.events),
        "tally": kept.tally.to_json(),
        "unusable": kept.unusable,
        "complaints": kept.complaints,
    }
    try:
        bucket.put(Layout.capture_day(name, day), json.dumps(value, separators=(",", ":")).encode())
    except StoreError as error:
        _log.warning("the capture of %s will be read again: %s", day, error)


def forget_days(bucket: Bucket, name: str, days: Iterable[str]) -> None:
    """Remove what is kept of other days than these: their capture is gone."""
    stay = {Layout.capture_day(name, day) for day in days}
    try:
        for key in [key for key in bucket.list(Layout.capture_day(name)) if key not in stay]:
            bucket.delete(key)
    except StoreError as error:
        _log.warning("what was kept of days without capture stays: %s", error)


def _packed(numbers: array[int]) -> str:
    return base64.b64encode(numbers.tobytes()).decode()


def _unpacked(text: str) -> array[int]:
    return array("Q", base64.b64decode(text, validate=True))
