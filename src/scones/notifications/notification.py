"""What there is to tell, before it is known how and to whom."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

__all__ = ["KINDS", "Kind", "Notification", "Value", "one_line"]

Kind: TypeAlias = Literal["failure", "drift", "review", "test"]
KINDS: tuple[Kind, ...] = ("failure", "drift", "review", "test")
"""What is told first, where one message tells of several."""

Value: TypeAlias = str | int | float | bool | None

_UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format, lone surrogates, line and paragraph separators


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing that somebody should know.

    Args:
        kind: failure, drift, review or test.
        group: what belongs together, such as a machine and the error that it fails with.
        title: what happened, in the words that all of the group share.
        time: when, in POSIX seconds.
        detail: what was said about this one.
        subject: what it is about: an execution, or an arrival's key.
        fields: more of it, for programs.
    """

    kind: Kind
    group: str
    title: str
    time: float
    detail: str = ""
    subject: str = ""
    fields: Mapping[str, Value] = field(default_factory=dict)


def one_line(text: str, limit: int = 400) -> str:
    """A text as one line that can do no harm in a log, a terminal or a mail header; cut at ``limit`` characters.

    Example:
        >>> one_line("no picture\\r\\nBcc: everyone@example.com\\x1b[2J")
        'no picture Bcc: everyone@example.com [2J'
    """
    seen = "".join(" " if unicodedata.category(one) in _UNSEEN else one for one in text[: 4 * limit])
    words = " ".join(seen.split())
    return words if len(words) <= limit else words[: limit - 1] + "…"
