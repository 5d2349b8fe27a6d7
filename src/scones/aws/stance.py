"""The stance of the application's endpoint: which was taken, whether the stack is so, and bringing it in force."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from scones.aws.account import Account
from scones.aws.changes import ChangeSet
from scones.aws.names import Names
from scones.aws.stack_events import EventLog, StackEvent, first_cause
from scones.aws.stacks import because, describe, follow
from scones.errors import AwsError, StackFailed
from scones.functions.stack_parameters import StackNow, read_stack
from scones.functions.stack_stance import bring_in_force, changes
from scones.monitoring.watch.records import Standing
from scones.monitoring.watch.standings import in_force, newest_standing

__all__ = ["StanceNow", "apply_standing", "look_at_stance", "overruled"]

_DONE = "UPDATE_COMPLETE"


@dataclass(frozen=True)
class StanceNow:
    """How an endpoint is to be run, and how the stack is.

    Attributes:
        endpoint: its name.
        standing: the newest stance that was meant; None: none was ever taken.
        said: a newer one that was only said, in a dry run; None: there is none.
        stack: as it is.
        wanted: the parameters that the stance wants otherwise, with the values that it wants.
        refused: why the stack cannot be as the stance wants; empty: it can.
    """

    endpoint: str
    standing: Standing | None
    said: Standing | None
    stack: StackNow
    wanted: Mapping[str, str]
    refused: str = ""


def look_at_stance(account: Account, names: Names) -> StanceNow:
    """Find out which stance was taken, and what it wants otherwise than the stack is. Nothing is changed.

    Raises:
        AwsError: there is no application, or AWS does not say.
        StoreError, MessageError: its bucket does not answer, or a stance in it is damaged.
    """
    stack = describe(account, names.stack)
    if stack is None or "EndpointName" not in stack.outputs:
        raise AwsError(f"there is no application {names.stack} in region {names.region}: `scones aws deploy` makes it")
    endpoint, home = stack.outputs["EndpointName"], account.bucket(names.bucket)
    now = StackNow(stack.name, stack.status, stack.parameters)
    _, newest = newest_standing(home, endpoint)
    standing, said = in_force(home, endpoint), newest if newest and newest.dry_run else None
    try:
        wanted = changes(standing, now, home, lower=True) if standing else {}
    except AwsError as error:
        return StanceNow(endpoint, standing, said, now, {}, str(error))
    return StanceNow(endpoint, standing, said, now, wanted)


def apply_standing(
    account: Account,
    names: Names,
    standing: Standing,
    *,
    report: Callable[[StackEvent], None],
    pause: Callable[[float], object] = time.sleep,
) -> str:
    """Bring a stance in force and wait until it is; nothing happens where all is so already.

    The threshold may become less than it is: who calls this is a person.

    Args:
        account, names: where the application is.
        standing: that is meant.
        report: called with each event of the stack.
        pause: waits for a number of seconds.

    Returns:
        What was done, in words.

    Raises:
        AwsError: the stack is busy or cannot be so, or CloudFormation refuses.
        StackFailed: it was begun, and taken back.
        StoreError, ObjectMissing: a bucket does not answer, or a model lies nowhere.
    """
    now = read_stack(account.cloudformation, names.stack)
    log = EventLog(account, names.stack)
    log.skip()
    home = account.bucket(names.bucket)
    outcome = bring_in_force(standing, now, account.cloudformation, home, account.bucket, lower=True)
    if outcome.state == "waits":
        raise AwsError(f"{outcome.did}: run this again when it is done; `scones aws status` shows it")
    if outcome.state == "refused":
        raise AwsError(outcome.did)
    if outcome.state == "ordered":
        stack, events = follow(account, log, names.stack, begun=True, report=report, pause=pause)
        if stack.status != _DONE:
            why = because(first_cause(events), stack)
            raise StackFailed(f"stack {names.stack} did not take it ({outcome.did}){why}; it is in {stack.status}")
    return outcome.did


def overruled(account: Account, names: Names, app: ChangeSet) -> str:
    """Say so where a deployment would take out the model that a stance went back to; empty: it would not.

    Args:
        account, names: where the application is.
        app: what would change in its stack.

    Raises:
        StoreError, MessageError: its bucket does not answer, or a stance in it is damaged.
    """
    change = next((one for one in app.parameter_changes if one.name == "ModelKey" and one.old), None)
    if change is None:
        return ""
    endpoint = names.endpoints[app.parameters.get("Inference") == "serverless"]
    standing = in_force(account.bucket(names.bucket), endpoint)
    if standing is None or standing.version is None or f"/{standing.version}/" not in f"{change.old}":
        return ""
    return (
        f"the stance of endpoint {endpoint} went back to model {standing.version} ({standing.who}, "
        f"{standing.at.astimezone():%Y-%m-%d %H:%M}: {standing.why}), and this takes it out again: "
        f"`scones promote {standing.version}` first, if that is not what you want"
    )
