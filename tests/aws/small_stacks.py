"""A deployment in small: two templates with the parameters of the real ones, and what goes with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scones.aws.account import Account
from scones.aws.cargo import Cargo, Templates, load_cargo
from scones.aws.names import Names
from scones.aws.packages import Package, Target
from scones.aws.plan import Telling
from scones.aws.stack_events import StackEvent
from scones.bundle import read_bundle
from scones.registry import register
from scones.settings import Settings
from scones.store import open_bucket

BOOTSTRAP = """
Parameters:
  AppStack: {Type: String}
  LogDays: {Type: Number, Default: 30}
Resources:
  Artefacts:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    Properties: {BucketName: !Sub "${AppStack}-artefacts-${AWS::AccountId}-${AWS::Region}"}
  Repository: {Type: AWS::ECR::Repository, Properties: {RepositoryName: !Sub "${AppStack}-container"}}
"""
APP = """
Parameters:
  ArtefactBucket: {Type: String}
  SerializeImageKey: {Type: String}
  ClassifyMachineKey: {Type: String}
  ReviewMachineKey: {Type: String}
  BatchMachineKey: {Type: String}
  ModelKey: {Type: String}
  ImageUri: {Type: String}
  Task: {Type: String, Default: vehicles}
  FunctionRuntime: {Type: String, Default: python3.13, AllowedValues: [python3.12, python3.13, python3.14]}
  FunctionArchitecture: {Type: String, Default: arm64, AllowedValues: [arm64, x86_64]}
  Inference: {Type: String, Default: real-time, AllowedValues: [real-time, serverless]}
  InstanceType: {Type: String, Default: ml.m5.large}
  MinInstances: {Type: Number, Default: 1}
  MaxInstances: {Type: Number, Default: 4}
  ServerlessConcurrency: {Type: Number, Default: 10}
  LogDays: {Type: Number, Default: 30}
  QueueName: {Type: String, Default: scones-queue}
  Guardrails: {Type: String, Default: "true"}
Resources:
  Bucket:
    Type: AWS::S3::Bucket
    DeletionPolicy: RetainExceptOnCreate
    Properties: {BucketName: !Sub "${AWS::StackName}-${AWS::AccountId}-${AWS::Region}"}
  Model: {Type: AWS::SSM::Parameter, Properties: {Name: model, Type: String, Value: !Sub "${ModelKey} ${ImageUri}"}}
  Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: !Sub "scones-${LogDays}"}}
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref QueueName}}
Outputs:
  BucketName: {Value: !Ref Bucket, Description: Pictures go below arrivals/ in it}
"""
STANCES = {
    "ArtefactBucket": "scones-artefacts-123456789012-eu-west-1",
    "ModelKey": "models/vehicles/v1/model.tar.gz",
    "Task": "vehicles",
    "Inference": "real-time",
    "ThresholdFloor": "0",
    "CandidateKey": "",
    "CandidateWeight": "0",
    "Guardrails": "true",
    "AlertEmail": "",
}
"""What a stance reads and sets, with values; and one that it leaves alone."""
TRIAL = json.dumps({
    "Parameters": {name: {"Type": "String"} for name in STANCES},
    "Resources": {
        "Shown": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {
                "Name": "shown",
                "Type": "String",
                "Value": {"Fn::Sub": " ".join(f"${{{name}}}" for name in STANCES)},
            },
        }
    },
    "Outputs": {"EndpointName": {"Value": "scones"}},
})  # fmt: skip
FAILING = APP.replace(
    "Outputs:", "  Other: {Type: AWS::S3::Bucket, Properties: {BucketName: taken}, DependsOn: Topic}\nOutputs:"
)


class Yard:
    """A folder with a store, a checkout and the packages of a deployment in small; and all that was told."""

    def __init__(self, folder: Path, account: Account, tiny_bundle: Callable[..., bytes]) -> None:
        self.folder, self.account, self._bundle = folder, account, tiny_bundle
        self.names = Names("scones", account.id, account.region)
        self.settings = Settings.load(environ={}, file=None, store=str(folder / "store"))
        self.root = folder / "checkout"
        self.root.mkdir()
        (self.root / "Dockerfile").write_text("FROM nothing\n")
        (self.root / ".dockerignore").write_text("*\n")
        # of the bootstrap stack, but moto's CloudFormation makes none
        account.codebuild.create_project(
            name=self.names.build,
            source={"type": "S3", "location": f"{self.names.artefacts}/source/none.zip"},
            artifacts={"type": "NO_ARTIFACTS"},
            environment={"type": "LINUX_CONTAINER", "image": "standard", "computeType": "BUILD_GENERAL1_SMALL"},
            serviceRole=f"arn:aws:iam::{self.names.account}:role/build",
        )
        self.code = b"code"
        self.targets: list[Target] = []
        self.said: list[str] = []
        self.events: list[StackEvent] = []
        self.progress: list[tuple[str, int, int]] = []

    @property
    def tell(self) -> Telling:
        return Telling(self.said.append, self.events.append, lambda *what: self.progress.append(what))

    def promote(self, version: str) -> None:
        """Put a model in production, if it is the first."""
        bucket = open_bucket(self.settings.store, self.settings.bucket)
        info, model = read_bundle(self._bundle(version=version))
        register(bucket, info, model, who="Ada", now=datetime(2026, 11, 20, tzinfo=UTC))

    def build(self, target: Target) -> Sequence[Package]:
        self.targets.append(target)
        path = self.folder / "serialize_image.zip"
        path.write_bytes(self.code)
        return [Package("serialize_image", path, hashlib.sha256(self.code).hexdigest(), target.here)]

    def cargo(self, sets: Mapping[str, str] | None = None, *, app: str = APP, **more: Any) -> Cargo:
        return load_cargo(
            self.account,
            self.names,
            self.settings,
            sets or {},
            templates=Templates(BOOTSTRAP, app),
            root=self.root,
            build=self.build,
            **more,
        )


def nothing(_: float) -> None:
    """Do not wait."""
