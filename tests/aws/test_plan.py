"""The plan: what would change, on paper, with nothing left behind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest
from botocore.config import Config

from scones.aws.account import Account
from scones.aws.cargo import Templates, load_cargo
from scones.aws.change_sets import declared_parameters
from scones.aws.changes import Change, ChangeSet, ParameterChange
from scones.aws.cost import Estimate, estimate
from scones.aws.deploy import deploy
from scones.aws.packages import FUNCTIONS, Package, Target
from scones.aws.plan import Plan, planned
from scones.aws.prices import load_prices
from scones.aws.stacks import describe
from scones.aws.templates import INLINE_BYTES, compact, template
from scones.cli.aws._planning import plan_as_json, show_plan
from scones.errors import AwsError
from tests.aws import moto_gaps
from tests.aws.small_stacks import Yard, nothing


@pytest.fixture(autouse=True)
def _as_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    moto_gaps.change_sets(monkeypatch)
    moto_gaps.builds(monkeypatch)


@pytest.fixture
def yard(tmp_path: Path, account: Account, tiny_bundle: Callable[..., bytes]) -> Yard:
    yard = Yard(tmp_path, account, tiny_bundle)
    yard.promote("tiny-1")
    return yard


def stacks(account: Account) -> list[str]:
    summaries = account.cloudformation.list_stacks()["StackSummaries"]
    return [one["StackStatus"] for one in summaries if one["StackStatus"] != "DELETE_COMPLETE"]


def test_in_an_empty_account_both_stacks_are_planned_and_nothing_stays(account: Account, yard: Yard) -> None:
    with planned(account, yard.names, yard.cargo(), tell=yard.tell, pause=nothing) as plan:
        assert stacks(account) == ["REVIEW_IN_PROGRESS"] * 2
        assert (plan.bootstrap.creates, plan.app.creates, plan.empty) == (True, True, False)
        assert {one.logical_id for one in plan.app.changes} == {"Bucket", "Model", "Queue", "Topic"}
        image = plan.app.parameters["ImageUri"]
        assert image.startswith("123456789012.dkr.ecr.eu-west-1.amazonaws.com/scones-container:")
    assert stacks(account) == []
    assert account.s3.list_buckets()["Buckets"] == []


def test_the_real_templates_can_be_planned_with_what_a_deployment_gives(
    account: Account, yard: Yard, tmp_path: Path
) -> None:
    def build(target: Target) -> list[Package]:
        (tmp_path / "package.zip").write_bytes(b"code")
        return [Package(function, tmp_path / "package.zip", "0" * 64, target.here) for function in FUNCTIONS]

    cargo = load_cargo(
        account,
        yard.names,
        yard.settings,
        {"Inference": "serverless"},
        templates=Templates(template("bootstrap"), template("app")),
        root=yard.root,
        build=build,
    )
    # CloudFormation takes a kept bucket in again only where no function makes its name
    assert re.findall("BucketName: .*", cargo.templates.app)[0] == f'BucketName: "{yard.names.bucket}"'
    assert re.findall("BucketName: .*", cargo.templates.bootstrap) == [f'BucketName: "{yard.names.artefacts}"']
    assert len(compact(cargo.templates.app).encode()) <= INLINE_BYTES
    with planned(account, yard.names, cargo, tell=yard.tell, pause=nothing) as plan:
        assert {"Bucket", "Endpoint", "ClassifyMachine", "WatchCapture"} <= {one.logical_id for one in plan.app.changes}
        cost = estimate(plan.app.parameters, 1000, load_prices("eu-west-1"))
        assert any("no data capture by SageMaker" in words for words in cost.gives_up)


def test_a_plan_of_what_is_there_says_what_differs_and_leaves_it_as_it_is(account: Account, yard: Yard) -> None:
    deploy(account, yard.names, yard.cargo(), agree=lambda _: True, tell=yard.tell, pause=nothing)
    before = describe(account, "scones")
    with planned(account, yard.names, yard.cargo({"LogDays": "7"}), tell=yard.tell, pause=nothing) as plan:
        assert plan.app.parameter_changes == (ParameterChange("LogDays", "30", "7"),)
        assert not plan.app.creates
    assert describe(account, "scones") == before
    left = account.cloudformation.list_change_sets(StackName="scones")["Summaries"]
    assert [one["ExecutionStatus"] for one in left] == ["EXECUTE_COMPLETE"]


def test_where_nothing_differs_the_plan_is_empty(account: Account, yard: Yard) -> None:
    deploy(account, yard.names, yard.cargo(), agree=lambda _: True, tell=yard.tell, pause=nothing)
    with planned(account, yard.names, yard.cargo(), tell=yard.tell, pause=nothing) as plan:
        assert plan.empty


def test_a_plan_that_is_interrupted_leaves_nothing(account: Account, yard: Yard) -> None:
    with pytest.raises(KeyboardInterrupt), planned(account, yard.names, yard.cargo(), tell=yard.tell, pause=nothing):
        raise KeyboardInterrupt
    assert stacks(account) == []


def test_where_the_second_stack_cannot_be_planned_the_first_does_not_stay(account: Account, yard: Yard) -> None:
    cargo = yard.cargo(app=yard.cargo().templates.app.replace("Task: {Type: String", "Tasks: {Type: String"))
    with (
        pytest.raises(AwsError, match="no parameter Task"),
        planned(account, yard.names, cargo, tell=yard.tell, pause=nothing),
    ):
        pytest.fail("it has no such parameter")
    assert stacks(account) == []


def test_a_change_set_that_cannot_be_thrown_away_is_told(
    account: Account, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off = boto3.client(
        "cloudformation", endpoint_url="http://127.0.0.1:9", config=Config(retries={"total_max_attempts": 1})
    )
    with planned(account, yard.names, yard.cargo(), tell=yard.tell, pause=nothing):
        monkeypatch.setattr(account, "cloudformation", cut_off)
    assert [line.partition(":")[0] for line in yard.said[-2:]] == [
        "a change set of stack scones stays, until the next deploy",
        "a change set of stack scones-bootstrap stays, until the next deploy",
    ]


PLAN = Plan(
    ChangeSet("", "scones-bootstrap", "arn", creates=False, parameters={}, parameter_changes=()),
    ChangeSet(
        "arn",
        "scones",
        "arn",
        creates=False,
        parameters={},
        parameter_changes=(ParameterChange("LogDays", "30", "7"), ParameterChange("Task", None, "[red]")),
        changes=(
            Change("Modify", "Model", "AWS::SageMaker::Model", "model-1", "True"),
            Change("Add", "Email", "AWS::SNS::Subscription"),
        ),
    ),
    [],
)


@pytest.fixture
def cost(account: Account) -> Estimate:
    """Of the application without any parameter set, but serverless."""
    declared = declared_parameters(account, template("app"))
    parameters = {name: one.default or "" for name, one in declared.items()}
    return estimate(parameters | {"Inference": "serverless"}, 1000, load_prices("eu-west-1"))


def test_a_plan_is_shown_as_tables_of_resources_parameters_and_costs(
    cost: Estimate, capsys: pytest.CaptureFixture[str]
) -> None:
    show_plan(PLAN, cost)
    shown = capsys.readouterr().out
    lines = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines()]
    assert "stack scones-bootstrap: nothing to change" in shown
    assert ["", "replaced by a new one", "Model", "SageMaker::Model", ""] in lines
    assert ["", "made", "Email", "SNS::Subscription", ""] in lines
    assert ["", "LogDays", "30", "7", ""] in lines
    assert ["", "Task", "", "[red]", ""] in lines
    assert "Fixed, a month" in shown
    assert "Given up: no data capture by SageMaker" in shown


def test_a_plan_is_json_too(cost: Estimate) -> None:
    found = json.loads(json.dumps(plan_as_json(PLAN, cost)))
    assert found["bootstrap"]["empty"]
    assert found["app"]["changes"][0]["words"] == "replaced by a new one"
    assert found["app"]["parameter_changes"][0] == {"name": "LogDays", "old": "30", "new": "7"}
    assert found["cost"]["pictures_per_day"] == 1000
