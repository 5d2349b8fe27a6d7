"""How the application on AWS is: stacks, endpoint, alarms, and the last day in figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from scones.aws.account import Account, explained
from scones.aws.derived import derived_names
from scones.aws.names import Names
from scones.aws.stacks import Stack, describe
from scones.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDataQueryTypeDef

__all__ = ["MOST", "Alarm", "Day", "Endpoint", "Status", "look_at"]

MOST: Final = 10_000
"""Reviews that are counted, at most."""

_T = TypeVar("_T")
_WORKERS: Final = ("serialize_image", "classify_image", "route_driver")
"""The functions whose errors are errors; those of filter_inferences are unsure answers."""


@dataclass(frozen=True)
class Endpoint:
    """The endpoint.

    Attributes:
        name: of the endpoint.
        status: as ``InService``.
        instances: that answer now; None: it is serverless.
        wanted: instances that there should be.
        fault: why it failed; mostly empty.
    """

    name: str
    status: str
    instances: int | None
    wanted: int | None
    fault: str


@dataclass(frozen=True)
class Alarm:
    """An alarm: OK, ALARM or INSUFFICIENT_DATA, since when, and why."""

    name: str
    state: str
    since: datetime
    why: str


@dataclass(frozen=True)
class Day:
    """The last 24 hours.

    Attributes:
        pictures: executions that were started.
        asked: answers of the model.
        unsure: those of them that a person had to decide.
        errors: of functions, each try counted.
        failed: executions that failed.
    """

    pictures: int
    asked: int
    unsure: int
    errors: int
    failed: int

    @property
    def unsure_share(self) -> float | None:
        """Share of the answers that were not sure, 0 to 1; None: there were no answers."""
        return self.unsure / self.asked if self.asked else None


@dataclass
class Status:
    """How the application is. What is None could not be looked at, or is not there.

    Attributes:
        bootstrap, app: the stacks.
        endpoint: of the application.
        alarms: of the application, those that ring first.
        day: the last 24 hours.
        reviews: pictures that wait for a person.
        dead_letters: what could not be delivered and lies in the queue.
        unseen: what could not be looked at, and why.
    """

    bootstrap: Stack | None = None
    app: Stack | None = None
    endpoint: Endpoint | None = None
    alarms: tuple[Alarm, ...] = ()
    day: Day | None = None
    reviews: int | None = None
    dead_letters: int | None = None
    unseen: dict[str, str] = field(default_factory=dict)


def look_at(account: Account, names: Names, now: datetime) -> Status:
    """Find out how the application is. A service that refuses stops nothing.

    Args:
        account, names: where it is.
        now: with time zone.

    Raises:
        AwsAccess, AwsError: AWS does not even say which stacks there are.
    """
    status = Status(bootstrap=describe(account, names.bootstrap), app=describe(account, names.stack))
    if status.app is None or status.app.planned:
        return status
    outputs = status.app.outputs

    def seen(what: str, look: Callable[[], _T]) -> _T | None:
        try:
            with explained(f"look at the {what}"):
                return look()
        except AwsError as error:
            status.unseen[what] = str(error)
            return None

    if "EndpointName" in outputs:
        status.endpoint = seen("endpoint", lambda: _endpoint(account, outputs["EndpointName"]))
    status.alarms = seen("alarms", lambda: _alarms(account, names)) or ()
    if "ClassifyMachineArn" in outputs:
        status.day = seen("metrics", lambda: _day(account, names, outputs["ClassifyMachineArn"], now))
    if "ReviewMachineArn" in outputs:
        status.reviews = seen("reviews", lambda: _running(account, outputs["ReviewMachineArn"]))
    status.dead_letters = seen("dead letters", lambda: _depth(account, f"{names.stack}-dead-letters"))
    return status


def _endpoint(account: Account, name: str) -> Endpoint:
    found = account.sagemaker.describe_endpoint(EndpointName=name)
    variants = found.get("ProductionVariants", [])
    counts = [(one.get("CurrentInstanceCount"), one.get("DesiredInstanceCount")) for one in variants]
    instances, wanted = counts[0] if counts else (None, None)
    if any("CurrentServerlessConfig" in one for one in variants):
        instances = wanted = None
    return Endpoint(name, found["EndpointStatus"], instances, wanted, found.get("FailureReason", ""))


def _alarms(account: Account, names: Names) -> tuple[Alarm, ...]:
    ours = sorted(derived_names(names)["AWS::CloudWatch::Alarm"])
    found = account.cloudwatch.describe_alarms(AlarmNames=ours)["MetricAlarms"]
    alarms = [
        Alarm(one["AlarmName"], one["StateValue"], one["StateUpdatedTimestamp"], one["StateReason"]) for one in found
    ]
    order = {"ALARM": 0, "INSUFFICIENT_DATA": 1}
    return tuple(sorted(alarms, key=lambda alarm: (order.get(alarm.state, 2), alarm.name)))


def _day(account: Account, names: Names, machine: str, now: datetime) -> Day:
    functions = {name: names.function(name) for name in (*_WORKERS, "filter_inferences")}
    wanted = {
        "pictures": ("AWS/States", "ExecutionsStarted", "StateMachineArn", machine),
        "failed": ("AWS/States", "ExecutionsFailed", "StateMachineArn", machine),
        "asked": ("AWS/Lambda", "Invocations", "FunctionName", functions["filter_inferences"]),
        **{name: ("AWS/Lambda", "Errors", "FunctionName", function) for name, function in functions.items()},
    }
    queries: list[MetricDataQueryTypeDef] = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {
                    "Namespace": namespace,
                    "MetricName": metric,
                    "Dimensions": [{"Name": dimension, "Value": value}],
                },
                "Period": 3600,
                "Stat": "Sum",
            },
        }
        for name, (namespace, metric, dimension, value) in wanted.items()
    ]
    sums = dict.fromkeys(wanted, 0.0)
    pages = account.cloudwatch.get_paginator("get_metric_data")
    for page in pages.paginate(MetricDataQueries=queries, StartTime=now - timedelta(days=1), EndTime=now):
        for found in page["MetricDataResults"]:
            sums[found["Id"]] += sum(found["Values"])
    return Day(
        pictures=round(sums["pictures"]),
        asked=round(sums["asked"]),
        unsure=round(sums["filter_inferences"]),
        errors=round(sum(sums[name] for name in _WORKERS)),
        failed=round(sums["failed"]),
    )


def _running(account: Account, machine: str) -> int:
    pages = account.stepfunctions.get_paginator("list_executions").paginate(
        stateMachineArn=machine, statusFilter="RUNNING", PaginationConfig={"MaxItems": MOST}
    )
    return sum(len(page["executions"]) for page in pages)


def _depth(account: Account, queue: str) -> int:
    url = account.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])
