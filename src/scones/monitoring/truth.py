"""What a captured picture really showed: ground truth in SageMaker's format, and what people answered in reviews."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scones.capture import CaptureProblems, CaptureRecord, capture_lines, event_hash
from scones.contracts import Example, PersonsAnswer, Review, parse
from scones.errors import MessageError, ObjectMissing
from scones.store import Bucket, Layout

__all__ = ["Joined", "decode_truth", "join_truths", "read_truths"]


@dataclass(frozen=True)
class Joined:
    """A captured record with what its picture showed.

    Attributes:
        record: as it was captured.
        answered: the likeliest label.
        truth: the right one.
    """

    record: CaptureRecord
    answered: str
    truth: str

    @property
    def right(self) -> bool:
        """Whether the model was right."""
        return self.answered == self.truth


def decode_truth(line: str | bytes) -> tuple[str, str]:
    """Read a line of ground truth: the id of the inference, and its label, a name or a place among the labels.

    Raises:
        ValueError: the line is no ground truth.

    Example:
        >>> decode_truth('{"groundTruthData": {"data": "1", "encoding": "CSV"}, "eventMetadata": {"eventId": "e"}}')
        ('e', '1')
    """
    try:
        value = json.loads(line)
        truth, name = value["groundTruthData"], value["eventMetadata"]["eventId"]
        text = truth["data"]
        if truth.get("encoding") == "BASE64":
            text = base64.b64decode(text, validate=True).decode()
        label = _label(text)
        if not label or not isinstance(name, str) or not name:
            raise ValueError("it names no label, or no event")
        return name, label
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"no ground truth ({type(error).__name__}: {error})") from error


def _label(data: Any) -> str:
    """One label as CSV or JSON; a list of one is as good, and ``1.0`` is 1."""
    if isinstance(data, bool) or not isinstance(data, str | int | float):
        raise TypeError(f"its data is {str(data)[:80]!r}, which is no text")
    text = str(data).strip()
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{text[:80]!r} is no label")
    return str(value)


def read_truths(bucket: Bucket, prefix: str | None = None, problems: CaptureProblems | None = None) -> dict[int, str]:
    """What is known of pictures, by the hash of their inference's id.

    Where several speak of the same one, a person's review goes first, then the ground truth in the latest file.

    Args:
        bucket: where reviews and ground truth lie.
        prefix: of the ground truth's files (``.jsonl``); None to read the reviews alone.
        problems: filled with what could not be read.

    Raises:
        StoreError: the store does not answer.
    """
    problems = CaptureProblems() if problems is None else problems
    truths: dict[int, str] = {}
    keys = bucket.list(prefix) if prefix is not None else ()
    for key in sorted(key for key in keys if key.endswith(".jsonl")):
        for number, line in enumerate(capture_lines(bucket.chunks(key)), start=1):
            if not line.strip():
                continue
            try:
                name, label = decode_truth(line)
            except ValueError as error:
                problems.add(f"{key} line {number}", str(error))
            else:
                truths[event_hash(name)] = label
    for name, label in _reviewed(bucket, problems):
        truths[event_hash(name)] = label
    return truths


def _reviewed(bucket: Bucket, problems: CaptureProblems) -> Iterator[tuple[str, str]]:
    answered = _arrivals(bucket, Layout.ANSWERS)
    for arrival in _arrivals(bucket, Layout.EXAMPLES) | answered:
        try:
            yield _of_example(bucket, arrival) or _of_answer(bucket, arrival)
        except (MessageError, ObjectMissing) as error:  # damaged, or removed meanwhile
            problems.add(arrival, str(error))


def _of_example(bucket: Bucket, arrival: str) -> tuple[str, str] | None:
    key = Layout.example(arrival)
    try:
        example = parse(Example, bucket.get_json(key), key)
    except ObjectMissing:
        return None
    return example.inference_id, example.label


def _of_answer(bucket: Bucket, arrival: str) -> tuple[str, str]:
    """Of an answer that the workflow has not taken yet: its review knows the inference."""
    asked, answered = Layout.review(arrival), Layout.answer(arrival)
    review = parse(Review, bucket.get_json(asked), asked)
    return review.inference_id, parse(PersonsAnswer, bucket.get_json(answered), answered).label


def _arrivals(bucket: Bucket, kind: str) -> set[str]:
    return {key.removeprefix(f"{kind}/").removesuffix(".json") for key in bucket.list(kind) if key.endswith(".json")}


def join_truths(
    records: Iterable[CaptureRecord], truths: Mapping[int, str], labels: Sequence[str] = ()
) -> Iterator[Joined]:
    """The records whose truth is known: by the caller's inference id, else by the endpoint's event id.

    A truth that is no label's name but a whole number is a place among the labels. Records that have a fault are
    left out, and of an event that was captured twice the first counts.

    Args:
        records: as :func:`scones.capture.read_capture` yields them.
        truths: as :func:`read_truths` found them.
        labels: names of the classes, for records that carry none.

    Example:
        >>> from datetime import UTC, datetime
        >>> record = CaptureRecord("e", "", datetime(2026, 11, 20, tzinfo=UTC), (0.7, 0.3))
        >>> [one.right for one in join_truths([record], {event_hash("e"): "0"}, ["bicycle", "motorcycle"])]
        [True]
    """
    joined: set[int] = set()
    for record in records:
        event = event_hash(record.event_id)
        truth = truths.get(event_hash(record.inference_id)) if record.inference_id else None
        truth = truths.get(event) if truth is None else truth
        if truth is None or event in joined or record.fault is not None:
            continue
        joined.add(event)
        yield Joined(record, record.label(labels), _named(truth, record, labels))


def _named(truth: str, record: CaptureRecord, labels: Sequence[str]) -> str:
    names = record.names(labels)
    if truth in names or not truth.isdecimal():
        return truth
    place = int(truth) if len(truth) < 10 else len(names)
    return names[place] if place < len(names) else f"class {truth}"
