"""Whether the services that a deployment uses let themselves be looked at, by calls that change nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scones.aws.account import Account, explained
from scones.aws.checks import Check
from scones.errors import AwsAccess, AwsError

__all__ = ["check_permissions"]

_NEEDED = ("CloudFormation", "S3", "ECR", "CodeBuild")
"""What a deployment asks itself; CloudFormation asks the others, with the same rights."""


def check_permissions(account: Account) -> Check:
    """Look at each service. What is let is no proof that things can be made; what is not is worth asking for."""
    denied: dict[str, str] = {}
    silent: dict[str, str] = {}
    looks = _looks(account)
    for service, look in looks.items():
        try:
            with explained(f"look at {service}"):
                look()
        except AwsAccess as error:
            denied[service] = str(error)
        except AwsError as error:
            silent[service] = str(error)
    if denied:
        return Check(
            "permissions",
            "fail" if denied.keys() & set(_NEEDED) else "warn",
            f"no permission to look at {', '.join(denied)}: {next(iter(denied.values()))}",
            "sign in as somebody who may make what `scones aws plan` lists, or have it allowed",
        )
    if silent:
        return Check(
            "permissions",
            "warn",
            f"{', '.join(silent)} cannot be looked at: {next(iter(silent.values()))}",
            "see whether the region has the service, and whether the network lets you reach it",
        )
    return Check(
        "permissions", "ok", f"all {len(looks)} services can be looked at; what may be made only a deployment shows"
    )


def _looks(account: Account) -> Mapping[str, Callable[[], object]]:
    return {
        "CloudFormation": account.cloudformation.list_stacks,
        "S3": account.s3.list_buckets,
        "ECR": lambda: account.ecr.describe_repositories(maxResults=1),
        "CodeBuild": account.codebuild.list_projects,
        "IAM": lambda: account.iam.list_roles(MaxItems=1),
        "Lambda": lambda: account.functions.list_functions(MaxItems=1),
        "Step Functions": lambda: account.stepfunctions.list_state_machines(maxResults=1),
        "SageMaker": lambda: account.sagemaker.list_endpoints(MaxResults=1),
        "Application Auto Scaling": lambda: account.autoscaling.describe_scalable_targets(
            ServiceNamespace="sagemaker", MaxResults=1
        ),
        "EventBridge": lambda: account.events.list_rules(Limit=1),
        "EventBridge Scheduler": lambda: account.scheduler.list_schedules(MaxResults=1),
        "SNS": account.sns.list_topics,
        "SQS": lambda: account.sqs.list_queues(MaxResults=1),
        "CloudWatch": lambda: account.cloudwatch.describe_alarms(MaxRecords=1),
        "CloudWatch Logs": lambda: account.logs.describe_log_groups(limit=1),
        "Budgets": lambda: account.budgets.describe_budgets(AccountId=account.id, MaxResults=1),
        "the tagging API": lambda: account.tags.get_resources(ResourcesPerPage=1),
    }
