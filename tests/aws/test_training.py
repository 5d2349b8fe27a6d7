"""`scones aws train`: what SageMaker is asked for, and what becomes of it. The jobs train for real."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from botocore.stub import Stubber
from typer.testing import CliRunner, Result

import scones
from scones import errors
from scones.aws.account import Account
from scones.aws.image import checkout, image_tag, source
from scones.aws.jobs import follow_job, read_curve
from scones.aws.names import TAG, Names
from scones.aws.training import Attempt, Order, find_attempt, start_job, training_request
from scones.bundle import read_bundle
from scones.cli import command_line
from scones.errors import AwsError
from scones.picture import encode_png
from scones.registry import history, list_models
from scones.staging import Dataset, SourcePicture, write_dataset
from scones.store import Bucket, open_bucket
from scones.task import load_task, task_text
from scones.training.container import Hyperparameters
from tests.aws import moto_gaps


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The store of whoever runs the verb."""
    monkeypatch.chdir(tmp_path)
    for name in ("SCONES_STORE", "SCONES_BUCKET", "SCONES_TASK", "SCONES_STACK"):
        monkeypatch.delenv(name, raising=False)
    return open_bucket(".scones/store", "scones")


@pytest.fixture
def staged(bucket: Bucket) -> Dataset:
    return stage(bucket, "vehicles")


def stage(bucket: Bucket, task: str) -> Dataset:
    rng = np.random.default_rng(0)
    chosen = load_task(task)
    pictures = []
    for number in range(60):
        pixels = rng.normal(120, 40, (32, 32, 3)) + (40 if number % 2 else -40) * np.array([1, 0, -1])
        data = encode_png(PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
        pictures.append(SourcePicture(origin=f"{number}", label=chosen.labels[number % 2], data=data))
    return write_dataset(bucket, chosen, pictures, source={"kind": "drawn"})


@pytest.fixture
def small_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Scones as it would be found in a checkout that holds nothing else."""
    root = tmp_path / "checkout"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM nothing\n")
    (root / ".dockerignore").write_text("*\n")
    monkeypatch.setattr(scones, "__file__", str(root / "src/scones/__init__.py"))
    return root


@pytest.fixture
def image(account: Account, names: Names, bootstrapped: None, small_checkout: Path) -> str:
    """The image of the checkout, which is in the repository already."""
    tag = image_tag(source(checkout()))
    manifest = '{"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}'
    account.ecr.put_image(repositoryName=names.repository, imageManifest=manifest, imageTag=tag)
    return f"{names.account}.dkr.ecr.{names.region}.amazonaws.com/{names.repository}:{tag}"


@pytest.fixture
def sagemaker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_bundle: Callable[..., bytes]
) -> Callable[..., None]:
    """Let SageMaker's jobs go on look by look, as ``moto_gaps.training_jobs``, and nobody wait in between.

    Their model is a tiny one, unless they train ``for_real``.
    """
    monkeypatch.setattr("scones.aws.jobs._SECONDS", 0.0)
    monkeypatch.setattr("scones.aws.builds._SECONDS", 0.0)

    def quick(ml: Path) -> list[str]:
        info, model = read_bundle(tiny_bundle())
        metrics = {"calibration_pictures": 12, "calibration_accuracy": 1.0}
        (ml / "model").mkdir()
        (ml / "model/model.onnx").write_bytes(model)
        (ml / "model/bundle.json").write_text(info.model_copy(update={"metrics": metrics}).model_dump_json())
        return ["quickly done"]

    def play(*, for_real: bool = False, **options: Any) -> None:
        how = options if for_real else {"train": quick} | options
        moto_gaps.training_jobs(monkeypatch, tmp_path / "machines", **how)

    return play


def run(*words: str) -> Result:
    return CliRunner().invoke(command_line("aws"), ["aws", "train", *words], env={"COLUMNS": "200"})


def order(dataset: Dataset, *, spot: bool = True, minutes: int = 60, **parameters: Any) -> Order:
    told = Hyperparameters(task=dataset.task, **parameters)
    return Order(dataset, told, None, "ml.m5.large", spot, minutes)


def jobs_of(account: Account) -> list[str]:
    return [job["TrainingJobName"] for job in account.sagemaker.list_training_jobs()["TrainingJobSummaries"]]


def test_a_job_trains_what_was_staged_and_its_model_becomes_one_of_the_store(
    account: Account, names: Names, bucket: Bucket, staged: Dataset, image: str, sagemaker: Callable[..., None]
) -> None:
    sagemaker(for_real=True)
    done = run("--seed", "5", "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    [job] = jobs_of(account)
    assert told["job"] == job
    assert (told["seed"], told["dataset"], told["in_production"]) == (5, staged.version, True)
    assert (told["billable_seconds"], told["dollars"]) == (30, pytest.approx(30 / 3600 * 0.115, rel=0.2))
    [model] = list_models(bucket, "vehicles")
    assert model.version == told["version"]
    assert history(bucket, "vehicles", "candidate")[-1].policy.why == f"trained by job {job}"  # type: ignore[union-attr]
    said = done.stderr.splitlines()
    steps = ["Starting: Preparing the instances for training", "Downloading: Downloading input data"]
    assert [line for line in said if line in steps] == steps
    assert any(line.startswith("  calibration_accuracy=") for line in said)

    asked = account.sagemaker.describe_training_job(TrainingJobName=job)
    place = f"s3://{names.artefacts}"
    assert asked["AlgorithmSpecification"]["TrainingImage"] == image
    assert asked["RoleArn"] == f"arn:aws:iam::{names.account}:role/scones-training-eu-west-1"
    assert asked["HyperParameters"] == {"task": "vehicles", "backbone": "small", "seed": "5", "fine_tune": "false"}
    assert asked["EnableManagedSpotTraining"] is True
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert asked["CheckpointConfig"]["S3Uri"] == f"{place}/checkpoints/{job}"
    assert asked["OutputDataConfig"]["S3OutputPath"] == f"{place}/training"
    assert asked["EnableNetworkIsolation"] is True
    tags = account.sagemaker.list_tags(ResourceArn=asked["TrainingJobArn"])["Tags"]
    assert tags == [{"Key": TAG, "Value": "scones"}]


def test_the_same_command_again_takes_the_model_that_is_there(
    account: Account, bucket: Bucket, staged: Dataset, image: str, sagemaker: Callable[..., None]
) -> None:
    sagemaker()
    first = run()
    assert first.exit_code == 0, first.stderr
    again = run()
    assert again.exit_code == 0, again.stderr
    assert "has made this model already: nothing is to be paid" in again.stderr
    assert again.stdout == first.stdout
    assert len(jobs_of(account)) == 1
    assert "30 s are to be paid, of 90 s of ml.m5.large: about $" in first.stderr
    other = run("--seed", "1", "--no-spot", "--max-minutes", "5")
    assert other.exit_code == 0, other.stderr
    assert "0 objects copied" in other.stderr
    asked = account.sagemaker.describe_training_job(TrainingJobName=jobs_of(account)[-1])
    assert asked["EnableManagedSpotTraining"] is False
    assert asked["StoppingCondition"] == {"MaxRuntimeInSeconds": 300}


def test_a_job_whose_model_is_gone_is_done_once_more(
    account: Account, names: Names, bucket: Bucket, staged: Dataset, image: str, sagemaker: Callable[..., None]
) -> None:
    sagemaker()
    assert run().exit_code == 0
    [job] = jobs_of(account)
    account.s3.delete_object(Bucket=names.artefacts, Key=f"training/{job}/output/model.tar.gz")
    assert run().exit_code == 0
    assert jobs_of(account) == [job, f"{job}-2"]
    asked = account.sagemaker.describe_training_job(TrainingJobName=f"{job}-2")
    assert asked["CheckpointConfig"]["S3Uri"].endswith(f"/checkpoints/{job}")


def test_the_container_is_built_first_where_it_is_not_there(
    account: Account,
    bucket: Bucket,
    staged: Dataset,
    bootstrapped: None,
    small_checkout: Path,
    sagemaker: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moto_gaps.builds(monkeypatch)
    sagemaker()
    done = run()
    assert done.exit_code == 0, done.stderr
    assert "of source; this takes some minutes, once" in done.stderr


def test_a_failure_of_the_container_is_told_with_its_reason_and_a_second_try_works(
    account: Account, bucket: Bucket, staged: Dataset, image: str, sagemaker: Callable[..., None]
) -> None:
    def fail(ml: Path) -> list[str]:
        raise errors.TrainingError("the pictures are of nothing: stage others")

    sagemaker(train=fail)
    failed = run()
    assert isinstance(failed.exception, AwsError)
    [job] = jobs_of(account)
    assert str(failed.exception) == (
        f"training job {job} failed: AlgorithmError: the pictures are of nothing: stage others, exit code: 1: "
        "correct that and try again"
    )
    assert "  the pictures are of nothing: stage others" in failed.stderr.splitlines()  # the job's own log
    assert list_models(bucket, "vehicles") == []
    sagemaker()
    assert run().exit_code == 0
    assert jobs_of(account) == [job, f"{job}-2"]


@pytest.mark.parametrize(
    ("stopped", "said"),
    [
        ("MaxRuntimeExceeded", "took longer than it may: give it more --max-minutes"),
        ("MaxWaitTimeExceeded", "waited too long for a spot machine: try again later, or with --no-spot"),
        ("Stopped", "was stopped: the same command starts it again"),
    ],
)
def test_a_job_that_was_ended_says_why(
    stopped: str, said: str, bucket: Bucket, staged: Dataset, image: str, sagemaker: Callable[..., None]
) -> None:
    sagemaker(stopped=stopped)
    ended = run()
    assert isinstance(ended.exception, AwsError)
    assert said in str(ended.exception)


def test_a_task_of_ones_own_goes_along(
    account: Account, names: Names, bucket: Bucket, image: str, sagemaker: Callable[..., None], tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_text(task_text("vehicles").replace('name = "vehicles"', 'name = "mine"'))
    staged = stage(bucket, "mine.toml")
    sagemaker(for_real=True)
    done = run("--task", "mine.toml", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["task"] == "mine"
    [job] = jobs_of(account)
    name = account.sagemaker.describe_training_job(TrainingJobName=job)["HyperParameters"]["task"]
    key = f"{staged.prefix}/{name}"
    assert account.s3.get_object(Bucket=names.artefacts, Key=key)["Body"].read() == Path("mine.toml").read_bytes()


def test_dry_run_shows_the_request_and_starts_nothing(
    account: Account, names: Names, bucket: Bucket, staged: Dataset, bootstrapped: None
) -> None:
    shown = run("--dry-run", "--fine-tune", "--epochs", "3")
    assert shown.exit_code == 0, shown.stderr
    request = json.loads(shown.stdout)
    assert request["ResourceConfig"]["InstanceType"] == "ml.g4dn.xlarge"
    assert request["HyperParameters"]["epochs"] == "3"
    assert request["HyperParameters"]["rate"] == "3e-05"
    image = request["AlgorithmSpecification"]["TrainingImage"]
    assert image.endswith("-train")
    assert shown.stderr == f"CodeBuild would build {image} first\n"
    assert jobs_of(account) == []
    assert account.codebuild.list_builds_for_project(projectName=names.build)["ids"] == []
    assert account.s3.list_objects_v2(Bucket=names.artefacts)["KeyCount"] == 0


def test_a_job_is_started_and_left_and_followed_later(
    account: Account, bucket: Bucket, staged: Dataset, image: str, sagemaker: Callable[..., None]
) -> None:
    sagemaker()
    started = run("--detach")
    assert started.exit_code == 0, started.stderr
    job = started.stdout.strip()
    assert jobs_of(account) == [job]
    assert f"to wait for it: scones aws train --follow {job}" in started.stderr
    assert list_models(bucket, "vehicles") == []
    second = run("--detach")
    assert second.stdout == started.stdout
    assert f"job {job} is on the way already" in second.stderr
    followed = run("--follow", job)
    assert followed.exit_code == 0, followed.stderr
    assert len(list_models(bucket, "vehicles")) == 1


def test_ctrl_c_leaves_the_job_and_says_how_to_go_on(
    account: Account, names: Names, bucket: Bucket, staged: Dataset, sagemaker: Callable[..., None], tmp_path: Path
) -> None:
    sagemaker()
    wanted = order(staged)
    attempt = find_attempt(account, names, wanted, "image")
    start_job(account, training_request(names, wanted, "image", attempt))
    command = [sys.executable, "-m", "scones", "aws", "train", "--follow", attempt.job, "--stack", "scones"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        said: list[str] = []
        while not said or not said[-1].startswith("Starting"):  # and then it waits for seconds
            said.append(child.stderr.readline())
            assert said[-1], said
        child.send_signal(signal.SIGINT)
        _, rest = child.communicate(timeout=60)
    assert child.returncode == 130
    assert f"the job goes on; to follow it again: scones aws train --follow {attempt.job} --stack scones;" in rest
    assert f"aws sagemaker stop-training-job --training-job-name {attempt.job} --region eu-west-1" in rest
    assert find_attempt(account, names, wanted, "image").state == "running"


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (("--epochs", "3"), errors.SettingsError, "--epochs is of fine-tuning: add --fine-tune"),
        (("--fine-tune", "--rate", "0"), errors.TrainingError, "teach nothing"),
        (("--backbone", "./mine.onnx"), errors.SettingsError, "'./mine.onnx' is not in the container: use nano, small"),
        (("--follow", "x", "--detach"), errors.SettingsError, "leave out --dry-run and --detach"),
        (("--dataset", "none"), errors.ObjectMissing, "no dataset version none of task vehicles"),
        (("--task", "road"), errors.ObjectMissing, "run `scones stage --task road`"),
        (("--follow", "nobody"), errors.AwsError, "cannot look at training job nobody"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_paid(
    words: tuple[str, ...], kind: type[Exception], said: str, bucket: Bucket, staged: Dataset, aws: str
) -> None:
    refused = run(*words)
    assert isinstance(refused.exception, kind)
    assert said in str(refused.exception)


def test_without_the_bootstrap_stack_the_way_to_it_is_told(bucket: Bucket, staged: Dataset, aws: str) -> None:
    refused = run()
    assert isinstance(refused.exception, AwsError)
    assert "`scones aws deploy --stack scones` makes it" in str(refused.exception)


def test_a_quota_that_does_not_suffice_is_told_with_what_to_do(account: Account, names: Names, staged: Dataset) -> None:
    wanted = order(staged)
    request = training_request(names, wanted, "image", find_attempt(account, names, wanted, "image"))
    with Stubber(account.sagemaker) as aws:  # moto has no quotas
        aws.add_client_error("create_training_job", "ResourceLimitExceeded", "limit is 0 Instances")
        with pytest.raises(AwsError, match=r"may not train on ml.m5.large \(limit is 0 Instances\).*--no-spot"):
            start_job(account, request)


def test_a_job_that_someone_else_has_just_started_is_as_good(
    account: Account, names: Names, staged: Dataset, sagemaker: Callable[..., None]
) -> None:
    sagemaker()
    wanted = order(staged)
    attempt = find_attempt(account, names, wanted, "image")
    for _ in range(2):
        start_job(account, training_request(names, wanted, "image", attempt))
    assert find_attempt(account, names, wanted, "image").state == "running"


def test_other_pictures_parameters_and_images_are_other_jobs(account: Account, names: Names, staged: Dataset) -> None:
    orders = [order(staged), order(staged, seed=1), order(staged, backbone="nano"), order(staged)]
    images = ["one", "one", "one", "two"]
    made = [find_attempt(account, names, *one).base for one in zip(orders, images, strict=True)]
    assert len(set(made)) == len(made)
    again = find_attempt(account, names, order(staged, spot=False, minutes=5), "one")
    assert again.base == made[0]  # where and how long it trains makes no other model


def test_the_longest_names_are_not_too_long_for_sagemaker(
    account: Account, bucket: Bucket, staged: Dataset, tmp_path: Path
) -> None:
    names = Names("a" * 25, account.id, account.region)
    long = task_text("vehicles").replace('name = "vehicles"', f'name = "my_{"t" * 60}"')
    (tmp_path / "mine.toml").write_text(long)
    attempt = find_attempt(account, names, order(stage(bucket, "mine.toml")), "image")
    assert len(f"{attempt.base}-999") == 63
    assert "_" not in attempt.job


def test_a_backbone_of_the_hub_takes_the_large_image_and_the_internet(names: Names, staged: Dataset) -> None:
    wanted = order(staged, backbone="hf:google/vit-base-patch16-224")
    assert wanted.needs_torch
    assert not order(staged).needs_torch
    request = training_request(names, wanted, "image", Attempt("job", "job", "new"))
    assert request["EnableNetworkIsolation"] is False


def test_every_line_of_a_job_is_told_once_though_it_was_interrupted(
    account: Account, names: Names, staged: Dataset, sagemaker: Callable[..., None]
) -> None:
    def train(ml: Path) -> list[str]:
        (ml / "model").mkdir()
        return ["the last"]

    sagemaker(train=train)
    wanted = order(staged)
    account.s3.create_bucket(Bucket=names.artefacts, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    attempt = find_attempt(account, names, wanted, "image")
    start_job(account, training_request(names, wanted, "image", attempt))
    write = partial(moto_gaps.write_log, names.account, names.region, "/aws/sagemaker/TrainingJobs")
    news = iter([["first"], ["second", "third"], [], []])

    def pause(_: float) -> None:
        for line in next(news):
            write(f"{attempt.job}/algo-1-{'1' if line == 'first' else '17'}", [line])
        write("another-job/algo-1-1", ["not ours"])

    lines: list[str] = []
    ended = follow_job(account, attempt.job, report=lambda _: None, log=lines.append, pause=pause)
    assert ended.model == f"s3://{names.artefacts}/training/{attempt.job}/output/model.tar.gz"
    assert lines == ["first", "second", "third", "the last"]


def test_a_learning_curve_is_read_from_the_model_that_holds_one(tiny_bundle: Callable[..., bytes]) -> None:
    assert read_curve(tiny_bundle()) == []
