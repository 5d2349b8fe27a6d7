"""``scones crossvalidate``."""

from __future__ import annotations

from typing import Annotated

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, console, print_json, progress_report


def crossvalidate(
    task: TaskOption = None,
    backbone: Annotated[str, typer.Option(metavar="NAME", help="The frozen part of the model")] = "small",
    folds: Annotated[int, typer.Option(min=2, help="Parts, each answered by a model of the others")] = 5,
    repeats: Annotated[int, typer.Option(min=1, help="How often to part the pictures anew")] = 5,
    dataset: Annotated[
        str | None, typer.Option(metavar="VERSION", help="A staged dataset  [the one staged last]")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the parts")] = 0,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure what a few pictures can teach, when too few are left to test with.

    All staged pictures take part. Each is answered by models that saw neither it nor another picture of the
    same thing (the task's groups); whatever training chooses is chosen without it too. No model is kept: that
    is what `scones train` is for.
    """
    from scones.settings import Settings
    from scones.staging import load_dataset
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.training import cross_validate, load_backbone

    settings = Settings.load(task=task, store=store, bucket=bucket)
    chosen = load_task(settings.task)
    staged = load_dataset(open_bucket(settings.store, settings.bucket), chosen.name, dataset)
    with progress_report(as_json) as report:
        figures = cross_validate(
            staged, chosen, load_backbone(backbone), folds=folds, repeats=repeats, seed=seed, progress=report
        )
    if as_json:
        print_json(figures)
        return
    low, high = figures["interval"]
    err = console()
    err.print(
        f"balanced accuracy {figures['balanced_accuracy']:.1%} (95 % interval {low:.1%} to {high:.1%}) on "
        f"{figures['n']} pictures of {figures['groups']} things; {figures['lowest']:.1%} to {figures['highest']:.1%} "
        f"over {figures['repeats']} repeats of {figures['folds']} folds"
    )
    err.print("found: " + ", ".join(f"{share:.1%} of {label}" for label, share in figures["recall"].items()))
    for picture in sorted(figures["pictures"], key=lambda one: one["right"]):
        if picture["right"] < 1 / 2:
            err.print(f"mostly wrong: {picture['origin']} ({picture['truth']})", markup=False)
    typer.echo(f"{figures['balanced_accuracy']:.4f}")
