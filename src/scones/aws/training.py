"""Training on SageMaker: what a job is asked to do, and the job that does it; the same training has the same job."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Final, Literal, cast

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.names import TAG, Names
from scones.errors import AwsError, SettingsError
from scones.training.backbone import HUB, backbone_names
from scones.training.container import METRICS, Hyperparameters

if TYPE_CHECKING:
    from mypy_boto3_sagemaker.literals import TrainingInstanceTypeType
    from mypy_boto3_sagemaker.type_defs import CreateTrainingJobRequestTypeDef

    from scones.staging import Dataset

__all__ = ["Attempt", "Order", "find_attempt", "model_key", "start_job", "training_request"]

_LONGEST_NAME: Final = 63
_DISK_GB: Final = 50
_SPOT_SECONDS: Final = 3600
"""How long a job may wait for spot machines, all times together."""
_OF_FINE_TUNING: Final = {"epochs", "patience", "batch", "rate", "head_rate"}


@dataclass(frozen=True)
class Order:
    """What is to be trained, and on what.

    Attributes:
        dataset: the pictures.
        parameters: as the container takes them; but for ``task`` where there is a file of it.
        task_file: content of the task's TOML file, where it is none that comes with Scones.
        instance_type: SageMaker's machine, as ``ml.m5.large``.
        spot: take spare machines, which cost about a third and may be taken away in between.
        minutes: that the training may take.
    """

    dataset: Dataset
    parameters: Hyperparameters
    task_file: bytes | None
    instance_type: str
    spot: bool
    minutes: int

    def __post_init__(self) -> None:
        backbone = self.parameters.backbone
        if not backbone.startswith(HUB) and backbone not in backbone_names():
            raise SettingsError(
                f"backbone {backbone!r} is not in the container: use {', '.join(backbone_names())} or {HUB}ORG/NAME"
            )

    @property
    def needs_torch(self) -> bool:
        """Whether it takes the large image."""
        return self.parameters.fine_tune or self.parameters.backbone.startswith(HUB)

    @property
    def extra_files(self) -> dict[str, bytes]:
        """What lies beside the dataset for it, by name."""
        if self.task_file is None:
            return {}
        return {f"task-{hashlib.sha256(self.task_file).hexdigest()[:12]}.toml": self.task_file}

    def hyperparameters(self) -> dict[str, str]:
        """The parameters, as text."""
        task = next(iter(self.extra_files), self.parameters.task)
        told = self.parameters.model_copy(update={"task": task})
        values = told.model_dump(mode="json", exclude=None if told.fine_tune else _OF_FINE_TUNING)
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}


@dataclass(frozen=True)
class Attempt:
    """A job that does a training, by name.

    Attributes:
        base: the name that all attempts at this training begin with.
        job: the name of this one.
        state: ``new``: there is no such job yet; ``running``; ``done``: its model lies in the bucket.
    """

    base: str
    job: str
    state: Literal["new", "running", "done"]


def model_key(job: str) -> str:
    """Where in the bucket of artefacts SageMaker puts a job's model."""
    return f"training/{job}/output/model.tar.gz"


def find_attempt(account: Account, names: Names, order: Order, image: str) -> Attempt:
    """Look for a job that has done this training, or does it; else find a name for the next one.

    The same pictures, parameters and image make the same model, wherever it is trained.

    Args:
        account, names: where.
        order: what is to be trained.
        image: the container's address.

    Raises:
        AwsAccess, AwsError: as AWS answers.
    """
    content = [image, order.dataset.task, order.dataset.version, order.hyperparameters()]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    longest = _LONGEST_NAME - len(f"{names.stack}--{digest}-999")
    task = order.dataset.task.replace("_", "-")[:longest].strip("-")
    base = f"{names.stack}-{task}-{digest}"
    with explained(f"look for training job {base}"):
        pages = account.sagemaker.get_paginator("list_training_jobs").paginate(NameContains=base)
        states = {
            job["TrainingJobName"]: job["TrainingJobStatus"] for page in pages for job in page["TrainingJobSummaries"]
        }
    for number in count(1):
        job = base if number == 1 else f"{base}-{number}"
        if job not in states:
            return Attempt(base, job, "new")
        if states[job] == "InProgress":
            return Attempt(base, job, "running")
        if states[job] == "Completed" and _has_model(account, names, job):
            return Attempt(base, job, "done")
    raise AssertionError("numbers end nowhere")


def training_request(names: Names, order: Order, image: str, attempt: Attempt) -> CreateTrainingJobRequestTypeDef:
    """What SageMaker is asked for.

    All attempts at a training share its checkpoint: the next one goes on where the last one was ended.
    """
    place = f"s3://{names.artefacts}"
    seconds, kind = (
        order.minutes * 60,
        cast("TrainingInstanceTypeType", order.instance_type),
    )  # AWS knows which there are
    request: CreateTrainingJobRequestTypeDef = {
        "TrainingJobName": attempt.job,
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": [{"Name": name, "Regex": regex} for name, regex in METRICS.items()],
        },
        "RoleArn": f"arn:{names.partition}:iam::{names.account}:role/{names.training_role}",
        "HyperParameters": order.hyperparameters(),
        "InputDataConfig": [
            {
                "ChannelName": "train",
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"{place}/{order.dataset.prefix}/",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
        ],
        "OutputDataConfig": {"S3OutputPath": f"{place}/training"},
        "CheckpointConfig": {"S3Uri": f"{place}/checkpoints/{attempt.base}"},
        "ResourceConfig": {"InstanceType": kind, "InstanceCount": 1, "VolumeSizeInGB": _DISK_GB},
        "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
        "EnableManagedSpotTraining": order.spot,
        # only the hub's backbones are fetched from outside
        "EnableNetworkIsolation": not order.parameters.backbone.startswith(HUB),
        "Tags": [{"Key": TAG, "Value": names.stack}],
    }
    if order.spot:
        request["StoppingCondition"]["MaxWaitTimeInSeconds"] = seconds + _SPOT_SECONDS
    return request


def start_job(account: Account, request: CreateTrainingJobRequestTypeDef) -> None:
    """Start a training job; that it was started meanwhile by someone else is as good.

    Raises:
        AwsError: the account may have no such machine, or whatever else AWS answers.
    """
    job, kind = request["TrainingJobName"], request["ResourceConfig"].get("InstanceType")
    with explained(f"start training job {job}"):
        try:
            account.sagemaker.create_training_job(**request)
        except ClientError as error:
            if error_code(error) == "ResourceLimitExceeded":
                raise AwsError(
                    f"this account may not train on {kind} ({error.response['Error'].get('Message', '')}): have the "
                    "quota raised in Service Quotas, under SageMaker, or try --no-spot or another --instance-type"
                ) from error
            if error_code(error) != "ResourceInUse":
                raise


def _has_model(account: Account, names: Names, job: str) -> bool:
    with explained(f"look for the model of training job {job}"):
        return account.s3.list_objects_v2(Bucket=names.artefacts, Prefix=model_key(job))["KeyCount"] > 0
