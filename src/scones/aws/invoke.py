"""Sends a picture through the application on AWS, and waits for what becomes of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.logs import find_groups, read_logs
from scones.aws.names import Names
from scones.aws.stacks import describe
from scones.contracts import PICTURE_TYPES, Arrival
from scones.errors import AwsError, WorkflowError
from scones.store import Layout

__all__ = ["Outcome", "application_task", "send_through"]

_INTERVAL = 1.0
"""Seconds from look to look."""
_EARLY = timedelta(seconds=5)
"""How far this machine's clock may be behind those that write logs."""


@dataclass(frozen=True)
class Outcome:
    """What became of a picture.

    Attributes:
        kind: which record tells it.
        key: of the record.
        record: what it says.
        seconds: from the sending until the record was seen.
    """

    kind: Literal["route", "result", "review", "dead letter"]
    key: str
    record: dict[str, Any]
    seconds: float


def application_task(account: Account, names: Names) -> str:
    """The task that the application was deployed for.

    Raises:
        AwsError: it is not there, not whole, or another stack has its name.
    """
    stack = describe(account, names.stack)
    if stack is None or not stack.outputs:
        state = "is not there" if stack is None else f"is in {stack.status}"
        raise AwsError(f"stack {names.stack} {state} in {names.region}: make it with `scones aws deploy`")
    if "Task" not in stack.parameters:
        raise AwsError(f"stack {names.stack} in {names.region} is none of Scones: name yours with --stack")
    return stack.parameters["Task"]


def send_through(
    account: Account,
    names: Names,
    picture: bytes,
    extension: str,
    arrival: Arrival,
    *,
    timeout: float,
    waiting: Callable[[float], object],
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: Callable[[float], object] = time.sleep,
) -> Outcome:
    """Put a picture where arrivals go, and wait until a record tells what became of it.

    Args:
        account, names: where the application is.
        picture: the bytes of its file.
        extension: of the file, as ``png``.
        arrival: names it.
        timeout: seconds to wait.
        waiting: told after each look how many seconds it has been.
        now: the time, UTC.
        pause: waits for a number of seconds.

    Raises:
        WorkflowError: no record came in time; with the first error in the logs since then.
        AwsAccess, AwsError: as AWS answers.
    """
    key = arrival.key(extension)
    sent = now()
    with explained(f"send {key} to bucket {names.bucket}"):
        account.s3.put_object(Bucket=names.bucket, Key=key, Body=picture, ContentType=PICTURE_TYPES[extension])
    places: dict[str, Literal["route", "result", "review", "dead letter"]] = {
        Layout.route(arrival.path): "route",
        Layout.result(arrival.path): "result",
        Layout.review(arrival.path): "review",
        Layout.dead_letter(key): "dead letter",
    }
    while True:
        for place, kind in places.items():
            record = _read(account, names.bucket, place)
            if record is not None:
                return Outcome(kind, place, record, (now() - sent).total_seconds())
        waited = (now() - sent).total_seconds()
        waiting(waited)
        if waited >= timeout:
            raise WorkflowError(
                f"{arrival.path} has no result after {timeout:g} s: {_why(account, names, sent - _EARLY)}; "
                "give it more time with --timeout, or look into `scones aws logs`"
            )
        pause(_INTERVAL)


def _read(account: Account, bucket: str, key: str) -> dict[str, Any] | None:
    with explained(f"look for {key} in bucket {bucket}"):
        try:
            text = account.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return None
            raise
    try:
        record = json.loads(text)
    except ValueError as error:
        raise AwsError(f"{key} in bucket {bucket} is no JSON ({error}): remove it") from error
    return record if isinstance(record, dict) else {"record": record}


def _why(account: Account, names: Names, since: datetime) -> str:
    """The first error that the application logged."""
    for event in read_logs(account, find_groups(account, names), since):
        if event.level == "ERROR":
            return f"{event.group} logged meanwhile: {event.text}"
    return "nothing has logged an error meanwhile"
