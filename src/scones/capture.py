"""The data-capture codec: serving writes with it, monitoring reads with it.

The format is SageMaker's (Developer Guide, "Data capture"): JSON lines under
``{prefix}/{endpoint}/{variant}/YYYY/MM/DD/HH/MM-SS-mmm-{uuid}.jsonl`` in UTC.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from scones.store import Bucket

__all__ = [
    "CANDIDATE_VARIANT",
    "CaptureProblems",
    "CaptureRecord",
    "capture_files",
    "capture_key",
    "capture_lines",
    "decode_line",
    "decode_lines",
    "encode_line",
    "event_hash",
    "is_captured",
    "is_sampled",
    "read_capture",
    "read_capture_file",
]

CANDIDATE_VARIANT = "candidate"
"""Stands in a key where the variant does, for the answers of a model on trial: they are none of production's."""

_ENCODE = json.JSONEncoder(separators=(",", ":")).encode
_ROUNDING = 1e-4  # CSV answers are rounded, and float32 sums stray a little
_PICTURE = re.compile(rb'"endpointInput"\s*:\s*\{[^{}]*?"data"\s*:\s*"')
_YEARS = (1971, 9000)  # outside of them a span of time could start before or end after what a datetime holds


@dataclass(frozen=True)
class CaptureRecord:
    """One captured inference.

    Attributes:
        event_id: the endpoint's own id of this request.
        inference_id: the caller's id, which ties answer, workflow and review together; "" if none.
        time: when the endpoint answered, with time zone.
        probabilities: the answer, in the order of the task's labels.
        content_type: of the picture.
        picture: the picture file as it was sent; None when its input was not captured, or not read.
        attributes: what the endpoint's custom attributes said (model_version, threshold, labels…).
        unread: its input was captured, but the picture was not read.
    """

    event_id: str
    inference_id: str
    time: datetime
    probabilities: tuple[float, ...]
    content_type: str = "application/octet-stream"
    picture: bytes | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    unread: bool = False

    @property
    def has_picture(self) -> bool:
        """Whether its picture was captured, read or not."""
        return self.unread or self.picture is not None

    @property
    def fault(self) -> str | None:
        """What keeps it from being counted, in words; None where its answer is a list of probabilities."""
        if not _YEARS[0] <= self.time.year < _YEARS[1]:
            return f"its time {self.time.isoformat()} cannot be right"
        if not self.probabilities:
            return "its answer is empty"
        for value in self.probabilities:
            if not -_ROUNDING <= value <= 1 + _ROUNDING:  # NaN fails this too
                return f"its answer holds {value}, which is no probability"
        return None

    @property
    def confidence(self) -> float:
        """The largest probability, 0 to 1."""
        return min(1.0, float(max(self.probabilities)))

    def threshold(self, default: float | None = None) -> float | None:
        """The threshold that was told with the answer, 0 to 1, else the default: an endpoint not ours tells none."""
        try:
            value = float(self.attributes["threshold"])
        except (KeyError, ValueError):
            return default
        return value if 0 <= value <= 1 else default

    def label(self, names: Sequence[str] = ()) -> str:
        """The likeliest label, one of :meth:`names`."""
        place = self.probabilities.index(max(self.probabilities))
        return self._name(place, names)

    def names(self, names: Sequence[str] = ()) -> list[str]:
        """All labels, by the names told with the answer, else those given; "class 0" … where none fit."""
        return [self._name(place, names) for place in range(len(self.probabilities))]

    def _name(self, place: int, names: Sequence[str]) -> str:
        for known in (self.attributes.get("labels", "").split(","), names):
            if len(known) == len(self.probabilities) and known[place]:
                return known[place]
        return f"class {place}"


@dataclass
class CaptureProblems:
    """What could not be read: counts, and the first few places."""

    lines: int = 0
    examples: list[str] = field(default_factory=list)

    def add(self, place: str, reason: str) -> None:
        """Count an unreadable line."""
        self.lines += 1
        if len(self.examples) < 5:
            self.examples.append(f"{place}: {reason}")


def capture_key(prefix: str, endpoint: str, variant: str, time: datetime, unique: str) -> str:
    """The key of a capture file.

    Example:
        >>> capture_key("capture", "scones", "AllTraffic", datetime(2026, 11, 20, 10, 14, 51, 7000, tzinfo=UTC), "u")
        'capture/scones/AllTraffic/2026/11/20/10/14-51-007-u.jsonl'
    """
    utc = time.astimezone(UTC)
    return f"{prefix}/{endpoint}/{variant}/{utc:%Y/%m/%d/%H/%M-%S}-{utc.microsecond // 1000:03d}-{unique}.jsonl"


def encode_line(record: CaptureRecord) -> str:
    """Write a record as a line (without its line end)."""
    captured = (
        f'"endpointOutput":{{"observedContentType":"application/json","mode":"OUTPUT",'
        f'"data":"{json.dumps(list(record.probabilities))}","encoding":"JSON"}}'
    )
    if record.picture is not None:  # it is most of the line, and in base64 there is nothing to escape
        captured = (
            f'"endpointInput":{{"observedContentType":{_ENCODE(record.content_type)},"mode":"INPUT",'
            f'"data":"{base64.b64encode(record.picture).decode("ascii")}","encoding":"BASE64"}},{captured}'
        )
    metadata: dict[str, Any] = {"eventId": record.event_id}
    if record.inference_id:
        metadata["inferenceId"] = record.inference_id
    metadata["inferenceTime"] = f"{record.time.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"
    if record.attributes:
        metadata["customAttributes"] = [";".join(f"{name}={value}" for name, value in record.attributes.items())]
    return f'{{"captureData":{{{captured}}},"eventMetadata":{_ENCODE(metadata)},"eventVersion":"0"}}'


def decode_line(line: str | bytes, *, pictures: float = 1) -> CaptureRecord:
    """Read a line, ours or another endpoint's: output as JSON, CSV or BASE64; unknown fields are ignored.

    Args:
        line: of a capture file.
        pictures: of this share of the records, 0 to 1, the picture is read, chosen by :func:`is_sampled`. What is
            not read is skipped and not even looked at, which is much quicker.

    Raises:
        ValueError: the line is no capture record.

    Example:
        >>> decode_line('{"captureData": {"endpointOutput": {"data": "0.9,0.1", "encoding": "CSV"}},'
        ...             '"eventMetadata": {"eventId": "e", "inferenceTime": "2026-11-20T10:14:51Z"}}').probabilities
        (0.9, 0.1)
    """
    if pictures >= 1:
        return _decode(line, read=True)
    line = line if isinstance(line, bytes) else line.encode()
    record = _decode(_without_picture(line), read=False)
    return _decode(line, read=True) if record.unread and is_sampled(record.event_id, pictures) else record


def _without_picture(line: bytes) -> bytes:
    """The line with an empty text for its picture; as it is where that cannot be told at a glance."""
    found = _PICTURE.search(line)
    if found is None:
        return line
    end = line.find(b'"', found.end())
    # A quote behind a backslash is part of the text (JSON's own rule); pictures, as base64, have none.
    return line if end < 0 or line[end - 1] == 0x5C else line[: found.end()] + line[end:]


def _decode(line: str | bytes, *, read: bool) -> CaptureRecord:
    try:
        value = json.loads(line)
        captured, metadata = value["captureData"], value["eventMetadata"]
        source = captured.get("endpointInput") or {}
        data = source.get("data")
        time = datetime.fromisoformat(metadata["inferenceTime"])
        attributes: dict[str, str] = {}
        for text in metadata.get("customAttributes") or ():
            for part in text.split(";"):
                name, sign, told = part.partition("=")
                if sign:
                    attributes[name] = told
        return CaptureRecord(
            event_id=metadata["eventId"],
            inference_id=metadata.get("inferenceId") or "",
            time=time if time.tzinfo else time.replace(tzinfo=UTC),
            probabilities=_probabilities(captured["endpointOutput"]),
            content_type=source.get("observedContentType") or "application/octet-stream",
            picture=_bytes(data, source.get("encoding")) if read and data is not None else None,
            attributes=attributes,
            unread=not read and data is not None,
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"no capture record ({type(error).__name__}: {error})") from error


def event_hash(event_id: object) -> int:
    """Eight bytes that stand for an event id: duplicates are known by it, and samples drawn."""
    return int.from_bytes(hashlib.blake2b(str(event_id).encode(errors="replace"), digest_size=8).digest())


def is_captured(inference_id: str, share: float) -> bool:
    """Whether an answer is of the share that is captured; of the same inference always the same.

    Args:
        inference_id: the caller's.
        share: 0 to 1.

    Example:
        >>> [sum(is_captured(f"arrival-{number}", share) for number in range(1000)) for share in (0, 0.1, 1)]
        [0, 102, 1000]
    """
    return int.from_bytes(hashlib.sha256(inference_id.encode()).digest()[:6]) < share * 2**48


def is_sampled(event_id: object, share: float) -> bool:
    """Whether a record is of the share whose pictures are read; of the same event always the same.

    Args:
        event_id: the endpoint's.
        share: 0 to 1.

    Example:
        >>> [sum(is_sampled(f"event-{number}", share) for number in range(1000)) for share in (0, 0.1, 1)]
        [0, 107, 1000]
    """
    return share > 0 and (share >= 1 or event_hash(event_id) < share * 2**64)


def _bytes(data: str, encoding: str | None) -> bytes:
    return base64.b64decode(data, validate=True) if encoding == "BASE64" else data.encode()


def _probabilities(output: dict[str, Any]) -> tuple[float, ...]:
    text = _bytes(output["data"], output.get("encoding")).decode().strip()
    plain = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        values = [float(value) for value in plain.split(",")]  # quicker than json
    except ValueError:
        values = json.loads(text)
        if values and isinstance(values[0], list):  # a batch of one
            values = values[0]
    probabilities = tuple(float(value) for value in values)
    if not probabilities or not all(map(math.isfinite, probabilities)):
        raise ValueError(f"{text[:80]!r} is no list of probabilities")
    return probabilities


def read_capture(
    bucket: Bucket, prefix: str, problems: CaptureProblems | None = None, *, pictures: float = 1
) -> Iterator[CaptureRecord]:
    """Read every record of every file below a prefix, oldest file first, whichever endpoint wrote it.

    A file holds any number of records. Lines that are no record (a last line cut short, say) are counted
    in ``problems`` and skipped. Files may overlap: what is there twice comes twice.

    Args:
        bucket: where the capture lies.
        prefix: as ``capture`` or ``capture/scones/AllTraffic/2026/11``.
        problems: filled while reading.
        pictures: as in :func:`decode_line`.
    """
    for key in capture_files(bucket.list(prefix)):
        yield from read_capture_file(bucket, key, problems, pictures=pictures)


def capture_files(keys: Iterable[str]) -> list[str]:
    """The keys of capture files among these, by the time that they name, the oldest first."""
    return sorted((key for key in keys if key.endswith(".jsonl")), key=lambda key: (_written_at(key), key))


def read_capture_file(
    bucket: Bucket,
    key: str,
    problems: CaptureProblems | None = None,
    *,
    most: int | None = None,
    pictures: float = 1,
) -> Iterator[CaptureRecord]:
    """Read every record of a file, in pieces: a file may be larger than memory; arguments as in :func:`read_capture`.

    Raises:
        ObjectMissing: there is no such file.
        ObjectTooLarge: it has more bytes than ``most``.
    """

    def failed(number: int, reason: str) -> None:
        if problems is not None:
            problems.add(f"{key} line {number}", reason)

    for _, record in decode_lines(bucket.chunks(key, most=most), failed, pictures=pictures):
        yield record


def decode_lines(
    chunks: Iterable[bytes], failed: Callable[[int, str], None], *, pictures: float = 1
) -> Iterator[tuple[int, CaptureRecord]]:
    """Read the records of a file that comes in pieces, each with the number of its line, from 1.

    Args:
        chunks: the file's bytes.
        failed: called with the number of a line that is no record, and why.
        pictures: as in :func:`decode_line`.
    """
    for number, line in enumerate(capture_lines(chunks), start=1):
        if line and not line.isspace():
            try:
                yield number, decode_line(line, pictures=pictures)
            except ValueError as error:
                failed(number, str(error))


def capture_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file that comes in pieces, without their ends."""
    begun: list[bytes] = []  # a line may lie over many pieces: they are put together once
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            begun.append(chunk[start:end])
            yield b"".join(begun) if len(begun) > 1 else begun[0]
            begun.clear()
            start = end + 1
        begun.append(chunk[start:])
    yield b"".join(begun)


def _written_at(key: str) -> list[str]:
    return key.split("/")[-5:]  # year, month, day, hour, and a name that starts with minutes and seconds
