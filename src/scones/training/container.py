"""SageMaker's training contract: what a training container finds under ``/opt/ml``, and what it leaves there.

It reads ``input/config/hyperparameters.json``, ``resourceconfig.json`` and ``inputdataconfig.json`` and the
pictures in ``input/data/CHANNEL``, and writes ``model/`` (which SageMaker packs), ``checkpoints/`` (which it keeps
for spot training) and, where training fails, ``output/failure``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exception
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scones.contracts import first_fault
from scones.errors import SconesError, SettingsError
from scones.task import Task, load_task
from scones.training.channels import channel_dataset
from scones.training.finetuning import FineTuning, Watcher
from scones.training.job import Job, run_job

if TYPE_CHECKING:
    from scones.bundle import BundleInfo

__all__ = ["METRICS", "ML_ROOT", "Hyperparameters", "Resources", "is_container", "run_container", "write_failure"]

ML_ROOT = Path("/opt/ml")
"""Where SageMaker puts everything."""
METRICS = {
    name: rf"{name.replace(':', '_')}=([0-9.]+);"
    for name in (
        "train:loss", "validation:loss", "validation:accuracy",
        "calibration:accuracy", "calibration:ece", "calibration:coverage", "calibration:threshold",
    )
}  # fmt: skip
"""SageMaker's metric definitions: each metric's name, and the regular expression that finds it on stdout."""
_FAILURE_CHARACTERS = 1024
_M = TypeVar("_M", bound=BaseModel)


class Hyperparameters(BaseModel):
    """What ``hyperparameters.json`` may say; SageMaker gives all values as text.

    Attributes:
        task: a task that comes with Scones, or the name of a TOML file in the channel ``train``.
        backbone: as `scones train --backbone` takes it.
        seed: the same data and seed give the same model.
        fine_tune: let the network learn too.
        epochs, patience, batch, rate, head_rate: of fine-tuning, see :class:`scones.training.FineTuning`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: str = "vehicles"
    backbone: str = "small"
    seed: int = Field(0, ge=0)
    fine_tune: bool = False
    epochs: int = Field(FineTuning.epochs, ge=1)
    patience: int = Field(FineTuning.patience, ge=1)
    batch: int = Field(FineTuning.batch, ge=1)
    rate: float = Field(FineTuning.rate, gt=0)
    head_rate: float = Field(FineTuning.head_rate, gt=0)

    def job(self) -> Job:
        """The training that they ask for."""
        named = {name: getattr(self, name) for name in ("epochs", "patience", "batch", "rate", "head_rate")}
        return Job(self.backbone, self.seed, FineTuning(**named) if self.fine_tune else None)


class Resources(BaseModel):
    """What ``resourceconfig.json`` says of the machines.

    Attributes:
        current_host, hosts: this machine's name, and all names.
        num_gpus, num_cpus: what this training may use; None: what there is.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    current_host: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    num_gpus: int | None = Field(None, ge=0)
    num_cpus: int | None = Field(None, ge=1)


def is_container(root: Path = ML_ROOT) -> bool:
    """Say whether this is a training container: SageMaker has put its configuration there."""
    return (root / "input/config").is_dir()


def run_container(
    root: Path, *, now: datetime, say: Callable[[str], None], watcher: Watcher, report: Callable[[str], None]
) -> BundleInfo | None:
    """Train as SageMaker's contract says.

    Of several machines the first one trains. Fine-tuning keeps its checkpoint in ``checkpoints/``, and goes on from
    one that it finds there.

    Args:
        root: what stands for ``/opt/ml``.
        now: for the record, with time zone.
        say: called with lines for stdout: the metrics, as ``METRICS`` finds them.
        watcher: is told how fine-tuning goes on, and may end it.
        report: called with the name of each step as it starts.

    Returns:
        What ``model/bundle.json`` says; None on a machine that has nothing to do.

    Raises:
        SettingsError: the configuration is wrong.
        SconesError: as each step says.
    """
    parameters, resources = _read(root)
    first = min(resources.hosts)
    if resources.current_host != first:
        say(f"{resources.current_host} has nothing to do: of {len(resources.hosts)} machines {first} trains")
        return None
    job, task = parameters.job(), _task(parameters.task, root)
    device = _obey(resources, fine_tunes=job.fine_tuning is not None)
    with TemporaryDirectory() as scratch:
        report("reading the channels")
        dataset = channel_dataset(root / "input/data", task, Path(scratch))
        trained = run_job(
            dataset, task, job, checkpoints=root / "checkpoints", now=now, device=device, report=report,
            watcher=_Telling(watcher, say),
        )  # fmt: skip
    folder = root / "model"
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.onnx").write_bytes(trained.model)
        (folder / "bundle.json").write_text(trained.info.model_dump_json(indent=1))
        if trained.curve:
            (folder / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in trained.curve))
    metrics, threshold = trained.info.metrics, trained.info.threshold
    say(
        f"calibration_accuracy={metrics['calibration_accuracy']:.6f}; "
        f"calibration_ece={metrics['calibration_ece']:.6f}; "
        f"calibration_coverage={threshold.coverage:.6f}; calibration_threshold={threshold.value:.6f};"
    )
    return trained.info


def write_failure(root: Path, error: BaseException) -> str:
    """Write ``output/failure``: one clear line, then the traceback; SageMaker shows the first 1,024 characters.

    Returns:
        The line.
    """
    line = " ".join(str(error).split()) or type(error).__name__
    if not isinstance(error, SconesError):
        line = f"unexpected {type(error).__name__}: {line}"
    text = f"{line[: _FAILURE_CHARACTERS - 1]}\n{''.join(format_exception(error))}"
    with suppress(OSError):  # the line is on stderr as well
        (root / "output").mkdir(parents=True, exist_ok=True)
        (root / "output/failure").write_text(text, encoding="utf-8")
    return line


class _Telling(Watcher):
    """Hands everything on to another watcher, and tells of each epoch on stdout too."""

    def __init__(self, watcher: Watcher, tell: Callable[[str], None]) -> None:
        self.watcher, self.tell = watcher, tell

    def step(self, done: int, total: int) -> None:
        self.watcher.step(done, total)

    def epoch(self, row: dict[str, Any]) -> None:
        loss = "" if row["loss"] is None else f"train_loss={row['loss']:.6f}; "
        self.tell(
            f"epoch={row['epoch']}; {loss}validation_loss={row['validation_loss']:.6f}; "
            f"validation_accuracy={row['validation_accuracy']:.6f};"
        )
        self.watcher.epoch(row)

    def say(self, text: str) -> None:
        self.watcher.say(text)

    def stopping(self) -> bool:
        return self.watcher.stopping()


def _read(root: Path) -> tuple[Hyperparameters, Resources]:
    values = {
        name: _plain(value)
        for name, value in _object(root, "hyperparameters").items()
        if not name.startswith(("_", "sagemaker_"))  # SageMaker's own, of its tuning jobs and its SDK
    }
    parameters = _checked(Hyperparameters, values, "hyperparameter")
    resources = _checked(Resources, _object(root, "resourceconfig"), "resourceconfig.json")
    for name, channel in _object(root, "inputdataconfig").items():
        mode = channel.get("TrainingInputMode", "File")
        if mode not in ("File", "FastFile"):
            raise SettingsError(f"channel {name} comes in mode {mode}: use the input mode File or FastFile")
        if channel.get("S3DistributionType") == "ShardedByS3Key" and len(resources.hosts) > 1:
            raise SettingsError(f"channel {name} is sharded, but one machine trains: use FullyReplicated")
    return parameters, resources


def _object(root: Path, name: str) -> dict[str, Any]:
    path = root / f"input/config/{name}.json"
    try:
        found = json.loads(path.read_bytes()) if path.is_file() else {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path} cannot be read as JSON ({error}): correct it") from error
    if not isinstance(found, dict):
        raise SettingsError(f"{path} holds no JSON object: correct it")
    return found


def _plain(value: Any) -> Any:
    """Take off the quotation marks that SageMaker's Python SDK puts around text."""
    if isinstance(value, str) and value.startswith('"') and value.endswith('"'):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _checked(model: type[_M], values: Mapping[str, Any], what: str) -> _M:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        known = ", ".join(model.model_fields)
        if first["type"] == "extra_forbidden":
            raise SettingsError(f"unknown {what} {name!r}: there are {known}") from error
        raise SettingsError(f"{what} {first_fault(error)}; got {first['input']!r}; there are {known}") from error


def _task(name: str, root: Path) -> Task:
    return load_task(str(root / "input/data/train" / name) if name.endswith(".toml") else name)


def _obey(resources: Resources, *, fine_tunes: bool) -> str | None:
    """Use as many processors as allowed, and say which device to compute on."""
    if not fine_tunes:
        return None
    with suppress(ImportError):
        import torch

        if resources.num_cpus is not None:
            torch.set_num_threads(resources.num_cpus)
    return "cpu" if resources.num_gpus == 0 else None


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    from scones.store import disk_error

    try:
        yield
    except OSError as error:
        raise disk_error(f"cannot write the model into {folder}", error) from error
