"""``scones monitor report``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, console, print_json, progress_report, write_out

if TYPE_CHECKING:
    from rich.table import Table

    from scones.monitoring import Summary
    from scones.store import Bucket


def report(
    endpoint: Annotated[str | None, typer.Option(metavar="NAME", help="Whose capture to read  [scones]")] = None,
    prefix: Annotated[
        str | None,
        typer.Option(
            metavar="KEY",
            help="Where the capture lies in the bucket; read as a whole unless --endpoint is given too  [capture]",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the page to this file  [the store: reports/]")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser")] = False,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="The threshold of records that tell none, 0 to 1")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", metavar="NAME", help="The task whose labels name the answers of records that tell none"),
    ] = None,
    pictures: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the records, chosen by event id, whose pictures may be shown"),
    ] = 1,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read all captured inferences back and write one self-contained HTML page.

    It shows volume, confidence over time with the threshold in force, the share below it, the label mix,
    and the least sure pictures. Where the endpoint is watched, it begins with what that saw and did: evidence of drift
    by channel, estimated accuracy, class mix, stances, and the pictures that tell most. Captures of other SageMaker
    endpoints work too. What was read is kept in the store, so that the next report reads only what is new.
    """
    from scones.monitoring import monitor_page, read_watched, summarise_capture
    from scones.monitoring.watch.rules import Rules
    from scones.settings import Settings
    from scones.store import Layout, open_bucket
    from scones.task import load_task

    settings = Settings.load(store=store, bucket=bucket, endpoint=endpoint)
    labels = load_task(task).labels if task is not None else ()
    place = open_bucket(settings.store, settings.bucket)
    home = (prefix or Layout.CAPTURE).strip("/")
    whole = prefix is not None and endpoint is None  # then nobody knows whose it is
    if not whole:
        home = f"{home}/{settings.endpoint}"
    with progress_report(as_json) as tell:
        summary = summarise_capture(
            place,
            home,
            labels,
            threshold,
            pictures=pictures,
            report=lambda done, total: tell("capture files", done, total),
        )
    watched = None if whole else read_watched(place, settings.endpoint, Rules(), pictures=pictures)
    page = monitor_page(summary, title=f"What {settings.endpoint} saw", source=place.url(home), watched=watched)
    written = _write(page, place, Layout.report("monitor"), out)
    if as_json:
        print_json({"report": written, **summary.figures()})
    else:
        console().print(_table(summary))
        typer.echo(written)
    if open_page:
        typer.launch(Path(written).as_uri() if Path(written).is_file() else written)


def _write(page: str, bucket: Bucket, key: str, out: Path | None) -> str:
    if out is not None:
        return write_out(page, out)
    bucket.put(key, page.encode())
    return bucket.url(key)


def _table(summary: Summary) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _rows(summary):
        table.add_row(Text(name, style="dim"), Text(value))  # Text: a label may hold what rich reads as markup
    return table


def _rows(summary: Summary) -> Iterator[tuple[str, str]]:
    yield "pictures", f"{summary.records:,}"
    if summary.first is not None and summary.last is not None:
        yield "time (UTC)", f"{summary.first:%Y-%m-%d %H:%M:%S} to {summary.last:%Y-%m-%d %H:%M:%S}"
        yield "labels", ", ".join(f"{name} {number:,}" for name, number in list(summary.labels.items())[:8])
    if summary.mean_confidence is not None:
        yield "mean confidence", f"{summary.mean_confidence:.1%}"
    if summary.threshold is not None and summary.below_share is not None:
        yield "below threshold", f"{summary.below:,} ({summary.below_share:.1%} at {summary.threshold:.4f})"
    if summary.problems.lines:
        yield "unreadable", f"{summary.problems.lines:,}, first: {summary.problems.examples[0]}"
