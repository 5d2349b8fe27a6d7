"""``scones train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scones.cli._common import (
    BucketOption,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    print_json,
    progress_bar,
    repeated,
    whoami,
)


def train(
    context: typer.Context,
    task: TaskOption = None,
    backbone: Annotated[
        str, typer.Option(metavar="NAME", help="small, nano, hf:ORG/NAME of the hub, or a path")
    ] = "small",
    dataset: Annotated[
        str | None, typer.Option(metavar="VERSION", help="A staged dataset  [the one staged last]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same data, same seed: same model")] = 0,
    fine_tune: Annotated[
        bool, typer.Option("--fine-tune", help="Let the backbone learn too (needs the train extra)")
    ] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help="Of fine-tuning, at most  [12]")] = None,
    rate: Annotated[float | None, typer.Option(min=0, help="Of fine-tuning: the learning rate  [3e-5]")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Of fine-tuning: pictures a step  [32]")] = None,
    checkpoints: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Of fine-tuning  [.scones/checkpoints/TASK]")
    ] = None,
    ml_root: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Be SageMaker's training container there  [/opt/ml, in one]"),
    ] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a task's model on what `scones stage` wrote, and make it the candidate.

    A head is fitted on a frozen backbone, its confidence is calibrated, and a threshold is fitted to
    the task's target risk, all in seconds on a CPU. The bundle lies in the store under models/.

    With `--fine-tune` the backbone learns too, on a GPU when there is one: it stops by itself when pictures held
    back for validation are answered no better. A killed run goes on from its checkpoint with the same command.

    In SageMaker's training container all options come from its configuration files instead.

    The task's first model goes into production at once; a later one with `scones promote`, which judges it.

    Next: `scones evaluate`, then `scones promote`, then `scones serve`.
    """
    from datetime import UTC, datetime

    from scones.cli._fine_tuning import Shown, ended_by_sigterm, train_in_container
    from scones.cli._trained import tell_trained
    from scones.errors import SettingsError
    from scones.registry import register
    from scones.settings import Settings
    from scones.staging import load_dataset
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.training import FineTuning, Job, run_job, save_curve
    from scones.training.container import ML_ROOT, is_container

    if ml_root is not None or is_container():
        _check_container(context)
        train_in_container(ml_root or ML_ROOT, as_json=as_json)
        return
    told: dict[str, Any] = {"epochs": epochs, "rate": rate, "batch": batch, "checkpoints": checkpoints}
    given = {name: value for name, value in told.items() if value is not None}
    if given and not fine_tune:
        raise SettingsError(f"--{next(iter(given))} is of fine-tuning: add --fine-tune, or leave it out")
    given.pop("checkpoints", None)
    how = FineTuning(**given) if fine_tune else None
    settings = Settings.load(task=task, store=store, bucket=bucket)
    chosen = load_task(settings.task)
    place = open_bucket(settings.store, settings.bucket)
    staged = load_dataset(place, chosen.name, dataset)
    now = datetime.now(UTC)
    folder = checkpoints or Path(".scones/checkpoints") / chosen.name
    with ended_by_sigterm() as ending, progress_bar() as bar:
        shown = Shown(bar, ending)
        trained = run_job(
            staged, chosen, Job(backbone, seed, how), checkpoints=folder, now=now, watcher=shown, report=shown.doing
        )
    info, model = trained.info, trained.model
    saved = register(place, info, model, who=whoami(), now=now)
    info, bundle = saved.info, place.url(saved.key)
    if trained.checkpoint:
        trained.checkpoint.unlink(missing_ok=True)
        console().print(f"learning curve: {place.url(save_curve(place, info, trained.curve))}", soft_wrap=True)
    if as_json:
        print_json({"bundle": bundle, "in_production": saved.in_production, **info.model_dump()})
        return
    tell_trained(saved, repeated(task=task, store=store, bucket=bucket))
    typer.echo(bundle)


def _check_container(context: typer.Context) -> None:
    """Make sure that no option was given that a training container takes from its configuration files.

    Raises:
        SettingsError: one was.
    """
    from scones.errors import SettingsError

    for name in context.params.keys() - {"ml_root", "as_json"}:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise SettingsError(
                f"--{name.replace('_', '-')} is not heeded in a training container: put it into "
                "input/config/hyperparameters.json, or leave --ml-root out"
            )
