"""What the templates call things: it tells what belongs to a stack, also when the stack is gone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache, reduce
from operator import getitem
from typing import Any, Final

import yaml

from scones.aws.names import Names
from scones.aws.templates import template

__all__ = ["derived_names"]

_NAMED_BY: Final = {
    "AWS::Budgets::Budget": ("Budget", "BudgetName"),
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::CodeBuild::Project": ("Name",),
    "AWS::ECR::Repository": ("RepositoryName",),
    "AWS::Events::Rule": ("Name",),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName",),
    "AWS::IAM::Role": ("RoleName",),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::SQS::Queue": ("QueueName",),
    "AWS::SageMaker::Endpoint": ("EndpointName",),
    "AWS::Scheduler::Schedule": ("Name",),
    "AWS::StepFunctions::StateMachine": ("StateMachineName",),
    "AWS::XRay::SamplingRule": ("SamplingRule", "RuleName"),
}
"""The property that names a resource, by its type. What CloudFormation names itself is not here: its tag tells."""


class _Loader(yaml.SafeLoader):
    """Reads a template: ``!Sub x`` becomes ``{"Sub": x}``."""


def _call(loader: _Loader, function: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {function: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {function: loader.construct_mapping(node, deep=True)}
    assert isinstance(node, yaml.ScalarNode)  # there are no others
    return {function: loader.construct_scalar(node)}


_Loader.add_multi_constructor("!", _call)


def derived_names(names: Names) -> dict[str, frozenset[str]]:
    """The names that the templates give, by type of resource; where a condition decides, both.

    Args:
        names: of the stack.

    Example:
        >>> derived_names(Names("scones", "123456789012", "eu-west-1"))["AWS::SNS::Topic"]
        frozenset({'scones-notifications'})
    """
    known = {
        "AppStack": names.stack,
        "AWS::StackName": names.stack,
        "AWS::AccountId": names.account,
        "AWS::Region": names.region,
    }
    found = defaultdict(set, {"AWS::CloudFormation::Stack": {names.stack, names.bootstrap}})
    for kind, value in _properties():
        found[kind].update(_texts(value, known))
    return {kind: frozenset(some) for kind, some in found.items()}


@cache
def _properties() -> tuple[tuple[str, Any], ...]:
    """Of each resource with a name: its type, and the property, in which ``!Sub x`` is ``{"Sub": x}``."""
    read = [yaml.load(template(which), _Loader) for which in ("bootstrap", "app")]  # noqa: S506 - a safe loader
    return tuple(
        (resource["Type"], reduce(getitem, path, resource["Properties"]))
        for one in read
        for resource in one["Resources"].values()
        if (path := _NAMED_BY.get(resource["Type"]))
    )


def _texts(value: Any, known: Mapping[str, str]) -> Iterator[str]:
    """The texts that a property can have."""
    match value:
        case {"Sub": str(text)}:
            yield re.sub(r"\$\{([^}]+)\}", lambda place: known[place[1]], text)
        case {"Ref": str(name)}:
            yield known[name]
        case {"If": [_, first, second]}:
            yield from _texts(first, known)
            yield from _texts(second, known)
        case str(text):
            yield text
        case _:
            raise ValueError(f"no name can be told from {value!r}: write it with !Sub, !Ref or !If")
