"""``scones compare``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scones.cli._common import (
    BucketOption,
    JsonOption,
    StoreOption,
    TaskOption,
    console,
    print_json,
    progress_report,
    results,
    warn_of_known,
)

if TYPE_CHECKING:
    from rich.table import Table

_LISTED = 10


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A model: a version, production or candidate")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another model of the same labels")],
    task: TaskOption = None,
    dataset: Annotated[
        str | None, typer.Option(metavar="VERSION", help="A staged dataset  [the one B was trained on]")
    ] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say which of two models is better, whether the difference is real, and on which pictures they differ.

    Both answer the same test pictures. An exact McNemar test and an interval tell a real difference from
    luck; the pictures that one model alone gets right are shown in a page under reports/.

    Before a new model takes over:  `scones compare production candidate`
    """
    from scones.registry import load_model
    from scones.settings import Settings
    from scones.staging import load_dataset
    from scones.store import open_bucket
    from scones.task import load_task
    from scones.training import compare as compare_models
    from scones.training import save_comparison
    from scones.training.comparison import sentence

    settings = Settings.load(task=task, store=store, bucket=bucket)
    chosen = load_task(settings.task)
    place = open_bucket(settings.store, settings.bucket)
    one, other = (load_model(place, chosen.name, ref, threads=2) for ref in (first, second))
    staged = load_dataset(place, chosen.name, dataset or other.info.dataset)
    with progress_report(as_json) as report:
        figures = compare_models(one, other, staged, report=report)
    page = place.url(save_comparison(place, figures, staged))
    known = {model.info.version: warn_of_known(place, model.info, staged) for model in (one, other)}
    if as_json:
        print_json({"report": page, "sentence": sentence(figures), "known_test_pictures": known, **figures})
        return
    console().print(sentence(figures))
    if figures["pictures"]:
        results().print(_table(figures))
    typer.echo(page)


def _table(figures: Mapping[str, Any]) -> Table:
    from rich.table import Table

    rows = figures["pictures"]
    shown = Table("picture", "is", figures["first"]["version"], figures["second"]["version"])
    for row in rows[:_LISTED]:
        shown.add_row(
            row["key"].rsplit("/", 1)[-1], row["truth"], *(_answer(row, side) for side in ("first", "second"))
        )
    if len(rows) > _LISTED:
        shown.caption = f"the first {_LISTED} of {len(rows):,} on which they differ"
    return shown


def _answer(row: Mapping[str, Any], side: str) -> str:
    label, confidence = row[side]["label"], row[side]["confidence"]
    colour = "green" if label == row["truth"] else "red"
    return f"[{colour}]{label}[/] {confidence:.0%}"
