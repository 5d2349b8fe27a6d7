"""Takes a stack away, with all that lies outside of it, and looks whether anything is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.inventory import HELD, Found, take_inventory
from scones.aws.names import Names
from scones.aws.removal import REMOVABLE, detach, remove, stop_executions, stop_job
from scones.aws.stack_events import StackEvent
from scones.aws.stacks import delete_stack
from scones.aws.versions import delete_versions
from scones.errors import AwsError, LeftBehind
from scones.page.numbers import plural

__all__ = ["destroy"]

_PAUSE: Final = 10.0
"""Seconds from look to look."""
_LOOKS: Final = 30
"""Looks at what is going: a training job has two minutes to end, and then puts its model down."""
_TOLD: Final = 10_000
"""Versions from report to report while a bucket is emptied."""
_ROUNDS: Final = 5
"""Times that a bucket is emptied: whoever writes into it may have one more object on the way."""


def destroy(
    account: Account,
    names: Names,
    *,
    keep_data: bool = False,
    report: Callable[[str], object],
    pause: Callable[[float], object] = time.sleep,
) -> list[Found]:
    """Take away everything that belongs to a stack.

    Each step is tried, whatever became of the others. It can be called again after a failure or a kill at any point: it
    goes by what there is.

    Args:
        account: where the stack is.
        names: of the stack.
        keep_data: leave the application's bucket, with its pictures, records and capture, as it is.
        report: told what is being done, and what went wrong.
        pause: waits for a number of seconds.

    Returns:
        What is left and why, and what could not be looked at. What ``keep_data`` keeps is not left.
    """
    report("taking the inventory")
    before = take_inventory(account, names)
    if not before:
        return []
    steps = _Steps(account, names, report, pause)
    every = partial(_every, before)
    # jobs cost money, and use the role that is about to go
    steps.each(every("training job"), "stopping", stop_job)
    # a machine is gone only when its executions are, and one that waits for a person ends late
    steps.each(every("state machine"), "stopping the executions of", stop_executions)
    own = {role.name for role in every("role")}
    steps.each(every("policy"), "detaching", lambda account, policy: detach(account, policy, own))
    # what writes into a bucket goes before it
    steps.each(every("stack", names.stack), "deleting", steps.delete_stack)
    steps.each([] if keep_data else every("bucket", names.bucket), "emptying and deleting", steps.delete_bucket)
    steps.each(every("bucket", names.artefacts), "emptying and deleting", steps.delete_bucket)
    steps.each(every("stack", names.bootstrap), "deleting", steps.delete_stack)
    return steps.clear({names.bucket} if keep_data else set())


def _every(inventory: list[Found], kind: str, name: str | None = None) -> list[Found]:
    return [one for one in inventory if one.kind == kind and one.seen and name in {None, one.name}]


class _Steps:
    """What is done, and what goes wrong at it: told at once, and kept to say later why something is left."""

    def __init__(
        self, account: Account, names: Names, report: Callable[[str], object], pause: Callable[[float], object]
    ) -> None:
        self._account, self._names, self._report, self._pause = account, names, report, pause
        self._why: dict[str, str] = {}  # by ARN

    def each(self, some: list[Found], doing: str, do: Callable[[Account, Found], object]) -> bool:
        """Do something with each; answers whether it went well with any."""
        well = False
        for one in some:
            self._report(f"{doing} {one.kind} {one.name}")
            self._why.pop(one.arn, None)
            try:
                do(self._account, one)
                well = True
            except AwsError as error:
                self._why[one.arn] = str(error)
                self._report(f"failed: {error}")
        return well

    def delete_stack(self, account: Account, stack: Found) -> None:
        """Delete it, twice if need be: often something still used what has gone meanwhile."""
        delete = partial(delete_stack, account, stack.arn, report=self._tell, pause=self._pause)
        try:
            delete()
        except LeftBehind as error:
            self._report(f"{error}; trying once more")
            self._pause(_PAUSE)
            delete()

    def _tell(self, event: StackEvent) -> None:
        self._report(f"{event.logical_id} {event.status} {event.reason}".rstrip())

    def delete_bucket(self, account: Account, bucket: Found) -> None:
        """Empty it, with all versions, and delete it."""
        for _ in range(_ROUNDS):
            gone = delete_versions(account, bucket.name, "", partial(self._count, bucket.name))
            self._report(f"{plural(gone, 'version')} gone from {bucket.name}")
            with explained(f"delete bucket {bucket.name}"):
                try:
                    account.s3.delete_bucket(Bucket=bucket.name)
                    return
                except ClientError as error:
                    if error_code(error) == "NoSuchBucket":
                        return
                    if error_code(error) != "BucketNotEmpty":
                        raise
            self._pause(_PAUSE)
        raise AwsError(f"bucket {bucket.name} fills while it is emptied: stop what writes into it, then do this again")

    def _count(self, bucket: str, gone: int) -> None:
        if gone % _TOLD == 0:
            self._report(f"{gone:,} versions gone from {bucket}, and more to go")

    def clear(self, kept: set[str]) -> list[Found]:
        """Remove what no stack holds, until nothing is left or nothing more goes; answers what is left, and why."""
        going, before = True, None
        for look in range(_LOOKS + 1):
            left = [
                one
                for one in take_inventory(self._account, self._names)
                if not (one.kind == "bucket" and one.name in kept)
            ]
            loose = [one for one in left if one.kind in REMOVABLE and not one.holder and not one.why]
            if any(not one.seen and one.kind in HELD for one in left):  # a stack may hold whatever it can
                loose = [one for one in loose if one.kind == "training job"]
            if not loose or not going or look == _LOOKS:
                break
            if loose == before:
                self._pause(_PAUSE)
            going, before = self.each(loose, "removing", remove), loose
        return [replace(one, why=one.why or self._reason(one)) for one in left]

    def _reason(self, one: Found) -> str:
        if one.arn in self._why:
            return self._why[one.arn]
        if one.holder:
            return f"it goes with stack {one.holder}"
        if one.kind in REMOVABLE or one.kind == "stack":
            return "AWS has not said that it is gone: look again in a few minutes"
        return f"it has the stack's tag, but scones makes no {one.kind} of this name: remove it by hand"
