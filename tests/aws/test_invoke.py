"""Sending a picture through, on moto's S3; the test plays the workflow while the product waits."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scones.aws.account import Account
from scones.aws.invoke import Outcome, application_task, send_through
from scones.aws.names import Names
from scones.contracts import Arrival
from scones.errors import AwsError, PictureError, WorkflowError

ARRIVAL = Arrival(task="vehicles", depot="main", driver_id="ada", arrival_id="a-1")
THEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
INVOKE = [sys.executable, "-m", "scones", "aws", "invoke"]
APP = """
Parameters: {Task: {Type: String, Default: defects}}
Resources: {Topic: {Type: AWS::SNS::Topic}}
Outputs: {TopicArn: {Value: !Ref Topic}}
"""


@pytest.fixture
def names(account: Account) -> Names:
    names = Names("scones", account.id, account.region)
    account.s3.create_bucket(Bucket=names.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    return names


class Workflow:
    """The clock, and what happens at its ticks."""

    def __init__(self, account: Account, names: Names) -> None:
        self.account, self.names = account, names
        self.seconds = 0.0
        self.waited: list[float] = []
        self.writes: dict[float, tuple[str, Any]] = {}

    def now(self) -> datetime:
        return THEN + timedelta(seconds=self.seconds)

    def pause(self, seconds: float) -> None:
        self.seconds += seconds
        if found := self.writes.get(self.seconds):
            body = found[1] if isinstance(found[1], bytes) else json.dumps(found[1]).encode()
            self.account.s3.put_object(Bucket=self.names.bucket, Key=found[0], Body=body)

    def send(self, timeout: float = 10) -> Outcome:
        return send_through(
            self.account,
            self.names,
            b"picture",
            "png",
            ARRIVAL,
            timeout=timeout,
            waiting=self.waited.append,
            now=self.now,
            pause=self.pause,
        )


@pytest.fixture
def workflow(account: Account, names: Names) -> Workflow:
    return Workflow(account, names)


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("route", "routes/vehicles/main/ada/a-1.json"),
        ("result", "results/vehicles/main/ada/a-1.json"),
        ("review", "reviews/vehicles/main/ada/a-1.json"),
        ("dead letter", "dead-letters/vehicles/main/ada/a-1.png.json"),
    ],
)
def test_the_record_that_comes_tells_what_became_of_the_picture(workflow: Workflow, kind: str, key: str) -> None:
    workflow.writes[3] = key, {"label": "bicycle"}
    outcome = workflow.send()
    assert outcome == Outcome(kind, key, {"label": "bicycle"}, 3)  # type: ignore[arg-type]
    assert workflow.waited == [0, 1, 2]
    sent = workflow.account.s3.get_object(Bucket=workflow.names.bucket, Key="arrivals/vehicles/main/ada/a-1.png")
    assert (sent["Body"].read(), sent["ContentType"]) == (b"picture", "image/png")


def test_where_no_record_comes_the_first_error_in_the_logs_is_told(account: Account, workflow: Workflow) -> None:
    group = "/aws/lambda/scones-classify-image"
    account.logs.create_log_group(logGroupName=group)
    account.logs.create_log_stream(logGroupName=group, logStreamName="1")
    moment = int((THEN + timedelta(seconds=1)).timestamp() * 1000)
    lines = [{"level": "INFO", "message": "hello"}, {"level": "ERROR", "message": "the endpoint is away"}]
    account.logs.put_log_events(
        logGroupName=group,
        logStreamName="1",
        logEvents=[{"timestamp": moment + number, "message": json.dumps(line)} for number, line in enumerate(lines)],
    )
    with pytest.raises(
        WorkflowError, match=r"no result after 4 s: classify-image logged meanwhile: .*endpoint is away"
    ):
        workflow.send(timeout=4)
    assert workflow.waited == [0, 1, 2, 3, 4]


def test_where_nothing_logged_an_error_that_is_told(workflow: Workflow) -> None:
    with pytest.raises(WorkflowError, match="nothing has logged an error meanwhile; give it more time"):
        workflow.send(timeout=1)


def test_a_record_that_is_damaged_is_told(workflow: Workflow) -> None:
    workflow.writes[1] = "results/vehicles/main/ada/a-1.json", b"{"
    with pytest.raises(AwsError, match=r"results/vehicles/main/ada/a-1.json .* is no JSON"):
        workflow.send()


def test_the_task_is_that_of_the_deployment(account: Account, names: Names) -> None:
    with pytest.raises(AwsError, match="stack scones is not there in eu-west-1: make it with `scones aws deploy`"):
        application_task(account, names)
    account.cloudformation.create_stack(StackName="scones", TemplateBody=APP)
    assert application_task(account, names) == "defects"


def test_a_stack_that_only_has_the_name_is_told(account: Account, names: Names) -> None:
    other = APP.replace("Task", "Else")
    account.cloudformation.create_stack(StackName="scones", TemplateBody=other)
    with pytest.raises(AwsError, match="stack scones in eu-west-1 is none of Scones: name yours with --stack"):
        application_task(account, names)


@pytest.mark.parametrize("as_json", [True, False])
def test_the_verb_shows_the_result_of_a_picture(
    account: Account,
    names: Names,
    png_bytes: Callable[..., bytes],
    wait_until: Callable[..., None],
    tmp_path: Path,
    as_json: bool,
) -> None:
    account.cloudformation.create_stack(StackName="scones", TemplateBody=APP)
    (tmp_path / "red.png").write_bytes(png_bytes())

    def sent() -> list[str]:
        return [one["Key"] for one in account.s3.list_objects_v2(Bucket=names.bucket).get("Contents", [])]

    command = [*INVOKE, "red.png", *(["--json"] if as_json else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as verb:
        wait_until(sent)
        [key] = sent()
        path = key.removeprefix("arrivals/").removesuffix(".png")
        record = {"label": "normal", "bay": None, "task_token": "secret"}
        account.s3.put_object(Bucket=names.bucket, Key=f"reviews/{path}.json", Body=json.dumps(record).encode())
        out, err = verb.communicate(timeout=60)
    assert verb.returncode == 0, err
    assert path.startswith("defects/main/invoke/invoke-")
    assert "secret" not in out
    if as_json:
        found = json.loads(out)
        assert (found["arrival"], found["kind"]) == (path, "review")
        assert found["record"] == {"label": "normal", "bay": None}
    else:
        assert [line.split() for line in out.splitlines()][2:] == [["label", "normal"], ["bay", "none"]]
        assert f"`scones answer {path} LABEL --store s3:// --bucket {names.bucket}`" in err


def test_what_is_no_picture_is_not_sent(account: Account, names: Names, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "a.txt").write_bytes(b"no picture")
    for name, said in {"a.png": "a.png", "a.txt": "no picture by its name", "b.png": "cannot read b.png"}.items():
        shown = subprocess.run([*INVOKE, name], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
        assert (shown.returncode, said in shown.stderr) == (PictureError.exit_code, True), shown.stderr
    assert "Contents" not in account.s3.list_objects_v2(Bucket=names.bucket)
