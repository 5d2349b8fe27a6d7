"""Keep the bytes of many pictures in a temporary file, so that a folder of photographs needs no memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from scones.errors import SourceError, StoreFull

__all__ = ["Spool"]


class Spool:
    """A temporary file without a name; the system removes it however the process ends.

    Raises:
        StoreFull: no space for it.
        SourceError: it cannot be written for another reason.

    Example:
        >>> with Spool() as spool:
        ...     place = spool.add(b"one"), spool.add(b"two")
        ...     spool.read(place[1])
        b'two'
    """

    def __init__(self) -> None:
        with _clear_errors():
            self._file = tempfile.TemporaryFile(prefix="scones-", buffering=0)  # noqa: SIM115 - closed by __exit__
        self._end = 0

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *details: object) -> None:
        self._file.close()

    def add(self, data: bytes) -> tuple[int, int]:
        """Append bytes.

        Returns:
            Their place, for :meth:`read`.
        """
        start, left = self._end, memoryview(data)
        with _clear_errors():
            while left:
                left = left[self._file.write(left) :]
        self._end += len(data)
        return start, len(data)

    def read(self, place: tuple[int, int]) -> bytes:
        """Read bytes again; threads may do so at once."""
        start, length = place
        with _clear_errors():
            return os.pread(self._file.fileno(), length, start)


@contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        kind = StoreFull if error.errno in (28, 122) else SourceError
        raise kind(
            f"cannot keep pictures in {tempfile.gettempdir()} while they are checked ({error.strerror}): "
            "free some space, or name another folder in TMPDIR"
        ) from error
