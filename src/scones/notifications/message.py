"""What a channel carries: a message, of one or several groups of notifications, as text and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from scones.notifications.notification import KINDS, Kind, Notification, Value, one_line
from scones.page.numbers import plural

__all__ = ["Digest", "Message"]

_GROUPS_IN_TEXT = 10


@dataclass(frozen=True, slots=True)
class Digest:
    """Notifications of one group, summed up.

    Args:
        kind, group, title: what they have in common.
        count: how many there are.
        first, last: POSIX seconds of the earliest and the latest.
        examples: a few of them, the earliest ones.
        told: how many of the group were told before these.
    """

    kind: Kind
    group: str
    title: str
    count: int
    first: float
    last: float
    examples: tuple[Notification, ...]
    told: int = 0

    @classmethod
    def of(cls, one: Notification) -> Digest:
        """A single one, as it is."""
        return cls(one.kind, one.group, one.title, 1, one.time, one.time, (one,))

    @property
    def headline(self) -> str:
        """What happened and how often, in a line."""
        times = f" ({self.count:,} more)" if self.told else f" ({self.count:,} times)" if self.count > 1 else ""
        return f"{self.kind}: {one_line(self.title, 200)}{times}"

    @property
    def example(self) -> str:
        """The first of them, in a line."""
        return _line(self.examples[0])

    def lines(self) -> Iterator[str]:
        """The whole of it, a line at a time."""
        yield self.headline
        if self.count > 1:
            yield f"  first {_time(self.first)}, last {_time(self.last)}, such as"
        for example in self.examples:
            yield f"  {_time(example.time)}  {_line(example)}"

    def as_json(self) -> dict[str, Any]:
        """The whole of it, for programs."""
        return {
            "kind": self.kind,
            "group": one_line(self.group),
            "title": one_line(self.title),
            "count": self.count,
            "told_before": self.told,
            "first": _iso(self.first),
            "last": _iso(self.last),
            "examples": [
                {
                    "time": _iso(example.time),
                    "subject": one_line(example.subject),
                    "detail": one_line(example.detail),
                    "fields": {one_line(name): _value(value) for name, value in example.fields.items()},
                }
                for example in self.examples
            ],
        }


@dataclass(frozen=True, slots=True)
class Message:
    """One message to people, the same however often its delivery is tried.

    Args:
        id: its own, so that a receiver can tell that it has it already.
        source: who sends it, such as the machine's name.
        digests: what it tells, at least one.
    """

    id: str
    source: str
    digests: tuple[Digest, ...]

    @property
    def count(self) -> int:
        """How many notifications it tells of."""
        return sum(digest.count for digest in self.digests)

    @property
    def title(self) -> str:
        """All of it, in a line of 255 characters at most."""
        others = len(self.digests) - 1
        return self._ordered()[0].headline + (f", and {plural(others, 'other')}" if others else "")

    @property
    def text(self) -> str:
        """All of it, for people."""
        ordered = self._ordered()
        lines = [line for digest in ordered[:_GROUPS_IN_TEXT] for line in digest.lines()]
        rest = ordered[_GROUPS_IN_TEXT:]
        if rest:
            lines.append(f"and {len(rest)} other groups of {sum(digest.count for digest in rest):,} in all")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs: the body of a webhook."""
        ordered = self._ordered()
        return {
            "type": "scones.notification",
            "timestamp": _iso(max(digest.last for digest in ordered)),
            "data": {
                "id": self.id,
                "source": self.source,
                "title": self.title,
                "text": self.text,
                "digests": [digest.as_json() for digest in ordered],
            },
        }

    def _ordered(self) -> list[Digest]:
        return sorted(self.digests, key=lambda digest: KINDS.index(digest.kind))


def _line(one: Notification) -> str:
    subject, detail = one_line(one.subject), one_line(one.detail)
    return f"{subject}: {detail}" if subject and detail else subject or detail or one_line(one.title, 200)


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _value(value: Value) -> Value:
    if isinstance(value, str):
        return one_line(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value  # JSON has no word for these
