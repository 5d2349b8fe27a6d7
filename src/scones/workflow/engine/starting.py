"""What StartExecution refuses before anything is written."""

from __future__ import annotations

import re
from collections.abc import Mapping

from scones.workflow.engine.data import DATA_LIMIT
from scones.workflow.engine.failure import StartRefused
from scones.workflow.engine.jsontext import Json, dump_bytes
from scones.workflow.engine.machine import StateMachine
from scones.workflow.engine.reader import pack

__all__ = ["check_start", "machine_name"]

_NAME = re.compile(r"[\w.@+=()!'-]{1,80}")


def check_start(machines: Mapping[str, StateMachine], machine: str, given: Json, name: str) -> StateMachine:
    """The machine of that name, when an execution of this name and input can be started on it.

    Raises:
        StartRefused: ``StateMachineDoesNotExist``, ``InvalidName`` or ``InvalidExecutionInput``.
    """
    if machine not in machines:
        known = ", ".join(sorted(machines)) or "none"
        raise StartRefused("StateMachineDoesNotExist", f"no machine {machine!r}; this engine has {known}")
    if not _NAME.fullmatch(name):
        raise StartRefused("InvalidName", f"{name!r} is no name: use 1 to 80 letters, digits or -_.@+=()!'")
    try:
        size = len(dump_bytes(given))
        pack(given)  # What is nested too deeply for the journal is refused here.
    except (TypeError, ValueError, RecursionError) as error:
        raise StartRefused("InvalidExecutionInput", f"the input of {name!r} is not JSON: {error}") from error
    if size > DATA_LIMIT:
        raise StartRefused(
            "InvalidExecutionInput",
            f"the input of {name!r} is {size:,} bytes; give at most {DATA_LIMIT:,}, such as the key of an object",
        )
    return machines[machine]


def machine_name(given: str) -> str:
    """A machine's name, of its name or its ARN."""
    return given.rsplit(":", 1)[-1] if given.startswith("arn:") else given
