"""Executions of the same work: ``name``, and where it was worked anew ``name.2``, ``name.3`` and so on."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from scones.errors import ExecutionMissing

if TYPE_CHECKING:
    from scones.workflow.engine import Engine, Status

__all__ = ["newest", "next_name", "repeats"]


def repeats(engine: Engine, machine: str, first: str) -> dict[str, Status]:
    """The executions that there are of a work, oldest first, with their statuses.

    What it costs depends on how often the work was done anew, not on how much the journal holds.

    Args:
        engine: runs them.
        machine: the machine's name.
        first: the name of the first of them.
    """
    found: dict[str, Status] = {}
    with suppress(ExecutionMissing):
        while True:
            name = next_name(first, len(found))
            found[name] = engine.status(name, machine)
    return found


def next_name(first: str, count: int) -> str:
    """The name of the next execution, where there are ``count``.

    Example:
        >>> next_name("a1", 0), next_name("a1", 1)
        ('a1', 'a1.2')
    """
    return f"{first}.{count + 1}" if count else first


def newest(found: Mapping[str, Status]) -> tuple[str, Status] | None:
    """The name and the status of the last of them; None where there is none."""
    return next(reversed(list(found.items())), None)
