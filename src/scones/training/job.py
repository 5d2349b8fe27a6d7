"""One training, from a backbone's name to a model: what `scones train` and a training container both do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scones.training.backbone import load_backbone
from scones.training.finetuning import FineTuning, Watcher, finetune
from scones.training.trainable import load_trainable
from scones.training.trainer import train

if TYPE_CHECKING:
    from scones.bundle import BundleInfo
    from scones.staging import Dataset
    from scones.task import Task

__all__ = ["Job", "Trained", "run_job"]


@dataclass(frozen=True)
class Job:
    """What to train.

    Attributes:
        backbone: as :func:`scones.training.load_backbone` takes it.
        seed: the same data and seed give the same model.
        fine_tuning: how the network learns too; None leaves it frozen, and only a head is fitted.
    """

    backbone: str = "small"
    seed: int = 0
    fine_tuning: FineTuning | None = None


@dataclass(frozen=True)
class Trained:
    """A model: what ``bundle.json`` will say, its ONNX graph, and fine-tuning's learning curve and checkpoint."""

    info: BundleInfo
    model: bytes
    curve: list[dict[str, Any]] = field(default_factory=list)
    checkpoint: Path | None = None


def run_job(
    dataset: Dataset,
    task: Task,
    job: Job,
    *,
    checkpoints: Path,
    now: datetime,
    device: str | None = None,
    watcher: Watcher = Watcher(),  # noqa: B008 - has no state
    report: Callable[[str], None] = lambda _: None,
) -> Trained:
    """Train a task's model, with the network frozen or fine-tuned.

    Args:
        dataset: as :func:`scones.staging.load_dataset` gives it.
        task: its labels must be the dataset's.
        job: what to train.
        checkpoints: the folder of fine-tuning's checkpoint.
        now: for the record, with time zone.
        device: where to fine-tune, in torch's words; default: the GPU when there is one.
        watcher: is told how fine-tuning goes on, and may end it.
        report: called with the name of each step as it starts.

    Raises:
        TrainingError: as :func:`scones.training.train` and :func:`scones.training.finetune`.
    """
    if job.fine_tuning is None:
        report("loading the backbone")
        info, model = train(dataset, task, load_backbone(job.backbone), seed=job.seed, now=now, report=report)
        return Trained(info, model)
    report("loading the network")
    trainable = load_trainable(job.backbone)
    if task.view is not None:
        task = task.model_copy(update={"view": None})
        watcher.say(
            f"it learns from whole pictures, {trainable.size} pixels a side, not through the view of {task.name}"
        )
    report("fine-tuning")
    tuned = finetune(
        dataset, task, trainable, checkpoints, how=job.fine_tuning, seed=job.seed, device=device, watcher=watcher
    )
    told = {"fine_tuning": {**asdict(job.fine_tuning), "best_epoch": tuned.best}}
    info, model = train(
        dataset, task, tuned.backbone, head=tuned.head, seed=job.seed, now=now, parameters=told, report=report
    )
    return Trained(info, model, tuned.rows, tuned.checkpoint)
