"""SageMaker's training contract: its files, channels and signals, as plain processes."""

import json
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from scones.bundle import BundleInfo
from scones.classifier import Classifier
from scones.errors import SettingsError, SourceEmpty, SourceError, StoreError
from scones.picture import encode_png
from scones.staging import Dataset, folder_pictures, write_dataset
from scones.store import open_bucket
from scones.task import load_task
from scones.training.channels import channel_dataset
from scones.training.container import METRICS, Hyperparameters, is_container, run_container, write_failure
from scones.training.finetuning import Watcher

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
TASK = load_task("vehicles")
needs_torch = pytest.mark.skipif(find_spec("torch") is None, reason="fine-tuning needs torch: make train")


def draw(label: int, rng: np.random.Generator) -> bytes:
    """A reddish or a bluish picture."""
    pixels = rng.normal(120, 40, (32, 32, 3)) + (40 if label else -40) * np.array([1, 0, -1])
    return encode_png(PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))


def put_pictures(folder: Path, n: int = 60, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    for number in range(n):
        path = folder / TASK.labels[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(draw(number % 2, rng))
    return folder


def configure(root: Path, **files: Any) -> None:
    (root / "input/config").mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (root / f"input/config/{name}.json").write_text(json.dumps(content))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What stands for /opt/ml: a configuration, and a folder a label in the channel ``train``."""
    configure(tmp_path / "ml", hyperparameters={})
    put_pictures(tmp_path / "ml/input/data/train")
    return tmp_path / "ml"


def train(root: Path, said: list[str] | None = None) -> BundleInfo | None:
    tell = [] if said is None else said
    return run_container(root, now=NOW, say=tell.append, watcher=Watcher(), report=lambda _: None)


def start(*words: str, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "scones", *words]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def found(metric: str, lines: str) -> list[float]:
    return [float(value) for value in re.findall(METRICS[metric], lines)]


def test_a_model_lies_where_sagemaker_packs_it_and_its_metrics_are_found_on_stdout(root: Path) -> None:
    said: list[str] = []
    info = train(root, said)
    assert sorted(path.name for path in (root / "model").iterdir()) == ["bundle.json", "model.onnx"]
    classifier = Classifier.load(root / "model")
    assert classifier.info == info
    assert classifier.info.source == {"kind": "channels", "channels": ["train"]}
    assert classifier.classify([draw(1, np.random.default_rng(9))])[0][1] > 0.5
    for metric in ("accuracy", "ece"):
        assert found(f"calibration:{metric}", said[-1])[0] == pytest.approx(
            classifier.info.metrics[f"calibration_{metric}"], abs=1e-6
        )
    assert found("calibration:threshold", said[-1])[0] == pytest.approx(classifier.info.threshold.value, abs=1e-6)
    assert not (root / "output").exists()


def test_hyperparameters_come_as_text_with_or_without_quotation_marks(root: Path) -> None:
    configure(root, hyperparameters={"task": '"vehicles"', "seed": "7", "fine_tune": "false", "backbone": "small"})
    info = train(root)
    assert info is not None
    assert info.seed == 7


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"epoch": "3"}, "unknown hyperparameter 'epoch': there are task, backbone, seed, fine_tune, epochs"),
        ({"epochs": "ten"}, "epochs"),
        ({"epochs": "0"}, "epochs"),
        ({"fine_tune": "perhaps"}, "perhaps"),
        ({"rate": "-1"}, "rate"),
        ([], "no JSON object"),
    ],
)
def test_wrong_hyperparameters_are_refused_with_those_that_there_are(root: Path, values: Any, said: str) -> None:
    configure(root, hyperparameters=values)
    with pytest.raises(SettingsError, match=re.escape(said)):
        train(root)


def test_hyperparameters_that_are_no_json_are_named(root: Path) -> None:
    (root / "input/config/hyperparameters.json").write_text("{")
    with pytest.raises(SettingsError, match=r"hyperparameters\.json cannot be read"):
        train(root)


def test_fine_tuning_is_asked_for_with_its_own_hyperparameters() -> None:
    job = Hyperparameters.model_validate({"fine_tune": "true", "epochs": "3", "rate": "2e-5"}).job()
    assert job.fine_tuning is not None
    assert (job.fine_tuning.epochs, job.fine_tuning.rate) == (3, 2e-5)
    assert Hyperparameters.model_validate({}).job().fine_tuning is None


def test_of_several_machines_only_the_first_one_trains(root: Path) -> None:
    configure(root, resourceconfig={"current_host": "algo-2", "hosts": ["algo-1", "algo-2"], "network": "eth0"})
    said: list[str] = []
    assert train(root, said) is None
    assert said == ["algo-2 has nothing to do: of 2 machines algo-1 trains"]
    assert not (root / "model").exists()


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"TrainingInputMode": "Pipe"}, "use the input mode File or FastFile"),
        ({"S3DistributionType": "ShardedByS3Key"}, "use FullyReplicated"),
    ],
)
def test_a_channel_that_cannot_be_read_whole_is_refused(root: Path, channel: dict[str, str], said: str) -> None:
    configure(root, inputdataconfig={"train": channel}, resourceconfig={"hosts": ["algo-1", "algo-2"]})
    with pytest.raises(SettingsError, match=said):
        train(root)


def test_a_channel_holds_a_staged_dataset_with_its_splits(root: Path, tmp_path: Path) -> None:
    bucket = open_bucket(str(tmp_path / "store"), "scones")
    pictures = folder_pictures(root / "input/data/train", TASK)
    staged = write_dataset(bucket, TASK, pictures, source={"kind": "folder"})
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "store/scones" / staged.prefix).rename(data / "train")
    manifest = data / "train/manifest.jsonl"  # as it is written on S3
    manifest.write_text(
        manifest.read_text().replace('"source-ref":"', f'"source-ref":"s3://shop/datasets/vehicles/{staged.version}/')
    )
    opened = channel_dataset(data, TASK, tmp_path / "scratch")
    assert (opened.version, opened.source, opened.counts()) == (staged.version, {"kind": "folder"}, staged.counts())
    assert len(opened.arrays("train", 32)[0]) == sum(staged.counts()["train"].values())


def splits(dataset: Dataset) -> dict[str, set[str]]:
    """The splits that the pictures of each channel went to."""
    result: dict[str, set[str]] = {}
    for line in dataset.lines:
        result.setdefault(line.origin.split("/")[0], set()).add(line.split)
    return result


def test_other_channels_are_the_splits_of_their_names(root: Path, tmp_path: Path) -> None:
    data = root / "input/data"
    assert splits(channel_dataset(data, TASK, tmp_path / "one")) == {"train": {"train", "calibration", "test"}}
    put_pictures(data / "test", 8, seed=1)
    put_pictures(data / "validation", 8, seed=2)
    assert splits(channel_dataset(data, TASK, tmp_path / "all")) == {
        "train": {"train", "calibration"},
        "test": {"test"},
        "validation": {"calibration"},
    }


def test_the_things_that_pictures_show_are_those_that_staging_finds(root: Path, tmp_path: Path) -> None:
    data = root / "input/data"
    for picture in list(data.glob("train/*/*.png")):
        folder = picture.parent / f"thing{picture.stem[-1]}"
        folder.mkdir(exist_ok=True)
        picture.rename(folder / picture.name)
    task = TASK.model_copy(update={"group_by": "^[^/]+/([^/]+)/"})
    opened = channel_dataset(data, task, tmp_path / "scratch")
    staged = write_dataset(
        open_bucket(str(tmp_path / "store"), "scones"), task, folder_pictures(data / "train", task), source={}
    )
    assert opened.version == staged.version
    assert {line.hash: line.group for line in opened.lines} == {line.hash: line.group for line in staged.lines}
    assert len({line.group for line in opened.lines}) > 2


def test_what_sagemaker_adds_to_the_hyperparameters_is_passed_over(root: Path) -> None:
    configure(root, hyperparameters={"seed": "3", "_tuning_objective_metric": "validation:loss", "sagemaker_job": "j"})
    made = train(root)
    assert made is not None
    assert made.seed == 3


def test_a_missing_channel_is_named(root: Path) -> None:
    (root / "input/data/train").rename(root / "input/data/training")
    with pytest.raises(SourceEmpty, match="there is no channel train"):
        train(root)


def test_half_a_staged_dataset_is_refused_with_what_to_give(root: Path) -> None:
    (root / "input/data/train/manifest.jsonl").write_text("")
    with pytest.raises(SourceError, match="the whole folder datasets/TASK/VERSION"):
        train(root)


def test_a_model_that_cannot_be_written_is_told_with_its_place(root: Path) -> None:
    (root / "model").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot write the model into .*model"):
        train(root)


def test_a_task_file_may_lie_in_the_channel(root: Path) -> None:
    text = (ROOT / "src/scones/tasks/vehicles.toml").read_text()
    (root / "input/data/train/mine.toml").write_text(text.replace('name = "vehicles"', 'name = "mine"'))
    configure(root, hyperparameters={"task": "mine.toml"})
    info = train(root)
    assert info is not None
    assert info.task == "mine"


def test_the_failure_file_starts_with_the_line_and_ends_with_the_traceback(tmp_path: Path) -> None:
    try:
        raise ValueError("x" * 3000)
    except ValueError as error:
        write_failure(tmp_path, error)
    line, rest = (tmp_path / "output/failure").read_text().split("\n", 1)
    assert line.startswith("unexpected ValueError: xxx")
    assert len(line) < 1024
    assert rest.startswith("Traceback")


def test_a_command_that_fails_says_so_in_the_failure_file_and_with_exit_code_1(root: Path, tmp_path: Path) -> None:
    configure(root, hyperparameters={"epochz": "3"})
    with start("train", "--ml-root", str(root), cwd=tmp_path) as child:
        _, err = child.communicate(timeout=120)
    assert child.returncode == 1
    assert "scones: unknown hyperparameter 'epochz'" in err
    failure = (root / "output/failure").read_text()
    assert failure.startswith("unknown hyperparameter 'epochz': there are task, backbone, ")
    assert "Traceback" in failure


def test_hyperparameters_and_metrics_are_documented_with_their_defaults() -> None:
    text = (ROOT / "docs/reference.md").read_text()
    section = text[text.index("\n## The training container\n") :]
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", section, re.M))
    plain = {name: str(field.default).lower() for name, field in Hyperparameters.model_fields.items()}
    assert {name: value.strip("`") for name, value in rows.items()} == plain | {"rate": "3e-5", "head_rate": "1e-4"}
    assert dict(re.findall(r"^\| `(\w+:\w+)` \| `(.+)` \|$", section, re.M)) == METRICS


def test_all_places_name_the_same_torch_and_the_same_rest() -> None:
    places = ("pyproject.toml", "Makefile", "Dockerfile", "src/scones/training/trainable.py")
    assert len({one for place in places for one in re.findall(r"torch==[\d.]+", (ROOT / place).read_text())}) == 1
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extra = project["project"]["optional-dependencies"]["train"]
    assert [one for one in extra if not one.startswith("torch")] == project["dependency-groups"]["train-rest"]


def test_this_machine_is_no_training_container(root: Path) -> None:
    assert is_container(root)
    assert not is_container(root / "model")


@needs_torch
def test_sigterm_keeps_a_checkpoint_and_a_restart_goes_on_from_it(
    root: Path, tmp_path: Path, tiny_backbone: Callable[[Path], Path]
) -> None:
    put_pictures(root / "input/data/train", 200)
    parameters = {"fine_tune": "true", "backbone": str(tiny_backbone(tmp_path)), "epochs": "9", "batch": "4"}
    configure(root, hyperparameters=parameters, resourceconfig={"num_gpus": 0, "num_cpus": 1})
    with start("train", "--ml-root", str(root), cwd=tmp_path) as child:
        curve, deadline = root / "checkpoints/curve.jsonl", time.monotonic() + 120
        while not curve.is_file() or len(curve.read_text().splitlines()) < 2:
            assert child.poll() is None, child.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 43, err
    assert "stopped in epoch" in err
    assert not (root / "output/failure").exists()
    assert not (root / "model").exists()
    with start("train", "--ml-root", str(root), cwd=tmp_path) as child:
        out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    assert "going on from" in err
    for metric in ("train:loss", "validation:loss", "validation:accuracy", "calibration:accuracy"):
        assert found(metric, out), metric
    assert (root / "model/curve.jsonl").is_file()


@pytest.fixture
def tiny_backbone() -> Callable[[Path], Path]:
    """Write a small network of our own: ``tiny_backbone(folder)`` gives the path of its ONNX file."""

    def make(folder: Path) -> Path:
        import torch

        from scones.training.export import export_backbone
        from scones.training.networks import Architecture, features

        torch.manual_seed(0)
        export_backbone(features(Architecture(widths=(8, 16), blocks=(1, 1), stem=3)), folder / "tiny.onnx")
        return folder / "tiny.onnx"

    return make
