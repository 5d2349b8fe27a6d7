"""Watches ``arrivals/``: which pictures are new, and whole."""

from __future__ import annotations

from collections.abc import Callable

from scones.store import Bucket, Entry
from scones.workflow.intake.listing import Lister, Listing

__all__ = ["Watcher"]

_MOMENT = 0.5
"""Seconds for which a file must have stayed as it is before it is taken."""


class Watcher:
    """Remembers what was taken, and which files are still being written.

    Objects of S3 are whole as soon as they can be seen. A file of a folder is whole when it was last written a moment
    ago or more, and has not changed since the last look. A clock that was set back makes a file's age negative: then
    it is whole when it has stayed as it is for a moment by the machine's own count of seconds.

    Args:
        bucket: the arrivals' bucket.
        now: POSIX seconds.
        clock: seconds, monotonic.
    """

    def __init__(self, bucket: Bucket, *, now: Callable[[], float], clock: Callable[[], float]) -> None:
        self._bucket, self._now, self._clock = bucket, now, clock
        self._lister = Lister(bucket, now=now, clock=clock)
        self._taken: set[str] = set()
        self._working: dict[str, tuple[int, float]] = {}  # size and time as they were when it was taken
        self._marks: dict[str, tuple[int, float, float]] = {}  # size, time, and since when it is so
        self._unsettled: set[str] = set()
        self._odd: dict[str, None] = {}
        self._news: list[str] = []

    @property
    def unsettled(self) -> set[str]:
        """The keys of pictures that are still being written, as the last look saw them."""
        return self._unsettled

    @property
    def odd(self) -> list[str]:
        """What lay there at the last look and is no picture."""
        return list(self._odd)

    def odd_news(self) -> list[str]:
        """What is no picture and was not told before."""
        news, self._news = self._news, []
        return news

    def look(self) -> list[Entry]:
        """The pictures that are whole and were not taken yet, oldest first.

        Raises:
            StoreError: the place cannot be listed.
        """
        found = self._lister.look(self._taken)
        self._forget(found)
        whole = [entry for entry in found.fresh if self._is_whole(entry)]
        self._unsettled = {entry.key for entry in found.fresh} - {entry.key for entry in whole}
        return sorted(whole, key=lambda entry: (entry.modified, entry.key))

    def take(self, entry: Entry, *, at_work: bool) -> None:
        """A picture is not to be found any more as long as it lies there; ``at_work``: its execution runs."""
        self._taken.add(entry.key)
        self._marks.pop(entry.key, None)
        if at_work:
            self._working[entry.key] = entry.size, entry.modified

    def is_taken(self, key: str) -> bool:
        """Whether a picture was taken."""
        return key in self._taken

    def ended(self, key: str) -> None:
        """A picture's execution has ended, whoever began it."""
        if key:
            self._taken.add(key)
        self._working.pop(key, None)

    def put_back_if_changed(self, key: str) -> bool:
        """Say whether a file has changed since it was taken, as one does that was half written; find it again then."""
        mark = self._working.pop(key, None)
        if mark is None or self._bucket.folder is None:
            return False
        try:
            about = (self._bucket.folder / key).stat()
        except OSError:
            return False
        if (about.st_size, about.st_mtime) == mark:
            return False
        self._taken.discard(key)
        return True

    def _forget(self, found: Listing) -> None:
        """Keep no more in mind than lies there: a process may watch for years."""
        self._taken &= found.keys
        self._marks = {key: mark for key, mark in self._marks.items() if key in found.keys}
        self._news.extend(name for name in found.odd if name not in self._odd)
        self._odd = dict.fromkeys(found.odd)

    def _is_whole(self, entry: Entry) -> bool:
        if self._bucket.folder is None:
            return True
        before = self._marks.get(entry.key)
        if before is None and self._now() - entry.modified >= _MOMENT:
            return True
        if before is None or before[:2] != (entry.size, entry.modified):
            self._marks[entry.key] = (entry.size, entry.modified, self._clock())
            return False
        return self._clock() - before[2] >= _MOMENT
