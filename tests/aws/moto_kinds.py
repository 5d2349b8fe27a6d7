"""Kinds of resources that moto's CloudFormation has no counterpart of, as far as the templates need them.

Without them a template that refers to one fails; and what the product counts and removes must really be there.
They change moto in this process until the test ends; the product knows nothing of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import pytest
from moto.cloudformation import parsing
from moto.core.common_models import CloudFormationModel
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import ManagedPolicy
from moto.s3.models import s3_backends
from moto.sagemaker.models import FakeEndpointConfig
from moto.stepfunctions.models import StateMachine

_Made = tuple[str, str]  # a resource's physical id and its ARN


class _Resource(CloudFormationModel):
    """A resource that was made through the service's own interface, or that only has a name."""

    def __init__(self, name: str, arn: str) -> None:
        self.physical_resource_id, self.arn = name, arn

    def get_cfn_attribute(self, attribute: str) -> str:
        return self.arn

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def is_created(self) -> bool:
        return True

    def delete(self, account_id: str, region_name: str) -> None:
        """Nothing is there but the name."""


def _only_named(properties: Mapping[str, Any], name: str) -> _Made:
    return name, f"arn:aws:none:::{name}"


def _alarm(properties: Mapping[str, Any], name: str) -> _Made:
    known = {key: value for key, value in properties.items() if key not in ("Tags", "Metrics", "Dimensions")}
    client = boto3.client("cloudwatch")
    threshold = float(known.pop("Threshold"))
    metrics = properties.get("Metrics")
    if metrics:
        shown: Any = [{**one, "ReturnData": one.get("ReturnData", True)} for one in metrics]
        client.put_metric_alarm(**known, Threshold=threshold, Metrics=shown)
    else:
        client.put_metric_alarm(**known, Threshold=threshold, Dimensions=properties.get("Dimensions", []))
    [found] = client.describe_alarms(AlarmNames=[known["AlarmName"]])["MetricAlarms"]
    return found["AlarmName"], found["AlarmArn"]


def _no_alarm(name: str) -> None:
    boto3.client("cloudwatch").delete_alarms(AlarmNames=[name])


def _schedule(properties: Mapping[str, Any], name: str) -> _Made:
    target = {key: properties["Target"][key] for key in ("Arn", "RoleArn")}
    found = boto3.client("scheduler").create_schedule(
        Name=properties["Name"],
        ScheduleExpression=properties["ScheduleExpression"],
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=target,  # type: ignore[arg-type]
    )
    return properties["Name"], found["ScheduleArn"]


def _no_schedule(name: str) -> None:
    boto3.client("scheduler").delete_schedule(Name=name)


def _budget(properties: Mapping[str, Any], name: str) -> _Made:
    account = boto3.client("sts").get_caller_identity()["Account"]
    budget = {
        **properties["Budget"],
        "BudgetLimit": {"Amount": str(properties["Budget"]["BudgetLimit"]["Amount"]), "Unit": "USD"},
    }
    boto3.client("budgets").create_budget(AccountId=account, Budget=budget)  # type: ignore[arg-type]
    return budget["BudgetName"], ""


def _no_budget(name: str) -> None:
    account = boto3.client("sts").get_caller_identity()["Account"]
    boto3.client("budgets").delete_budget(AccountId=account, BudgetName=name)


def _project(properties: Mapping[str, Any], name: str) -> _Made:
    source = properties["Source"]
    environment = properties["Environment"]
    found = boto3.client("codebuild").create_project(
        name=properties["Name"],
        source={"type": source["Type"], "location": source["Location"], "buildspec": source["BuildSpec"]},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={
            "type": environment["Type"],
            "image": environment["Image"],
            "computeType": environment["ComputeType"],
        },
        serviceRole=properties["ServiceRole"],
    )
    return properties["Name"], str(found["project"]["arn"])


def _no_project(name: str) -> None:
    boto3.client("codebuild").delete_project(name=name)


def _keep(_: str) -> None:
    """There is nothing to remove."""


_KINDS: dict[str, tuple[Callable[[Mapping[str, Any], str], _Made], Callable[[str], None]]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": (_only_named, _keep),
    "AWS::ApplicationAutoScaling::ScalingPolicy": (_only_named, _keep),
    "AWS::Budgets::Budget": (_budget, _no_budget),
    "AWS::CloudWatch::Alarm": (_alarm, _no_alarm),
    "AWS::CodeBuild::Project": (_project, _no_project),
    "AWS::IAM::RolePolicy": (_only_named, _keep),
    "AWS::S3::BucketPolicy": (_only_named, _keep),
    "AWS::SNS::Subscription": (_only_named, _keep),
    "AWS::SNS::TopicPolicy": (_only_named, _keep),
    "AWS::SQS::QueuePolicy": (_only_named, _keep),
    "AWS::Scheduler::Schedule": (_schedule, _no_schedule),
    "AWS::XRay::SamplingRule": (_only_named, _keep),
}


def _model(kind: str) -> type[CloudFormationModel]:
    make, remove = _KINDS[kind]

    class Model(_Resource):
        @staticmethod
        def cloudformation_name_type() -> str:
            return ""

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, *_: Any, **__: Any
        ) -> Any:
            return cls(*make(cloudformation_json["Properties"], resource_name))

        @classmethod
        def update_from_cloudformation_json(
            cls, original_resource: Any, new_resource_name: str, cloudformation_json: Any, *_: Any, **__: Any
        ) -> Any:
            remove(original_resource.physical_resource_id)
            return cls(*make(cloudformation_json["Properties"], original_resource.physical_resource_id))

        @classmethod
        def delete_from_cloudformation_json(cls, resource_name: str, *_: Any, **__: Any) -> None:
            remove(resource_name)

        def delete(self, account_id: str, region_name: str) -> None:
            remove(self.physical_resource_id)

    return Model


def missing_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kinds of which moto knows the service, and CloudFormation does not make them; or it knows neither."""
    known = {**parsing.get_model_map(), **{kind: _model(kind) for kind in _KINDS}}
    monkeypatch.setattr(parsing, "get_model_map", lambda: known)


def definitions_in_s3(monkeypatch: pytest.MonkeyPatch) -> None:
    """A definition is read from S3, and its substitutions are filled in; moto knows DefinitionString alone."""

    def filled(work: Any) -> Any:
        def do(cls: type[StateMachine], /, *args: Any, **given: Any) -> Any:
            of = given.get("cloudformation_json") or next(one for one in args if isinstance(one, dict))
            account = given.get("account_id") or args[-2]
            properties = of["Properties"]
            place = properties["DefinitionS3Location"]
            stored = s3_backends[account]["aws"].get_object(place["Bucket"], place["Key"])
            assert stored is not None
            values = properties["DefinitionSubstitutions"]
            text = re.sub(r"\$\{(\w+)\}", lambda match: str(values[match[1]]), stored.value.decode())
            json.loads(text)
            properties["DefinitionString"] = text
            return work(cls, *args, **given)

        return classmethod(do)

    for name in ("create_from_cloudformation_json", "update_from_cloudformation_json"):
        monkeypatch.setattr(StateMachine, name, filled(getattr(StateMachine, name).__func__))


def nothing_and_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is ``AWS::NoValue`` is in no list, and a parameter may be 0; moto leaves a None, and takes 0 for none."""
    clean = parsing.clean_json

    def cleaned(value: Any, resources: Any) -> Any:
        parameters = getattr(resources, "resolved_parameters", {})
        if isinstance(value, dict) and value.get("Ref") in parameters:
            return parameters[value["Ref"]]
        found = clean(value, resources)
        return [one for one in found if one is not None] if isinstance(value, list) else found

    monkeypatch.setattr(parsing, "clean_json", cleaned)


def shadows(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint configuration of CloudFormation has the shadow of its template; moto forgets it."""
    make = FakeEndpointConfig.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]

    def make_with_shadow(cls: type[FakeEndpointConfig], /, *args: Any, **given: Any) -> FakeEndpointConfig:
        made: FakeEndpointConfig = make(cls, *args, **given)
        of = given.get("cloudformation_json") or next(one for one in args if isinstance(one, dict))
        made.shadow_production_variants = of["Properties"].get("ShadowProductionVariants", [])  # type: ignore[attr-defined]
        return made

    monkeypatch.setattr(FakeEndpointConfig, "create_from_cloudformation_json", classmethod(make_with_shadow))


def conditions_of_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    """``!Condition`` stands for another condition; moto takes it for something that never holds."""
    parse = parsing.parse_condition

    def parse_condition(condition: Any, resources: Any, conditions: Any) -> bool:
        if isinstance(condition, dict) and "Fn::Condition" in condition:
            return bool(conditions[condition["Fn::Condition"]])
        return parse(condition, resources, conditions)

    monkeypatch.setattr(parsing, "parse_condition", parse_condition)


def resources_that_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an update a resource comes or goes as its condition says, and an endpoint changes with its configuration.

    Moto looks at conditions only when a stack is made, and then at parameters that a resource names itself.
    """
    change, differing = parsing.parse_and_update_resource, parsing.ResourceMap.build_resource_diff

    def build_resource_diff(resources: parsing.ResourceMap, template: Any, parameters: Any = None) -> Any:
        found = differing(resources, template, parameters)
        if parameters:
            kinds = {name: one["Type"] for name, one in template["Resources"].items() if name not in found["Add"]}
            found["Modify"] += [
                name for name, kind in kinds.items() if "SageMaker" in kind and name not in found["Modify"]
            ]
            found["Modify"].sort(key=list(kinds).index)  # in the order of the template
        return found

    def update(logical_id: str, resource_json: Any, resources_map: Any, account_id: str, region_name: str) -> Any:
        there = resources_map._parsed_resources.get(logical_id)
        if there is None:  # or nothing still
            return parsing.parse_and_create_resource(logical_id, resource_json, resources_map, account_id, region_name)
        condition = resource_json.get("Condition")
        if condition and not resources_map.lazy_condition_map[condition]:
            resources_map._delete_resource(there, resource_json)
            return None
        return change(logical_id, resource_json, resources_map, account_id, region_name)

    monkeypatch.setattr(parsing, "parse_and_update_resource", update)
    monkeypatch.setattr(parsing.ResourceMap, "build_resource_diff", build_resource_diff)


def named_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint has the name that the template gives it; moto makes one up."""
    by_kind = parsing.resource_name_property_from_type

    def name_property(kind: str) -> str | None:
        return "EndpointName" if kind == "AWS::SageMaker::Endpoint" else by_kind(kind)

    monkeypatch.setattr(parsing, "resource_name_property_from_type", name_property)


def deleted_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A managed policy goes with its stack, unless a role has it; moto leaves it behind."""

    def delete(policy: ManagedPolicy, account_id: str, region_name: str) -> None:
        if any(policy.arn in role.managed_policies for role in policy.backend.roles.values()):
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        del policy.backend.managed_policies[policy.arn]

    monkeypatch.setattr(ManagedPolicy, "delete", delete, raising=False)
