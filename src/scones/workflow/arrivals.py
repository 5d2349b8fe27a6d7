"""From pictures under ``arrivals/`` to executions: each arrival is worked once, however often it is seen."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from scones.contracts import picture_type
from scones.store import Bucket, Layout
from scones.workflow.repeats import newest, next_name, repeats
from scones.workflow.reviews import ask_again

if TYPE_CHECKING:
    from scones.workflow.engine import Engine, Event, ExecutionDetail, Json, Status

__all__ = [
    "MACHINE",
    "ends_arrival",
    "execution_name",
    "executions_of",
    "find_arrivals",
    "newest_execution",
    "outcome",
    "outcome_of",
    "outcomes",
    "start_arrival",
]

MACHINE = "classify"
"""The state machine that works arrivals."""


def find_arrivals(bucket: Bucket) -> list[str]:
    """The keys of the pictures under ``arrivals/``; what else lies there (``test.lst``) is no arrival."""
    return [key for key in bucket.list(Layout.ARRIVALS) if picture_type(key)]


def execution_name(bucket: Bucket, key: str) -> str:
    """Name an arrival's execution by the arrival, so that starting it twice starts it once.

    The bucket's place is part of it: another store with the same keys holds other arrivals.
    """
    stem = re.sub(r"[^A-Za-z0-9._-]", "-", key.rsplit("/", 1)[-1].rsplit(".", 1)[0])[:40]
    return f"{stem}-{hashlib.sha256(bucket.url(key).encode()).hexdigest()[:16]}"


def start_arrival(
    engine: Engine,
    bucket: Bucket,
    key: str,
    *,
    retry_failed: bool = False,
    earlier: Mapping[str, Status] | None = None,
) -> tuple[str, Status]:
    """Start the execution of an arrival, unless it was started before.

    Args:
        engine: from :func:`scones.workflow.application.open_engine`.
        bucket: the arrival's bucket.
        key: its key.
        retry_failed: start it anew when its last execution ended without a result: failed, or found the
            arrival in the hands of another that left none. A review of it that failed is asked anew.
        earlier: its executions, where the caller knows them from :func:`executions_of`.

    Returns:
        The name of the arrival's newest execution, and its status: RUNNING when it was started now or
        an earlier process had not finished it.
    """
    if earlier is None:
        earlier = executions_of(engine, bucket, key)
    if (last := newest(earlier)) is not None:
        name, status = last
        if status == "RUNNING" or not retry_failed or (status == "SUCCEEDED" and not _lost(engine, bucket, name)):
            return last
    given: dict[str, Json] = {"image_data": "", "s3_bucket": bucket.name, "s3_key": key}
    if earlier:
        given["supersedes"] = list(earlier)
    # of two callers at the same moment, the second gets what the first one started
    begun = engine.start(MACHINE, given, name=next_name(execution_name(bucket, key), len(earlier)))
    return begun.name, begun.status


def executions_of(engine: Engine, bucket: Bucket, key: str) -> dict[str, Status]:
    """An arrival's executions, oldest first, with their statuses, by the journal."""
    return repeats(engine, MACHINE, execution_name(bucket, key))


def newest_execution(engine: Engine, bucket: Bucket, key: str) -> tuple[str, Status] | None:
    """The name and the status of an arrival's newest execution; None where none was ever started."""
    return newest(executions_of(engine, bucket, key))


def ends_arrival(event: Event) -> bool:
    """Say whether an event is the end of an arrival's execution; for showing progress."""
    return event.machine == MACHINE and event.ended is not None


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
