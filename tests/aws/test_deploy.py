"""Deploying in small on moto's server, through the real CodeBuild, ECR and S3 clients."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scones.aws.account import Account
from scones.aws.deploy import Deployment, deploy
from scones.aws.packages import Target
from scones.aws.plan import Plan
from scones.aws.stack_events import StackEvent
from scones.aws.stacks import describe
from scones.aws.templates import template
from scones.cli.aws._telling import telling
from scones.errors import AwsAccess, AwsError, BundleError, ObjectMissing, SettingsError, StackFailed
from scones.functions.stack_parameters import read_stack, set_parameters
from scones.registry.aliases import PRODUCTION, point
from scones.staging import SourcePicture, write_dataset
from scones.store import Layout, open_bucket
from scones.task import load_task
from tests.aws import moto_gaps
from tests.aws.refusing import refuse
from tests.aws.small_stacks import APP, FAILING, Yard, nothing


@pytest.fixture(autouse=True)
def _as_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    moto_gaps.change_sets(monkeypatch)
    moto_gaps.rollback(monkeypatch)
    moto_gaps.kept_buckets(monkeypatch)
    moto_gaps.builds(monkeypatch)
    moto_gaps.previous_values(monkeypatch)


@pytest.fixture
def yard(tmp_path: Path, account: Account, tiny_bundle: Callable[..., bytes]) -> Yard:
    yard = Yard(tmp_path, account, tiny_bundle)
    yard.promote("tiny-1")
    return yard


def run(
    yard: Yard, *, agree: Callable[[Plan], bool] = lambda _: True, app: str = APP, **sets: str
) -> Deployment | None:
    return deploy(yard.account, yard.names, yard.cargo(sets, app=app), agree=agree, tell=yard.tell, pause=nothing)


def test_a_first_deployment_makes_both_stacks_and_all_they_name(account: Account, yard: Yard) -> None:
    here = open_bucket(yard.settings.store, yard.settings.bucket)
    here.put(Layout.health("vehicles", "tiny-1"), b"health")
    done = run(yard)
    assert done is not None
    assert done.changed == ("scones-bootstrap", "scones")
    assert done.app.outputs == {"BucketName": "scones-123456789012-eu-west-1"}
    listed = account.s3.list_objects_v2(Bucket=yard.names.artefacts)["Contents"]
    keys = {one["Key"] for one in listed}
    parameters = done.app.parameters
    assert {value for name, value in parameters.items() if name.endswith("Key")} <= keys
    assert (
        account.s3.get_object(Bucket=yard.names.artefacts, Key=parameters["SerializeImageKey"])["Body"].read()
        == b"code"
    )
    known = account.s3.list_objects_v2(Bucket=yard.names.bucket, Prefix="models")["Contents"]
    assert {one["Key"].rpartition("/")[2] for one in known} == {"bundle.json", "health.npz", "model.tar.gz"}
    [image] = account.ecr.describe_images(repositoryName=yard.names.repository)["imageDetails"]
    assert parameters["ImageUri"].endswith(f"/scones-container:{image['imageTags'][0]}")
    what, count, total = yard.progress[-1]
    assert (what, count) == ("uploading (bytes)", total)
    for name in ("scones", "scones-bootstrap"):
        [found] = account.cloudformation.describe_stacks(StackName=name)["Stacks"]
        assert found["Tags"] == [{"Key": "scones:stack", "Value": "scones"}]


def test_a_second_deployment_finds_nothing_to_change_and_asks_nobody(account: Account, yard: Yard) -> None:
    run(yard)
    before = [describe(account, name) for name in ("scones", "scones-bootstrap")]
    yard.said.clear()
    yard.events.clear()
    again = run(yard, agree=lambda _: pytest.fail("there is nothing to agree to"))
    assert again is not None
    assert again.changed == ()
    assert [describe(account, name) for name in ("scones", "scones-bootstrap")] == before
    assert yard.events == []
    assert not [line for line in yard.said if "upload" in line or "build" in line.removeprefix("planning")]


def test_only_what_changed_is_uploaded_and_updated(account: Account, yard: Yard) -> None:
    run(yard)
    yard.said.clear()
    yard.code = b"other code"
    plans: list[Plan] = []

    def keep(plan: Plan) -> bool:
        plans.append(plan)
        return True

    done = run(yard, agree=keep)
    assert done is not None
    assert done.changed == ("scones",)
    [changed] = plans[0].app.parameter_changes
    assert changed.name == "SerializeImageKey"
    assert [line for line in yard.said if line.startswith("uploaded")] == [f"uploaded {changed.new}"]


def test_a_deployment_that_is_not_agreed_to_changes_nothing(account: Account, yard: Yard) -> None:
    assert run(yard, agree=lambda _: False) is None
    assert (
        account.cloudformation.list_stacks(StackStatusFilter=["REVIEW_IN_PROGRESS", "CREATE_COMPLETE"])[
            "StackSummaries"
        ]
        == []
    )
    assert account.s3.list_buckets()["Buckets"] == []


def test_a_first_deployment_that_fails_leaves_nothing_of_the_application_and_a_second_works(
    account: Account, yard: Yard
) -> None:
    account.s3.create_bucket(Bucket="taken", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(StackFailed, match=r"Other \(AWS::S3::Bucket\).*nothing of it is left"):
        run(yard, app=FAILING)
    assert describe(account, "scones") is None
    assert account.sns.list_topics()["Topics"] == []
    assert {one["Name"] for one in account.s3.list_buckets()["Buckets"]} == {"taken", yard.names.artefacts}
    done = run(yard)
    assert done is not None
    assert done.changed == ("scones",)


def test_an_update_that_fails_leaves_the_application_as_it_was(account: Account, yard: Yard) -> None:
    run(yard)
    before = describe(account, "scones")
    account.s3.create_bucket(Bucket="taken", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    with pytest.raises(StackFailed, match="it is as it was before"):
        run(yard, app=FAILING, LogDays="7")
    after = describe(account, "scones")
    assert before is not None
    assert after is not None
    assert (after.parameters, after.outputs) == (before.parameters, before.outputs)


def test_where_the_build_fails_no_shell_of_the_application_stays_and_a_second_try_works(
    account: Account, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as for_now:
        moto_gaps.builds(for_now, log=["no space left on device"])
        with pytest.raises(AwsError, match="no space left"):
            run(yard)
    assert describe(account, "scones") is None
    assert run(yard) is not None


def test_what_a_killed_deployment_left_is_cleared_away(account: Account, yard: Yard) -> None:
    def kill(_: Plan) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(yard, agree=kill)
    assert describe(account, "scones") is None
    # One that had no time to clear up: a shell with a change set.
    account.cloudformation.create_change_set(
        StackName="scones", ChangeSetName="scones-1", ChangeSetType="CREATE", TemplateBody="{Resources: {}}"
    )
    assert run(yard) is not None
    assert [line for line in yard.said if "taken away first" in line]


def test_a_bucket_that_was_kept_is_taken_in_again_with_what_is_in_it(account: Account, yard: Yard) -> None:
    run(yard)
    bucket = yard.names.bucket
    account.s3.put_object(Bucket=bucket, Key="arrivals/a.png", Body=b"a")
    account.cloudformation.delete_stack(StackName="scones")
    run(yard)
    assert account.s3.get_object(Bucket=bucket, Key="arrivals/a.png")["Body"].read() == b"a"


def test_a_value_that_is_set_goes_to_each_stack_that_knows_it_and_stays(account: Account, yard: Yard) -> None:
    run(yard, LogDays="7", FunctionArchitecture="x86_64")
    run(yard, Inference="serverless")
    app, bootstrap = describe(account, "scones"), describe(account, "scones-bootstrap")
    assert app is not None
    assert bootstrap is not None
    assert [app.parameters[name] for name in ("LogDays", "Inference")] == ["7", "serverless"]
    assert bootstrap.parameters["LogDays"] == "7"
    assert [target.architecture for target in yard.targets] == ["x86_64", "x86_64"]


def test_a_new_model_has_guardrails_again_and_that_it_takes_out_the_one_of_a_stance_is_told(yard: Yard) -> None:
    run(yard)
    home = yard.account.bucket(yard.names.bucket)
    stance = {
        "version": "tiny-1",
        "stance": "rolled back",
        "who": "monitor",
        "why": "harm",
        "at": "2026-11-20T10:00:00Z",
    }
    home.put_json(Layout.record(Layout.stance_series("scones"), 1), stance)
    assert "Guardrails" not in yard.cargo().app
    stack = read_stack(yard.account.cloudformation, "scones")
    set_parameters(yard.account.cloudformation, stack, {"Guardrails": "false"})
    assert "Guardrails" not in yard.cargo().app, "it is the same model"
    yard.promote("tiny-2")
    here = open_bucket(yard.settings.store, yard.settings.bucket)
    point(here, "vehicles", PRODUCTION, "tiny-2", who="Ada", why="better", now=datetime(2026, 11, 21, tzinfo=UTC))
    yard.said.clear()
    done = run(yard)
    assert done is not None
    assert done.app.parameters["Guardrails"] == "true"
    [told] = [line for line in yard.said if "the stance of endpoint scones went back to model tiny-1 (monitor" in line]
    assert told.endswith("`scones promote tiny-1` first, if that is not what you want")


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ({"Logdays": "7"}, "Logdays is no parameter: there are FunctionArchitecture, .*LogDays"),
        ({"ModelKey": "mine"}, "ModelKey is set by the deployment"),
        ({"Inference": "none"}, "--set Inference=none: use one of real-time, serverless"),
    ],
)
def test_a_value_that_cannot_be_set_is_told_before_anything_is_built(
    yard: Yard, sets: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        yard.cargo(sets)
    assert yard.targets == []


def test_an_instance_type_is_not_changed_while_the_endpoint_scales(yard: Yard) -> None:
    run(yard)
    with pytest.raises(SettingsError, match="deploy with --set MaxInstances=1, which ends the scaling, then with"):
        yard.cargo({"InstanceType": "ml.c5.large"})
    run(yard, MaxInstances="1")
    done = run(yard, InstanceType="ml.c5.large", MaxInstances="4")
    assert done is not None
    assert done.app.parameters["InstanceType"] == "ml.c5.large"


def test_functions_without_byte_code_are_told_and_how_they_get_it(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    run(yard, FunctionRuntime="python3.12")
    yard.said.clear()
    monkeypatch.setattr(sys, "version_info", (3, 14, 1, "final", 0))
    run(yard)
    assert yard.said[0].endswith("run scones with Python 3.12, or add --set FunctionRuntime=python3.14")
    assert "150 ms slower" in yard.said[0]
    monkeypatch.setattr(sys, "version_info", (3, 11, 9, "final", 0))
    assert yard.cargo().slow_start.endswith("run scones with Python 3.12")
    monkeypatch.setattr(sys, "version_info", (3, 12, 1, "final", 0))
    assert yard.cargo().slow_start == ""


def test_functions_run_on_this_python_where_lambda_has_it_and_stay_on_what_they_run_on(
    account: Account, yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 14, 1, "final", 0))
    assert run(yard, FunctionArchitecture="arm64") is not None
    monkeypatch.setattr(sys, "version_info", (3, 12, 1, "final", 0))
    run(yard)
    run(yard, FunctionRuntime="python3.13")
    assert [target.python for target in yard.targets] == ["3.14", "3.14", "3.13"]


def test_functions_run_on_the_templates_python_where_lambda_lacks_this_one(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 11, 9, "final", 0))
    assert yard.cargo().app["FunctionRuntime"] == "python3.13"
    assert yard.targets == [Target("3.13", "arm64")]


def test_without_a_model_in_production_the_way_to_one_is_told(
    tmp_path: Path, account: Account, tiny_bundle: Callable[..., bytes]
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match=r"`scones train`, or put one in production with `scones promote`"):
        Yard(tmp_path / "empty", account, tiny_bundle).cargo()


def test_a_model_whose_file_is_gone_is_told(yard: Yard) -> None:
    [model] = Path(yard.settings.store).rglob("model.tar.gz")
    model.unlink()
    with pytest.raises(BundleError, match=r"model tiny-1 is in production, but .* is not there"):
        yard.cargo()


def test_a_dataset_is_taken_along_where_it_is_asked_for(yard: Yard) -> None:
    with pytest.raises(ObjectMissing, match="no dataset of task vehicles"):
        yard.cargo(with_dataset=True)


def test_what_may_not_be_uploaded_is_told_and_no_shell_of_the_application_stays(account: Account, yard: Yard) -> None:
    let = refuse(account.s3, "PutObject", "AccessDenied")
    with pytest.raises(AwsAccess, match=r"cannot upload .* to bucket scones-artefacts-.* no permission for PutObject"):
        run(yard)
    assert describe(account, "scones") is None
    let()
    assert run(yard) is not None


def test_a_dataset_that_is_asked_for_lies_beside_the_rest(
    account: Account, yard: Yard, red_and_blue: Callable[..., list[SourcePicture]]
) -> None:
    bucket = open_bucket(yard.settings.store, yard.settings.bucket)
    staged = write_dataset(bucket, load_task("vehicles"), red_and_blue(), source={"kind": "test"})
    deploy(account, yard.names, yard.cargo(with_dataset=True), agree=lambda _: True, tell=yard.tell, pause=nothing)
    kept = account.s3.get_object(Bucket=yard.names.artefacts, Key=f"{staged.prefix}/manifest.jsonl")["Body"].read()
    assert kept == bucket.get(f"{staged.prefix}/manifest.jsonl")


def test_the_parameters_that_a_deployment_gives_are_those_of_the_real_templates(account: Account, yard: Yard) -> None:
    cargo = yard.cargo()
    for name, given in (("bootstrap", cargo.bootstrap), ("app", cargo.app)):
        assert given.keys() <= {
            one["ParameterKey"]
            for one in account.cloudformation.get_template_summary(TemplateBody=template(name))["Parameters"]  # type: ignore[arg-type]
        }


def an_event(status: str, logical_id: str = "Topic", reason: str = "") -> StackEvent:
    then = datetime(2026, 11, 20, 10, tzinfo=UTC)
    return StackEvent("1", logical_id, "AWS::SNS::Topic", status, reason, then, of_stack=logical_id == "scones")


def test_people_are_told_of_each_event_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with telling() as (tell, _):
        tell.say("making stack [scones]")
        tell.event(an_event("CREATE_IN_PROGRESS"))
        tell.event(an_event("CREATE_FAILED", reason="[Topic] is taken"))
        tell.event(an_event("DELETE_COMPLETE", "scones"))
        tell.progress("uploading (bytes)", 1, 2)
    shown = capsys.readouterr()
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert lines[0] == "making stack [scones]"
    assert [line.split("  ", 1)[1].split() for line in lines[1:]] == [
        ["CREATE_IN_PROGRESS", "Topic"],
        ["CREATE_FAILED", "Topic", "[Topic]", "is", "taken"],
        ["DELETE_COMPLETE", "scones"],
    ]


def test_programs_are_told_nothing_meanwhile(capsys: pytest.CaptureFixture[str]) -> None:
    with telling(quiet=True) as (tell, _):
        tell.say("making stack scones")
        tell.event(an_event("CREATE_IN_PROGRESS"))
        tell.progress("uploading (bytes)", 1, 2)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")
