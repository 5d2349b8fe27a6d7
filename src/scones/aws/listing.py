"""What there is in an account, kind by kind, whoever it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from scones.aws.account import Account
from scones.aws.names import Names

__all__ = ["KINDS", "Kind", "Listed", "training_jobs"]


@dataclass(frozen=True)
class Listed:
    """A resource.

    Attributes:
        name: as people know it.
        arn: its ARN, whole.
        id: what CloudFormation calls it, where that is neither name nor ARN.
        tags: where they come along; the tagging API says the others.
    """

    name: str
    arn: str
    id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Kind:
    """A kind of resource.

    Attributes:
        name: for people.
        type: CloudFormation's.
        arn: how an ARN of it goes on after partition, region and account: ``service:`` and the resource's beginning.
        look: lists them.
        of: which ones: ``all``, or those whose name ``begins`` with the stack's or ``contains`` it.
        everywhere: a name of it holds in all regions at once.
    """

    name: str
    type: str
    arn: str
    look: Callable[[Account, Names], Iterator[Listed]]
    of: Literal["all", "begins", "contains"] = "all"
    everywhere: bool = False

    def covers(self, arn: str, names: Names) -> bool:
        """A thing of this ARN is of this kind, and ``look`` lists it if it is there."""
        if not self.owns(arn):
            return False
        name = self.short(arn)
        return self.of == "all" or (name.startswith(names.stack) if self.of == "begins" else names.stack in name)

    def owns(self, arn: str) -> bool:
        """The ARN is of this kind."""
        return _after_account(arn).startswith(self.arn)

    def short(self, arn: str) -> str:
        """The name in an ARN of this kind."""
        return _after_account(arn).removeprefix(self.arn)


def _after_account(arn: str) -> str:
    _, _, service, _, _, resource = arn.split(":", 5)
    return f"{service}:{resource}"


def _stacks(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.cloudformation.get_paginator("describe_stacks").paginate():
        for one in page["Stacks"]:
            tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
            yield Listed(one["StackName"], one["StackId"], tags=tags)


def _schedules(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.scheduler.get_paginator("list_schedules").paginate(NamePrefix=names.stack):
        for one in page["Schedules"]:
            yield Listed(one["Name"], one["Arn"])


def _rules(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.events.get_paginator("list_rules").paginate(NamePrefix=names.stack):
        for one in page["Rules"]:
            yield Listed(one["Name"], one["Arn"])


def _scaling_targets(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.autoscaling.get_paginator("describe_scalable_targets").paginate(ServiceNamespace="sagemaker"):
        for one in page["ScalableTargets"]:
            place = f"{one['ResourceId']}|{one['ScalableDimension']}|{one['ServiceNamespace']}"
            yield Listed(one["ResourceId"], one.get("ScalableTargetARN", place), place)


def _alarms(account: Account, _: Names) -> Iterator[Listed]:
    pages = account.cloudwatch.get_paginator("describe_alarms")
    for page in pages.paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"]):
        for one in (*page.get("MetricAlarms", []), *page.get("CompositeAlarms", [])):
            yield Listed(one["AlarmName"], one["AlarmArn"])


def _dashboards(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.cloudwatch.get_paginator("list_dashboards").paginate(DashboardNamePrefix=names.stack):
        for one in page["DashboardEntries"]:
            yield Listed(one["DashboardName"], one["DashboardArn"])


def _budgets(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.budgets.get_paginator("describe_budgets").paginate(AccountId=account.id):
        for one in page.get("Budgets", []):
            arn = f"arn:{names.partition}:budgets::{account.id}:budget/{one['BudgetName']}"
            yield Listed(one["BudgetName"], arn)


def _sampling_rules(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.xray.get_paginator("get_sampling_rules").paginate():
        for record in page["SamplingRuleRecords"]:
            one = record.get("SamplingRule", {})
            yield Listed(one.get("RuleName", ""), one.get("RuleARN", ""))


def _machines(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.stepfunctions.get_paginator("list_state_machines").paginate():
        for one in page["stateMachines"]:
            yield Listed(one["name"], one["stateMachineArn"])


def _functions(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.functions.get_paginator("list_functions").paginate():
        for one in page["Functions"]:
            yield Listed(one["FunctionName"], one["FunctionArn"])


def _endpoints(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.sagemaker.get_paginator("list_endpoints").paginate():
        for one in page["Endpoints"]:
            yield Listed(one["EndpointName"], one["EndpointArn"])


def _endpoint_configs(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.sagemaker.get_paginator("list_endpoint_configs").paginate():
        for one in page["EndpointConfigs"]:
            yield Listed(one["EndpointConfigName"], one["EndpointConfigArn"])


def _models(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.sagemaker.get_paginator("list_models").paginate():
        for one in page["Models"]:
            yield Listed(one["ModelName"], one["ModelArn"])


def training_jobs(account: Account, names: Names) -> Iterator[Listed]:
    """The training jobs whose names begin with the stack's, with their tags; an account keeps all that it ever had.

    Args:
        account: where to look.
        names: of the stack.
    """
    pages = account.sagemaker.get_paginator("list_training_jobs")
    for page in pages.paginate(NameContains=f"{names.stack}-"):
        for one in page["TrainingJobSummaries"]:
            name, arn = one["TrainingJobName"], one["TrainingJobArn"]
            if name.startswith(f"{names.stack}-"):
                tags = account.sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
                yield Listed(name, arn, tags={tag["Key"]: tag["Value"] for page in tags for tag in page["Tags"]})


def _builds(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.codebuild.get_paginator("list_projects").paginate():
        for name in page["projects"]:
            yield Listed(name, f"arn:{names.partition}:codebuild:{names.region}:{account.id}:project/{name}")


def _topics(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.sns.get_paginator("list_topics").paginate():
        for one in page["Topics"]:
            yield Listed(one["TopicArn"].rpartition(":")[2], one["TopicArn"])


def _queues(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.sqs.get_paginator("list_queues").paginate(QueueNamePrefix=names.stack):
        for url in page.get("QueueUrls", []):
            name = url.rpartition("/")[2]
            yield Listed(name, f"arn:{names.partition}:sqs:{names.region}:{account.id}:{name}", url)


def _repositories(account: Account, _: Names) -> Iterator[Listed]:
    for page in account.ecr.get_paginator("describe_repositories").paginate():
        for one in page["repositories"]:
            yield Listed(one["repositoryName"], one["repositoryArn"])


def _buckets(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.s3.get_paginator("list_buckets").paginate(Prefix=names.stack):
        for one in page.get("Buckets", []):
            yield Listed(one["Name"], f"arn:{names.partition}:s3:::{one['Name']}")


def _log_groups(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.logs.get_paginator("describe_log_groups").paginate(logGroupNamePattern=names.stack):
        for one in page["logGroups"]:
            yield Listed(one["logGroupName"], one.get("logGroupArn", one["arn"]).removesuffix(":*"))


def _roles(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.iam.get_paginator("list_roles").paginate():
        for one in page["Roles"]:
            if one["RoleName"].startswith(f"{names.stack}-"):
                tags = account.iam.get_paginator("list_role_tags").paginate(RoleName=one["RoleName"])
                found = {tag["Key"]: tag["Value"] for page in tags for tag in page["Tags"]}
                yield Listed(one["RoleName"], one["Arn"], tags=found)


def _policies(account: Account, names: Names) -> Iterator[Listed]:
    for page in account.iam.get_paginator("list_policies").paginate(Scope="Local"):
        for one in page["Policies"]:
            if one["PolicyName"].startswith(f"{names.stack}-"):
                tags = account.iam.get_paginator("list_policy_tags").paginate(PolicyArn=one["Arn"])
                found = {tag["Key"]: tag["Value"] for page in tags for tag in page["Tags"]}
                yield Listed(one["PolicyName"], one["Arn"], tags=found)


KINDS: Final = (
    Kind("stack", "AWS::CloudFormation::Stack", "cloudformation:stack/", _stacks),
    Kind("schedule", "AWS::Scheduler::Schedule", "scheduler:schedule/", _schedules, of="begins"),
    Kind("rule", "AWS::Events::Rule", "events:rule/", _rules, of="begins"),
    Kind(
        "scaling target",
        "AWS::ApplicationAutoScaling::ScalableTarget",
        "application-autoscaling:scalable-target/",
        _scaling_targets,
    ),
    Kind("alarm", "AWS::CloudWatch::Alarm", "cloudwatch:alarm:", _alarms),
    Kind("dashboard", "AWS::CloudWatch::Dashboard", "cloudwatch:dashboard/", _dashboards, of="begins", everywhere=True),
    Kind("budget", "AWS::Budgets::Budget", "budgets:budget/", _budgets, everywhere=True),
    Kind("sampling rule", "AWS::XRay::SamplingRule", "xray:sampling-rule/", _sampling_rules),
    Kind("state machine", "AWS::StepFunctions::StateMachine", "states:stateMachine:", _machines),
    Kind("function", "AWS::Lambda::Function", "lambda:function:", _functions),
    Kind("endpoint", "AWS::SageMaker::Endpoint", "sagemaker:endpoint/", _endpoints),
    Kind("endpoint configuration", "AWS::SageMaker::EndpointConfig", "sagemaker:endpoint-config/", _endpoint_configs),
    Kind("model", "AWS::SageMaker::Model", "sagemaker:model/", _models),
    Kind("training job", "AWS::SageMaker::TrainingJob", "sagemaker:training-job/", training_jobs, of="begins"),
    Kind("build project", "AWS::CodeBuild::Project", "codebuild:project/", _builds),
    Kind("topic", "AWS::SNS::Topic", "sns:", _topics),
    Kind("queue", "AWS::SQS::Queue", "sqs:", _queues, of="begins"),
    Kind("repository", "AWS::ECR::Repository", "ecr:repository/", _repositories),
    Kind("bucket", "AWS::S3::Bucket", "s3:", _buckets, of="begins"),
    Kind("log group", "AWS::Logs::LogGroup", "logs:log-group:", _log_groups, of="contains"),
    Kind("role", "AWS::IAM::Role", "iam:role/", _roles, of="begins", everywhere=True),
    Kind("policy", "AWS::IAM::ManagedPolicy", "iam:policy/", _policies, of="begins", everywhere=True),
)
"""Every kind, in the order in which leftovers can go: what starts or uses others first."""
