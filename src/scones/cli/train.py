"""``scones train``."""

from __future__ import annotations

from typing import Annotated

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, console, print_json


def train(
    task: TaskOption = None,
    backbone: Annotated[str, typer.Option(metavar="NAME", help="The frozen part of the model")] = "small",
    dataset: Annotated[
        str | None, typer.Option(metavar="VERSION", help="A staged dataset  [the one staged last]")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same data, same seed: same model")] = 0,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a task's model on what `scones stage` wrote, and put it in force.

    A head is fitted on a frozen backbone, its confidence is calibrated, and a threshold is fitted to
    the task's target risk, all in seconds on a CPU. The bundle lies in the store under models/.

    Next: `scones evaluate`, then `scones serve`.
    """
    from datetime import UTC, datetime

    from scones.registry import put_in_force, save_model
    from scones.settings import Settings
    from scones.staging import load_dataset
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.training import load_backbone
    from scones.training import train as train_model

    settings = Settings.load(task=task, store=store, bucket=bucket)
    chosen = load_task(settings.task)
    place = open_bucket(settings.store, settings.bucket)
    staged = load_dataset(place, chosen.name, dataset)
    err = console()
    now = datetime.now(UTC)
    with err.status("training") as status:
        info, model = train_model(
            staged, chosen, load_backbone(backbone), seed=seed, now=now, report=lambda step: status.update(f"{step} …")
        )
    key = save_model(place, info, model)
    put_in_force(place, info, who="scones train", why="newest model", now=now)
    if as_json:
        print_json({"bundle": place.url(key), **info.model_dump()})
        return
    err.print(
        f"model [bold]{info.version}[/] of task {info.task}, from dataset {info.dataset}, backbone {info.backbone}"
    )
    metrics = info.metrics
    err.print(
        f"accuracy on {metrics['calibration_pictures']} calibration pictures: {metrics['calibration_accuracy']:.1%}; "
        f"temperature {info.temperature:.2f}"
    )
    colour = "green" if info.threshold.origin == "fitted" else "yellow"
    err.print(f"[{colour}]threshold {info.threshold.value:.4f} ({info.threshold.origin})[/]: {info.threshold.note}")
    err.print("now in force; written to")
    typer.echo(place.url(key))
