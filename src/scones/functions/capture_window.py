"""Which capture files the scheduled monitor reads: those of the full hours since it last looked, and late ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from scones.capture import CANDIDATE_VARIANT
from scones.store import Bucket, Entry, Layout

__all__ = ["Window", "list_files", "next_window", "sampled"]

_HOUR: Final = timedelta(hours=1)
_SETTLED: Final = timedelta(minutes=10)
"""After the end of an hour its files are given so long to arrive: endpoints buffer, and clocks differ."""
_LATE: Final = timedelta(hours=2)
"""Files of the hours before are looked for as well, in case they came later than that."""
_MOST: Final = timedelta(hours=24)
"""After a longer pause the monitor goes on with the last day."""


@dataclass(frozen=True)
class Window:
    """The hours that a run looks at.

    Attributes:
        late_from: from when on files are looked for that came late.
        start, until: full hours in UTC, from and to.
        skipped: hours before ``start`` that are left out.
    """

    late_from: datetime
    start: datetime
    until: datetime
    skipped: int = 0


def next_window(now: datetime, last: datetime | None) -> Window | None:
    """The full hours since the last run; None when there is none yet.

    Args:
        now: with time zone.
        last: where the last run's window ended; None: this is the first, which looks at one hour.

    Example:
        >>> next_window(datetime(2026, 11, 20, 10, 14, tzinfo=UTC), datetime(2026, 11, 20, 9, tzinfo=UTC)).until.hour
        10
    """
    until = (now.astimezone(UTC) - _SETTLED).replace(minute=0, second=0, microsecond=0)
    if last is None:
        return Window(until - _HOUR, until - _HOUR, until)
    if last >= until:
        return None
    if until - last > _MOST:
        start = until - _MOST
        return Window(start, start, until, (start - last) // _HOUR)
    return Window(last - _LATE, last, until)


def list_files(bucket: Bucket, endpoint: str, window: Window, seen: float) -> tuple[list[Entry], int, float]:
    """Find the files of a window, of all variants of an endpoint but a candidate's, oldest first.

    A file of an earlier hour is a late one when it was written after all that the last run saw. Both times are the
    store's, so that no clock of ours is compared with it.

    Args:
        bucket: where the capture lies.
        endpoint: its name.
        window: from :func:`next_window`.
        seen: when the newest file was written that the last run saw, POSIX seconds.

    Returns:
        The files; how many of them are late; when the newest one of all that were listed was written.
    """
    found: list[tuple[str, Entry]] = []
    late, newest, home = 0, seen, f"{Layout.CAPTURE}/{endpoint}"
    for variant in bucket.folders(home):
        if variant == CANDIDATE_VARIANT:  # another model's answers: those of a canary too
            continue
        hour = window.late_from
        while hour < window.until:
            for entry in bucket.entries(f"{home}/{variant}/{hour:%Y/%m/%d/%H}/"):
                newest = max(newest, entry.modified)
                if entry.key.endswith(".jsonl") and (hour >= window.start or entry.modified > seen):
                    found.append((entry.key.removeprefix(f"{home}/{variant}/"), entry))
                    late += hour < window.start
            hour += _HOUR
    return [entry for _, entry in sorted(found, key=lambda one: one[0])], late, newest


def sampled(files: Sequence[Entry], most_files: int, most_bytes: int) -> Sequence[Entry]:
    """All the files where they are few and small enough, else every second, or every third, and so on.

    Example:
        >>> [entry.key for entry in sampled([Entry(f"{n}", 10, 0.0, "") for n in range(6)], 3, 1000)]
        ['0', '2', '4']
    """
    size = sum(entry.size for entry in files)
    return files[:: max(1, -(-len(files) // most_files), -(-size // most_bytes))]
