"""The stance of an endpoint on AWS as a person sees it and brings it in force, on moto's server."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from typer.testing import CliRunner, Result

from scones.aws.account import Account
from scones.aws.names import Names
from scones.aws.stack_events import StackEvent
from scones.aws.stance import apply_standing
from scones.cli import command_line
from scones.errors import AwsError, StackFailed
from scones.monitoring.watch.records import Stance, Standing
from scones.monitoring.watch.standings import newest_standing, stand
from tests.aws.small_stacks import STANCES, TRIAL, nothing

THEN = datetime(2026, 11, 20, 10, tzinfo=UTC)
ARN = "arn:aws:cloudformation:eu-west-1:123456789012:stack/scones/1"


@pytest.fixture
def take(account: Account, names: Names) -> Callable[..., Standing]:
    """An application whose endpoint can take a stance."""
    for bucket in (names.bucket, names.artefacts):
        account.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    account.cloudformation.create_stack(
        StackName="scones",
        TemplateBody=TRIAL,
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in STANCES.items()],
    )
    home = account.bucket(names.bucket)

    def taken(**wanted: Any) -> Standing:
        number, _ = newest_standing(home, "scones")
        standing = Standing(who="Ada", why="[a drift]", at=THEN, **wanted)
        stand(home, "scones", standing, number)
        return standing

    return taken


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command_line("aws"), ["aws", "stance", *arguments])


def floor(account: Account) -> str:
    [stack] = account.cloudformation.describe_stacks(StackName="scones")["Stacks"]
    return next(one["ParameterValue"] for one in stack["Parameters"] if one["ParameterKey"] == "ThresholdFloor")


def test_a_stance_is_shown_with_what_is_not_so_and_brought_in_force_once(
    account: Account, names: Names, take: Callable[..., Standing]
) -> None:
    assert "none was ever taken" in run("--apply").stdout
    take(stance="shadowing", threshold=0.95, candidate="v2")
    take(stance="canary", threshold=0.95, candidate="v2", weight=0.2, dry_run=True)
    account.bucket(names.bucket).put("models/vehicles/v2/model.tar.gz", b"a candidate")
    for done in (run(), run("--apply", "--dry-run")):
        rows = dict(" ".join(line.split()).split(" ", 1) for line in done.stdout.splitlines())
        assert rows["stance"].startswith("shadowing - Ada, 2026-11-20")
        assert rows["stance"].endswith(": [a drift]")
        assert rows["the"].startswith("monitor would canary")
        assert rows["ThresholdFloor"] == "0 → 0.95"
        assert rows["CandidateKey"] == "none → models/vehicles/v2/model.tar.gz"
        assert done.stderr == "nothing was changed; `scones aws stance --apply` does it\n"
        assert floor(account) == "0"
    told = json.loads(run("--apply", "--json").stdout)
    assert told["changes"]["ThresholdFloor"] == {"now": "0", "wanted": "0.95"}
    assert told["did"].startswith("stance shadowing: ThresholdFloor from 0 to 0.95, CandidateKey from none to")
    assert floor(account) == "0.95"
    assert account.bucket(names.artefacts).get("models/vehicles/v2/model.tar.gz") == b"a candidate"
    again = run("--apply")
    assert "is so" in again.stdout
    assert again.stderr.splitlines()[-1] == "done: stance shadowing is in force"


def test_a_stance_that_the_stack_cannot_take_is_refused(account: Account, take: Callable[..., Standing]) -> None:
    take(stance="canary", threshold=0.9, candidate="v2", weight=1)
    assert "that is no canary" in run().stderr
    assert json.loads(run("--json").stdout)["refused"].startswith("candidate v2 is to answer every picture")
    assert isinstance(run("--apply").exception, AwsError)
    assert floor(account) == "0"


def test_without_an_application_the_way_to_one_is_told(account: Account) -> None:
    failed = run().exception
    assert isinstance(failed, AwsError)
    assert "there is no application scones in region eu-west-1: `scones aws deploy` makes it" in str(failed)


def a_stack(status: str) -> dict[str, Any]:
    given = [{"ParameterKey": name, "ParameterValue": value} for name, value in STANCES.items()]
    return {"StackName": "scones", "StackId": ARN, "CreationTime": THEN, "StackStatus": status, "Parameters": given}


def an_event(number: int, logical_id: str, status: str, **more: str) -> dict[str, Any]:
    own = {"PhysicalResourceId": ARN if logical_id == "scones" else "an id", "ResourceType": "AWS::SageMaker::Endpoint"}
    told = {"EventId": f"{number}", "LogicalResourceId": logical_id, "ResourceStatus": status, "Timestamp": THEN}
    return {"StackId": ARN, "StackName": "scones", **own, **told, **more}


def test_an_update_that_goes_back_is_told_with_its_cause_and_a_busy_stack_is_left_alone(
    account: Account, names: Names
) -> None:
    standing = Standing(stance=Stance.CAUTIOUS, threshold=0.9, who="Ada", why="", at=THEN)
    events: list[StackEvent] = []
    ends = [
        an_event(4, "scones", "UPDATE_ROLLBACK_COMPLETE"),
        an_event(3, "Endpoint", "UPDATE_FAILED", ResourceStatusReason="no room for ml.m5.large"),
        an_event(2, "scones", "UPDATE_IN_PROGRESS"),
    ]
    with Stubber(account.cloudformation) as stub:
        stub.add_response("describe_stacks", {"Stacks": [a_stack("UPDATE_COMPLETE")]})
        stub.add_response("describe_stack_events", {"StackEvents": []})
        stub.add_response("update_stack", {"StackId": ARN}, {
            "StackName": "scones", "UsePreviousTemplate": True, "Parameters": ANY, "Capabilities": ANY,
        })  # fmt: skip
        stub.add_response("describe_stack_events", {"StackEvents": ends})
        stub.add_response("describe_stacks", {"Stacks": [a_stack("UPDATE_ROLLBACK_COMPLETE")]})
        stub.add_response("describe_stack_events", {"StackEvents": ends})
        with pytest.raises(StackFailed, match=r"did not take it .*: Endpoint .*no room for ml\.m5\.large; it is in"):
            apply_standing(account, names, standing, report=events.append, pause=nothing)
        stub.add_response("describe_stacks", {"Stacks": [a_stack("UPDATE_IN_PROGRESS")]})
        stub.add_response("describe_stack_events", {"StackEvents": ends})
        with pytest.raises(AwsError, match="waits: stack scones is UPDATE_IN_PROGRESS: run this again when it is done"):
            apply_standing(account, names, standing, report=events.append, pause=nothing)
    assert [event.status for event in events] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
