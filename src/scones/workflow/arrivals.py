"""From pictures under ``arrivals/`` to executions: each arrival is worked once, however often it is seen."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from scones.contracts import picture_type
from scones.errors import ExecutionMissing
from scones.store import Bucket, Layout
from scones.workflow.reviews import ask_again

if TYPE_CHECKING:
    from scones.workflow.engine import Engine, Event, ExecutionDetail, Json, Status

__all__ = [
    "MACHINE",
    "ends_arrival",
    "execution_name",
    "find_arrivals",
    "newest_execution",
    "outcome",
    "outcome_of",
    "outcomes",
    "start_arrival",
]

MACHINE = "classify"
"""The state machine that works arrivals."""
_ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"}


def find_arrivals(bucket: Bucket) -> tuple[list[str], list[str]]:
    """List what lies under ``arrivals/``.

    Returns:
        The keys of pictures; and the others, which are no arrivals (``test.lst``).
    """
    pictures: list[str] = []
    others: list[str] = []
    for key in bucket.list(Layout.ARRIVALS):
        (pictures if picture_type(key) else others).append(key)
    return pictures, others


def execution_name(bucket: Bucket, key: str) -> str:
    """Name an arrival's execution by the arrival, so that starting it twice starts it once.

    The bucket's place is part of it: another store with the same keys holds other arrivals.
    """
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", key.rsplit("/", 1)[-1].rsplit(".", 1)[0])[:40]
    return f"{stem}-{hashlib.sha256(bucket.url(key).encode()).hexdigest()[:16]}"


def start_arrival(engine: Engine, bucket: Bucket, key: str, *, retry_failed: bool = False) -> tuple[str, Status]:
    """Start the execution of an arrival, unless it was started before.

    Args:
        engine: from :func:`scones.workflow.application.open_engine`.
        bucket: the arrival's bucket.
        key: its key.
        retry_failed: start it anew when its last execution ended without a result: failed, or found the
            arrival in the hands of another that left none. A review of it that failed is asked anew.

    Returns:
        The name of the arrival's newest execution, and its status: RUNNING when it was started now or
        an earlier process had not finished it.
    """
    first = execution_name(bucket, key)
    earlier: dict[str, Status] = {}
    while True:
        name = f"{first}.{len(earlier) + 1}" if earlier else first
        try:
            status = engine.status(name, MACHINE)
        except ExecutionMissing:
            if earlier and not retry_failed:
                return earlier.popitem()
            given = {"image_data": "", "s3_bucket": bucket.name, "s3_key": key}
            engine.start(MACHINE, {**given, "supersedes": list(earlier)} if earlier else given, name=name)
            return name, "RUNNING"
        if status == "RUNNING":
            return name, status
        if status == "SUCCEEDED" and not (retry_failed and _lost(engine, bucket, name)):
            return name, status
        earlier[name] = status


def newest_execution(engine: Engine, bucket: Bucket, key: str) -> tuple[str, Status] | None:
    """The name and the status of an arrival's newest execution, by the journal; None where none was ever started.

    What it costs depends on how often the arrival was worked anew, not on how many arrivals there are.
    """
    first, newest, number = execution_name(bucket, key), None, 1
    while True:
        name = f"{first}.{number}" if number > 1 else first
        try:
            newest = name, engine.status(name, MACHINE)
        except ExecutionMissing:
            return newest
        number += 1


def ends_arrival(event: Event) -> bool:
    """Say whether an event is the end of an arrival's execution; for showing progress."""
    return event.machine == MACHINE and event.type in _ENDS


def _lost(engine: Engine, bucket: Bucket, name: str) -> bool:
    """Say whether a duplicate's arrival still has no result; see to it that a review was asked well."""
    execution = engine.describe(name, MACHINE)
    how = outcome(execution)
    if how == "review":
        ask_again(engine, execution)
    if how != "duplicate":
        return False
    arrival = execution.output["arrival"]
    return not any(map(bucket.exists, (Layout.route(arrival), Layout.result(arrival), Layout.review(arrival))))


def outcome(execution: ExecutionDetail) -> str:
    """How an execution ended, in a word: routed or wait; queued; accepted or rejected; event; classified; review or
    manual; duplicate; or failed."""
    return outcome_of(execution.status, execution.output)


def outcome_of(status: Status, output: Json) -> str:
    """How an execution of that status and output ended; as :func:`outcome`."""
    if status != "SUCCEEDED":
        return "running" if status == "RUNNING" else "failed"
    return str(output.get("outcome", "succeeded")) if isinstance(output, dict) else "succeeded"


def outcomes(executions: Iterable[ExecutionDetail]) -> Counter[str]:
    """Count how executions ended."""
    return Counter(map(outcome, executions))
