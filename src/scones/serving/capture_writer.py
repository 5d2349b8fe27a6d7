"""Write captured inferences to the store, off the path of the answers."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from scones.capture import CaptureRecord, capture_key, encode_line, is_captured
from scones.errors import StoreError

if TYPE_CHECKING:
    from scones.store import Bucket

__all__ = ["CaptureWriter"]

_log = logging.getLogger(__name__)
_RECORD_OVERHEAD = 1024  # bytes that a record takes beside its picture, about


@dataclass(frozen=True)
class _File:
    """A capture file on its way to the store; it keeps its key, so that writing it again makes no second one."""

    key: str
    lines: bytes
    records: int


class CaptureWriter:
    """Writes records as JSON lines, many to a file, in a thread of its own.

    Adding a record neither waits nor fails. What waits to be written is bounded; beyond that, records
    are left out and counted. A file that cannot be written is tried again until it can.

    Args:
        bucket: where the capture lies.
        prefix, endpoint, variant: parts of the key, see :func:`scones.capture.capture_key`.
        share: of the inferences that are recorded, 0 to 1, chosen by their ids: one is recorded by all, or by none.
        fsync: wait for the disk after each file, so that it outlives a power cut; else the system writes it when it
            likes, within half a minute as a rule. A killed process loses no file either way.
        flush_records: write a file as soon as it has this many records.
        flush_seconds: write a file when its first record is this old, in seconds; also the pause before
            a failed write is tried again.
        max_pending_bytes: the most bytes that may wait to be written.
        monotonic: a clock in seconds, for the age of records.
        new_id: makes the unique part of a file's key.

    Example:
        >>> import tempfile
        >>> from datetime import UTC, datetime
        >>> from scones.capture import read_capture
        >>> from scones.store import open_bucket
        >>> bucket = open_bucket(tempfile.mkdtemp(), "scones")
        >>> with CaptureWriter(bucket, "capture", "scones", "AllTraffic") as writer:
        ...     writer.add(CaptureRecord("e1", "i1", datetime(2026, 11, 20, tzinfo=UTC), (0.9, 0.1)))
        >>> [record.inference_id for record in read_capture(bucket, "capture")], writer.dropped
        (['i1'], 0)
    """

    def __init__(
        self,
        bucket: Bucket,
        prefix: str,
        endpoint: str,
        variant: str,
        *,
        share: float = 1.0,
        fsync: bool = False,
        flush_records: int = 500,
        flush_seconds: float = 5.0,
        max_pending_bytes: int = 64 * 1024 * 1024,
        monotonic: Callable[[], float] = time.monotonic,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        self._bucket = bucket
        self._place = (prefix, endpoint, variant)
        self._share = share
        self._fsync = fsync
        self._flush_records = flush_records
        self._flush_seconds = flush_seconds
        self._max_pending_bytes = max_pending_bytes
        self._monotonic = monotonic
        self._new_id = new_id
        self._changed = threading.Condition()
        self._pending: deque[tuple[float, CaptureRecord]] = deque()
        self._pending_bytes = 0
        self._in_hand_bytes = 0  # of the file that is being written
        self._closing = False
        self._failing = False
        self._written = 0
        self._dropped = 0
        self._thread = threading.Thread(target=self._run, name="capture-writer", daemon=True)
        self._thread.start()

    @property
    def written(self) -> int:
        """How many records lie in the store."""
        return self._written

    @property
    def dropped(self) -> int:
        """How many records were left out, because the store was full, failing or too slow."""
        return self._dropped

    def add(self, record: CaptureRecord) -> None:
        """Hand a record over; it is written soon, or counted as left out. Returns at once."""
        if self._share < 1 and not is_captured(record.inference_id or record.event_id, self._share):
            return
        size = _size(record)
        with self._changed:
            if self._closing or self._in_hand_bytes + self._pending_bytes + size > self._max_pending_bytes:
                self._dropped += 1
                return
            self._pending.append((self._monotonic(), record))
            self._pending_bytes += size
            if len(self._pending) == 1 or self._is_full():
                self._changed.notify()

    def close(self, timeout: float = 20.0) -> None:
        """Write all that waits, then end. What the store does not take even now counts as left out.

        Closing again does nothing.

        Args:
            timeout: the longest to wait for the store, in seconds.
        """
        with self._changed:
            if self._closing:
                return
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        if self._dropped:
            _log.warning("capture: %d records were left out, %d were written", self._dropped, self._written)
        elif self._thread.is_alive():
            _log.warning("capture: the store did not take the last records within %g seconds", timeout)

    def __enter__(self) -> CaptureWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        while (file := self._next_file()) is not None:
            if not self._deliver(file):
                self._give_up(file)
                return

    def _deliver(self, file: _File) -> bool:
        """Write a file, again and again if need be; False when it cannot be written even at the end."""
        while True:
            last_try = self._closing
            if self._write(file):
                return True
            if last_try:
                return False
            with self._changed:
                self._changed.wait_for(lambda: self._closing, self._flush_seconds)

    def _next_file(self) -> _File | None:
        """Wait for a file's worth of records, or for a part of it that is old enough; None at the end."""
        with self._changed:
            while not (self._closing or self._is_full()):
                age = self._monotonic() - self._pending[0][0] if self._pending else 0.0
                if age >= self._flush_seconds:
                    break
                self._changed.wait(self._flush_seconds - age if self._pending else None)
            if not self._pending:
                return None
            records = [self._pending.popleft()[1] for _ in range(min(len(self._pending), self._flush_records))]
            self._in_hand_bytes = sum(map(_size, records))
            self._pending_bytes -= self._in_hand_bytes
        key = capture_key(*self._place, records[0].time, self._new_id())
        lines = "\n".join([*map(encode_line, records), ""]).encode("ascii")
        return _File(key, lines, len(records))

    def _is_full(self) -> bool:
        # large pictures fill memory long before there are many of them
        return len(self._pending) >= self._flush_records or self._pending_bytes * 4 >= self._max_pending_bytes

    def _write(self, file: _File) -> bool:
        try:
            self._bucket.put(file.key, file.lines)
            if self._fsync:
                self._bucket.sync(file.key)
        except StoreError as error:
            if not self._failing:  # say it once, not once a file
                _log.warning("capture cannot be written, answers go on without it: %s", error)
            self._failing = True
            return False
        with self._changed:
            self._in_hand_bytes = 0
            self._written += file.records
        if self._failing:
            self._failing = False
            _log.warning("capture is written again; %d records were left out so far", self._dropped)
        return True

    def _give_up(self, file: _File) -> None:
        with self._changed:
            self._dropped += file.records + len(self._pending)
            self._pending.clear()


def _size(record: CaptureRecord) -> int:
    return _RECORD_OVERHEAD + len(record.picture or b"")
