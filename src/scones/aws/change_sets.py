"""Change sets of CloudFormation: having one made, having it done, throwing it away."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.changes import Change, ChangeSet, ParameterChange
from scones.aws.stack_events import EventLog, StackEvent, first_cause
from scones.aws.stacks import INTERVAL, Stack, because, delete_stack, describe, follow, wait_for_others
from scones.aws.templates import compact
from scones.errors import AwsError, LeftBehind, StackFailed

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        OperationEventTypeDef,
        ParameterTypeDef,
        ResourceChangeTypeDef,
    )

__all__ = ["Declared", "declared_parameters", "discard", "execute", "make_change_set"]

_PREFIX = "scones-"
"""What the names of our change sets begin with."""
_LOOKS = 60
"""How often a change set that is being made is looked at: for five minutes."""
_UNCHANGED = ("didn't contain changes", "No updates are to be performed")
_EMPTY = {"REVIEW_IN_PROGRESS", "ROLLBACK_COMPLETE"}
"""A stack in one of these holds nothing."""
_BROKEN = {"CREATE_FAILED", "DELETE_FAILED", "ROLLBACK_FAILED"}
"""A stack in one of these can only be deleted."""
_STUCK = "UPDATE_ROLLBACK_FAILED"
_DONE = {"CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE"}


@dataclass(frozen=True)
class Declared:
    """A parameter as a template has it.

    Attributes:
        default: its value unless another is given; None: one must be given.
        allowed: the values that it may have; empty: other limits hold.
    """

    default: str | None
    allowed: tuple[str, ...]


def declared_parameters(account: Account, template: str) -> dict[str, Declared]:
    """The parameters that a template has, by name.

    Raises:
        AwsError: CloudFormation cannot read the template.
    """
    with explained("have the template read"):
        found = account.cloudformation.get_template_summary(TemplateBody=compact(template)).get("Parameters", [])
    return {
        one["ParameterKey"]: Declared(
            one.get("DefaultValue"), tuple(one.get("ParameterConstraints", {}).get("AllowedValues", ()))
        )
        for one in found
    }


def make_change_set(
    account: Account,
    name: str,
    template: str,
    given: Mapping[str, str],
    tags: Mapping[str, str],
    *,
    clear: bool,
    say: Callable[[str], None],
    report: Callable[[StackEvent], None],
    pause: Callable[[float], object] = time.sleep,
) -> ChangeSet:
    """Find out what a template would change in a stack. Of a stack that is not there yet, AWS makes an empty shell.

    A parameter that is not given keeps the value that it has in the stack; a new one has the template's default.

    Args:
        account: where the stack is.
        name: the stack's.
        template: its text.
        given: values of parameters.
        tags: for the stack, and so for everything in it.
        clear: take away what an attempt that failed or was killed has left: its change sets, and a stack that can
            only be deleted.
        say: told what is waited for and what is taken away.
        report: called with each event meanwhile.
        pause: waits for a number of seconds.

    Raises:
        StackFailed: AWS finds a fault in the template or its parameters.
        AwsError: a parameter is unknown or lacks, or the stack is in no state to be changed.
    """
    stack = _ready(account, name, clear=clear, say=say, report=report, pause=pause)
    creates = stack is None or stack.planned
    known: Mapping[str, str] = {} if stack is None or creates else stack.parameters
    declared = declared_parameters(account, template)
    if unknown := sorted(given.keys() - declared.keys()):
        raise AwsError(f"stack {name} has no parameter {', '.join(unknown)}: it has {', '.join(sorted(declared))}")
    values = {key: given.get(key, known.get(key, one.default)) for key, one in declared.items()}
    if lacking := [key for key, value in values.items() if value is None]:
        raise AwsError(f"stack {name} has no value for {', '.join(lacking)}: give one with --set NAME=VALUE")
    order: CreateChangeSetInputTypeDef = {
        "StackName": name,
        "ChangeSetName": f"{_PREFIX}{uuid.uuid4().hex}",
        "ChangeSetType": "CREATE" if creates else "UPDATE",
        "TemplateBody": compact(template),
        "Parameters": [_parameter(key, given) for key in declared if key in given or key in known],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "ImportExistingResources": True,  # a bucket that was kept is taken in again
    }
    if creates:
        order["OnStackFailure"] = "DELETE"
    with explained(f"have a change set of stack {name} made"):
        made = account.cloudformation.create_change_set(**order)
    new = {key: value for key, value in values.items() if value is not None}
    changed = [ParameterChange(key, known.get(key), value) for key, value in new.items() if known.get(key) != value]
    change_set = ChangeSet(made["Id"], name, made["StackId"], creates, new, tuple(changed))
    try:
        return _filled(account, change_set, pause)
    except BaseException:
        with suppress(AwsError):  # what went wrong before it counts
            discard(account, change_set, pause)
        raise


def discard(account: Account, change_set: ChangeSet, pause: Callable[[float], object] = time.sleep) -> None:
    """Throw a change set away, and the empty shell of a stack that came with it; that it is gone is no error.

    Raises:
        AwsError: AWS refuses.
    """
    if change_set.empty:
        return
    cloudformation = account.cloudformation
    with explained(f"delete the change set of stack {change_set.stack}"):
        try:
            cloudformation.delete_change_set(ChangeSetName=change_set.id, StackName=change_set.stack_id)
        except ClientError as error:
            if error_code(error) not in (
                "ChangeSetNotFound",
                "ValidationError",
            ):  # somebody took it, or the stack, away
                raise
    if not change_set.creates:
        return
    stack = describe(account, change_set.stack_id)
    if stack is not None and stack.planned and not _change_sets(account, change_set.stack_id):
        delete_stack(account, change_set.stack_id, report=lambda _: None, pause=pause)


def execute(
    account: Account,
    change_set: ChangeSet,
    *,
    report: Callable[[StackEvent], None],
    pause: Callable[[float], object] = time.sleep,
) -> Stack:
    """Do what a change set says, and wait until it is done. A stack that cannot be made leaves nothing.

    Args:
        account: where the stack is.
        change_set: with changes.
        report: called with each event.
        pause: waits for a number of seconds.

    Returns:
        The stack as it is then.

    Raises:
        StackFailed: it cannot be done; the message tells the first real cause and how the stack is now.
        AwsError: AWS refuses, or it takes too long.
    """
    log = EventLog(account, change_set.stack_id)
    log.skip()
    with explained(f"change stack {change_set.stack}"):
        account.cloudformation.execute_change_set(ChangeSetName=change_set.id, StackName=change_set.stack_id)
    stack, events = follow(account, log, change_set.stack_id, begun=True, report=report, pause=pause)
    if stack.status in _DONE:
        return stack
    doing = "made" if change_set.creates else "changed"
    why = because(first_cause(events), stack)
    now = {
        "DELETE_COMPLETE": "nothing of it is left",
        "UPDATE_ROLLBACK_COMPLETE": "it is as it was before",
    }.get(stack.status, f"it is in {stack.status}; the next deploy first puts that right")
    if change_set.creates and stack.status != "DELETE_COMPLETE":
        try:
            delete_stack(account, change_set.stack_id, report=report, pause=pause)
            now = "nothing of it is left"
        except LeftBehind as error:
            now = f"it is not all gone: {error}"
    raise StackFailed(f"stack {change_set.stack} could not be {doing}{why}; {now}")


def _parameter(key: str, given: Mapping[str, str]) -> ParameterTypeDef:
    if key in given:
        return {"ParameterKey": key, "ParameterValue": given[key]}
    return {"ParameterKey": key, "UsePreviousValue": True}


def _change_sets(account: Account, stack: str) -> list[str]:
    """The ARNs of our change sets of a stack that were not executed."""
    with explained(f"list the change sets of stack {stack}"):
        pages = account.cloudformation.get_paginator("list_change_sets").paginate(StackName=stack)
        summaries = [one for page in pages for one in page.get("Summaries", [])]
    return [
        one["ChangeSetId"]
        for one in summaries
        if one["ChangeSetName"].startswith(_PREFIX) and not one["ExecutionStatus"].startswith("EXECUTE_")
    ]


def _filled(account: Account, made: ChangeSet, pause: Callable[[float], object]) -> ChangeSet:
    """Wait until CloudFormation knows the changes, and take them in."""
    for _ in range(_LOOKS):
        changes: list[Change] = []
        status = reason = ""
        with explained(f"look at the change set of stack {made.stack}"):
            pages = account.cloudformation.get_paginator("describe_change_set")
            for page in pages.paginate(ChangeSetName=made.id, StackName=made.stack_id):
                status, reason = page["Status"], page.get("StatusReason", "")
                changes += [
                    _change(one["ResourceChange"]) for one in page.get("Changes", []) if "ResourceChange" in one
                ]
        if status == "CREATE_COMPLETE":
            return replace(made, changes=tuple(changes))
        if status == "FAILED":
            if any(words in reason for words in _UNCHANGED):
                with explained(f"delete the change set of stack {made.stack}"):
                    account.cloudformation.delete_change_set(ChangeSetName=made.id, StackName=made.stack_id)
                return replace(made, id="")
            raise StackFailed(f"AWS finds a fault in stack {made.stack}: {reason}{_validation(account, made, reason)}")
        pause(INTERVAL)
    raise AwsError(
        f"AWS makes no change set of stack {made.stack} in {_LOOKS * INTERVAL / 60:.0f} min: try again later"
    )


def _change(found: ResourceChangeTypeDef) -> Change:
    return Change(
        action=found.get("Action", ""),
        logical_id=found.get("LogicalResourceId", ""),
        type=found.get("ResourceType", ""),
        physical_id=found.get("PhysicalResourceId", ""),
        replacement=found.get("Replacement", ""),
        keeps="Retain" in found.get("PolicyAction", ""),
    )


def _validation(account: Account, made: ChangeSet, reason: str) -> str:
    """What CloudFormation's validation found, as the reason only names it; empty where that may not be read."""
    found: list[OperationEventTypeDef] = []
    if "alidation" not in reason:
        return ""
    with suppress(AwsError), explained(f"read what is wrong with stack {made.stack}"):
        pages = account.cloudformation.get_paginator("describe_events")
        found = [one for page in pages.paginate(ChangeSetName=made.id) for one in page["OperationEvents"]]
    faults = [one for one in found if one.get("ValidationStatus") == "FAILED"]
    return "".join(f"; {one.get('LogicalResourceId')}: {one.get('ValidationStatusReason')}" for one in faults)


def _ready(
    account: Account,
    name: str,
    *,
    clear: bool,
    say: Callable[[str], None],
    report: Callable[[StackEvent], None],
    pause: Callable[[float], object],
) -> Stack | None:
    """The stack in a state in which it can be changed; None: there is none."""
    stack = describe(account, name)
    if stack is not None and stack.busy:
        say(f"somebody else is at work on stack {name} ({stack.status}): waiting for the end of it")
        stack = wait_for_others(account, stack, report=report, pause=pause)
    if stack is None or (stack.planned and not clear):
        return stack
    if stack.status in {*_EMPTY, *_BROKEN, _STUCK} and not clear:
        raise AwsError(
            f"stack {name} is in {stack.status} since an attempt failed: `scones aws deploy` puts that right"
        )
    if stack.status in _EMPTY | _BROKEN:
        say(f"stack {name} is in {stack.status}: what an earlier attempt left is taken away first")
        delete_stack(account, stack.id, report=report, pause=pause)
        return None
    if stack.status == _STUCK:
        say(f"stack {name} is in {_STUCK}: it first goes back to what it was")
        log = EventLog(account, stack.id)
        log.skip()
        with explained(f"take stack {name} back"):
            account.cloudformation.continue_update_rollback(StackName=stack.id)
        stack, events = follow(account, log, stack.id, begun=True, report=report, pause=pause)
        if stack.status == _STUCK:
            raise StackFailed(f"stack {name} cannot go back to what it was{because(first_cause(events), stack)}")
    if clear:
        for change_set in _change_sets(account, stack.id):
            with explained(f"delete a change set of stack {name}"):
                account.cloudformation.delete_change_set(ChangeSetName=change_set, StackName=stack.id)
    return stack
