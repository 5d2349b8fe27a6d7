"""Destroying: nothing of a stack is left, nothing of others is touched, and what fails is told and can be repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import boto3
import pytest
from botocore.model import OperationModel
from moto.budgets.models import BudgetsBackend
from moto.cloudformation import models
from moto.core.exceptions import JsonRESTError
from typer.testing import CliRunner, Result

from scones.aws.account import Account
from scones.aws.destroy import destroy
from scones.aws.inventory import Found, take_inventory
from scones.aws.listing import KINDS
from scones.aws.names import TAG, Names
from scones.cli import command_line
from scones.errors import LeftBehind
from tests.aws import moto_gaps
from tests.aws.populated import VERSIONS, populate, put_job, put_versions, strangers
from tests.aws.refusing import answer, on_call, refuse

ENDS = {
    "stack": ("cloudformation", "DeleteStack"),
    "bucket": ("s3", "DeleteBucket"),
    "schedule": ("scheduler", "DeleteSchedule"),
    "rule": ("events", "DeleteRule"),
    "scaling target": ("autoscaling", "DeregisterScalableTarget"),
    "alarm": ("cloudwatch", "DeleteAlarms"),
    "dashboard": ("cloudwatch", "DeleteDashboards"),
    "budget": ("budgets", "DeleteBudget"),
    "sampling rule": ("xray", "DeleteSamplingRule"),
    "state machine": ("stepfunctions", "DeleteStateMachine"),
    "function": ("functions", "DeleteFunction"),
    "endpoint": ("sagemaker", "DeleteEndpoint"),
    "endpoint configuration": ("sagemaker", "DeleteEndpointConfig"),
    "model": ("sagemaker", "DeleteModel"),
    "training job": ("sagemaker", "DeleteTrainingJob"),
    "build project": ("codebuild", "DeleteProject"),
    "queue": ("sqs", "DeleteQueue"),
    "log group": ("logs", "DeleteLogGroup"),
    "role": ("iam", "DeleteRole"),
    "policy": ("iam", "DeletePolicy"),
}
"""The request that takes the last of each kind away."""
AGAIN = ("stack", "bucket", "schedule", "dashboard", "function", "training job", "role")
"""Where it is run again before more is allowed; at each kind takes long."""


@pytest.fixture(autouse=True)
def _as_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    moto_gaps.emptied_repositories(monkeypatch)
    moto_gaps.ending_jobs(monkeypatch)
    moto_gaps.held_policies(monkeypatch)
    moto_gaps.kept_buckets(monkeypatch)
    moto_gaps.tagged_endpoint_configs(monkeypatch)


class Heard:
    """What was told, and the pauses that were asked for."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.pauses: list[float] = []

    def destroy(self, account: Account, names: Names, **given: Any) -> list[Found]:
        return destroy(account, names, report=self.said.append, pause=self.pauses.append, **given)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def everything(account: Account) -> set[tuple[str, str]]:
    """All there is in the account whose name begins with that of the stack, or that is listed whole."""
    names = Names("scones", account.id, account.region)
    return {(kind.name, one.arn) for kind in KINDS for one in kind.look(account, names)}


def scones(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(command_line("aws"), ["aws", "destroy", *arguments], input=typed)


def test_nothing_of_the_stack_is_left_and_nothing_of_others_is_touched(
    account: Account, names: Names, heard: Heard
) -> None:
    two = Names("scones-two", account.id, account.region)
    populate(account, two)
    strangers(account)
    account.iam.create_role(RoleName="callers-of-scones", AssumeRolePolicyDocument="{}")
    others = everything(account)
    twos = take_inventory(account, two)
    account.iam.delete_role(RoleName="callers-of-scones")
    populate(account, names, VERSIONS)
    assert len(everything(account)) > len(others) + 20
    assert heard.destroy(account, names) == []
    assert everything(account) == others
    assert take_inventory(account, two) == twos
    assert account.s3.get_object(Bucket="scones-website", Key="index.html")["Body"].read() == b"scones"
    streams = account.logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["scones-two-train-1/algo-1", "scones-two-train-1/algo-2"]
    # the other team's role has lost what it allowed, and is there
    assert account.iam.list_attached_role_policies(RoleName="callers-of-scones")["AttachedPolicies"] == []
    assert len(account.iam.list_attached_role_policies(RoleName="callers-of-scones-two")["AttachedPolicies"]) == 1
    assert "removing log group /aws/lambda/scones-serialize-image" in heard.said
    assert "scones DELETE_COMPLETE" in heard.said


def test_a_dry_run_lists_all_with_what_is_in_it_and_changes_nothing(account: Account, names: Names) -> None:
    populate(account, names)
    before = everything(account)
    result = scones("--dry-run")
    assert result.exit_code == 0, result.output
    rows = [line for line in result.stdout.splitlines() if line.count("│") == 5]
    assert len(rows) == len(take_inventory(account, names))
    assert any("bucket" in row and names.bucket in row and "10 versions" in row for row in rows)
    assert any("repository" in row and "2 images" in row for row in rows)
    assert any("alarm" in row and "scones-drift" in row and "name" in row for row in rows)
    assert everything(account) == before
    read = json.loads(scones("--dry-run", "--json").stdout)
    assert (read["stack"], read["dry_run"], read["left"], len(read["found"])) == ("scones", True, None, len(rows))
    assert everything(account) == before


def test_the_stacks_name_must_be_typed(account: Account, names: Names) -> None:
    populate(account, names)
    before = everything(account)
    for typed in ("scone\n", "y\n", ""):
        result = scones(typed=typed)
        assert result.exit_code == 1
    assert "Type scones to remove all of this for good" in result.stderr
    assert everything(account) == before
    result = scones(typed="scones\n")
    assert result.exit_code == 0, result.output
    assert result.stderr.endswith("\n0 left\n")
    assert take_inventory(account, names) == []


def test_where_nothing_is_it_says_so(account: Account) -> None:
    strangers(account)
    result = scones()
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "nothing of stack scones is there\n")
    assert json.loads(scones("--json").stdout) == {
        "stack": "scones",
        "dry_run": False,
        "found": [],
        "kept": [],
        "left": [],
    }
    read = json.loads(scones("--json", "--stack", "pies").stdout)
    assert read["stack"] == "pies"


def test_the_data_can_be_kept_and_taken_later(account: Account, names: Names) -> None:
    populate(account, names)
    kept = account.s3.list_object_versions(Bucket=names.bucket)["Versions"]
    result = scones("--yes", "--keep-data")
    assert result.exit_code == 0, result.output
    assert f"kept: bucket {names.bucket}" in result.stderr
    assert result.stderr.endswith("\n0 left\n")
    assert [one.name for one in take_inventory(account, names)] == [names.bucket]
    assert account.s3.list_object_versions(Bucket=names.bucket)["Versions"] == kept
    read = json.loads(scones("--yes", "--keep-data", "--json").stdout)
    assert ([one["name"] for one in read["kept"]], read["left"]) == ([names.bucket], [])
    assert scones("--yes").exit_code == 0
    assert take_inventory(account, names) == []


def test_what_fails_alone_is_left_with_its_reason_and_the_rest_goes(
    account: Account, names: Names, heard: Heard
) -> None:
    """All requests that take something away fail; then one after the other works again."""
    populate(account, names)
    kinds = {one.kind for one in take_inventory(account, names)}
    held = {"topic", "repository"}  # they go with their stacks
    assert kinds == ENDS.keys() | held
    allow = {kind: refuse(getattr(account, client), operation) for kind, (client, operation) in ENDS.items()}
    for kind in ENDS:
        if kind in AGAIN:
            left = heard.destroy(account, names)
            assert {one.kind for one in left} == kinds
            for one in left:
                if one.kind in ENDS and one.kind != "queue":
                    assert f"no permission for {ENDS[one.kind][1]}" in one.why, one
        allow[kind]()
        kinds.discard(kind)
        if kind == "stack":
            kinds -= {"topic", "queue", "repository"}
    assert heard.destroy(account, names) == []
    assert heard.pauses == []


@pytest.mark.parametrize(
    ("client", "operation", "left", "why"),
    [
        ("stepfunctions", "ListExecutions", set(), ""),
        ("iam", "ListEntitiesForPolicy", {"policy"}, "attached to entities"),
        ("s3", "DeleteObjects", {"bucket"}, "cannot remove versions from bucket"),
        ("s3", "ListObjectVersions", {"bucket"}, "cannot list the versions in bucket"),
        ("events", "RemoveTargets", {"rule"}, "no permission for RemoveTargets"),
        ("logs", "DeleteLogStream", {"training job"}, "no permission for DeleteLogStream"),
        ("iam", "DetachRolePolicy", {"role", "policy"}, "no permission for DetachRolePolicy"),
        ("iam", "ListPolicyVersions", {"policy"}, "no permission for ListPolicyVersions"),
    ],
)
def test_a_failure_on_the_way_leaves_one_thing_and_the_next_try_takes_it(
    account: Account, names: Names, heard: Heard, client: str, operation: str, left: set[str], why: str
) -> None:
    populate(account, names)
    allow = refuse(getattr(account, client), operation)
    found = heard.destroy(account, names)
    assert {one.kind for one in found} == left
    assert any(why in one.why for one in found) or not left
    allow()
    assert heard.destroy(account, names) == []


def refused(*_: Any, **__: Any) -> None:
    raise JsonRESTError("AccessDeniedException", "not for you")


def test_the_verb_ends_with_what_is_left_and_why(
    account: Account, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(account, names)
    monkeypatch.setattr(BudgetsBackend, "delete_budget", refused)
    result = scones("--yes")
    assert isinstance(result.exception, LeftBehind)
    assert str(result.exception) == (
        "1 thing of stack scones left, or not to be looked at, as budget scones-monthly-eu-west-1: cannot remove "
        "budget scones-monthly-eu-west-1: no permission for DeleteBudget (not for you): have it allowed; see to it, "
        "then run `scones aws destroy` again"
    )
    table = result.stdout.partition("what is left")[2]
    assert "scones-monthly-eu-west-1" in table
    assert "no permission for DeleteBudget" in table
    assert "0 left" not in result.stderr


def test_what_cannot_be_looked_at_is_no_proof(
    account: Account, names: Names, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(account, names)
    monkeypatch.setattr(BudgetsBackend, "describe_budgets", refused)
    [unseen] = heard.destroy(account, names)
    assert (unseen.kind, unseen.seen) == ("budget", False)
    result = scones("--yes")
    assert isinstance(result.exception, LeftBehind)
    assert "could not look: cannot list each budget: no permission for DescribeBudgets" in str(result.exception)
    read = scones("--yes", "--json")
    assert isinstance(read.exception, LeftBehind)
    assert [one["kind"] for one in json.loads(read.stdout)["left"]] == ["budget"]


def test_where_nobody_can_say_what_a_stack_holds_nothing_is_taken_from_under_it(
    account: Account, names: Names, heard: Heard
) -> None:
    populate(account, names)
    refuse(account.cloudformation, "DescribeStacks")
    left = {one.kind for one in heard.destroy(account, names)}
    assert {"stack", "topic", "function", "role", "log group"} <= left
    assert not {"training job", "bucket"} & left


class Killed(BaseException):
    """As a kill, the process ends here."""


def test_it_can_be_killed_anywhere_and_run_again(names: Names) -> None:
    session = boto3.Session()
    left = [3]

    def kill(model: OperationModel, **_: Any) -> None:
        if model.name.startswith(("Delete", "Deregister", "Detach", "Remove", "Stop")):
            if not left[0]:
                raise Killed
            left[0] -= 1

    populate(Account(boto3.Session()), names)
    session.events.register("before-call", kill)
    account = Account(session)
    kills = 0
    while True:
        try:
            found = destroy(account, names, report=lambda _: None, pause=lambda _: None)
            break
        except Killed:
            kills += 1
            left[0] = 3
    assert found == []
    assert kills > 10
    assert take_inventory(account, names) == []


def test_a_running_job_is_stopped_and_waited_for(account: Account, names: Names, heard: Heard) -> None:
    put_job(account, names, "scones-long-1")
    assert heard.destroy(account, names) == []
    assert heard.said.count("stopping training job scones-long-1") == 1
    assert heard.pauses == [10.0, 10.0]


def test_a_job_that_does_not_end_is_left_in_the_end(
    account: Account, names: Names, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scones.aws.destroy._LOOKS", 4)
    put_job(account, names, "scones-long-1")
    on_call(account.sagemaker, "StopTrainingJob", lambda _: {"ResponseMetadata": {}})
    [left] = heard.destroy(account, names)
    assert (left.name, left.why) == ("scones-long-1", "AWS has not said that it is gone: look again in a few minutes")
    assert heard.pauses == [10.0] * 3


def test_running_executions_are_stopped_before_their_machine_goes(account: Account, names: Names, heard: Heard) -> None:
    populate(account, names)
    calls: list[tuple[str, Any]] = []

    def note(what: str) -> Any:
        def hook(params: Mapping[str, Any]) -> None:
            calls.append((what, json.loads(params["body"])))

        return hook

    on_call(account.stepfunctions, "StopExecution", note("stop"))
    on_call(account.stepfunctions, "DeleteStateMachine", note("delete"))
    heard.destroy(account, names)
    assert [what for what, _ in calls] == ["stop", "delete"]
    assert calls[0][1]["executionArn"].endswith(":execution:scones-classify:one")


def test_what_arrives_while_a_bucket_is_emptied_goes_too(account: Account, names: Names, heard: Heard) -> None:
    populate(account, names)
    late = iter([True])

    def arrive(_: Mapping[str, Any]) -> None:
        if next(late, False):
            put_versions(account, names.bucket, 3)

    on_call(account.s3, "DeleteBucket", arrive)
    assert heard.destroy(account, names) == []
    assert heard.pauses == [10.0]


def test_a_bucket_that_somebody_goes_on_filling_is_left_and_the_rest_goes(
    account: Account, names: Names, heard: Heard
) -> None:
    populate(account, names)

    def arrive(params: Mapping[str, Any]) -> None:
        if names.artefacts not in params["url"]:
            put_versions(account, names.bucket, 1)

    on_call(account.s3, "DeleteBucket", arrive)
    [left] = heard.destroy(account, names)
    assert left.name == names.bucket
    assert left.why.endswith("fills while it is emptied: stop what writes into it, then do this again")


def test_a_bucket_of_another_name_is_left_though_it_has_the_tag(account: Account, names: Names, heard: Heard) -> None:
    account.s3.create_bucket(Bucket="scones-archive", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    account.s3.put_bucket_tagging(Bucket="scones-archive", Tagging={"TagSet": [{"Key": TAG, "Value": "scones"}]})
    put_versions(account, "scones-archive", 2)
    [left] = heard.destroy(account, names)
    assert left.why == "it has the stack's tag, but scones makes no bucket of this name: remove it by hand"
    assert len(account.s3.list_object_versions(Bucket="scones-archive")["Versions"]) == 2


def test_a_tag_of_what_may_be_gone_is_told_and_not_waited_for(account: Account, names: Names, heard: Heard) -> None:
    arn = "arn:aws:sqs:eu-west-1:123456789012:old"
    tagged = {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": [{"Key": TAG, "Value": "scones"}]}]}
    answer(account.tags, "GetResources", tagged)
    [left] = heard.destroy(account, names)
    assert (left.kind, left.name) == ("queue", "old")
    assert left.why.endswith("look, and remove it by hand")
    assert heard.pauses == []


def failing_deletes(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """CloudFormation cannot delete the topic of a stack, so many times."""
    delete = models.CloudFormationBackend.delete_stack
    fails = iter(range(times))

    def delete_stack(backend: models.CloudFormationBackend, name_or_stack_id: str) -> None:
        stack = backend.get_stack(name_or_stack_id)
        if stack.name != "scones" or next(fails, None) is None:
            delete(backend, name_or_stack_id)
            return
        kind, why = "AWS::SNS::Topic", "somebody holds it"
        stack.events.append(models.Event(stack.stack_id, stack.name, "Topic", "", kind, "DELETE_FAILED", why, None))
        stack.status = "DELETE_FAILED"
        stack._add_stack_event("DELETE_FAILED")

    monkeypatch.setattr(models.CloudFormationBackend, "delete_stack", delete_stack)


def test_a_stack_that_cannot_be_deleted_whole_is_tried_again(
    account: Account, names: Names, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(account, names)
    failing_deletes(monkeypatch, 1)
    assert heard.destroy(account, names) == []
    assert "Topic DELETE_FAILED somebody holds it" in heard.said
    [told] = [one for one in heard.said if one.endswith("trying once more")]
    assert "Topic (AWS::SNS::Topic) is DELETE_FAILED: somebody holds it" in told


def test_what_a_stack_holds_that_cannot_be_deleted_stays_its_own(
    account: Account, names: Names, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    populate(account, names)
    failing_deletes(monkeypatch, 2)
    left = {one.kind: one for one in heard.destroy(account, names)}
    assert left.keys() == {"stack", "topic"}
    assert "Topic (AWS::SNS::Topic) is DELETE_FAILED: somebody holds it" in left["stack"].why
    assert left["topic"].why == "it goes with stack scones"
    assert heard.destroy(account, names) == []
