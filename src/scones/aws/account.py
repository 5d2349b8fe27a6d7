"""The account: clients of boto3, and AWS's errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    LoginError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from scones.errors import AwsAccess, AwsError
from scones.store import Bucket

if TYPE_CHECKING:
    from mypy_boto3_application_autoscaling import ApplicationAutoScalingClient
    from mypy_boto3_budgets import BudgetsClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_codebuild import CodeBuildClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_pricing import PricingClient
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sagemaker import SageMakerClient
    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_service_quotas import ServiceQuotasClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_xray import XRayClient

__all__ = ["Account", "connect", "error_code", "explained"]

_CONFIG = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=60)
_NO_CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_NO_PERMISSION = {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation", "403"}


class Account:
    """An AWS account in one region: a client for each service, made when it is asked for.

    Args:
        session: of boto3, with a region.
    """

    def __init__(self, session: boto3.Session) -> None:
        self._session = session

    @property
    def region(self) -> str:
        """The region, as ``eu-west-1``."""
        return self._session.region_name

    @cached_property
    def id(self) -> str:
        """The account's twelve digits.

        Raises:
            AwsAccess: the credentials are not good.
        """
        with explained("ask AWS who you are"):
            return self.sts.get_caller_identity()["Account"]

    def bucket(self, name: str) -> Bucket:
        """A bucket of S3, for what works on the store; with these credentials, of a profile too."""
        return Bucket(name, S3Store(name, credential_provider=Boto3CredentialProvider(self._session)))

    @cached_property
    def autoscaling(self) -> ApplicationAutoScalingClient:
        """Application Auto Scaling: how many instances an endpoint has."""
        return self._session.client("application-autoscaling", config=_CONFIG)

    @cached_property
    def budgets(self) -> BudgetsClient:
        """AWS Budgets."""
        return self._session.client("budgets", config=_CONFIG)

    @cached_property
    def cloudformation(self) -> CloudFormationClient:
        """CloudFormation: stacks."""
        return self._session.client("cloudformation", config=_CONFIG)

    @cached_property
    def cloudwatch(self) -> CloudWatchClient:
        """CloudWatch: metrics and alarms."""
        return self._session.client("cloudwatch", config=_CONFIG)

    @cached_property
    def codebuild(self) -> CodeBuildClient:
        """CodeBuild: it builds the container."""
        return self._session.client("codebuild", config=_CONFIG)

    @cached_property
    def ecr(self) -> ECRClient:
        """ECR: the container's images."""
        return self._session.client("ecr", config=_CONFIG)

    @cached_property
    def events(self) -> EventBridgeClient:
        """EventBridge: rules."""
        return self._session.client("events", config=_CONFIG)

    @cached_property
    def functions(self) -> LambdaClient:
        """Lambda."""
        return self._session.client("lambda", config=_CONFIG)

    @cached_property
    def iam(self) -> IAMClient:
        """IAM: roles and policies."""
        return self._session.client("iam", config=_CONFIG)

    @cached_property
    def logs(self) -> CloudWatchLogsClient:
        """CloudWatch Logs."""
        return self._session.client("logs", config=_CONFIG)

    @cached_property
    def pricing(self) -> PricingClient:
        """The Price List, which only a few regions have."""
        once = _CONFIG.merge(Config(retries={"total_max_attempts": 1}))  # there is a table that takes its place
        return self._session.client("pricing", region_name="us-east-1", config=once)

    @cached_property
    def quotas(self) -> ServiceQuotasClient:
        """Service Quotas."""
        return self._session.client("service-quotas", config=_CONFIG)

    @cached_property
    def s3(self) -> S3Client:
        """S3."""
        return self._session.client("s3", config=_CONFIG)

    @cached_property
    def sagemaker(self) -> SageMakerClient:
        """SageMaker: models, endpoints, training jobs."""
        return self._session.client("sagemaker", config=_CONFIG)

    @cached_property
    def sagemaker_runtime(self) -> SageMakerRuntimeClient:
        """SageMaker's runtime: it calls endpoints."""
        return self._session.client("sagemaker-runtime", config=_CONFIG)

    @cached_property
    def scheduler(self) -> EventBridgeSchedulerClient:
        """EventBridge Scheduler."""
        return self._session.client("scheduler", config=_CONFIG)

    @cached_property
    def sns(self) -> SNSClient:
        """SNS."""
        return self._session.client("sns", config=_CONFIG)

    @cached_property
    def sqs(self) -> SQSClient:
        """SQS."""
        return self._session.client("sqs", config=_CONFIG)

    @cached_property
    def stepfunctions(self) -> SFNClient:
        """Step Functions."""
        return self._session.client("stepfunctions", config=_CONFIG)

    @cached_property
    def sts(self) -> STSClient:
        """STS: who one is."""
        return self._session.client("sts", config=_CONFIG)

    @cached_property
    def tags(self) -> ResourceGroupsTaggingAPIClient:
        """The tagging API: what has a tag."""
        return self._session.client("resourcegroupstaggingapi", config=_CONFIG)

    @cached_property
    def xray(self) -> XRayClient:
        """X-Ray: what is traced."""
        return self._session.client("xray", config=_CONFIG)


def connect(region: str | None = None, profile: str | None = None) -> Account:
    """Find credentials and region where boto3 finds them: the environment, ``~/.aws``, the machine's role.

    Args:
        region: as ``eu-west-1``; None: that of the environment or the profile.
        profile: of ``~/.aws/config``; None: the default one.

    Raises:
        AwsAccess: there is no such profile, or no region is named.
    """
    with explained("open the AWS session"):
        session = boto3.Session(region_name=region, profile_name=profile)
    if not session.region_name:
        raise AwsAccess("no AWS region is named: say --region eu-west-1 (or yours), or set AWS_REGION")
    return Account(session)


def error_code(error: ClientError) -> str:
    """The code of an error that AWS answered, as ``NoSuchBucket``."""
    return error.response.get("Error", {}).get("Code", "")


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turn boto3's errors into ours, which say what was being done and what to do.

    Args:
        doing: completes "cannot …".

    Raises:
        AwsAccess: no good credentials, no region, no permission.
        AwsError: whatever else AWS answers, or that it does not.
    """
    try:
        yield
    except ClientError as error:
        code, said = error_code(error), " ".join(error.response.get("Error", {}).get("Message", "").split())
        if code in _NO_CREDENTIALS:
            raise AwsAccess(
                f"cannot {doing}: the credentials are not good ({code}: {said}): sign in anew, or have the region "
                "enabled in the account, if it is one of those that must be"
            ) from error
        if code in _NO_PERMISSION:
            raise AwsAccess(
                f"cannot {doing}: no permission for {error.operation_name} ({said}): have it allowed"
            ) from error
        raise AwsError(f"cannot {doing}: {error.operation_name} answers {code}: {said}") from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise AwsAccess(
            f"cannot {doing}: no AWS credentials were found: `aws login`, `aws configure sso`, or "
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        ) from error
    except (
        CredentialRetrievalError,
        LoginError,
        NoRegionError,
        ProfileNotFound,
        SSOError,
        TokenRetrievalError,
    ) as error:
        raise AwsAccess(f"cannot {doing}: {error}: correct --profile or --region, or sign in anew") from error
    except EndpointConnectionError as error:
        raise AwsError(
            f"cannot {doing}: AWS does not answer ({error}): is the network up, the region right?"
        ) from error
    except BotoCoreError as error:
        raise AwsError(f"cannot {doing}: {error}") from error
