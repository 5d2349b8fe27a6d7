"""Many pictures through ``batch.asl.json``: start it, follow it, read what it wrote."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scones.errors import StoreError
from scones.store import Bucket
from scones.workflow.repeats import newest, next_name, repeats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scones.workflow.engine import Engine, Event

__all__ = ["MACHINE", "BatchResult", "Failed", "ends_picture", "pictures_found", "read_batch", "start_batch"]

MACHINE = "batch"
"""The state machine that classifies many pictures."""
_LISTED = 10
"""Failures that are told of one by one."""


@dataclass(frozen=True)
class Failed:
    """A picture that could not be classified: its key or source-ref, and why."""

    s3_key: str
    error: str
    cause: str


@dataclass(frozen=True)
class BatchResult:
    """What a batch wrote.

    Attributes:
        succeeded, failed: keys of the files of JSON lines: the answers; and what failed, with input, error and cause.
        labels: answers by label.
        decided: answers that reach the threshold in force.
        errors: failures by the error's name.
        first_failures: some of them.
    """

    succeeded: tuple[str, ...]
    failed: tuple[str, ...]
    labels: Counter[str]
    decided: int
    errors: Counter[str]
    first_failures: tuple[Failed, ...]

    @property
    def pictures(self) -> int:
        """How many there were."""
        return self.labels.total() + self.errors.total()


def start_batch(engine: Engine, bucket: Bucket, given: Mapping[str, Any]) -> tuple[str, bool]:
    """Start a batch, or go on with one of the same input that has not ended.

    Args:
        engine: from :func:`scones.workflow.application.open_engine`.
        bucket: where the pictures lie.
        given: ``s3_bucket``, ``task``, and either ``manifest`` (a key) or ``prefix``.

    Returns:
        The name of its execution, and whether it was started before.
    """
    words = json.dumps([bucket.url(), dict(given)], sort_keys=True)
    first = f"{given['task']}-{hashlib.sha256(words.encode()).hexdigest()[:16]}"
    earlier = repeats(engine, MACHINE, first)
    if (last := newest(earlier)) is not None and last[1] == "RUNNING":
        return last[0], True
    name = next_name(first, len(earlier))
    engine.start(MACHINE, dict(given), name=name)
    return name, False


def pictures_found(event: Event) -> int | None:
    """How many pictures a batch has, where an event tells it."""
    if event.machine != MACHINE or event.type != "MapStateStarted":
        return None
    length = event.details.get("length")
    return length if isinstance(length, int) else None


def ends_picture(event: Event) -> bool:
    """Say whether an event is the end of one picture's execution."""
    return event.machine.startswith(f"{MACHINE}/") and event.ended is not None


def read_batch(bucket: Bucket, manifest: str) -> BatchResult:
    """Read what a batch wrote.

    Args:
        bucket: of the records.
        manifest: the key of the results' manifest, as the batch's output says.

    Raises:
        StoreError: it is gone, or something else lies there.
    """
    files: dict[str, list[dict[str, Any]]] = bucket.get_json(manifest)["ResultFiles"]
    succeeded, failed = (
        tuple(str(file["Key"]) for file in files.get(status, ())) for status in ("SUCCEEDED", "FAILED")
    )
    labels: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    first: list[Failed] = []
    decided = 0
    for answer in _lines(bucket, succeeded):
        labels[answer["label"]] += 1
        decided += answer["confidence"] >= answer["threshold"]
    for entry in _lines(bucket, failed):
        errors[str(entry["Error"])] += 1
        if len(first) < _LISTED:
            key = json.loads(entry["Input"])["s3_key"]
            first.append(Failed(key, str(entry["Error"]), str(entry["Cause"] or "")))
    return BatchResult(succeeded, failed, labels, decided, errors, tuple(first))


def _lines(bucket: Bucket, keys: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for key in keys:
        for number, line in enumerate(bucket.get(key).splitlines(), start=1):
            try:
                yield json.loads(line)
            except ValueError as error:
                raise StoreError(
                    f"{bucket.url(key)} line {number} is no JSON ({error}): run the batch again"
                ) from error
