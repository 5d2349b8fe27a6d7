"""What a check of the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Check"]


@dataclass(frozen=True)
class Check:
    """What was found.

    Attributes:
        name: what was looked at.
        state: fail: a deployment cannot work so; warn: it may not, or not well.
        says: what was found.
        fix: what to do about it; empty where there is nothing to do.
    """

    name: str
    state: Literal["ok", "warn", "fail"]
    says: str
    fix: str = ""
