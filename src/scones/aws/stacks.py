"""Stacks of CloudFormation: how one is, following what happens to it, and taking it away."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.stack_events import EventLog, StackEvent, first_cause
from scones.errors import AwsError, LeftBehind

__all__ = ["INTERVAL", "Stack", "because", "delete_stack", "describe", "follow", "wait_for_others"]

INTERVAL = 5.0
"""Seconds from look to look."""
_LIMIT = 9000.0
"""Seconds that CloudFormation has for an operation: the template lets a new model's rollout take 7,200 of them."""


@dataclass(frozen=True)
class Stack:
    """A stack.

    Attributes:
        name: of the stack.
        id: its ARN.
        status: as ``UPDATE_COMPLETE``.
        reason: why it is so, in AWS's words; often empty.
        parameters: the values in force, by name.
        outputs: what the template gives out, by name.
        descriptions: what each output is, by name.
    """

    name: str
    id: str
    status: str
    reason: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    descriptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """CloudFormation is at work on it."""
        return self.status.endswith("_IN_PROGRESS") and not self.planned

    @property
    def planned(self) -> bool:
        """It is no more than a plan: a change set would make it."""
        return self.status == "REVIEW_IN_PROGRESS"


def describe(account: Account, name: str) -> Stack | None:
    """How a stack is; None where there is none of that name.

    Args:
        account: where to look.
        name: of the stack; by its ARN a deleted one is found too.

    Raises:
        AwsAccess: no permission.
        AwsError: AWS does not say.
    """
    with explained(f"look at stack {name}"):
        try:
            [found] = account.cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if error_code(error) == "ValidationError" and "does not exist" in str(error):
                return None
            raise
    outputs = found.get("Outputs", [])
    return Stack(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in found.get("Parameters", [])},
        outputs={one["OutputKey"]: one["OutputValue"] for one in outputs},
        descriptions={one["OutputKey"]: one.get("Description", "") for one in outputs},
    )


def follow(
    account: Account,
    log: EventLog,
    stack: str,
    *,
    begun: bool,
    report: Callable[[StackEvent], None],
    pause: Callable[[float], object],
    limit: float = _LIMIT,
) -> tuple[Stack, list[StackEvent]]:
    """Wait until CloudFormation has ended what it does to a stack.

    Args:
        account: where the stack is.
        log: of its events; what is new in it is told.
        stack: the stack's ARN.
        begun: the operation was just ordered: there will be events of it, though AWS may not show them yet.
        report: called with each event.
        pause: waits for a number of seconds.
        limit: seconds to wait, at most.

    Returns:
        The stack as it is now, and the events.

    Raises:
        AwsError: it takes too long, or AWS does not say.
    """
    events: list[StackEvent] = []
    for _ in range(int(limit / INTERVAL) + 1):
        events += log.report(report)
        found = describe(account, stack)
        if found is None:
            raise AwsError(f"stack {stack} is gone without a trace: look at it in AWS's console")
        over = not found.busy and (not begun or any(event.ends for event in events))
        if over or found.status == "DELETE_COMPLETE":
            return found, events + log.report(report)
        pause(INTERVAL)
    raise AwsError(
        f"stack {stack} has not ended after {limit / 60:.0f} min: CloudFormation goes on by itself; "
        "`scones aws status` shows how far it is"
    )


def wait_for_others(
    account: Account,
    stack: Stack,
    *,
    report: Callable[[StackEvent], None],
    pause: Callable[[float], object],
) -> Stack | None:
    """Wait for an operation on a stack that somebody else began; answers the stack as it is then, None: gone.

    Raises:
        AwsError: it takes too long.
    """
    log = EventLog(account, stack.id)
    log.skip()
    found, _ = follow(account, log, stack.id, begun=False, report=report, pause=pause)
    return None if found.status == "DELETE_COMPLETE" else found


def delete_stack(
    account: Account,
    name: str,
    *,
    report: Callable[[StackEvent], None],
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Take a stack away and wait until it is gone; that there is none is no error.

    Args:
        account: where it is.
        name: of the stack, or its ARN.
        report: called with each event.
        pause: waits for a number of seconds.

    Raises:
        LeftBehind: some of it cannot be taken away.
        AwsError: AWS refuses, or it takes too long.
    """
    stack = describe(account, name)
    if stack is not None and stack.busy:
        stack = wait_for_others(account, stack, report=report, pause=pause)
    if stack is None or stack.status == "DELETE_COMPLETE":
        return
    log = EventLog(account, stack.id)
    log.skip()
    with explained(f"delete stack {stack.name}"):
        account.cloudformation.delete_stack(StackName=stack.id)
    left, events = follow(account, log, stack.id, begun=True, report=report, pause=pause)
    if left.status != "DELETE_COMPLETE":
        raise LeftBehind(
            f"stack {stack.name} cannot be deleted whole{because(first_cause(events), left)}: "
            f"it is in {left.status}; take the cause away and run `scones aws destroy` again"
        )


def because(cause: StackEvent | None, stack: Stack) -> str:
    """The first real cause, to end a sentence with."""
    if cause is None:
        return f" ({stack.reason})" if stack.reason else ""
    return f": {cause.logical_id} ({cause.type}) is {cause.status}: {cause.reason or 'AWS gives no reason'}"
