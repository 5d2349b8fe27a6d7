"""An account full of things: those of a stack, and those of others, which look much the same."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scones.aws.account import Account
from scones.aws.names import TAG, Names

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

__all__ = ["VERSIONS", "populate", "put_alarm", "put_job", "put_versions", "strangers", "write_log"]

VERSIONS = 1105
"""Versions and delete markers in the application's bucket: more than one request takes."""

_ROLE = json.dumps(
    {"Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
)
_POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
)
_MACHINE = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
_SOMEONE = "arn:aws:iam::123456789012:role/someone"
_APP = """
Resources:
  Bucket: {{Type: AWS::S3::Bucket, DeletionPolicy: RetainExceptOnCreate, Properties: {{BucketName: {0.bucket}}}}}
  Topic: {{Type: AWS::SNS::Topic, Properties: {{TopicName: {0.topic}}}}}
  DeadLetters: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {0.stack}-dead-letters}}}}
"""
_BOOTSTRAP = """
Resources:
  Artefacts: {{Type: AWS::S3::Bucket, DeletionPolicy: RetainExceptOnCreate, Properties: {{BucketName: {0.artefacts}}}}}
  Repository: {{Type: AWS::ECR::Repository, Properties: {{RepositoryName: {0.repository}, EmptyOnDelete: true}}}}
"""


def populate(account: Account, names: Names, versions: int = 10) -> None:
    """What a stack can leave in an account in its life: its two stacks, and all that may lie outside of them."""
    for name, body in ((names.bootstrap, _BOOTSTRAP), (names.stack, _APP)):
        tags = [{"Key": TAG, "Value": names.stack}]
        account.cloudformation.create_stack(StackName=name, TemplateBody=body.format(names), Tags=tags)  # type: ignore[arg-type]
    put_versions(account, names.bucket, versions)
    put_versions(account, names.artefacts, 3)
    _put_image(account, names.repository)
    _put_workflow(account, names)
    _put_endpoint(account, names)
    put_job(account, names, f"{names.stack}-train-1")
    _put_watchers(account, names)
    _put_rights(account, names)
    for group in (
        f"/aws/lambda/{names.function('serialize_image')}",
        f"/aws/vendedlogs/states/{names.machine('classify')}",
        f"/aws/sagemaker/Endpoints/{names.endpoints[0]}",
        f"/aws/codebuild/{names.build}",
    ):
        account.logs.create_log_group(logGroupName=group)


def put_versions(account: Account, bucket: str, count: int) -> None:
    """Have so many versions and delete markers in a bucket: a few objects, written and deleted again and again."""
    account.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    if count > 1000:  # what was never there can be deleted as well
        account.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": f"capture/{n}"} for n in range(1000)]})
        count -= 1000
    for number in range(count):
        key = f"arrivals/vehicles/{number % 3}.png"
        if number % 5 == 4:
            account.s3.delete_object(Bucket=bucket, Key=key)
        else:
            account.s3.put_object(Bucket=bucket, Key=key, Body=str(number).encode())


def _put_image(account: Account, repository: str) -> None:
    digest = f"sha256:{hashlib.sha256(b'scones').hexdigest()}"
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": digest},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1, "digest": digest}],
    }
    for number in (1, 2):
        manifest["layers"][0]["digest"] = f"sha256:{number:064}"
        account.ecr.put_image(repositoryName=repository, imageManifest=json.dumps(manifest), imageTag=str(number))


def _put_workflow(account: Account, names: Names) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("main.py", "def handler(event, context): ...")
    role = account.iam.create_role(
        RoleName=f"{names.stack}-serialize-image-{names.region}", AssumeRolePolicyDocument=_ROLE
    )
    account.functions.create_function(
        FunctionName=names.function("serialize_image"),
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="main.handler",
        Code={"ZipFile": packed.getvalue()},
    )
    machine = account.stepfunctions.create_state_machine(
        name=names.machine("classify"), definition=_MACHINE, roleArn=role["Role"]["Arn"]
    )["stateMachineArn"]
    account.stepfunctions.start_execution(stateMachineArn=machine, name="one")
    rule = f"{names.stack}-arrivals"
    account.events.put_rule(Name=rule, EventPattern=json.dumps({"source": ["aws.s3"]}))
    account.events.put_targets(Rule=rule, Targets=[{"Id": "1", "Arn": machine}])
    account.scheduler.create_schedule(
        Name=f"{names.stack}-watch-capture",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": machine, "RoleArn": role["Role"]["Arn"]},
    )
    account.codebuild.create_project(
        name=names.build,
        source={"type": "S3", "location": "bucket/key.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
        serviceRole=role["Role"]["Arn"],
    )


def _put_endpoint(account: Account, names: Names) -> None:
    """The model and the configuration have names of CloudFormation's; nothing but their tags says whose they are."""
    tag = hashlib.sha256(names.stack.encode()).hexdigest()[:12]
    model, config = f"Model-{tag}", f"EndpointConfig-{tag}"
    tags = {"Tags": [{"Key": TAG, "Value": names.stack}]}
    account.sagemaker.create_model(ModelName=model, ExecutionRoleArn=_SOMEONE, **tags)  # type: ignore[arg-type]
    account.sagemaker.create_endpoint_config(
        EndpointConfigName=config,
        ProductionVariants=[
            {"VariantName": "main", "ModelName": model, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        ],
        **tags,  # type: ignore[arg-type]
    )
    account.sagemaker.create_endpoint(EndpointName=names.endpoints[0], EndpointConfigName=config, **tags)  # type: ignore[arg-type]
    account.autoscaling.register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{names.endpoints[0]}/variant/main",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=4,
    )


def put_job(account: Account, names: Names, name: str) -> None:
    """A training job with the streams that it leaves in the log group of all jobs."""
    account.sagemaker.create_training_job(
        TrainingJobName=name,
        RoleArn=_SOMEONE,
        AlgorithmSpecification={"TrainingImage": "x", "TrainingInputMode": "File"},
        OutputDataConfig={"S3OutputPath": f"s3://{names.artefacts}/training"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
        Tags=[{"Key": TAG, "Value": names.stack}],
    )
    for number in (1, 2):
        write_log(account, "/aws/sagemaker/TrainingJobs", f"{name}/algo-{number}", [(datetime.now(UTC), "epoch 1")])


def write_log(account: Account, group: str, stream: str, lines: list[tuple[datetime, str]]) -> None:
    """Write lines into a stream of a log group, both made if need be."""
    logs = account.logs
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_group(logGroupName=group)
    with suppress(logs.exceptions.ResourceAlreadyExistsException):
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    events: list[InputLogEventTypeDef] = [
        {"timestamp": int(when.timestamp() * 1000), "message": text} for when, text in lines
    ]
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def _put_watchers(account: Account, names: Names) -> None:
    for name in (f"{names.stack}-drift", f"TargetTracking-endpoint/{names.endpoints[0]}/variant/main-AlarmHigh-1"):
        put_alarm(account, name)
    _put_sampling_rule(account, f"{names.stack}-trace")
    account.cloudwatch.put_dashboard(DashboardName=f"{names.stack}-{names.region}", DashboardBody='{"widgets": []}')
    account.budgets.create_budget(
        AccountId=account.id,
        Budget={
            "BudgetName": f"{names.stack}-monthly-{names.region}",
            "BudgetLimit": {"Amount": "50", "Unit": "USD"},
            "TimeUnit": "MONTHLY",
            "BudgetType": "COST",
        },
    )


def _put_sampling_rule(account: Account, name: str) -> None:
    account.xray.create_sampling_rule(
        SamplingRule={
            "RuleName": name,
            "ResourceARN": "*",
            "Priority": 1000,
            "FixedRate": 0.05,
            "ReservoirSize": 0,
            "ServiceName": "*",
            "ServiceType": "*",
            "Host": "*",
            "HTTPMethod": "*",
            "URLPath": "*",
            "Version": 1,
        }
    )


def put_alarm(account: Account, name: str) -> None:
    """An alarm of a metric."""
    account.cloudwatch.put_metric_alarm(
        AlarmName=name,
        Namespace="Scones",
        MetricName="Drift",
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )


def _put_rights(account: Account, names: Names) -> None:
    """A role with rights of both kinds, and the policy that another team has taken."""
    role = names.training_role
    account.iam.create_role(RoleName=role, AssumeRolePolicyDocument=_ROLE, Tags=[{"Key": TAG, "Value": names.stack}])
    account.iam.put_role_policy(RoleName=role, PolicyName="train", PolicyDocument=_POLICY)
    policy = account.iam.create_policy(PolicyName=f"{names.stack}-callers-{names.region}", PolicyDocument=_POLICY)
    arn = policy["Policy"]["Arn"]
    account.iam.create_policy_version(PolicyArn=arn, PolicyDocument=_POLICY, SetAsDefault=True)
    account.iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    account.iam.create_role(RoleName=f"callers-of-{names.stack}", AssumeRolePolicyDocument=_ROLE)
    account.iam.attach_role_policy(RoleName=f"callers-of-{names.stack}", PolicyArn=arn)


def strangers(account: Account) -> None:
    """What is somebody else's, though its name begins as the stack ``scones`` would have it."""
    account.s3.create_bucket(Bucket="scones-website", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    account.s3.put_object(Bucket="scones-website", Key="index.html", Body=b"scones")
    account.logs.create_log_group(logGroupName="/aws/lambda/scones-website")
    account.logs.create_log_group(logGroupName="/aws/lambda/sconesserialize-image")
    account.sns.create_topic(Name="scones-website")
    account.sqs.create_queue(QueueName="scones-website")
    account.events.put_rule(Name="scones-website", EventPattern=json.dumps({"source": ["aws.s3"]}))
    put_alarm(account, "scones-website")
    _put_sampling_rule(account, "scones-website")
    account.cloudwatch.put_dashboard(DashboardName="scones-website", DashboardBody='{"widgets": []}')
    account.iam.create_role(RoleName="scones-website-eu-west-1", AssumeRolePolicyDocument=_ROLE)
    account.iam.create_policy(PolicyName="scones-website-eu-west-1", PolicyDocument=_POLICY)
    account.sagemaker.create_model(ModelName="scones-website", ExecutionRoleArn=_SOMEONE)
    # of the stack of the same name in another region
    tags = [{"Key": TAG, "Value": "scones"}]
    account.iam.create_role(RoleName="scones-training-us-east-1", AssumeRolePolicyDocument=_ROLE, Tags=tags)  # type: ignore[arg-type]
