"""Where moto does other than AWS: each function puts one thing right, and says what.

They change moto in this process until the test ends; the product knows nothing of them.
"""

from __future__ import annotations

import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from moto.cloudformation import models, parsing, responses
from moto.codebuild.models import CodeBuildBackend
from moto.codebuild.responses import CodeBuildResponse
from moto.core.responses import ActionResult
from moto.core.utils import camelcase_to_underscores
from moto.ecr.models import Repository, ecr_backends
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import IAMBackend
from moto.logs.models import logs_backends
from moto.s3.models import FakeBucket, s3_backends
from moto.sagemaker.exceptions import ResourceInUseException
from moto.sagemaker.models import FakeEndpointConfig, FakeTrainingJob, SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse
from moto.xray.responses import XRayResponse
from moto.xray.urls import url_paths as xray_paths

_Backend = models.CloudFormationBackend


def change_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change sets as AWS makes them.

    - One that changes nothing is made and FAILED; moto refuses to make it, or compares with the parameters of the
      stack's first day.
    - One of a stack that is only planned belongs to that stack; moto makes a second stack of the same name.
    - Those of one stack are listed; moto lists all there are.
    - A stack has the outputs of the template that was executed; moto's has those from before.
    """
    monkeypatch.setattr(responses.CloudFormationResponse, "_validate_different_update", lambda *_: None)

    def has_parameters(stack: models.Stack, other: dict[str, Any]) -> bool:
        defaults = {key: value.get("Default") for key, value in stack.template_dict.get("Parameters", {}).items()}
        texts = [
            {key: str(value) for key, value in (defaults | found).items()} for found in (stack.stack_parameters, other)
        ]
        return texts[0] == texts[1]

    monkeypatch.setattr(models.Stack, "has_parameters", has_parameters)
    create, execute = _Backend.create_change_set, _Backend.execute_change_set

    def create_change_set(backend: _Backend, stack_name: str, *args: Any, **given: Any) -> tuple[str, str]:
        planned = [
            one for one in backend.stacks.values() if (one.name, one.status) == (stack_name, "REVIEW_IN_PROGRESS")
        ]
        made, stack = create(backend, stack_name, *args, **given)
        if planned:
            del backend.stacks[stack]
            backend.change_sets[made].stack = planned[0]
            backend.change_sets[made].stack_id = stack = planned[0].stack_id
        return made, stack

    def execute_change_set(backend: _Backend, change_set_name: str, **given: Any) -> None:
        stack = backend.describe_change_set(change_set_name).stack  # type: ignore[union-attr]
        execute(backend, change_set_name, **given)
        stack._parse_template()
        stack.output_map = stack._create_output_map()

    def list_change_sets(response: responses.CloudFormationResponse) -> Any:
        name = response._get_param("StackName")
        every = response.cloudformation_backend.change_sets.values()
        return ActionResult({"Summaries": [one for one in every if name in (one.stack_name, one.stack_id)]})

    monkeypatch.setattr(_Backend, "create_change_set", create_change_set)
    monkeypatch.setattr(_Backend, "execute_change_set", execute_change_set)
    monkeypatch.setattr(responses.CloudFormationResponse, "list_change_sets", list_change_sets)


def previous_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """The previous value of a parameter that was left to its default is the default; moto fails."""

    def resolve(_: _Backend, instance: models.Stack, incoming_params: list[dict[str, Any]]) -> dict[str, str]:
        given = {one["ParameterKey"]: one["ParameterValue"] for one in incoming_params if "ParameterValue" in one}
        return {**instance.parameters, **given}

    monkeypatch.setattr(_Backend, "_resolve_update_parameters", resolve)


def rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change set that fails is rolled back: what it made is gone, a new stack as well, and events tell of it.

    Moto answers 500 and leaves the stack half made. This makes of each CREATE change set one with
    ``OnStackFailure=DELETE``.
    """
    making: list[str] = []
    execute = _Backend.execute_change_set

    def noted(work: Any) -> Any:
        def do(logical_id: str, *args: Any, **given: Any) -> Any:
            making.append(logical_id)
            return work(logical_id, *args, **given)

        return do

    for name in ("parse_and_create_resource", "parse_and_update_resource"):
        monkeypatch.setattr(parsing, name, noted(getattr(parsing, name)))

    def execute_change_set(backend: _Backend, change_set_name: str, **given: Any) -> None:
        change_set = backend.describe_change_set(change_set_name)
        assert change_set is not None
        stack, resources = change_set.stack, change_set.stack.resource_map
        template, parameters = stack.template, dict(resources.input_parameters)
        making.clear()
        try:
            execute(backend, change_set_name, **given)
        except Exception as error:  # noqa: BLE001 - moto raises what it likes
            kind = change_set.template_dict["Resources"][making[-1]]["Type"]
            failure = (stack.stack_id, stack.name, making[-1], "", kind, "CREATE_FAILED", str(error), None)
            stack.events.append(models.Event(*failure))
            made = {key: one for key, one in resources._resource_json_map.items() if key in resources._parsed_resources}
            if change_set.change_set_type == "CREATE":
                resources._resource_json_map = {key: {**one, "DeletionPolicy": "Delete"} for key, one in made.items()}
                backend.delete_stack(stack.stack_id)
                return
            resources._resource_json_map = made
            stack._add_stack_event("UPDATE_ROLLBACK_IN_PROGRESS")
            resources.update(stack.parse_template(str(template)), parameters)
            stack.status = "UPDATE_ROLLBACK_COMPLETE"
            stack._add_stack_event("UPDATE_ROLLBACK_COMPLETE")

    monkeypatch.setattr(_Backend, "execute_change_set", execute_change_set)


def kept_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket under RetainExceptOnCreate outlives its stack, and ImportExistingResources takes it in again.

    Moto knows only Retain, and does not import.
    """
    delete = parsing.ResourceMap.delete

    def delete_all_but_kept(resources: parsing.ResourceMap) -> None:
        for one in resources._resource_json_map.values():
            if one.get("DeletionPolicy") == "RetainExceptOnCreate":
                one["DeletionPolicy"] = "Retain"
        delete(resources)

    monkeypatch.setattr(parsing.ResourceMap, "delete", delete_all_but_kept)
    create = FakeBucket.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]

    def create_or_take(
        cls: type[FakeBucket],
        /,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **more: Any,
    ) -> FakeBucket:
        there = s3_backends[account_id]["aws"].buckets.get(resource_name)
        if there is not None and cloudformation_json.get("DeletionPolicy", "").startswith("Retain"):
            return there
        made: FakeBucket = create(cls, resource_name, cloudformation_json, account_id, region_name, **more)
        return made

    monkeypatch.setattr(FakeBucket, "create_from_cloudformation_json", classmethod(create_or_take))


_PHASES = ("QUEUED", "DOWNLOAD_SOURCE", "BUILD")


def builds(monkeypatch: pytest.MonkeyPatch, *, log: Sequence[str] = (), phases: Sequence[str] = _PHASES) -> None:
    """A build has the source and the variables that it was started with, goes on look by look, and pushes an image.

    Moto forgets the former, has each build succeed at the first look, and pushes nothing.

    Args:
        monkeypatch: of the test.
        log: what a build writes that fails; empty: builds succeed.
        phases: that it is in, look by look; without any it is over at the first.
    """
    start = CodeBuildResponse.start_build

    def start_build(response: CodeBuildResponse) -> Any:
        started = start(response)
        build = response.codebuild_backend.build_metadata[response._get_param("projectName")].build_metadata
        group = f"/aws/codebuild/{build['projectName']}"
        build["source"] = {"type": "S3", "location": response._get_param("sourceLocationOverride")}
        build["environment"]["environmentVariables"] = response._get_param("environmentVariablesOverride")
        build["logs"] |= {"groupName": group, "streamName": build["id"].partition(":")[2]}
        build["phasesToCome"] = list(phases)  # nothing of AWS's, so it is not answered
        return started

    def batch_get_builds(backend: CodeBuildBackend, ids: list[str]) -> list[dict[str, Any]]:
        every = [build for some in backend.build_metadata_history.values() for build in some if build["id"] in ids]
        for build in every:
            if phases := build["phasesToCome"]:
                build["currentPhase"] = phases.pop(0)
            elif build["buildStatus"] == "IN_PROGRESS":
                build["currentPhase"] = "COMPLETED"
                build["buildStatus"] = "FAILED" if log else "SUCCEEDED"
                fail(backend, build) if log else push(backend, build)
        return every

    def push(backend: CodeBuildBackend, build: dict[str, Any]) -> None:
        bucket, _, key = build["source"]["location"].partition("/")
        packed = s3_backends[backend.account_id]["aws"].get_object(bucket, key)
        assert packed is not None
        with zipfile.ZipFile(io.BytesIO(packed.value)) as archive:
            assert "Dockerfile" in archive.namelist()
        tag = {one["name"]: one["value"] for one in build["environment"]["environmentVariables"]}["IMAGE_TAG"]
        manifest = json.dumps({"mediaType": "application/vnd.docker.distribution.manifest.v2+json", "of": tag})
        ecr_backends[backend.account_id][backend.region_name].put_image(build["projectName"], manifest, tag)

    def fail(backend: CodeBuildBackend, build: dict[str, Any]) -> None:
        context = {"statusCode": "COMMAND_EXECUTION_ERROR", "message": "Error while executing command: exit status 1"}
        build["phases"] = [{"phaseType": "BUILD", "phaseStatus": "FAILED", "contexts": [context]}]
        write_log(backend.account_id, backend.region_name, build["logs"]["groupName"], build["logs"]["streamName"], log)

    monkeypatch.setattr(CodeBuildResponse, "start_build", start_build)
    monkeypatch.setattr(CodeBuildBackend, "batch_get_builds", batch_get_builds)


def write_log(account_id: str, region: str, group: str, stream: str, lines: Sequence[str]) -> None:
    """What a service writes into CloudWatch, and moto's services do not."""
    logs = logs_backends[account_id][region]
    if group not in logs.groups:
        logs.create_log_group(group, {})
    logs.ensure_log_stream(group, stream)
    now = int(time.time() * 1000)
    logs.put_log_events(group, stream, [{"timestamp": now, "message": line} for line in lines])


def _train_for_real(ml: Path) -> list[str]:
    """What the container does; its lines on stdout."""
    from scones.training.container import run_container  # not for the many tests that train nothing: it takes seconds
    from scones.training.finetuning import Watcher

    said: list[str] = []
    now = datetime(2026, 11, 20, tzinfo=UTC)
    run_container(ml, now=now, say=said.append, watcher=Watcher(), report=lambda _: None)
    return said


def training_jobs(
    monkeypatch: pytest.MonkeyPatch,
    scratch: Path,
    *,
    train: Callable[[Path], list[str]] = _train_for_real,
    stopped: str = "",
) -> None:
    """A job takes its time, look by look, trains with the pictures in its channel, writes its log, and leaves a model.

    Moto's is over when it is made, and leaves nothing; a second one takes the place of another of its name.

    Args:
        monkeypatch: of the test.
        scratch: where each job has its ``/opt/ml``.
        train: what is done there; answers the lines of the log. What it raises, the job fails with.
        stopped: why the job is ended before it trains, as ``MaxRuntimeExceeded``.
    """
    create, describe = SageMakerModelBackend.create_training_job, SageMakerModelBackend.describe_training_job

    def create_training_job(backend: SageMakerModelBackend, training_job_name: str, **given: Any) -> FakeTrainingJob:
        if training_job_name in backend.training_jobs:
            raise ResourceInUseException(f"Training job {training_job_name} exists already")
        job = create(backend, training_job_name, **given)
        job.training_job_status, job.secondary_status = "InProgress", "Starting"
        job.to_come = [starts, downloads, trains]  # type: ignore[attr-defined]  # nothing of AWS's, so it is not answered
        return job

    def describe_training_job(backend: SageMakerModelBackend, training_job_name: str) -> dict[str, Any]:
        job = backend.training_jobs.get(training_job_name)
        if job is not None and job.training_job_status == "InProgress":
            job.to_come.pop(0)(backend, job)  # type: ignore[attr-defined]
        return describe(backend, training_job_name)

    def step(job: FakeTrainingJob, status: str, message: str) -> None:
        job.secondary_status = status
        job.secondary_status_transitions.append(
            {"Status": status, "StartTime": job.creation_time, "StatusMessage": message}
        )

    def starts(backend: SageMakerModelBackend, job: FakeTrainingJob) -> None:
        """As moto says itself."""

    def downloads(backend: SageMakerModelBackend, job: FakeTrainingJob) -> None:
        step(job, "Downloading", "Downloading input data")
        ml = scratch / job.training_job_name
        (ml / "input/config").mkdir(parents=True)
        (ml / "input/config/hyperparameters.json").write_text(json.dumps(job.hyper_parameters))
        for channel in job.input_data_config:
            place = urlsplit(channel["DataSource"]["S3DataSource"]["S3Uri"])
            prefix = place.path.lstrip("/")
            for name, key in s3_backends[backend.account_id]["aws"].buckets[place.netloc].keys.items():
                if name.startswith(prefix):
                    target = ml / "input/data" / channel["ChannelName"] / name.removeprefix(prefix)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(key.value)

    def trains(backend: SageMakerModelBackend, job: FakeTrainingJob) -> None:
        from scones.training.container import write_failure

        step(job, "Training", "Training image download completed. Training in progress.")
        ml = scratch / job.training_job_name
        if stopped:
            job.training_job_status, job.secondary_status = "Stopped", stopped
            return
        try:
            lines = train(ml)
        except Exception as error:  # noqa: BLE001 - as the container does
            lines = [str(error)]
            job.training_job_status = job.secondary_status = "Failed"
            job.failure_reason = f"AlgorithmError: {write_failure(ml, error)}, exit code: 1"  # type: ignore[attr-defined]
        else:
            place = urlsplit(job.model_artifacts["S3ModelArtifacts"])
            packed = io.BytesIO()
            with tarfile.open(fileobj=packed, mode="w:gz") as tar:
                tar.add(ml / "model", ".")
            s3_backends[backend.account_id]["aws"].put_object(place.netloc, place.path.lstrip("/"), packed.getvalue())
            job.training_job_status = job.secondary_status = "Completed"
            job.training_time_in_seconds, job.billable_time_in_seconds = 90, 30  # type: ignore[attr-defined]
        stream = f"{job.training_job_name}/algo-1-1763632800"
        write_log(backend.account_id, backend.region_name, "/aws/sagemaker/TrainingJobs", stream, lines)

    monkeypatch.setattr(SageMakerModelBackend, "create_training_job", create_training_job)
    monkeypatch.setattr(SageMakerModelBackend, "describe_training_job", describe_training_job)


def emptied_repositories(monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with EmptyOnDelete goes with its images; moto refuses, and never looks at that property."""

    def delete(repository: Repository, account_id: str, region_name: str) -> None:
        ecr_backends[account_id][region_name].delete_repository(repository.name, force=True)

    monkeypatch.setattr(Repository, "delete", delete)


def tagged_endpoint_configs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tagging API finds endpoint configurations; moto has a tuple for their ARN there."""
    make = FakeEndpointConfig.__init__

    def make_with_arn(config: FakeEndpointConfig, *args: Any, **given: Any) -> None:
        make(config, *args, **given)
        config.arn = config.endpoint_config_arn  # type: ignore[assignment]

    monkeypatch.setattr(FakeEndpointConfig, "__init__", make_with_arn)


def ending_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training jobs run, are stopped and can be deleted; moto's are done when they begin, and stay.

    One whose name has ``long`` in it runs until it is stopped, and then is Stopping until it was looked at twice.
    """
    make, describe = FakeTrainingJob.__init__, SageMakerModelBackend.describe_training_job
    looks: dict[str, int] = {}

    def make_running(job: FakeTrainingJob, *args: Any, **given: Any) -> None:
        make(job, *args, **given)
        if "long" in job.training_job_name:
            job.training_job_status = "InProgress"

    def look(backend: SageMakerModelBackend, training_job_name: str) -> dict[str, Any]:
        found = describe(backend, training_job_name)
        job = backend.training_jobs[training_job_name]
        if job.training_job_status == "Stopping":
            looks[training_job_name] = looks.get(training_job_name, 0) + 1
            if looks[training_job_name] == 2:
                job.training_job_status = "Stopped"
        return found

    def stop(response: SageMakerResponse) -> ActionResult:
        response.sagemaker_backend.training_jobs[
            response._get_param("TrainingJobName")
        ].training_job_status = "Stopping"
        return ActionResult({})

    def delete(response: SageMakerResponse) -> ActionResult:
        name, jobs = response._get_param("TrainingJobName"), response.sagemaker_backend.training_jobs
        if jobs[name].training_job_status in {"InProgress", "Stopping"}:
            raise ResourceInUseException(f"job {name} is not over")
        del jobs[name]
        return ActionResult({})

    monkeypatch.setattr(FakeTrainingJob, "__init__", make_running)
    monkeypatch.setattr(SageMakerModelBackend, "describe_training_job", look)
    monkeypatch.setattr(SageMakerResponse, "stop_training_job", stop, raising=False)
    monkeypatch.setattr(SageMakerResponse, "delete_training_job", delete, raising=False)


def held_policies(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that somebody has attached cannot be deleted; moto's can."""
    delete = IAMBackend.delete_policy

    def delete_policy(backend: IAMBackend, policy_arn: str) -> None:
        if backend.get_policy(policy_arn).attachment_count:
            raise DeleteConflictException("Cannot delete a policy attached to entities.")
        delete(backend, policy_arn)

    monkeypatch.setattr(IAMBackend, "delete_policy", delete_policy)


def sampling_rules() -> None:
    """X-Ray has sampling rules; moto knows none. For all tests of a process: moto reads its addresses only once."""

    def rules(response: XRayResponse) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = response.xray_backend.__dict__.setdefault("sampling_rules", {})
        return found

    def create(response: XRayResponse) -> str:
        rule = response._get_param("SamplingRule")
        rule["RuleARN"] = f"arn:aws:xray:{response.region}:{response.current_account}:sampling-rule/{rule['RuleName']}"
        rules(response)[rule["RuleName"]] = {"SamplingRule": rule}
        return json.dumps({"SamplingRuleRecord": {"SamplingRule": rule}})

    def get(response: XRayResponse) -> str:
        return json.dumps(
            {"SamplingRuleRecords": [{"SamplingRule": {"RuleName": "Default"}}, *rules(response).values()]}
        )

    def delete(response: XRayResponse) -> str | tuple[str, dict[str, int]]:
        found = rules(response).pop(response._get_param("RuleName"), None)
        if found is None:
            return json.dumps({"__type": "InvalidRequestException", "message": "Rule does not exist."}), {"status": 400}
        return json.dumps({"SamplingRuleRecord": found})

    for action, do in (("Create", create), ("Get", get), ("Delete", delete)):
        path = f"{action}SamplingRule" + ("s" if action == "Get" else "")
        xray_paths[f"{{0}}/{path}$"] = XRayResponse.dispatch
        setattr(XRayResponse, camelcase_to_underscores(path), do)
