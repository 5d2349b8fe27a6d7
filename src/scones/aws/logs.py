"""The logs of an application on AWS: those of all its parts, as one."""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.derived import derived_names
from scones.aws.listing import training_jobs
from scones.aws.names import TAG, Names
from scones.aws.removal import TRAINING_LOGS

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import FilteredLogEventTypeDef

__all__ = ["APPLICATION", "PARTS", "LogEvent", "LogGroup", "Part", "find_groups", "follow_logs", "read_logs"]

Part = Literal["functions", "machines", "endpoint", "training", "build"]

PARTS: Final[dict[Part, str]] = {
    "functions": "/aws/lambda/",
    "machines": "/aws/vendedlogs/states/",
    "endpoint": "/aws/sagemaker/Endpoints/",
    "training": TRAINING_LOGS,
    "build": "/aws/codebuild/",
}
"""The parts that log, and how the names of their log groups begin."""
APPLICATION: Final[tuple[Part, ...]] = ("functions", "machines", "endpoint")
"""The parts that are at work when a picture arrives."""

_PAUSE: Final = 2.0
"""Seconds from look to look."""
_LATE: Final = timedelta(seconds=60)
"""How much later than others of its time a line may come; seen ones are known by their ids."""


@dataclass(frozen=True)
class LogGroup:
    """A log group.

    Attributes:
        name: AWS's.
        short: who writes there, as ``classify-image``.
        jobs: of a group that others write into as well: the streams' beginnings that are the stack's. None: all are.
    """

    name: str
    short: str
    jobs: frozenset[str] | None = None


@dataclass(frozen=True)
class LogEvent:
    """A line of a log.

    Attributes:
        time: when it was written, UTC.
        group: short name of its log group.
        message: as it was written.
        id: AWS's.
        level: as ``ERROR``; empty where the line says none.
        text: what it says, in a line for people.
        request: of a function, or the execution of a state machine; empty where the line says none.
    """

    time: datetime
    group: str
    message: str
    id: str
    level: str
    text: str
    request: str


def find_groups(account: Account, names: Names, parts: Collection[Part] = APPLICATION) -> list[LogGroup]:
    """The log groups that are there; one that nothing was ever written to may not be.

    Args:
        account: where the stack is.
        names: of the stack.
        parts: whose logs.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    found = []
    derived = derived_names(names)["AWS::Logs::LogGroup"]
    for part in parts:
        beginning = PARTS[part]
        with explained(f"look for the logs of {part}"):
            pages = account.logs.get_paginator("describe_log_groups").paginate(
                logGroupNamePrefix=beginning if part == "training" else f"{beginning}{names.stack}"
            )
            there = [group["logGroupName"] for page in pages for group in page["logGroups"]]
            if part == "training" and beginning in there:
                jobs = {job.name for job in training_jobs(account, names) if job.tags.get(TAG) == names.stack}
                found.append(LogGroup(beginning, part, frozenset(jobs)))
        for name in there:
            if name in derived:
                own = name.removeprefix(beginning).removeprefix(f"{names.stack}-")
                found.append(LogGroup(name, own if part in {"functions", "machines"} else part))
    return found


def read_logs(account: Account, groups: Sequence[LogGroup], since: datetime) -> Iterator[LogEvent]:
    """The lines of several logs by time.

    Args:
        account: where they are.
        groups: as :func:`find_groups` has them.
        since: with time zone.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    return heapq.merge(*(_read(account, group, since) for group in groups), key=lambda event: event.time)


def follow_logs(
    account: Account,
    groups: Callable[[], Sequence[LogGroup]],
    since: datetime,
    pause: Callable[[float], object],
) -> Iterator[LogEvent]:
    """The lines of several logs as they come, for ever.

    Args:
        account: where they are.
        groups: asked at each look: there may be more by then.
        since: with time zone.
        pause: waits for a number of seconds.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    seen: dict[str, datetime] = {}
    since = since.replace(
        microsecond=since.microsecond // 1000 * 1000
    )  # as AWS takes it, or the first lines come again
    while True:
        for event in read_logs(account, groups(), since):
            if event.id not in seen:
                seen[event.id] = event.time
                yield event
        if seen:
            since = max(since, max(seen.values()) - _LATE)
            seen = {one: when for one, when in seen.items() if when >= since}
        pause(_PAUSE)


def _read(account: Account, group: LogGroup, since: datetime) -> Iterator[LogEvent]:
    pages = account.logs.get_paginator("filter_log_events").paginate(
        logGroupName=group.name, startTime=int(since.timestamp() * 1000), interleaved=True
    )
    with explained(f"read the log {group.name}"):
        try:
            for page in pages:
                for event in page["events"]:
                    if group.jobs is None or event["logStreamName"].partition("/")[0] in group.jobs:
                        yield _event(group.short, event)
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":  # it went meanwhile
                raise


def _event(group: str, found: FilteredLogEventTypeDef) -> LogEvent:
    message = found["message"].rstrip()
    level, text, request = _readable(message)
    when = datetime.fromtimestamp(found["timestamp"] / 1000, UTC)
    return LogEvent(when, group, message, found["eventId"], level, text, request)


def _readable(message: str) -> tuple[str, str, str]:
    """Level, text and request of a message: of Lambda, Step Functions, or whoever else."""
    try:
        read: Any = json.loads(message)
    except ValueError:
        read = None
    match read:
        case {"execution_arn": str(execution), "type": str(what)}:  # Step Functions
            details = read.get("details") or {}
            said = [what, *(str(details[name]) for name in ("name", "error", "cause") if details.get(name))]
            failed = what.endswith(("Failed", "TimedOut", "Aborted"))
            return "ERROR" if failed else "", " ".join(said), next(iter(execution.split(":")[7:]), "")
        case {"type": str(what), "record": {"requestId": str(request), **record}}:  # Lambda itself
            return "", f"{what} {json.dumps(record)}", request
        case {"message": _} | {"errorMessage": _}:  # a function, which may have failed
            error = ": ".join(str(read[name]) for name in ("errorType", "errorMessage") if read.get(name))
            text = read.get("message") or ""
            said = [text if isinstance(text, str) else json.dumps(text), error]
            return str(read.get("level") or ""), " ".join(filter(None, said)), str(read.get("requestId") or "")
    return "", message, ""
