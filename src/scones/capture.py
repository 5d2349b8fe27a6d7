"""The data-capture codec: serving writes with it, monitoring reads with it.

The format is SageMaker's (Developer Guide, "Data capture"): JSON lines under
``{prefix}/{endpoint}/{variant}/YYYY/MM/DD/HH/MM-SS-mmm-{uuid}.jsonl`` in UTC.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scones.store import Bucket

__all__ = [
    "CaptureProblems",
    "CaptureRecord",
    "capture_key",
    "decode_line",
    "encode_line",
    "read_capture",
    "read_capture_file",
]

_ROUNDING = 1e-4  # CSV answers are rounded, and float32 sums stray a little
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
        picture: the picture file as it was sent; None when its input was not captured.
        attributes: what the endpoint's custom attributes said (model_version, threshold, labels…).
    """

    event_id: str
    inference_id: str
    time: datetime
    probabilities: tuple[float, ...]
    content_type: str = "application/octet-stream"
    picture: bytes | None = None
    attributes: dict[str, str] = field(default_factory=dict)

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
        """The likeliest label, by the names told with the answer, else those given; "class 0" … where none fit."""
        place = self.probabilities.index(max(self.probabilities))
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
    captured: dict[str, Any] = {}
    if record.picture is not None:
        captured["endpointInput"] = {
            "observedContentType": record.content_type,
            "mode": "INPUT",
            "data": base64.b64encode(record.picture).decode(),
            "encoding": "BASE64",
        }
    captured["endpointOutput"] = {
        "observedContentType": "application/json",
        "mode": "OUTPUT",
        "data": json.dumps(list(record.probabilities)),
        "encoding": "JSON",
    }
    metadata: dict[str, Any] = {"eventId": record.event_id}
    if record.inference_id:
        metadata["inferenceId"] = record.inference_id
    metadata["inferenceTime"] = record.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if record.attributes:
        metadata["customAttributes"] = [";".join(f"{name}={value}" for name, value in record.attributes.items())]
    line = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(line, separators=(",", ":"))


def decode_line(line: str | bytes) -> CaptureRecord:
    """Read a line, ours or another endpoint's: output as JSON, CSV or BASE64; unknown fields are ignored.

    Raises:
        ValueError: the line is no capture record.

    Example:
        >>> decode_line('{"captureData": {"endpointOutput": {"data": "0.9,0.1", "encoding": "CSV"}},'
        ...             '"eventMetadata": {"eventId": "e", "inferenceTime": "2026-11-20T10:14:51Z"}}').probabilities
        (0.9, 0.1)
    """
    try:
        value = json.loads(line)
        captured, metadata = value["captureData"], value["eventMetadata"]
        source = captured.get("endpointInput") or {}
        data = source.get("data")
        time = datetime.fromisoformat(metadata["inferenceTime"])
        attributes: dict[str, str] = {}
        for text in metadata.get("customAttributes") or ():
            attributes |= dict(part.split("=", 1) for part in text.split(";") if "=" in part)
        return CaptureRecord(
            event_id=metadata["eventId"],
            inference_id=metadata.get("inferenceId") or "",
            time=time if time.tzinfo else time.replace(tzinfo=UTC),
            probabilities=_probabilities(captured["endpointOutput"]),
            content_type=source.get("observedContentType") or "application/octet-stream",
            picture=None if data is None else _bytes(data, source.get("encoding")),
            attributes=attributes,
        )
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(f"no capture record ({type(error).__name__}: {error})") from error


def _bytes(data: str, encoding: str | None) -> bytes:
    return base64.b64decode(data, validate=True) if encoding == "BASE64" else data.encode()


def _probabilities(output: dict[str, Any]) -> tuple[float, ...]:
    text = _bytes(output["data"], output.get("encoding")).decode().strip()
    values = json.loads(text) if text.startswith("[") else text.split(",")
    if values and isinstance(values[0], list):  # a batch of one
        values = values[0]
    probabilities = tuple(float(value) for value in values)
    if not probabilities or not all(map(math.isfinite, probabilities)):
        raise ValueError(f"{text[:80]!r} is no list of probabilities")
    return probabilities


def read_capture(bucket: Bucket, prefix: str, problems: CaptureProblems | None = None) -> Iterator[CaptureRecord]:
    """Read every record of every file below a prefix, oldest file first, whichever endpoint wrote it.

    A file holds any number of records. Lines that are no record (a last line cut short, say) are counted
    in ``problems`` and skipped.

    Args:
        bucket: where the capture lies.
        prefix: as ``capture`` or ``capture/scones/AllTraffic/2026/11``.
        problems: filled while reading.
    """
    keys = [key for key in bucket.list(prefix) if key.endswith(".jsonl")]
    for key in sorted(keys, key=_written_at):
        yield from read_capture_file(bucket, key, problems)


def read_capture_file(
    bucket: Bucket, key: str, problems: CaptureProblems | None = None, *, most: int | None = None
) -> Iterator[CaptureRecord]:
    """Read every record of a file; ``problems`` as in :func:`read_capture`.

    Raises:
        ObjectMissing: there is no such file.
        ObjectTooLarge: it has more bytes than ``most``.
    """
    for number, line in enumerate(bucket.get(key, most=most).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield decode_line(line)
        except ValueError as error:
            if problems is not None:
                problems.add(f"{key} line {number}", str(error))


def _written_at(key: str) -> list[str]:
    return key.split("/")[-5:]  # year, month, day, hour, and a name that starts with minutes and seconds
