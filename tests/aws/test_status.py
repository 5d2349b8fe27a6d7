"""How the application on AWS is, on moto's server."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scones.aws.account import Account
from scones.aws.names import Names
from scones.aws.status import Day, Endpoint, look_at
from tests.aws.refusing import answer, refuse

NOW = datetime.now(UTC)
APP = """
Resources:
  DeadLetters: {Type: AWS::SQS::Queue, Properties: {QueueName: scones-dead-letters}}
Outputs:
  EndpointName: {Value: scones, Description: Called with sagemaker-runtime}
  ClassifyMachineArn: {Value: "arn:aws:states:eu-west-1:123456789012:stateMachine:scones-classify"}
  ReviewMachineArn: {Value: "arn:aws:states:eu-west-1:123456789012:stateMachine:scones-review"}
"""
ROLE = "arn:aws:iam::123456789012:role/someone"
WAITING = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}})


@pytest.fixture
def names(account: Account) -> Names:
    return Names("scones", account.id, account.region)


def put(account: Account, namespace: str, metric: str, dimension: tuple[str, str], *values: float) -> None:
    """Values, an hour apart, the newest half an hour old."""
    name, value = dimension
    account.cloudwatch.put_metric_data(
        Namespace=namespace,
        MetricData=[
            {
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value}],
                "Timestamp": NOW - timedelta(hours=number, minutes=30),
                "Value": one,
            }
            for number, one in enumerate(values)
        ],
    )


def put_alarm(account: Account, name: str, state: str) -> None:
    account.cloudwatch.put_metric_alarm(
        AlarmName=name, MetricName="Errors", Namespace="AWS/Lambda", ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1, Period=60, Statistic="Sum", Threshold=0,
    )  # fmt: skip
    account.cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason="3 above 0")  # type: ignore[arg-type]


@pytest.fixture
def deployed(account: Account, names: Names) -> None:
    """An application that worked 30 pictures, of which three wait."""
    account.cloudformation.create_stack(StackName="scones", TemplateBody=APP)
    account.sagemaker.create_model(ModelName="m", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "i"})
    account.sagemaker.create_endpoint_config(
        EndpointConfigName="c",
        ProductionVariants=[
            {"VariantName": "main", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 2}
        ],
    )
    account.sagemaker.create_endpoint(EndpointName="scones", EndpointConfigName="c")
    for name in ("classify", "review"):
        account.stepfunctions.create_state_machine(name=f"scones-{name}", definition=WAITING, roleArn=ROLE)
    for name in ("1", "2", "3"):
        account.stepfunctions.start_execution(stateMachineArn=names.machine_arn("review"), name=name)
    put(account, "AWS/States", "ExecutionsStarted", ("StateMachineArn", names.machine_arn("classify")), 10, 20)
    put(account, "AWS/States", "ExecutionsFailed", ("StateMachineArn", names.machine_arn("classify")), 1)
    put(account, "AWS/Lambda", "Invocations", ("FunctionName", "scones-filter-inferences"), 9, 19)
    put(account, "AWS/Lambda", "Errors", ("FunctionName", "scones-filter-inferences"), 3, 4)
    put(account, "AWS/Lambda", "Errors", ("FunctionName", "scones-classify-image"), 2)
    put(account, "AWS/Lambda", "Errors", ("FunctionName", "scones-route-driver"), *[0] * 30, 5)
    queue = account.sqs.get_queue_url(QueueName="scones-dead-letters")["QueueUrl"]
    account.sqs.send_message(QueueUrl=queue, MessageBody="what nobody took")
    put_alarm(account, "scones-function-errors", "OK")
    put_alarm(account, "scones-dead-letters", "ALARM")
    put_alarm(account, "scones-two-dead-letters", "ALARM")


@pytest.mark.usefixtures("deployed")
def test_it_tells_of_endpoint_alarms_last_day_reviews_and_dead_letters(account: Account, names: Names) -> None:
    found = look_at(account, names, NOW)
    assert found.unseen == {}
    assert found.bootstrap is None
    assert found.app is not None
    assert found.endpoint == Endpoint("scones", "InService", 2, 2, "")
    assert [(alarm.name, alarm.state) for alarm in found.alarms] == [
        ("scones-dead-letters", "ALARM"),
        ("scones-function-errors", "OK"),
    ]
    assert found.day == Day(pictures=30, asked=28, unsure=7, errors=2, failed=1)
    assert found.day.unsure_share == 0.25
    assert (found.reviews, found.dead_letters) == (3, 1)


@pytest.mark.usefixtures("deployed")
def test_what_cannot_be_looked_at_is_told_and_the_rest_shown(account: Account, names: Names) -> None:
    refuse(account.cloudwatch, "GetMetricData")
    refuse(account.sagemaker, "DescribeEndpoint")
    found = look_at(account, names, NOW)
    assert (found.day, found.endpoint, found.reviews) == (None, None, 3)
    assert found.unseen.keys() == {"endpoint", "metrics"}
    assert "no permission for GetMetricData" in found.unseen["metrics"]


@pytest.mark.usefixtures("deployed")
def test_a_serverless_endpoint_has_no_instances(account: Account, names: Names) -> None:
    config = {"MemorySizeInMB": 2048, "MaxConcurrency": 10}
    variant: dict[str, Any] = {"VariantName": "main", "CurrentServerlessConfig": config, "CurrentInstanceCount": 0}
    failed = {"EndpointName": "scones", "EndpointStatus": "Failed", "FailureReason": "it does not start"}
    answer(account.sagemaker, "DescribeEndpoint", {**failed, "ProductionVariants": [variant]})
    assert look_at(account, names, NOW).endpoint == Endpoint("scones", "Failed", None, None, "it does not start")


def test_where_nothing_is_there_only_that_is_told(account: Account, names: Names) -> None:
    found = look_at(account, names, NOW)
    assert (found.bootstrap, found.app, found.day, found.alarms, found.unseen) == (None, None, None, (), {})
    assert Day(0, 0, 0, 0, 0).unsure_share is None


def run(*words: str, cwd: Path) -> str:
    command = [sys.executable, "-m", "scones", "aws", "status", *words]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout + shown.stderr


def test_the_verb_says_how_to_make_what_is_not_there(account: Account, tmp_path: Path) -> None:
    shown = run(cwd=tmp_path)
    assert shown.count("not there") == 2
    assert "`scones aws deploy` makes stack scones" in shown


@pytest.mark.usefixtures("deployed")
def test_the_verb_shows_it_to_people_and_programs(tmp_path: Path) -> None:
    lines = [" ".join(line.split()) for line in run(cwd=tmp_path).splitlines()]
    assert "application's stack CREATE_COMPLETE" in lines
    assert "endpoint scones InService 2 of 2 instances" in lines
    assert "last 24 hours 30 pictures, 7 unsure (25.0% of 28 answers), 2 errors, 1 failed" in lines
    assert "wait for a person 3" in lines
    assert [line for line in lines if line.startswith("alarm scones-dead-letters ALARM since") and "3 above 0" in line]
    found = json.loads(run("--json", cwd=tmp_path))
    assert (found["reviews"], found["dead_letters"], found["unsure_share"]) == (3, 1, 0.25)
    assert found["app"]["outputs"]["EndpointName"] == "scones"
