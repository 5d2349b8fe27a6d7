"""Times in which nothing was captured. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from scones.contracts import Policy

__all__ = ["gap", "holes"]


def gap(newest: float | None, policy: Policy, now: datetime, most: float) -> float | None:
    """How long nothing was captured, in seconds, where that is too long; else None.

    Args:
        newest: time of the newest record, POSIX seconds; None where there has been none: then it counts from when the
            model went into production.
        policy: in force.
        now: the time.
        most: how old the newest record may be, in seconds; 0: as old as it likes.
    """
    if not most:
        return None
    age = now.timestamp() - (_promoted(policy, now) if newest is None else newest)
    return age if age > most else None


def holes(newest: float | None, times: Sequence[datetime], most: float) -> str:
    """Say so where no record came for long before or between those that are new; empty where there is no hole.

    Args:
        newest: time of the newest record before, POSIX seconds; None where there was none.
        times: of the new records, in order.
        most: as in :func:`gap`.
    """
    known = [] if newest is None else [datetime.fromtimestamp(newest, UTC)]
    later = [*known, *(time for time in times if not known or time > known[0])]
    found = [(b - a, a, b) for a, b in pairwise(later) if most and (b - a).total_seconds() > most]
    if not found:
        return ""
    _, start, end = max(found)
    more = f" (the longest of {len(found)} times without)" if len(found) > 1 else ""
    return f"no record came from {_minute(start)} to {_minute(end)} UTC{more}"


def _minute(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def _promoted(policy: Policy, now: datetime) -> float:
    try:
        time = datetime.fromisoformat(policy.at)
    except ValueError:  # a person may have written the policy
        return now.timestamp()
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
