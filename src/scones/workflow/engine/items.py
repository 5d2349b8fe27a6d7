"""The items of a Map as its children get them: one by one, or in batches."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Protocol

from scones.workflow.engine.failure import ITEM_READER_FAILED, StateFailure
from scones.workflow.engine.jsontext import Json, dump_ascii, dump_bytes, load
from scones.workflow.engine.machine import ItemReader

__all__ = ["CHUNK", "SETTINGS", "Chunks", "Items", "Listed", "Objects", "Plan", "read_items"]

CHUNK: Final = 1000
"""Items that are kept together in the journal."""
SETTINGS: Final = -1
"""The chunk that holds what a Map's expressions gave as it began: they are not evaluated again after a restart."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An object in a list: its key, its size in bytes, when it was written (POSIX seconds), its ETag."""

    key: str
    size: int
    modified: float
    etag: str = ""


class Objects(Protocol):
    """The object store that machines read and write."""

    def get(self, bucket: str, key: str) -> bytes:
        """An object's bytes."""
        ...

    def put(self, bucket: str, key: str, body: bytes) -> object:
        """Write an object."""
        ...

    def list(self, bucket: str, prefix: str) -> Iterator[Listed]:
        """The objects whose keys begin so, in the order of their keys."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How a Map goes through its items: worked out once, when it begins or is taken up."""

    items: Items
    at_once: float
    """How many children may work at the same time."""
    tolerated_count: float | None = None
    tolerated_percentage: float = 0.0


class Items:
    """What the children of a Map get, in order: items, or batches of them.

    Args:
        count: how many items there are.
        items: the items by number.
        shape: makes of a number and its item what a child gets (the ItemSelector).
        most_items: items a batch at most; None where there are no batches of so many.
        most_bytes: bytes that a batch's JSON takes at most.
        batch_input: what each batch gets besides.
    """

    def __init__(
        self,
        count: int,
        items: list[Json] | Chunks,
        shape: Callable[[int, Json], Json],
        most_items: int | None = None,
        most_bytes: int | None = None,
        batch_input: Mapping[str, Json] | None = None,
    ) -> None:
        self.count = count
        self._items = items
        self._shape = shape
        self._batched = most_items is not None or most_bytes is not None
        self._most_items = most_items or count or 1
        self._most_bytes = most_bytes
        self._batch_input = {} if batch_input is None else {"BatchInput": batch_input}
        self._at = 0

    def skip(self, children: int) -> None:
        """Go on behind what so many children have got: after a restart."""
        if self._most_bytes is None:
            self._at = min(children * (self._most_items if self._batched else 1), self.count)
            return
        for _ in range(children):
            self.take()

    def item(self, number: int) -> Json:
        """An item as it was read."""
        return self._items[number]

    @property
    def left(self) -> bool:
        """Whether there is more."""
        return self._at < self.count

    def take(self) -> Json:
        """What the next child gets.

        Raises:
            StateFailure: an item cannot be shaped, or does not fit into a batch.
        """
        if not self._batched:
            self._at += 1
            return self._shape(self._at - 1, self._items[self._at - 1])
        batch: list[Json] = []
        size = len(dump_bytes({**self._batch_input, "Items": []}))
        while self.left and len(batch) < self._most_items:
            shaped = self._shape(self._at, self._items[self._at])
            if self._most_bytes is not None:
                size += len(dump_bytes(shaped)) + bool(batch)
                if size > self._most_bytes and batch:
                    break
                if size > self._most_bytes:
                    raise StateFailure(
                        ITEM_READER_FAILED,
                        f"Item {self._at} alone makes a batch of {size:,} bytes, more than {self._most_bytes:,}",
                    )
            batch.append(shaped)
            self._at += 1
        return {**self._batch_input, "Items": batch}


def read_items(
    reader: ItemReader, objects: Objects, parameters: Mapping[str, Json], most: int | None
) -> tuple[int, list[str]]:
    """Read a distributed Map's items.

    Args:
        reader: what kind of thing to read.
        objects: where.
        parameters: ``Bucket`` with ``Key`` or ``Prefix``.
        most: items to read at most; None for all.

    Returns:
        How many there are, and their JSON, ``CHUNK`` of them a text.

    Raises:
        StateFailure: ``States.ItemReaderFailed``, with what is wrong.
    """
    bucket, place = str(parameters.get("Bucket")), str(parameters.get("Key", parameters.get("Prefix", "")))
    try:
        if reader.format == "LIST":
            found = _listed(objects.list(bucket, place))
        else:
            found = _parsed(reader, objects.get(bucket, place))
        count, chunks, chunk = 0, [], list[str]()
        for item in found:
            if most is not None and count >= most:
                break
            count += 1
            chunk.append(dump_ascii(item))
            if len(chunk) == CHUNK:
                chunks.append(f"[{','.join(chunk)}]")
                chunk = []
    except Exception as error:  # whatever the store raises, and what is no JSON or CSV
        raise StateFailure(ITEM_READER_FAILED, f"{bucket}/{place}: {type(error).__name__}: {error}") from error
    if chunk:
        chunks.append(f"[{','.join(chunk)}]")
    return count, chunks


def _listed(objects: Iterator[Listed]) -> Iterator[Json]:
    for one in objects:
        modified = datetime.fromtimestamp(one.modified, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        yield {
            "Etag": one.etag,
            "Key": one.key,
            "LastModified": modified,
            "Size": one.size,
            "StorageClass": "STANDARD",
        }


def _parsed(reader: ItemReader, body: bytes) -> Iterator[Json]:
    text = body.decode("utf-8-sig")
    if reader.format == "JSON":
        items = load(text)
        if not isinstance(items, list):
            raise ValueError("the file must hold a JSON array")
        yield from items
    elif reader.format == "JSONL":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    yield load(line)
                except ValueError as error:
                    raise ValueError(f"line {number}: {error}") from error
    else:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=reader.delimiter, strict=True)
        headers = list(reader.headers) if reader.headers is not None else next(rows, [])
        for row in rows:
            if row:
                # A row that is too short is filled up, what is too much of a long one is dropped (AWS does so too).
                yield dict(zip(headers, row + [""] * (len(headers) - len(row)), strict=False))


class Chunks:
    """Items by number, of chunks of which the latest is kept in memory."""

    def __init__(self, load_chunk: Callable[[int], list[Json]]) -> None:
        self._load = load_chunk
        self._kept: tuple[int, list[Json]] = (-1, [])

    def __getitem__(self, number: int) -> Json:
        if self._kept[0] != number // CHUNK:
            self._kept = (number // CHUNK, self._load(number // CHUNK))
        return self._kept[1][number % CHUNK]
