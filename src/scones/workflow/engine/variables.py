"""Variables: which of them a branch of an execution sees, and how much all of an execution may hold.

As in the Step Functions Developer Guide, "Passing data between states with variables".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from scones.workflow.engine.failure import DATA_LIMIT_EXCEEDED, StateFailure
from scones.workflow.engine.jsontext import Json, dump_bytes
from scones.workflow.engine.run import Branch, Phase

__all__ = ["check_total", "in_scope"]

_MOST: Final = 10 * 1024 * 1024
"""Bytes of JSON text that all variables of an execution may hold."""


def in_scope(branch: Branch) -> dict[str, Json]:
    """The variables that a branch sees: its own, and those of the branches around it."""
    variables: dict[str, Json] = {}
    at: Branch | None = branch
    while at is not None:
        variables = {**at.variables, **variables} if at.variables else variables
        at = at.parent
    return variables


def check_total(branch: Branch, assigned: Mapping[str, Json]) -> None:
    """Look at what an execution's variables would hold with those that a branch is about to assign.

    Raises:
        StateFailure: ``States.DataLimitExceeded``, where that is too much.
    """
    run = branch.run
    # Never less than they hold, as what an Assign replaces is not taken off; so most Assigns are quickly looked at.
    run.assigned += _size(assigned)
    if run.assigned <= _MOST:
        return
    others = (one for one in run.root.tree() if one is not branch and one.phase is not Phase.DONE)
    run.assigned = _size({**branch.variables, **assigned}) + sum(_size(one.variables) for one in others)
    if run.assigned > _MOST:
        cause = f"The variables would hold {run.assigned:,} bytes, more than the {_MOST:,} that an execution may have"
        raise StateFailure(DATA_LIMIT_EXCEEDED, cause)


def _size(variables: Mapping[str, Json]) -> int:
    return sum(len(dump_bytes(value)) for value in variables.values())
