"""What happens to a stack, event by event, and the first real cause when it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from scones.aws.account import Account, explained

__all__ = ["EventLog", "StackEvent", "first_cause"]


@dataclass(frozen=True)
class StackEvent:
    """What CloudFormation says of one resource, or of the stack itself.

    Attributes:
        id: of the event.
        logical_id: the resource's name in the template; the stack's own name for the stack itself.
        type: as ``AWS::S3::Bucket``.
        status: as ``CREATE_FAILED``.
        reason: in AWS's words; often empty.
        time: with time zone.
        of_stack: it is about the stack itself.
    """

    id: str
    logical_id: str
    type: str
    status: str
    reason: str
    time: datetime
    of_stack: bool

    @property
    def failed(self) -> bool:
        """Something went wrong."""
        return self.status.endswith("_FAILED")

    @property
    def ends(self) -> bool:
        """With this the stack's operation is over, though another may follow by itself: a rollback, a deletion."""
        return self.of_stack and not self.status.endswith("_IN_PROGRESS")


class EventLog:
    """A stack's events: each comes once, in the order in which they happened.

    Args:
        account: where the stack is.
        stack: its ARN; a name finds nothing once the stack is deleted.
    """

    def __init__(self, account: Account, stack: str) -> None:
        self._account, self._stack = account, stack
        self._newest: str | None = None

    def skip(self) -> None:
        """Leave out what has happened so far."""
        with explained(f"read the events of stack {self._stack}"):
            found = self._account.cloudformation.describe_stack_events(StackName=self._stack)["StackEvents"]
        self._newest = found[0]["EventId"] if found else None

    def fresh(self) -> list[StackEvent]:
        """What has happened since the last call.

        Raises:
            AwsError: AWS does not say.
        """
        events: list[StackEvent] = []
        with explained(f"read the events of stack {self._stack}"):
            # Newest first: read until the last one that is known.
            pages = self._account.cloudformation.get_paginator("describe_stack_events")
            for page in pages.paginate(StackName=self._stack):
                for found in page["StackEvents"]:
                    if found["EventId"] == self._newest:
                        break
                    event = StackEvent(
                        id=found["EventId"],
                        logical_id=found.get("LogicalResourceId", ""),
                        type=found.get("ResourceType", ""),
                        status=found.get("ResourceStatus", ""),
                        reason=found.get("ResourceStatusReason", ""),
                        time=found["Timestamp"],
                        of_stack=found.get("PhysicalResourceId") == found["StackId"],
                    )
                    events.append(event)
                else:
                    continue
                break
        if events:
            self._newest = events[0].id
        return events[::-1]

    def report(self, tell: Callable[[StackEvent], None]) -> list[StackEvent]:
        """Tell of each new event, in order; answers them."""
        events = self.fresh()
        for event in events:
            tell(event)
        return events


def first_cause(events: Sequence[StackEvent]) -> StackEvent | None:
    """The failure that the others follow from; None: nothing failed.

    CloudFormation cancels what is under way when one resource fails, and calls that failures too.

    Args:
        events: in the order in which they happened.
    """
    failures = [event for event in events if event.failed]
    own = [event for event in failures if not event.of_stack and "cancelled" not in event.reason.lower()]
    return next(iter(own or failures), None)
