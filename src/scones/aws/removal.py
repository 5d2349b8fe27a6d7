"""Takes single things away: what no stack holds any more, or never did."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.inventory import Found

__all__ = ["REMOVABLE", "TRAINING_LOGS", "detach", "remove", "stop_executions", "stop_job"]

_GONE: Final = ("notfound", "nosuch", "nonexistent", "could not find", "does not exist", "not found")
"""How services say that there is no such thing, each in its own words."""
TRAINING_LOGS: Final = "/aws/sagemaker/TrainingJobs"
"""The log group that all training jobs of an account share; a job's streams begin with its name."""


def remove(account: Account, found: Found) -> None:
    """Take a thing away, or begin to where that takes time; that it is gone is no error.

    Args:
        account: where it is.
        found: of a kind in :data:`REMOVABLE`.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    with explained(f"remove {found.kind} {found.name}"):
        try:
            _REMOVERS[found.kind](account, found)
        except ClientError as error:
            if not any(word in str(error).lower() for word in _GONE):
                raise


def stop_job(account: Account, job: Found) -> None:
    """Have a training job end, if it runs; it takes two minutes or more.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    with explained(f"stop training job {job.name}"):
        if account.sagemaker.describe_training_job(TrainingJobName=job.name)["TrainingJobStatus"] == "InProgress":
            account.sagemaker.stop_training_job(TrainingJobName=job.name)


def stop_executions(account: Account, machine: Found) -> None:
    """Stop all that runs of a state machine; of an Express one nothing runs for longer than minutes.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    pages = account.stepfunctions.get_paginator("list_executions")
    with explained(f"stop the executions of {machine.name}"):
        try:
            for page in pages.paginate(stateMachineArn=machine.arn, statusFilter="RUNNING"):
                for execution in page["executions"]:
                    account.stepfunctions.stop_execution(
                        executionArn=execution["executionArn"], cause="scones aws destroy"
                    )
        except ClientError as error:
            if error_code(error) not in {"StateMachineTypeNotSupported", "StateMachineDoesNotExist"}:
                raise


def detach(account: Account, policy: Found, own: Collection[str]) -> None:
    """Take a policy off roles, users and groups that are not the stack's: while they have it, it cannot go.

    Args:
        account: where it is.
        policy: what they have.
        own: the stack's own roles; they go together.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    iam, arn = account.iam, policy.arn
    with explained(f"detach policy {policy.name}"):
        pages = list(iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=arn))
        for page in pages:
            for role in page["PolicyRoles"]:
                if role["RoleName"] not in own:
                    iam.detach_role_policy(RoleName=role["RoleName"], PolicyArn=arn)
            for user in page["PolicyUsers"]:
                iam.detach_user_policy(UserName=user["UserName"], PolicyArn=arn)
            for group in page["PolicyGroups"]:
                iam.detach_group_policy(GroupName=group["GroupName"], PolicyArn=arn)


def _rule(account: Account, found: Found) -> None:
    targets = account.events.get_paginator("list_targets_by_rule").paginate(Rule=found.name)
    if ids := [target["Id"] for page in targets for target in page["Targets"]]:
        account.events.remove_targets(Rule=found.name, Ids=ids)
    account.events.delete_rule(Name=found.name)


def _scaling_target(account: Account, found: Found) -> None:
    account.autoscaling.deregister_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=found.name,
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
    )


def _endpoint(account: Account, found: Found) -> None:
    if account.sagemaker.describe_endpoint(EndpointName=found.name)["EndpointStatus"] != "Deleting":
        account.sagemaker.delete_endpoint(EndpointName=found.name)


def _training_job(account: Account, found: Found) -> None:
    status = account.sagemaker.describe_training_job(TrainingJobName=found.name)["TrainingJobStatus"]
    if status in {"InProgress", "Stopping"}:  # it has two minutes to end; only then can its record go
        return
    _training_streams(account, found.name)
    account.sagemaker.delete_training_job(TrainingJobName=found.name)


def _training_streams(account: Account, job: str) -> None:
    pages = account.logs.get_paginator("describe_log_streams")
    try:
        streams = [
            stream["logStreamName"]
            for page in pages.paginate(logGroupName=TRAINING_LOGS, logStreamNamePrefix=f"{job}/")
            for stream in page["logStreams"]
        ]
    except ClientError as error:
        if error_code(error) == "ResourceNotFoundException":
            return
        raise
    for stream in streams:
        account.logs.delete_log_stream(logGroupName=TRAINING_LOGS, logStreamName=stream)


def _queue(account: Account, found: Found) -> None:
    account.sqs.delete_queue(QueueUrl=account.sqs.get_queue_url(QueueName=found.name)["QueueUrl"])


def _role(account: Account, found: Found) -> None:
    attached = account.iam.get_paginator("list_attached_role_policies").paginate(RoleName=found.name)
    for arn in [policy["PolicyArn"] for page in attached for policy in page["AttachedPolicies"]]:
        account.iam.detach_role_policy(RoleName=found.name, PolicyArn=arn)
    inline = account.iam.get_paginator("list_role_policies").paginate(RoleName=found.name)
    for name in [name for page in inline for name in page["PolicyNames"]]:
        account.iam.delete_role_policy(RoleName=found.name, PolicyName=name)
    account.iam.delete_role(RoleName=found.name)


def _policy(account: Account, found: Found) -> None:
    versions = account.iam.get_paginator("list_policy_versions").paginate(PolicyArn=found.arn)
    for version in [version for page in versions for version in page["Versions"]]:
        if not version["IsDefaultVersion"]:
            account.iam.delete_policy_version(PolicyArn=found.arn, VersionId=version["VersionId"])
    account.iam.delete_policy(PolicyArn=found.arn)


_REMOVERS: Final[dict[str, Callable[[Account, Found], object]]] = {
    "schedule": lambda account, found: account.scheduler.delete_schedule(Name=found.name),
    "rule": _rule,
    "scaling target": _scaling_target,
    "alarm": lambda account, found: account.cloudwatch.delete_alarms(AlarmNames=[found.name]),
    "dashboard": lambda account, found: account.cloudwatch.delete_dashboards(DashboardNames=[found.name]),
    "budget": lambda account, found: account.budgets.delete_budget(AccountId=account.id, BudgetName=found.name),
    "sampling rule": lambda account, found: account.xray.delete_sampling_rule(RuleName=found.name),
    "state machine": lambda account, found: account.stepfunctions.delete_state_machine(stateMachineArn=found.arn),
    "function": lambda account, found: account.functions.delete_function(FunctionName=found.name),
    "endpoint": _endpoint,
    "endpoint configuration": lambda account, found: account.sagemaker.delete_endpoint_config(
        EndpointConfigName=found.name
    ),
    "model": lambda account, found: account.sagemaker.delete_model(ModelName=found.name),
    "training job": _training_job,
    "build project": lambda account, found: account.codebuild.delete_project(name=found.name),
    "topic": lambda account, found: account.sns.delete_topic(TopicArn=found.arn),
    "queue": _queue,
    # with its images: some are made of others, and only ECR knows in which order they can go
    "repository": lambda account, found: account.ecr.delete_repository(repositoryName=found.name, force=True),
    "log group": lambda account, found: account.logs.delete_log_group(logGroupName=found.name),
    "role": _role,
    "policy": _policy,
}

REMOVABLE: Final = frozenset(_REMOVERS)
"""The kinds that :func:`remove` takes away; stacks and buckets have steps of their own."""
