"""Where rows go: a file that a killed run goes on with, or stdout."""

from __future__ import annotations

import csv
import fcntl
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from scones.bulk.parquet import check_parquet, write_parquet
from scones.bulk.rows import FORMATS, row_format
from scones.errors import SettingsError, StoreError
from scones.store import disk_error

if TYPE_CHECKING:
    import io
    from types import TracebackType

    from scones.bulk.rows import RowFormat

__all__ = ["RowFile", "RowStream", "choose_format", "open_rows"]


def choose_format(name: str | None, out: Path | None) -> str:
    """The format of the rows: the one that is named, else by the end of the file's name, else JSON lines.

    Raises:
        SettingsError: there is no such format, or the file's name does not tell.

    Example:
        >>> choose_format(None, Path("answers.csv"))
        'csv'
    """
    endings = {".json": "jsonl", ".ndjson": "jsonl", **{f".{name}": name for name in FORMATS}}
    known = ", ".join(FORMATS)
    if name is None:
        name = "jsonl" if out is None else endings.get(out.suffix.lower())
        if name is None:
            raise SettingsError(f"--out {out}: its name does not tell the format; end it so, or give --format: {known}")
    if name not in FORMATS:
        raise SettingsError(f"--format {name}: use one of {known}")
    if name == "parquet" and out is None:
        raise SettingsError("--format parquet is no stream: name a file with --out")
    return name


@contextmanager
def open_rows(kind: str, out: Path | None, labels: Sequence[str], *, start_over: bool) -> Iterator[RowFile | RowStream]:
    """Open the place where rows go.

    Parquet cannot be gone on with, so that its rows lie in a file of JSON lines beside it (``….partial``) until all
    are there.

    Args:
        kind: "jsonl", "csv" or "parquet".
        out: the file; None is stdout.
        labels: of the model.
        start_over: drop what the file holds, instead of going on with it.

    Raises:
        SettingsError: the file is taken or finished, or Parquet needs its extra.
        StoreFull, StoreReadOnly, StoreError: it cannot be written.
    """
    if out is None:
        yield RowStream(row_format(kind, labels))
        return
    partial = out
    if kind == "parquet":
        check_parquet()
        partial = out.with_name(f"{out.name}.partial")
        if out.exists() and not partial.exists() and not start_over:
            raise SettingsError(f"{out} is finished: choose another file, or give --start-over")
    with RowFile(partial, row_format(kind, labels)) as file:
        if start_over:
            file.clear()
        yield file
        if kind == "parquet":
            write_parquet(partial, out, labels)
            partial.unlink()


class RowFile:
    """A file of rows that only grows, by a whole batch at a time. One run at a time has it.

    A run that is killed leaves a torn row at its end at worst; who opens it next cuts that off.

    Args:
        path: of the file; its folder is made.
        form: the format of its rows.

    Raises:
        SettingsError: it is no plain file, or another run has it.
        StoreFull, StoreReadOnly, StoreError: it cannot be written.
    """

    def __init__(self, path: Path, form: RowFormat) -> None:
        self.path = path
        self._form = form
        self._end = 0
        try:
            if path.exists() and not path.is_file():
                raise SettingsError(f"{path} is no plain file: choose another, or leave --out away and take stdout")
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: io.FileIO = path.open("ab", buffering=0)
        except OSError as error:
            raise disk_error(f"cannot write {path}", error) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise StoreError(f"another run writes to {path}: wait for its end, or choose another file") from None
        except OSError as error:
            self._file.close()
            raise disk_error(f"cannot lock {path}", error) from error

    def __enter__(self) -> RowFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def earlier(self) -> Iterator[dict[str, Any]]:
        """The rows of earlier runs; at their end the file is cut to them. Read them all before adding one.

        Raises:
            SettingsError: something else stands in the file.
        """
        number = 1
        try:
            with self.path.open("rb") as file:
                if not self._form.start.startswith(file.read(len(self._form.start))):
                    raise ValueError("another start")
                file.seek(0)
                for row, end in self._form.rows(file):
                    yield row
                    number, self._end = number + 1, end
        except (ValueError, KeyError, csv.Error) as error:
            raise SettingsError(
                f"{self.path}: row {number} is none of `scones classify` in this format: choose another file, or give "
                "--start-over"
            ) from error
        self._cut()

    def clear(self) -> None:
        """Drop whatever the file holds."""
        self._end = 0
        self._cut()

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write rows.

        Raises:
            StoreFull, StoreError: they cannot be written; the file is as it was before.
        """
        self._write(b"".join(map(self._form.line, rows)))

    def _cut(self) -> None:
        try:
            self._file.truncate(self._end)
        except OSError as error:
            raise disk_error(f"cannot write {self.path}", error) from error
        if not self._end:
            self._write(self._form.head)

    def _write(self, data: bytes) -> None:
        try:
            _write_all(self._file, data)
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise disk_error(
                f"cannot write on in {self.path}, whose rows stay (the same command goes on with them)", error
            ) from error
        self._end += len(data)


class RowStream:
    """Rows on stdout, without its buffer, so that nothing is left in it when writing fails.

    Args:
        form: the format of the rows.

    Raises:
        BrokenPipeError: nobody reads any more.
        StoreFull, StoreError: they cannot be written.
    """

    def __init__(self, form: RowFormat) -> None:
        self._stream = getattr(sys.stdout.buffer, "raw", sys.stdout.buffer)
        self._form = form
        self._write(form.head)

    def earlier(self) -> Iterator[dict[str, Any]]:
        """The rows of earlier runs: none."""
        return iter(())

    def add(self, rows: Iterable[dict[str, Any]]) -> None:
        """Write rows."""
        self._write(b"".join(map(self._form.line, rows)))

    def _write(self, data: bytes) -> None:
        try:
            _write_all(self._stream, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise disk_error("cannot write the rows to stdout", error) from error


def _write_all(stream: BinaryIO | io.RawIOBase, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[stream.write(left) or 0 :]
