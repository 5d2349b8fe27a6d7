"""A training job of SageMaker, followed to its end, and the model that it leaves."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from scones.aws.account import Account, error_code, explained
from scones.aws.removal import TRAINING_LOGS
from scones.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import GetLogEventsRequestTypeDef
    from mypy_boto3_sagemaker.type_defs import DescribeTrainingJobResponseTypeDef

__all__ = ["Ended", "fetch_model", "follow_job", "read_curve"]

_SECONDS: Final = 5.0
"""Between two looks at a job."""
_STOPPED: Final = {
    "MaxRuntimeExceeded": "took longer than it may: give it more --max-minutes (fine-tuning goes on where it was)",
    "MaxWaitTimeExceeded": "waited too long for a spot machine: try again later, or with --no-spot",
}


@dataclass(frozen=True)
class Ended:
    """A job that has made a model.

    Attributes:
        job: its name.
        model: the model's address, s3://…
        instance_type: what it ran on.
        seconds: that it ran.
        billable_seconds: that are to be paid; fewer on spot machines. None: AWS does not say.
    """

    job: str
    model: str
    instance_type: str
    seconds: int | None
    billable_seconds: int | None


def follow_job(
    account: Account,
    job: str,
    *,
    report: Callable[[str], None],
    log: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> Ended:
    """Wait until a training job has ended; its own limits see to it that it does.

    Args:
        account: whose.
        job: its name.
        report: called with each step of SageMaker's as it begins.
        log: called with each line of the job's log as it comes.
        pause: waits for so many seconds.

    Raises:
        AwsError: there is no such job, or it failed or was stopped: with the reason.
    """
    lines, told = _Lines(account, job), 0
    while True:
        with explained(f"look at training job {job}"):
            found = account.sagemaker.describe_training_job(TrainingJobName=job)
        steps = found.get("SecondaryStatusTransitions", [])
        for step in steps[told:]:
            report(": ".join(filter(None, (step["Status"], step.get("StatusMessage", "")))))
        told = len(steps)
        over = found["TrainingJobStatus"] not in {"InProgress", "Stopping"}
        if over and told:
            pause(_SECONDS)  # the log's last lines come late
        for line in lines.new():
            log(line)
        if over:
            return _ended(job, found)
        pause(_SECONDS)


def fetch_model(account: Account, ended: Ended) -> bytes:
    """The ``model.tar.gz`` that a job left.

    Raises:
        AwsError: it is gone.
    """
    place = urlsplit(ended.model)
    with explained(f"fetch the model of training job {ended.job} from {ended.model}"):
        return account.s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()


def read_curve(model: bytes) -> list[dict[str, Any]]:
    """The learning curve in a job's ``model.tar.gz``, a row an epoch; empty where there is none."""
    with tarfile.open(fileobj=io.BytesIO(model), mode="r:gz") as tar:
        for member in tar:
            if member.name.removeprefix("./") == "curve.jsonl" and (file := tar.extractfile(member)):
                return [json.loads(line) for line in file.read().splitlines()]
    return []


def _ended(job: str, found: DescribeTrainingJobResponseTypeDef) -> Ended:
    status = found["TrainingJobStatus"]
    if status == "Failed":
        reason = found.get("FailureReason", "AWS does not say why")
        raise AwsError(f"training job {job} failed: {reason}: correct that and try again")
    if status != "Completed":
        why = _STOPPED.get(found["SecondaryStatus"], "was stopped: the same command starts it again")
        raise AwsError(f"training job {job} {why}")
    return Ended(
        job=job,
        model=found["ModelArtifacts"]["S3ModelArtifacts"],
        instance_type=found["ResourceConfig"].get("InstanceType", ""),
        seconds=found.get("TrainingTimeInSeconds"),
        billable_seconds=found.get("BillableTimeInSeconds"),
    )


class _Lines:
    """The lines of a job's log, each told once; a job that was interrupted has more than one stream."""

    def __init__(self, account: Account, job: str) -> None:
        self._logs, self._job = account.logs, job
        self._tokens: dict[str, str] = {}

    def new(self) -> Iterator[str]:
        with explained(f"read the log of training job {self._job}"):
            try:
                pages = self._logs.get_paginator("describe_log_streams").paginate(
                    logGroupName=TRAINING_LOGS, logStreamNamePrefix=f"{self._job}/"
                )
                streams = [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":  # nothing has been written yet
                    raise
                return
            for stream in streams:
                yield from self._of(stream)

    def _of(self, stream: str) -> Iterator[str]:
        place: GetLogEventsRequestTypeDef = {
            "logGroupName": TRAINING_LOGS,
            "logStreamName": stream,
            "startFromHead": True,
        }
        while True:
            token = self._tokens.get(stream)
            if token is not None:
                place["nextToken"] = token
            page = self._logs.get_log_events(**place)
            for event in page["events"]:
                yield event["message"].rstrip()
            self._tokens[stream] = page["nextForwardToken"]
            if page["nextForwardToken"] == token:  # AWS's sign that there is no more
                return
