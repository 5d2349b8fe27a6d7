"""The scheduled monitor with AWS's services: its metrics, and the one parameter by which it acts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber

from scones.aws.account import Account
from scones.capture import CaptureRecord, capture_key, encode_line
from scones.errors import AwsError
from scones.functions.runtime import Runtime, default_runtime
from scones.functions.threshold_floor import raise_floor
from scones.functions.watch_capture import Clients, handler, watch_capture
from scones.functions.watched import Watched
from scones.settings import Settings
from scones.store import Layout

REGION: Final = "eu-west-1"
TEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
BUCKET = "scones-records"
TEMPLATE = {
    "Parameters": {
        "ThresholdFloor": {"Type": "Number", "Default": 0},
        "ReviewSeconds": {"Type": "Number", "Default": 3600},
        "AlertEmail": {"Type": "String", "Default": ""},
    },
    "Resources": {
        "Shown": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Name": "shown",
                "Type": "String",
                "Value": {"Fn::Sub": "${ThresholdFloor} ${ReviewSeconds} ${AlertEmail}"},
            },
        }
    },
}


class Hours:
    """A bucket in which a first day lies, and hours of drift after it, that a monitor looks at one by one."""

    def __init__(self, account: Account, **settings: Any) -> None:
        self.now = TEN + timedelta(hours=1.5)
        given = {"store": "s3://", "bucket": BUCKET, "endpoint": "scones", "stack": "spring", **settings}
        self.runtime = Runtime(Settings.load(environ={}, file=None, **given), self.clock)
        self.clients = Clients(account.cloudwatch, account.cloudformation)

    def clock(self) -> float:
        return self.now.timestamp()

    def write(self, label: int, hour: int) -> None:
        time, sides = TEN + timedelta(hours=hour), ((0.8, 0.2), (0.2, 0.8))
        told = {"threshold": "0.9", "labels": "bicycle,motorcycle", "model_version": "v1"}
        line = encode_line(CaptureRecord("e", "", time, sides[label], attributes=told)) + "\n"
        self.runtime.home.put(capture_key(Layout.CAPTURE, "scones", "serverless", time, "u"), line.encode() * 300)

    def look(self) -> Watched | None:
        try:
            return watch_capture(self.runtime, self.clients)
        finally:
            self.now += timedelta(hours=1)

    def drift(self, hours: int) -> list[Watched]:
        """A first day, seen by one run, and then hours of another label: what the runs saw of these."""
        start = self.runtime.home.latest_number("monitor/scones")
        if not start:
            for hour in (0, 1):
                self.write(0, hour)
            self.look()
            self.now = TEN + timedelta(hours=24.5)
            self.look()
        seen = []
        for _ in range(hours):
            self.write(1, int((self.now - TEN).total_seconds() // 3600) - 1)
            if (one := self.look()) is not None:
                seen.append(one)
        return seen


@pytest.fixture
def hours(account: Account) -> Callable[..., Hours]:
    account.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    account.cloudformation.create_stack(
        StackName="spring",
        TemplateBody=json.dumps(TEMPLATE),
        # all of them: moto does not know the previous value of one that was left to its default
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in {"ThresholdFloor": "0", "ReviewSeconds": "600", "AlertEmail": ""}.items()
        ],
        Tags=[{"Key": "scones:stack", "Value": "spring"}],
    )
    return lambda **settings: Hours(account, **settings)


def parameters(account: Account) -> dict[str, str]:
    [stack] = account.cloudformation.describe_stacks(StackName="spring")["Stacks"]
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}


def metrics(account: Account, name: str) -> list[float]:
    """Every value of a metric, the largest first."""
    found = account.cloudwatch.get_metric_data(
        MetricDataQueries=[
            {
                "Id": "a",
                "MetricStat": {"Metric": {"Namespace": "spring", "MetricName": name}, "Period": 60, "Stat": "Maximum"},
            }
        ],
        StartTime=datetime.now(UTC) - timedelta(minutes=10),
        EndTime=datetime.now(UTC) + timedelta(minutes=10),
    )
    return sorted(found["MetricDataResults"][0]["Values"], reverse=True)


def test_it_publishes_what_it_saw_and_writes_it_down(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours()
    mine.write(0, 0)
    seen = mine.look()
    assert seen is not None
    assert (seen.records, seen.below_share, seen.did) == (300, 1.0, "nothing")
    assert Watched.model_validate(mine.runtime.home.latest("monitor/scones")) == seen
    assert metrics(account, "Records") == [300]
    assert metrics(account, "LowConfidenceShare") == [1.0]
    assert metrics(account, "Drift") == [], "there is nothing to compare with yet"
    mine.now -= timedelta(hours=1)
    assert mine.look() is None, "no full hour has passed since"
    assert mine.runtime.home.latest_number("monitor/scones") == 1


def test_without_leave_to_act_it_says_what_it_would_do(account: Account, hours: Callable[..., Hours]) -> None:
    runs = hours().drift(3)
    assert [(one.in_a_row, one.decision) for one in runs] == [(1, "wait"), (2, "wait"), (0, "raise")]
    assert runs[-1].did == "nothing: it only watches; it would raise the floor to 0.99"
    assert parameters(account)["ThresholdFloor"] == "0"
    assert metrics(account, "Drift")[0] > 0.5


def test_after_three_runs_of_drift_it_raises_the_floor_and_nothing_else(
    account: Account, hours: Callable[..., Hours]
) -> None:
    mine = hours(monitor_acts=True)
    runs = mine.drift(2)
    assert parameters(account)["ThresholdFloor"] == "0"
    runs += mine.drift(1)
    assert runs[-1].did == "raised ThresholdFloor from 0 to 0.99"
    assert parameters(account) == {"ThresholdFloor": "0.99", "ReviewSeconds": "600", "AlertEmail": ""}
    [stack] = account.cloudformation.describe_stacks(StackName="spring")["Stacks"]
    assert {one["Key"]: one["Value"] for one in stack["Tags"]} == {"scones:stack": "spring"}
    assert [one.did for one in mine.drift(3)][-1] == "nothing: ThresholdFloor is 0.99 already"
    mine.runtime.settings = mine.runtime.settings.model_copy(update={"threshold_floor": 0.99})
    assert [one.decision for one in mine.drift(1)] == ["strict already"]


def test_a_floor_is_never_lowered(account: Account, hours: Callable[..., Hours]) -> None:
    hours()
    raised, said = raise_floor(account.cloudformation, "spring", 0.995)
    assert (raised, said) == (True, "raised ThresholdFloor from 0 to 0.995")
    raised, said = raise_floor(account.cloudformation, "spring", 0.99)
    assert (raised, said) == (False, "nothing: ThresholdFloor is 0.995 already")


def test_a_parameter_that_cannot_be_set_is_loud_and_tried_again(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours(monitor_acts=True, stack="winter")
    mine.drift(2)
    for row in (3, 4):
        with pytest.raises(AwsError, match=r"cannot raise ThresholdFloor of stack winter to 0\.99: .*does not exist"):
            mine.drift(1)
        record = mine.runtime.home.latest("monitor/scones")
        assert record is not None
        assert record["in_a_row"] == row
        assert record["did"].startswith("failed: cannot raise ThresholdFloor of stack winter")


def test_a_stack_without_the_parameter_is_told(account: Account, hours: Callable[..., Hours]) -> None:
    hours()
    body = {**TEMPLATE, "Parameters": {}, "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    account.cloudformation.create_stack(StackName="old", TemplateBody=json.dumps(body))
    with pytest.raises(AwsError, match="stack old has no parameter ThresholdFloor: deploy it anew"):
        raise_floor(account.cloudformation, "old", 0.99)


def test_a_stack_that_is_being_updated_is_left_alone(account: Account) -> None:
    with Stubber(account.cloudformation) as cloudformation:
        stack = {"StackName": "spring", "CreationTime": TEN, "StackStatus": "UPDATE_IN_PROGRESS"}
        parameters = [{"ParameterKey": "ThresholdFloor", "ParameterValue": "0"}]
        cloudformation.add_response("describe_stacks", {"Stacks": [{**stack, "Parameters": parameters}]})
        raised, said = raise_floor(account.cloudformation, "spring", 0.99)
    assert (raised, said) == (False, "nothing: the stack is UPDATE_IN_PROGRESS")


def test_of_two_runs_at_the_same_time_one_writes_the_record(account: Account, hours: Callable[..., Hours]) -> None:
    mine = hours()
    mine.write(0, 0)

    class Overtaken:
        """CloudWatch, in front of which another run ends."""

        def put_metric_data(self, **given: Any) -> None:
            mine.runtime.home.append("monitor/scones", {})
            account.cloudwatch.put_metric_data(**given)

    mine.clients = Clients(Overtaken(), account.cloudformation)  # type: ignore[arg-type]
    assert mine.look() is None
    assert mine.runtime.home.latest_number("monitor/scones") == 1


def test_metrics_that_cannot_be_published_leave_the_hour_to_the_next_run(
    hours: Callable[..., Hours], account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = hours()
    mine.write(0, 0)
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "http://127.0.0.1:1")
    quick = Config(retries={"total_max_attempts": 1})
    mine.clients = Clients(boto3.client("cloudwatch", config=quick), account.cloudformation)
    with pytest.raises(AwsError, match="cannot publish the metrics of stack spring"):
        mine.look()
    assert mine.runtime.home.latest_number("monitor/scones") == 0


def test_lambda_finds_everything_in_its_environment(
    aws: str, account: Account, hours: Callable[..., Hours], monkeypatch: pytest.MonkeyPatch
) -> None:
    hours()
    for name, value in {"STORE": "s3://", "BUCKET": BUCKET, "STACK": "spring", "MONITOR_ACTS": "true"}.items():
        monkeypatch.setenv(f"SCONES_{name}", value)
    default_runtime.cache_clear()
    try:
        seen = handler({"any": "event"})
    finally:
        default_runtime.cache_clear()
    assert seen is not None
    assert json.loads(json.dumps(seen))["records"] == 0
    assert metrics(account, "Records") == [0]
