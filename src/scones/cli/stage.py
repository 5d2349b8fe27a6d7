"""``scones stage``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import (
    BucketOption,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    print_json,
    progress_report,
    repeated,
)

if TYPE_CHECKING:
    from scones.staging import Dataset


def stage(
    source: Annotated[
        str | None, typer.Option(metavar="KIND", help="cifar100, folder or synthetic  [cifar100]")
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="cifar-100-python.tar.gz, if you have it  [SCONES_CIFAR100]"),
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Your own pictures: a sub-folder for each label")
    ] = None,
    examples: Annotated[
        bool, typer.Option("--examples", help="Also take in what people have answered, to learn from")
    ] = False,
    seed: Annotated[int, typer.Option(help="For the synthetic source: same seed, same pictures")] = 0,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take labelled pictures, check them, split them, and write them as a versioned dataset.

    **cifar100** takes the task's classes from CIFAR-100: from `--archive`, else from its official address
    (169 MB, kept in .scones/cache). **folder** takes your own pictures, of any size. **synthetic** draws
    bicycles and motorcycles, for when there is no network.

    The checks report tells of unreadable files, duplicates, leaks between splits and class balance. Pictures
    that would leak into calibration or test leave the training side. The same pictures always give the same
    version, so staging again changes nothing.

    With `--examples`, the pictures that people have labelled (`scones answer`) come in too. They are the hard ones, so
    they are only learned from: neither calibration nor test would be fair with them.

    Example:  `scones stage --folder pictures`  with `pictures/bicycle/…` and `pictures/motorcycle/…`

    Next: `scones train`.
    """
    import time
    from functools import partial

    from rich.markup import escape

    from scones.settings import Settings
    from scones.staging import choose_source, open_source, with_examples, write_dataset
    from scones.store import open_bucket
    from scones.task import load_task

    started = time.monotonic()
    kind = choose_source(source, archive=archive, folder=folder)
    settings = Settings.load(task=task, store=store, bucket=bucket, cifar100=archive)
    chosen = load_task(settings.task)
    place = open_bucket(settings.store, settings.bucket)
    with progress_report(as_json) as steps:
        opened = open_source(kind, chosen, archive=settings.cifar100, folder=folder, seed=seed, progress=steps)
        if examples:
            other = partial(open_bucket, settings.store, make=False)
            opened = with_examples(opened, place, chosen, other)
        dataset = write_dataset(place, chosen, opened.pictures, source=opened.record, progress=steps)
    location = place.url(dataset.prefix)
    if as_json:
        print_json(
            {
                "task": dataset.task,
                "version": dataset.version,
                "location": location,
                "labels": dataset.labels,
                "source": opened.record,
                "counts": dataset.counts(),
                "checks": dataset.checks.model_dump(mode="json"),
                "seconds": round(time.monotonic() - started, 2),
            }
        )
        return
    _show_checks(dataset)
    if dataset.source != opened.record:
        console().print(
            f"these pictures were staged before, on {dataset.record.created_at}: that dataset's record stays as it is",
            soft_wrap=True,
        )
    onward = escape(f"scones train{repeated(task=task, store=store, bucket=bucket)}")
    console().print(f"dataset [bold]{dataset.version}[/] of task {dataset.task}; next: {onward}", soft_wrap=True)
    typer.echo(location)


def _show_checks(dataset: Dataset) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Checks", title_justify="left", show_header=False)
    for name, value in dataset.checks.summary():
        table.add_row(name, escape(value))
    console().print(table)
