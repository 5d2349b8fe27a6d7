"""How far a capture was read: which files, and which events of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["UNDATED", "FileRead", "Position"]

UNDATED: Final = "undated"
"""The day of files whose keys name none."""
_LATE: Final = 2
"""Days that a file may come later than the newest one that was read."""
_NONE: Final = np.zeros(0, np.uint64)

FileRead = tuple[int, int, int]
"""The hash of a file's key; the file's own, which is another one when it has changed; and how many of its lines were
read, where there are more: 0 where it was read whole."""


@dataclass(frozen=True)
class Position:
    """What was read of a capture.

    It is remembered for the days that files may still come for: those of the newest day that was read, of the two
    before it, and of later ones (of a clock that is wrong). A file of an earlier day is taken as read, and is not even
    listed; so a look costs the same after a year. Within those days each event counts once, in however many files it
    is, and a file that changed is read again.

    Attributes:
        files: by day as ``2026-11-20``, uint64 (F, 3), a :data:`FileRead` each.
        events: by the day of their files, uint64 (E,): hashes of events.
        since: records of up to this time are taken as read, POSIX seconds: the look that read them is known, but not
            what it left. 0 where nothing is.
    """

    files: Mapping[str, NDArray[np.uint64]] = field(default_factory=dict)
    events: Mapping[str, NDArray[np.uint64]] = field(default_factory=dict)
    since: float = 0.0

    def first_day(self, now: datetime) -> str:
        """The first day that files may still come for, as ``2026-11-20``; "" where nothing was read.

        Args:
            now: a day after this one is a clock's fault, and does not make files of today late.
        """
        today = now.astimezone(UTC).date().isoformat()
        days = [day for day in self.files if day != UNDATED and day <= today]
        if self.since:
            days.append(min(today, datetime.fromtimestamp(self.since, UTC).date().isoformat()))
        return (date.fromisoformat(max(days)) - timedelta(_LATE)).isoformat() if days else ""

    def known_files(self) -> dict[int, FileRead]:
        """The files that are remembered, by the hashes of their keys."""
        return {key: (key, own, lines) for table in self.files.values() for key, own, lines in table.tolist()}

    def known_events(self) -> NDArray[np.uint64]:
        """Hashes of all events that are remembered, sorted."""
        return np.sort(np.concatenate([*self.events.values(), _NONE]))

    def after(self, files: Mapping[str, list[FileRead]], events: Mapping[str, list[int]], now: datetime) -> Position:
        """The position after more was read; what nothing can come for any more is forgotten.

        Args:
            files: by day, those that were read.
            events: of theirs, by the same days.
            now: as in :meth:`first_day`.
        """
        tables, hashes = dict(self.files), dict(self.events)
        for day, found in files.items():
            new = np.array(found, np.uint64).reshape(-1, 3)
            old = tables.get(day, new[:0])
            tables[day] = np.concatenate([old[~np.isin(old[:, 0], new[:, 0])], new])
        for day, numbers in events.items():
            hashes[day] = np.concatenate([hashes.get(day, _NONE), np.array(numbers, np.uint64)])
        whole = replace(self, files=tables, events=hashes)
        first = whole.first_day(now)  # "undated" is after every date
        return replace(
            whole,
            files={day: table for day, table in tables.items() if day >= first},
            events={day: found for day, found in hashes.items() if day >= first},
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays by name; :meth:`from_arrays` makes the same of them."""
        return {
            **{f"files {day}": table for day, table in self.files.items()},
            **{f"events {day}": found for day, found in self.events.items()},
            "since": np.array(self.since),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Position:
        """Read back what :meth:`to_arrays` made, among other arrays.

        Raises:
            KeyError, ValueError: it is something else.
        """
        found: dict[str, dict[str, NDArray[np.uint64]]] = {"files": {}, "events": {}}
        for name, array in arrays.items():
            kind, _, day = name.partition(" ")
            if kind in found and day:
                if day != UNDATED:
                    date.fromisoformat(day)
                if array.dtype != np.uint64:
                    raise ValueError(f"{name} holds {array.dtype}, not uint64")
                found[kind][day] = array.reshape(-1, 3) if kind == "files" else array.reshape(-1)
        return cls(found["files"], found["events"], float(arrays["since"]))
