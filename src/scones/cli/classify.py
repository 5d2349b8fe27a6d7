"""``scones classify``."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import BucketOption, JsonOption, StoreOption, TaskOption, console, print_json, progress_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scones.bulk import Summary


def classify(
    places: Annotated[
        list[str],
        typer.Argument(metavar="PLACE…", help="Files, folders, quoted patterns ('trips/**/*.png'), s3://bucket/prefix"),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A .jsonl, .csv or .parquet file for the rows  [stdout]")
    ] = None,
    row_format: Annotated[
        str | None, typer.Option("--format", metavar="KIND", help="jsonl, csv or parquet  [as the file's name ends]")
    ] = None,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="Drop the rows of earlier runs instead of going on with them")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            metavar="REF", help="A version, production or candidate; or the path of a model.tar.gz, as ./model.tar.gz"
        ),
    ] = "production",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Pictures worked on at the same time  [one for each core]")
    ] = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Classify any number of pictures at once: a row for each, in the order in which they are found.

    A row is a line of JSON (or a record of CSV, or a row of Parquet): source, label, confidence, decided
    (the confidence reaches the threshold in force), the probability of each label, model version and threshold; or
    the error that says why a picture cannot be read. That never ends the run; a summary tells at the end.

    With `--out`, the same command goes on where a killed run was, from whatever folder, and takes what was added
    since (Parquet: until it is finished). Rows of another model or threshold are not mixed: then `--start-over`, or
    choose another file. Sources are absolute in a file, so that it can be moved and read elsewhere.

    In folders, hidden files, links to folders and what is no picture by its name are passed over.

    Example:  `scones classify pictures --out answers.csv`

    With `--json`, the summary is one object on stdout; the rows then need `--out`.
    """
    import time
    import warnings

    from scones.bulk import absolute, check_summary, choose_format, classify_places, open_rows
    from scones.errors import SettingsError
    from scones.machine import available_cores
    from scones.registry import load_decider
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task

    kind = choose_format(row_format, out)
    if as_json and out is None:
        raise SettingsError("--json prints the summary on stdout, where the rows go: name a file for them with --out")
    settings = Settings.load(task=task, store=store, bucket=bucket)
    if out is not None:
        places = [absolute(place) for place in places]
    chosen = load_task(settings.task).name
    decider = load_decider(model, chosen, lambda: open_bucket(settings.store, settings.bucket))
    classifier, threshold = decider.classifier, decider.threshold
    warnings.filterwarnings("ignore", module="PIL")  # of damaged EXIF data; the picture is fine
    started = time.monotonic()
    try:
        with (
            open_rows(kind, out, classifier.info.labels, start_over=start_over) as rows,
            _progress(places, quiet=as_json or (out is None and sys.stdout.isatty())) as report,
        ):
            cores = workers or available_cores()
            summary = classify_places(places, classifier, threshold, rows, cores=cores, report=report)
    except KeyboardInterrupt:
        console().print("stopped" + ("; the same command goes on where it was" if out is not None else ""))
        raise typer.Exit(130) from None
    seconds = time.monotonic() - started
    if as_json:
        own = {"model_version": classifier.info.version, "threshold": threshold, "seconds": round(seconds, 2)}
        print_json({**summary.to_json(), **own, "out": str(out)})
    else:
        _tell(summary, seconds, f"model {classifier.info.version}, threshold {threshold:.4f}")
        if out is not None:
            typer.echo(out)
    check_summary(summary)


@contextmanager
def _progress(places: Sequence[str], *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how far it is, how fast it goes and how long it takes, while another thread counts what there is."""
    from contextlib import suppress
    from threading import Thread

    from rich.progress import ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    from scones.bulk import find_pictures
    from scones.errors import SconesError

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed:,.0f} a second" if task.speed else "")

    with progress_bar(quiet, Rate(), TimeRemainingColumn(), TextColumn("left")) as bar:
        line = bar.add_task("pictures", total=None)

        def count() -> None:
            with suppress(SconesError):  # whoever classifies them meets it too, and says so
                bar.update(line, total=sum(1 for _ in find_pictures(places)))

        if not bar.disable:
            Thread(target=count, daemon=True).start()
        yield lambda number: bar.advance(line, number)


def _tell(summary: Summary, seconds: float, model: str) -> None:
    from rich.markup import escape

    from scones.page.numbers import plural

    err = console()
    if summary.earlier:
        err.print(f"{plural(summary.earlier, 'row')} there already, of an earlier run")
    if now := summary.pictures - summary.earlier:
        err.print(f"{plural(now, 'picture')} in {seconds:.1f} s, {now / seconds:,.0f} a second ({model})")
    if read := summary.pictures - summary.unreadable:
        labels = ", ".join(f"{count:,} {label}" for label, count in summary.labels.most_common())
        err.print(f"{labels}; {summary.decided / read:.1%} sure enough to decide alone")
    if summary.skipped:
        some = ", ".join(summary.skipped_first[:3]) + (" …" if summary.skipped > 3 else "")
        err.print(f"passed over, no pictures by their names: {summary.skipped:,} ({escape(some)})", soft_wrap=True)
    if summary.unreadable:
        err.print(f"[yellow]could not be read: {summary.unreadable:,}[/]")
        for source, error in summary.faults:
            err.print(f"  {escape(source)}: {escape(error)}", soft_wrap=True)
        if summary.unreadable > len(summary.faults):
            err.print("  … their rows tell of each")
