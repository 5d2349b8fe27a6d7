"""When to tell, and what in one message: the first of a group at once, then what came since, at a limited rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from scones.notifications.message import Digest
from scones.notifications.notification import Kind, Notification

__all__ = ["Grouping"]

_OTHERS = "others"
_EXAMPLES = 3  # of a group, kept word by word


@dataclass(slots=True)
class _Group:
    pending: Digest | None = None
    told: int = 0
    ready: float = -math.inf  # when it may be told of again


class Grouping:
    """Gathers notifications for one channel. It never grows beyond a few groups, and forgets none that was added.

    All times are seconds of one steady clock, which is the caller's. One thread at a time may use it.

    Args:
        window: seconds between two messages about one group.
        rate: messages a minute, of all groups together. What one would exceed it waits, and goes into one
            message then.
        max_groups: beyond so many, what comes is told as "others" of its kind.

    Example:
        >>> grouping = Grouping(window=60, rate=20)
        >>> for second in range(1000):
        ...     grouping.add(Notification("failure", "classify EndpointBusy", "classify fails", second), 0.0)
        ...     if second == 0:
        ...         print(grouping.take(0.0)[0].headline)
        failure: classify fails
        >>> grouping.wait(1.0)
        59.0
        >>> grouping.take(60.0)[0].headline
        'failure: classify fails (999 more)'
    """

    def __init__(self, *, window: float, rate: float, max_groups: int = 50) -> None:
        self._window = window
        self._rate = rate / 60
        self._most = max(1.0, rate)
        self._max_groups = max_groups
        self._groups: dict[tuple[Kind, str], _Group] = {}
        self._allowed = self._most  # messages that may go now
        self._counted = -math.inf

    @property
    def pending(self) -> int:
        """How many notifications wait to be told."""
        return sum(group.pending.count for group in self._groups.values() if group.pending)

    def add(self, notification: Notification, now: float) -> None:
        """Take a notification in."""
        digest = Digest.of(notification)
        key = (digest.kind, digest.group)
        if key not in self._groups and len(self._groups) >= self._max_groups:
            self._forget(now)
            if len(self._groups) >= self._max_groups:
                digest = replace(digest, group=_OTHERS, title=f"{digest.kind}s of many other groups")
        self._put(digest)

    def take(self, now: float, *, everything: bool = False) -> tuple[Digest, ...]:
        """What is to be told now, in one message; nothing where it is too early.

        Args:
            now: the time.
            everything: also what is to wait.
        """
        self._refill(now)
        due = [group for group in self._groups.values() if group.pending and (everything or group.ready <= now)]
        self._forget(now)
        if not due or (self._allowed < 1 and not everything):
            return ()
        self._allowed -= 1
        taken = []
        for group in due:
            assert group.pending
            taken.append(replace(group.pending, told=group.told))
            group.told += group.pending.count
            group.pending, group.ready = None, now + self._window
        return tuple(taken)

    def restore(self, digests: Iterable[Digest]) -> None:
        """Put back what was taken and could not be told; it is told with what came since, after a window."""
        for digest in digests:
            group = self._put(replace(digest, told=0))
            group.told = max(0, group.told - digest.count)

    def wait(self, now: float) -> float | None:
        """Seconds until :meth:`take` has something; None where nothing waits to be told."""
        ready = [group.ready for group in self._groups.values() if group.pending]
        if not ready:
            return None
        self._refill(now)
        return max(0.0, min(ready) - now, (1 - self._allowed) / self._rate)

    def _put(self, digest: Digest) -> _Group:
        group = self._groups.setdefault((digest.kind, digest.group), _Group())
        group.pending = self._merged(group.pending, digest) if group.pending else digest
        return group

    def _merged(self, one: Digest, other: Digest) -> Digest:
        older, newer = (one, other) if one.first <= other.first else (other, one)
        return replace(
            older,
            count=one.count + other.count,
            last=max(one.last, other.last),
            examples=(*older.examples, *newer.examples)[:_EXAMPLES],
        )

    def _refill(self, now: float) -> None:
        self._allowed = min(self._most, self._allowed + max(0.0, now - self._counted) * self._rate)
        self._counted = now

    def _forget(self, now: float) -> None:
        for key in [key for key, group in self._groups.items() if not group.pending and group.ready <= now]:
            del self._groups[key]
