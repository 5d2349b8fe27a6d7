"""Numbers as people read them."""

from __future__ import annotations

import math

__all__ = ["NONE", "count", "duration", "interval", "percent", "plural"]

NONE = "\N{EN DASH}"
"""What stands where there is no figure."""
_JOINER = "\N{WORD JOINER}"
_THIN = "\N{NARROW NO-BREAK SPACE}"


def percent(share: float | None, digits: int | None = 1) -> str:
    r"""Write a share, 0 to 1, as per cent; None is a dash.

    Args:
        share: 0 to 1.
        digits: after the point; None writes as many as there are, for figures that people set.

    Example:
        >>> percent(0.9651), percent(0.5, 0), percent(0.05, None)
        ('96.5\u202f%', '50\u202f%', '5\u202f%')
    """
    if share is None or not math.isfinite(share):
        return NONE
    if digits is None:
        return f"{100 * share:.4g}{_THIN}%"
    return f"{100 * share:.{digits}f}{_THIN}%"


def interval(low: float, high: float, digits: int = 1) -> str:
    r"""Write an interval of shares.

    Example:
        >>> interval(0.929, 0.984).replace("\N{WORD JOINER}", "").split("\N{EN DASH}")
        ['92.9', '98.4\u202f%']
    """
    dash = f"{_JOINER}{NONE}{_JOINER}"  # an interval never breaks across lines
    return f"{100 * low:.{digits}f}{dash}{100 * high:.{digits}f}{_THIN}%"


def count(number: int) -> str:
    """Write a whole number, thousands apart.

    Example:
        >>> count(12345)
        '12,345'
    """
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun.

    Example:
        >>> plural(1, "picture"), plural(2000, "picture"), plural(2, "entry", "entries")
        ('1 picture', '2,000 pictures', '2 entries')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Write a length of time in the largest unit that it has at least twice.

    Example:
        >>> duration(1), duration(5400), duration(86400 * 3)
        ('1 second', '90 minutes', '3 days')
    """
    for size, unit in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return plural(round(seconds / size), unit)
    return plural(round(seconds), "second")
