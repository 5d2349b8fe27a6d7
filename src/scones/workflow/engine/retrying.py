"""What follows a Task's failure: which Retry or Catch matches, and how long to wait before the next try."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from scones.workflow.engine.failure import (
    ALL,
    DATA_LIMIT_EXCEEDED,
    HEARTBEAT_TIMEOUT,
    RUNTIME,
    TASK_FAILED,
    TIMEOUT,
)
from scones.workflow.engine.machine import Retrier

__all__ = ["covers", "retry_delay"]

_LONGEST_DELAY: Final = 31_622_400.0
"""Seconds; the most that MaxDelaySeconds can be."""


def covers(errors: Iterable[str], error: str) -> bool:
    """Whether an ErrorEquals matches an error name.

    ``States.ALL`` covers all but the two terminal errors, ``States.TaskFailed`` all but those and ``States.Timeout``,
    which covers a missed heartbeat too; ``States.DataLimitExceeded`` can be named, ``States.Runtime`` always ends
    the execution (Step Functions Developer Guide, "Error names").
    """
    if error == RUNTIME:
        return False
    names = set(errors)
    if error in names or (error == HEARTBEAT_TIMEOUT and TIMEOUT in names):
        return True
    if error == DATA_LIMIT_EXCEEDED:
        return False
    return ALL in names or (TASK_FAILED in names and error != TIMEOUT)


def retry_delay(retrier: Retrier, retries: int, random: Random) -> float:
    """Seconds before the next try: ``interval * rate ** retries``, capped, and with full jitter a part of it.

    Args:
        retrier: the Retry entry that matched.
        retries: how often it has led to a new try already.
        random: for the jitter.
    """
    limit = _LONGEST_DELAY if retrier.max_delay is None else float(retrier.max_delay)
    try:
        delay = min(limit, retrier.interval * retrier.backoff_rate**retries)
    except OverflowError:
        delay = limit
    return random.uniform(0.0, delay) if retrier.full_jitter else delay
