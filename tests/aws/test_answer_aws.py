"""A person's answer on AWS: it reaches the execution that waits for it, once, whatever happens in between."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests
from botocore.stub import Stubber

from scones.aws.account import Account
from scones.aws.answers import answer_on_aws
from scones.contracts import PersonsAnswer, Review
from scones.errors import AwsError, MessageError, ObjectExists, WorkflowError
from scones.store import Bucket, Layout, open_bucket
from scones.workflow.reviews import answer_review

LABELS = ("bicycle", "motorcycle")
NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
BUCKET = "scones-records"
RECORD: dict[str, Any] = json.loads((Path(__file__).parent.parent / "contract/records.json").read_text())["review"]


@pytest.fixture
def bucket(account: Account) -> Bucket:
    account.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return open_bucket("s3://", BUCKET)


def ask(bucket: Bucket, token: str, asked_at: datetime = NOW) -> Review:
    """What review.asl.json writes when it asks."""
    review = Review.model_validate(RECORD | {"task_token": token, "asked_at": asked_at, "seconds": 3600})
    bucket.put_json(Layout.review(review.path), review.model_dump(mode="json"))
    return review


class Waiting:
    """Step Functions, with executions that wait for an answer."""

    def __init__(self, account: Account) -> None:
        self.client = account.stepfunctions
        self._sqs = boto3.client("sqs")
        self._queue = self._sqs.create_queue(QueueName="asked")["QueueUrl"]
        task = {
            "Type": "Task",
            "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
            "Parameters": {"QueueUrl": self._queue, "MessageBody.$": "$$.Task.Token"},
            "End": True,
        }
        self._machine = self.client.create_state_machine(
            name="review",
            definition=json.dumps({"StartAt": "Ask", "States": {"Ask": task}}),
            roleArn="arn:aws:iam::123456789012:role/r",
        )["stateMachineArn"]

    def start(self) -> tuple[str, str]:
        """An execution's ARN, and the token that it waits for."""
        arn = self.client.start_execution(stateMachineArn=self._machine, name="e1")["executionArn"]
        found = self._sqs.receive_message(QueueUrl=self._queue, WaitTimeSeconds=20)["Messages"]
        return arn, found[0]["Body"]

    def output(self, arn: str) -> Any:
        while (ended := self.client.describe_execution(executionArn=arn))["status"] == "RUNNING":
            pass
        return json.loads(ended["output"])


@pytest.fixture
def waiting(aws: str, account: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    # moto runs machines only when it is told to, and its tasks look for it at this port
    monkeypatch.setenv("MOTO_PORT", aws.rsplit(":", 1)[1])
    for runs in (True, False):
        settings = {"stepfunctions": {"execute_state_machine": runs}}
        requests.post(f"{aws}/moto-api/config", json=settings, timeout=10).raise_for_status()
        if runs:
            yield Waiting(account)


@pytest.fixture
def scones(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scones", *words, "--store", "s3://", "--bucket", BUCKET]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)

    return run


def test_an_answer_ends_the_wait_of_step_functions(
    waiting: Waiting, bucket: Bucket, scones: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    arn, token = waiting.start()
    review = ask(bucket, token, datetime.now(UTC))
    assert len(json.loads(scones("reviews", "--json").stdout)) == 1
    shown = scones("answer", review.arrival_id, "motorcycle", "--who", "ada", "--json")
    assert shown.returncode == 0, shown.stderr
    given = json.loads(shown.stdout)
    said = {name: given[name] for name in ("label", "by", "at")}
    assert waiting.output(arn) == said == bucket.get_json(Layout.answer(review.path))
    assert json.loads(scones("reviews", "--json").stdout) == []


def test_an_answer_whose_process_ended_too_early_is_delivered_by_the_next(
    waiting: Waiting, bucket: Bucket, scones: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    arn, token = waiting.start()
    review = ask(bucket, token, datetime.now(UTC))
    first = answer_review(bucket, review, "motorcycle", labels=LABELS, by="ada", now=datetime.now(UTC))
    assert waiting.client.describe_execution(executionArn=arn)["status"] == "RUNNING"
    again = scones("answer", review.arrival_id, "motorcycle", "--who", "ada")
    assert again.returncode == 0, again.stderr
    assert "Step Functions goes on with it" in again.stderr
    assert waiting.output(arn) == first.model_dump()


def test_the_answer_of_somebody_else_delivers_the_first_one_which_stands(
    waiting: Waiting, account: Account, bucket: Bucket
) -> None:
    arn, token = waiting.start()
    review = ask(bucket, token)
    first = answer_review(bucket, review, "motorcycle", labels=LABELS, by="ada", now=NOW)
    with pytest.raises(ObjectExists, match=r"ada answered .* before, at .*: the first answer stands"):
        answer_on_aws(account, bucket, review, "bicycle", labels=LABELS, by="bob", now=NOW)
    assert waiting.output(arn) == first.model_dump()


def test_a_token_that_step_functions_does_not_know_is_told(waiting: Waiting, account: Account, bucket: Bucket) -> None:
    with pytest.raises(AwsError, match=r"in eu-west-1 knows no task that asked about .*: is that the stack's region"):
        answer_on_aws(account, bucket, ask(bucket, "made-up"), "bicycle", labels=LABELS, by="ada", now=NOW)


def answered(account: Account, bucket: Bucket, review: Review, error: str, now: datetime = NOW) -> PersonsAnswer:
    """Answer while Step Functions refuses with an error that moto does not know."""
    with Stubber(account.stepfunctions) as stepfunctions:
        stepfunctions.add_client_error("send_task_success", error, "Provided task does not exist anymore", 400)
        return answer_on_aws(account, bucket, review, "bicycle", labels=LABELS, by="ada", now=now)


def test_an_answer_that_crosses_the_deadline_is_too_late(account: Account, bucket: Bucket) -> None:
    review = ask(bucket, "token")
    with pytest.raises(WorkflowError, match=r"it is too late to answer .*: a person had 3600 s"):
        answered(account, bucket, review, "TaskTimedOut")
    with pytest.raises(WorkflowError, match="it is too late"):
        answered(account, bucket, review, "TaskTimedOut", NOW + timedelta(hours=2))


def test_after_the_deadline_step_functions_is_not_asked(account: Account, bucket: Bucket) -> None:
    with pytest.raises(WorkflowError, match="it is too late"), Stubber(account.stepfunctions):
        answer_on_aws(
            account, bucket, ask(bucket, "token"), "bicycle", labels=LABELS, by="ada", now=NOW + timedelta(hours=2)
        )
    assert list(bucket.list(Layout.ANSWERS)) == []


@pytest.mark.parametrize("later", [timedelta(), timedelta(hours=2)])
def test_an_answer_that_was_taken_already_stands(later: timedelta, account: Account, bucket: Bucket) -> None:
    review = ask(bucket, "token")
    answer_review(bucket, review, "bicycle", labels=LABELS, by="ada", now=NOW)
    bucket.put_json(Layout.example(review.path), {})
    with pytest.raises(ObjectExists, match="the first answer stands"):
        answered(account, bucket, review, "TaskTimedOut", NOW + later)


def test_what_is_no_answer_is_refused_before_anything_is_written(account: Account, bucket: Bucket) -> None:
    with pytest.raises(MessageError, match="label 'car' is none of task vehicles"), Stubber(account.stepfunctions):
        answer_on_aws(account, bucket, ask(bucket, "token"), "car", labels=LABELS, by="ada", now=NOW)
    assert list(bucket.list(Layout.ANSWERS)) == []


def test_a_review_of_the_embedded_engine_on_s3_is_left_to_it(
    bucket: Bucket, scones: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    review = ask(bucket, "engine.a-token", datetime.now(UTC))
    shown = scones("answer", review.arrival_id, "bicycle", "--who", "ada")
    assert shown.returncode == 0, shown.stderr
    assert "`scones run` goes on with it" in shown.stderr
