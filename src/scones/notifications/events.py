"""What happens in Scones, as notifications."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from scones.contracts import failure_message
from scones.notifications.notification import Notification, Value

if TYPE_CHECKING:
    from scones.workflow.engine import Event

__all__ = ["drift_alarm", "from_event"]

_REVIEW: Final = "review"
"""The state machine that asks a person."""
_DETAIL: Final = 2000  # characters kept of what a failure says, which may be 32,768


def from_event(event: Event) -> Notification | None:
    """Turn an event of the workflow engine into a notification, if it is one that somebody should know.

    An execution that failed or took too long is a failure, the start of an execution of ``review`` a review request.
    An execution that was aborted is neither: somebody knows.
    """
    if event.type in ("ExecutionFailed", "ExecutionTimedOut"):
        return _failure(event)
    if event.type == "ExecutionStarted" and event.machine == _REVIEW:
        return _review(event)
    return None


def drift_alarm(
    endpoint: str, signal: str, detail: str, *, time: float, fields: Mapping[str, Value] | None = None
) -> Notification:
    """Make the notification that what an endpoint sees, or how well it answers, has changed.

    Args:
        endpoint: whose.
        signal: what changed, such as "brightness" or "share below the threshold"; an alarm of the same signal is
            told with this one.
        detail: by how much, in words.
        time: POSIX seconds.
        fields: the figures.
    """
    return Notification(
        "drift", f"{endpoint} {signal}", f"{endpoint}: {signal} has drifted", time, detail, endpoint, fields or {}
    )


def _failure(event: Event) -> Notification:
    late = event.type == "ExecutionTimedOut"
    error = str(event.details.get("error") or ("States.Timeout" if late else "no error name"))
    return Notification(
        kind="failure",
        group=f"{event.machine} {error}",
        title=f"{event.machine} fails with {error}",
        time=event.time.timestamp(),
        detail=failure_message(str(event.details.get("cause") or ""))[:_DETAIL],
        subject=event.execution,
        fields={"machine": event.machine, "execution": event.execution, "error": error},
    )


def _review(event: Event) -> Notification:
    given = event.details.get("input")
    found: dict[str, Any] = given if isinstance(given, dict) else {}
    task = str(found.get("task", "unknown"))
    fields = {
        name: value
        for name in ("task", "s3_bucket", "s3_key", "label", "confidence", "threshold", "model_version")
        if isinstance(value := found.get(name), str | int | float)
    }
    detail = f"{fields['label']} {fields['confidence']}" if {"label", "confidence"} <= fields.keys() else ""
    return Notification(
        kind="review",
        group=task,
        title=f"the model is not sure of a picture, task {task}",
        time=event.time.timestamp(),
        detail=f"{detail}, below the threshold {fields['threshold']}" if detail and "threshold" in fields else detail,
        subject=str(fields.get("s3_key", event.execution)),
        fields=fields | {"execution": event.execution},
    )
