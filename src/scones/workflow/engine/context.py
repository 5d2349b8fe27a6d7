"""The context object, ``$$``: where an execution is."""

from __future__ import annotations

from datetime import UTC, datetime

from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.reader import execution_arn
from scones.workflow.engine.resources import ARN_PREFIX
from scones.workflow.engine.run import Branch

__all__ = ["context_object"]


def context_object(branch: Branch, item: Json = None) -> dict[str, Json]:
    """What ``$$`` is in the state that a branch is in (Step Functions Developer Guide, "Context object").

    Args:
        branch: the branch; its execution's input must not be parked.
        item: ``$$.Map`` in the work for an item of a Map.
    """
    run = branch.run
    context: dict[str, Json] = {
        "Execution": {
            "Id": execution_arn(run.machine_name, run.name),
            "Input": run.input,
            "Name": run.name,
            "RedriveCount": 0,
            "StartTime": _iso(run.started),
        },
        "State": {
            "EnteredTime": _iso(branch.entered),
            "Name": branch.state,
            "RetryCount": sum(branch.attempts.values()),
        },
        "StateMachine": {
            "Id": f"arn:aws:states:{ARN_PREFIX}:stateMachine:{run.machine_name}",
            "Name": run.machine_name,
        },
    }
    if branch.token is not None:
        context["Task"] = {"Token": branch.token}
    if item is not None:
        context["Map"] = item
    return context


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
