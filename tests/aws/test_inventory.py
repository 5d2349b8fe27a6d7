"""The inventory: what belongs to a stack, and what only looks like it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import yaml

from scones.aws import derived, inventory
from scones.aws.account import Account
from scones.aws.derived import derived_names
from scones.aws.inventory import Found, contents, take_inventory
from scones.aws.listing import KINDS
from scones.aws.names import TAG, Names
from scones.aws.templates import template
from scones.errors import AwsAccess
from tests.aws import moto_gaps
from tests.aws.populated import populate, put_job, put_versions, strangers
from tests.aws.refusing import answer, refuse

LISTS = {
    "stack": ("cloudformation", "DescribeStacks"),
    "schedule": ("scheduler", "ListSchedules"),
    "rule": ("events", "ListRules"),
    "scaling target": ("autoscaling", "DescribeScalableTargets"),
    "alarm": ("cloudwatch", "DescribeAlarms"),
    "dashboard": ("cloudwatch", "ListDashboards"),
    "budget": ("budgets", "DescribeBudgets"),
    "sampling rule": ("xray", "GetSamplingRules"),
    "state machine": ("stepfunctions", "ListStateMachines"),
    "function": ("functions", "ListFunctions"),
    "endpoint": ("sagemaker", "ListEndpoints"),
    "endpoint configuration": ("sagemaker", "ListEndpointConfigs"),
    "model": ("sagemaker", "ListModels"),
    "training job": ("sagemaker", "ListTrainingJobs"),
    "build project": ("codebuild", "ListProjects"),
    "topic": ("sns", "ListTopics"),
    "queue": ("sqs", "ListQueues"),
    "repository": ("ecr", "DescribeRepositories"),
    "bucket": ("s3", "ListBuckets"),
    "log group": ("logs", "DescribeLogGroups"),
    "role": ("iam", "ListRoles"),
    "policy": ("iam", "ListPolicies"),
}


@pytest.fixture(autouse=True)
def _as_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    moto_gaps.tagged_endpoint_configs(monkeypatch)


def tagged_answer(*arns: str, stack: str = "scones") -> dict[str, Any]:
    return {"ResourceTagMappingList": [{"ResourceARN": arn, "Tags": [{"Key": TAG, "Value": stack}]} for arn in arns]}


def test_an_account_without_the_stack_has_nothing_of_it(account: Account, names: Names) -> None:
    strangers(account)
    assert take_inventory(account, names) == []


def test_everything_that_a_stack_leaves_is_found_each_with_what_says_so(account: Account, names: Names) -> None:
    populate(account, names)
    found = take_inventory(account, names)
    assert {one.kind for one in found} == {kind.name for kind in KINDS}
    assert len({one.arn for one in found}) == len(found)
    assert all(one.seen and not one.why for one in found)
    how = {one.name: (one.how, one.holder) for one in found}
    assert how["scones-notifications"] == ("name, stack", "scones")
    assert how[names.artefacts] == ("name, stack", "scones-bootstrap")
    assert how["/aws/lambda/scones-serialize-image"] == ("name", "")
    assert how["scones-train-1"] == ("tag", "")
    assert how["endpoint/scones/variant/main"] == ("name", "")


def test_another_stack_whose_name_begins_the_same_is_left_out_and_finds_its_own(account: Account, names: Names) -> None:
    two = Names("scones-two", account.id, account.region)
    populate(account, names)
    own = take_inventory(account, names)
    populate(account, two)
    strangers(account)
    assert take_inventory(account, names) == own
    others = take_inventory(account, two)
    assert {one.kind for one in others} == {kind.name for kind in KINDS}
    assert not {one.arn for one in own} & {one.arn for one in others}


@pytest.mark.parametrize("stack", ["scones-bootstrap", "scones-artefacts", "scones-serverless"])
def test_what_has_another_stacks_tag_is_that_stacks_whatever_it_is_called(
    account: Account, names: Names, stack: str
) -> None:
    account.cloudformation.create_stack(
        StackName=stack,
        TemplateBody="Resources: {Any: {Type: AWS::SNS::Topic, Properties: {TopicName: any}}}",
        Tags=[{"Key": TAG, "Value": stack}],
    )
    bucket = Names(stack, account.id, account.region).bucket
    account.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    account.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": TAG, "Value": stack}]})
    group = f"/aws/sagemaker/Endpoints/{stack}"
    account.logs.create_log_group(logGroupName=group, tags={TAG: stack})
    assert take_inventory(account, names) == []
    assert {one.name for one in take_inventory(account, Names(stack, account.id, account.region))} >= {bucket, group}


def test_a_kind_that_nobody_lists_is_found_by_its_tag_alone(account: Account, names: Names) -> None:
    boto3.client("dynamodb").create_table(
        TableName="notes",
        KeySchema=[{"AttributeName": "key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        Tags=[{"Key": TAG, "Value": "scones"}],
    )
    [found] = take_inventory(account, names)
    assert (found.kind, found.name, found.how) == ("dynamodb", "table/notes", "tag")
    assert "tags stay for a while" in found.why


def test_a_tag_that_outlived_its_thing_is_no_thing(account: Account, names: Names) -> None:
    before = "arn:aws:{}:eu-west-1:123456789012:{}"
    gone = [
        before.format("lambda", "function:anything"),
        before.format("sagemaker", "model/Model-abc"),
        before.format("logs", "log-group:/aws/lambda/scones-old"),
        before.format("sqs", "scones-old"),
    ]
    answer(
        account.tags, "GetResources", tagged_answer(*gone, before.format("sqs", "old"), before.format("kms", "key/1"))
    )
    # only lists that would show a thing can tell that it is gone: the queues asked for begin with the stack's name
    assert [(one.kind, one.name) for one in take_inventory(account, names)] == [("queue", "old"), ("kms", "key/1")]


def test_the_tag_of_a_stack_in_another_region_says_nothing_of_what_has_one_name_in_all(
    account: Account, names: Names
) -> None:
    arns = [f"arn:aws:iam::123456789012:policy/scones-callers-{region}" for region in ("us-east-1", "eu-west-1")]
    answer(account.tags, "GetResources", tagged_answer(*arns))
    refuse(account.iam, "ListPolicies")
    found = [(one.kind, one.name) for one in take_inventory(account, names) if one.seen]
    assert found == [("policy", "scones-callers-eu-west-1")]


def test_a_service_that_refuses_hides_its_own_alone_and_is_named(account: Account, names: Names) -> None:
    populate(account, names)
    before = take_inventory(account, names)
    assert LISTS.keys() == {kind.name for kind in KINDS}
    for kind, (client, operation) in LISTS.items():
        allow = refuse(getattr(account, client), operation)
        found = take_inventory(account, names)
        allow()
        [unseen] = [one for one in found if not one.seen]
        assert unseen.kind == kind
        assert f"could not look: cannot list each {kind}: no permission for {operation}" in unseen.why
        assert {one.arn for one in before if one.kind != kind} <= {one.arn for one in found}


def test_without_the_tagging_api_names_and_stacks_are_enough_for_most(account: Account, names: Names) -> None:
    populate(account, names)
    refuse(account.tags, "GetResources")
    found = take_inventory(account, names)
    assert [one.kind for one in found if not one.seen] == ["what is tagged"]
    missing = {kind.name for kind in KINDS} - {one.kind for one in found}
    assert missing == {"endpoint configuration", "model"}  # CloudFormation names them


def test_without_the_stacks_resources_names_and_tags_are_enough(account: Account, names: Names) -> None:
    populate(account, names)
    before = take_inventory(account, names)
    refuse(account.cloudformation, "ListStackResources")
    found = take_inventory(account, names)
    assert [one.kind for one in found if not one.seen] == ["what a stack holds"]
    assert {one.arn for one in found if one.seen} == {one.arn for one in before}
    assert all(not one.holder for one in found)


def test_lists_of_many_pages_are_read_to_the_end(account: Account, names: Names) -> None:
    for number in range(120):
        account.logs.create_log_group(logGroupName=f"/aws/lambda/scones-a{number}")
    for number in range(60):
        account.sns.create_topic(Name=f"any-{number}", Tags=[{"Key": TAG, "Value": "scones"}])
    account.logs.create_log_group(logGroupName="/aws/lambda/scones-serialize-image")
    found = take_inventory(account, names)
    assert len([one for one in found if one.kind == "topic"]) == 60
    assert [one.name for one in found if one.kind == "log group"] == ["/aws/lambda/scones-serialize-image"]


def test_contents_are_counted_up_to_a_limit(account: Account, names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    populate(account, names)
    put_versions(account, names.artefacts, 2)
    held = {one.name: contents(account, one) for one in take_inventory(account, names) if one.kind == "bucket"}
    assert held[names.artefacts] == "5 versions"
    repository = Found("repository", names.repository, "arn")
    assert contents(account, repository) == "2 images"
    assert contents(account, Found("role", "any", "arn")) == ""
    monkeypatch.setattr(inventory, "COUNTED", 4)
    assert contents(account, Found("bucket", names.artefacts, "arn")) == "more than 4 versions"
    refuse(account.ecr, "ListImages")
    with pytest.raises(AwsAccess, match="list the images of scones-container"):
        contents(account, repository)


# what goes with something else, and is not looked for by itself
PARTS = {
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::IAM::RolePolicy",
    "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
}


def resources() -> Iterator[dict[str, Any]]:
    for which in ("bootstrap", "app"):
        yield from yaml.load(template(which), derived._Loader)["Resources"].values()


def test_every_type_in_the_templates_is_looked_for(names: Names) -> None:
    types = {resource["Type"] for resource in resources()}
    assert types - PARTS <= {kind.type for kind in KINDS}


def test_every_name_that_the_templates_give_is_known(names: Names) -> None:
    known = derived_names(names)
    unnamed = {"AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig", "AWS::ApplicationAutoScaling::ScalableTarget"}
    assert {resource["Type"] for resource in resources()} - PARTS - unnamed <= known.keys()
    assert known["AWS::S3::Bucket"] == {names.bucket, names.artefacts}
    assert known["AWS::SageMaker::Endpoint"] == set(names.endpoints)
    assert {names.machine("classify"), names.machine("review"), names.machine("batch")} <= known[
        "AWS::StepFunctions::StateMachine"
    ]
    assert names.function("watch_capture") in known["AWS::Lambda::Function"]
    assert names.training_role in known["AWS::IAM::Role"]


def test_a_name_that_cannot_be_told_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"no name can be told from .*Join"):
        list(derived._texts({"Join": ["-", ["a", "b"]]}, {}))


def test_a_new_job_is_found_before_the_tagging_api_knows_it(account: Account, names: Names) -> None:
    put_job(account, names, "scones-vehicles-1")
    answer(account.tags, "GetResources", tagged_answer())
    assert [one.name for one in take_inventory(account, names)] == ["scones-vehicles-1"]
