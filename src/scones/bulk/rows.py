"""A row for each picture, and the two ways to write one: a line of JSON, a record of CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, Protocol

__all__ = ["FORMATS", "RowFormat", "columns", "flat", "row_format"]

_IN_EACH = {"source", "model_version", "threshold"}
FORMATS = ("jsonl", "csv", "parquet")


class RowFormat(Protocol):
    """How rows are written and read again.

    Attributes:
        head: what stands before the first row.
        start: what every file starts with that has rows.
    """

    head: bytes
    start: bytes

    def line(self, row: dict[str, Any]) -> bytes:
        """A row as it stands in the file, with its end of line."""

    def rows(self, file: BinaryIO) -> Iterator[tuple[dict[str, Any], int]]:
        """The rows of a file, each with the place where it ends; what is torn at the file's end is left out.

        Raises:
            ValueError: a whole line is no row.
        """


def row_format(name: str, labels: Sequence[str]) -> RowFormat:
    """How rows with these labels are written: as "csv", else as JSON lines, which a Parquet file is made from too."""
    return _Csv(labels) if name == "csv" else _JsonLines()


def columns(labels: Sequence[str]) -> list[str]:
    """The columns of a table of rows."""
    probabilities = [f"probability_{label}" for label in labels]
    return ["source", "label", "confidence", "decided", *probabilities, "model_version", "threshold", "error"]


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row without anything nested in it, for a table; what it lacks is left out."""
    probabilities = {f"probability_{label}": value for label, value in row.get("probabilities", {}).items()}
    return {name: value for name, value in row.items() if name != "probabilities"} | probabilities


class _JsonLines:
    head = b""
    start = b'{"source": '

    def line(self, row: dict[str, Any]) -> bytes:
        # a file's name need not be text; what is none becomes an escape that JSON reads back as it was
        return (json.dumps(row, ensure_ascii=False) + "\n").encode(errors="backslashreplace")

    def rows(self, file: BinaryIO) -> Iterator[tuple[dict[str, Any], int]]:
        end = 0
        for line in file:
            if not line.endswith(b"\n"):
                _check_torn(line)
                return
            row = json.loads(line)
            if not (isinstance(row, dict) and row.keys() >= _IN_EACH):
                raise ValueError("no row")
            end += len(line)
            yield row, end


def _check_torn(line: bytes) -> None:
    """Make sure that a line without an end is a row of ours that was not written whole, and not somebody's data."""
    try:
        row = json.loads(line)
    except ValueError:
        return
    if not (isinstance(row, dict) and row.keys() >= _IN_EACH):
        raise ValueError("no row")


class _Csv:
    def __init__(self, labels: Sequence[str]) -> None:
        self._columns = columns(labels)
        self.head = self.start = self._record(self._columns)

    def line(self, row: dict[str, Any]) -> bytes:
        values = flat(row)
        if "decided" in values:
            values["decided"] = json.dumps(values["decided"])  # true or false, as everywhere else
        return self._record([values.get(name, "") for name in self._columns])

    def rows(self, file: BinaryIO) -> Iterator[tuple[dict[str, Any], int]]:
        end = 0
        for record in _records(file):
            end += len(record)
            if end == len(self.head):
                continue
            values = next(csv.reader(io.StringIO(record.decode(errors="surrogateescape"), newline="")))
            row: dict[str, Any] = {name: value for name, value in zip(self._columns, values, strict=True) if value}
            row["threshold"] = float(row["threshold"])
            row["decided"] = row.get("decided") == "true"
            yield row, end

    @staticmethod
    def _record(values: Iterable[Any]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerow(values)
        return text.getvalue().encode(errors="surrogateescape")


def _records(file: BinaryIO) -> Iterator[bytes]:
    """The whole records of a CSV file: one whose quotes are not closed goes on in the next line."""
    record = b""
    for line in file:
        record += line
        if record.endswith(b"\n") and record.count(b'"') % 2 == 0:
            yield record
            record = b""
