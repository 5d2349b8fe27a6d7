"""``scones forget``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import (
    BucketOption,
    JournalOption,
    JsonOption,
    StoreOption,
    console,
    print_json,
    progress_report,
    results,
)

if TYPE_CHECKING:
    from scones.forgetting import Found

_WHAT = {
    "arrivals": "pictures that came in",
    "capture": "answers that the endpoint captured, with their pictures",
    "batches": "answers of `scones batch`",
    "reports": "pages that show them",
    "watch-state": "what the monitor remembers of the latest pictures",
    "audits": "samples that people were asked about",
    "datasets": "pictures that were taken into datasets",
    "executions": "executions in the journal, with all that went through them",
    "answers": "what people said that pictures show",
    "assignments": "which orders arrivals went for",
    "dead-letters": "why arrivals could not be worked",
    "dead-letter-retries": "that these be worked anew",
    "examples": "labelled examples",
    "routes": "where they were sent",
    "results": "how arrivals ended",
    "reviews": "questions to people",
    "claims": "which executions had arrivals",
}


def forget(
    who: Annotated[
        str, typer.Argument(metavar="WHO", help="A driver's id; or one arrival: task/depot/driver_id/arrival_id")
    ],
    depot: Annotated[str | None, typer.Option(metavar="NAME", help="Only that depot's driver  [all depots]")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask")] = False,
    capture_prefix: Annotated[
        str | None, typer.Option(metavar="KEY", help="Where the capture lies in the bucket  [capture]")
    ] = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove all that is known of a driver, or of one arrival, for good: pictures are personal data.

    That is pictures, records, captured answers, answers of batches, copies in datasets, reports that show them, and
    executions in the journal, also those that wait for a person; on S3 all versions. What stays, and why, is told at
    the end: an order that was given stays given, and models that learned from a picture are named.

    No engine may run on the journal meanwhile: end `scones run` first. What is killed half-way is finished
    by the same command. What it does not reach stands in docs/security.md.

    Example:  `scones forget driver-7 --dry-run`
    """
    import sys
    from contextlib import nullcontext
    from datetime import UTC, datetime

    from scones.errors import ObjectMissing, SettingsError
    from scones.forgetting import Person, open_eraser, remove, search
    from scones.settings import Settings
    from scones.store import Layout, open_bucket
    from scones.workflow.engine import Journal

    asks = not (yes or dry_run)
    if asks and (as_json or not sys.stdin.isatty()):
        raise SettingsError("it cannot be asked whether to remove it: say --yes, or --dry-run to see what would go")
    person = Person.named(who, depot)
    settings = Settings.load(store=store, bucket=bucket, journal=journal)
    place = open_bucket(settings.store, settings.bucket, make=False)
    eraser = open_eraser(place)
    there = settings.journal.is_file()
    # opened to be written before the search: while it is held, no engine adds to what is found
    held = Journal(settings.journal) if there and not dry_run else None
    reader = Journal.open_readonly(settings.journal) if there and dry_run else held
    with reader or nullcontext():
        with progress_report(as_json) as report:
            found = search(
                place,
                eraser,
                reader,
                person,
                now=datetime.now(UTC),
                capture=(capture_prefix or Layout.CAPTURE).strip("/"),
                report=report,
            )
        if not found.counts:
            raise ObjectMissing(
                f"nothing is left of {person} in bucket {place.name} ({place.url()}), or ever was there: "
                "check the name, --store, --bucket and --journal"
            )
        if not as_json:
            _show(found, "would go" if dry_run else "goes")
        if not dry_run:
            if asks and not found.obstacles:
                typer.confirm(f"Remove all that is known of {person}, for good?", abort=True, err=True)
            with progress_report(as_json) as report:
                remove(found, place, eraser, held, report=report)
    if as_json:
        print_json({
            "who": str(person),
            "removed": not dry_run,
            "counts": found.counts,
            "keys": found.keys,
            "kept": found.kept,
            "obstacles": found.obstacles,
        })  # fmt: skip
    else:
        _tell(found, dry_run=dry_run)


def _show(found: Found, goes: str) -> None:
    from rich.table import Column, Table

    table = Table("what", Column(goes, justify="right"), "")
    for kind, number in found.counts.items():
        table.add_row(kind, f"{number:,}", _WHAT[kind])
    results().print(table)


def _tell(found: Found, *, dry_run: bool) -> None:
    from rich.markup import escape

    err = console()
    if not dry_run:
        err.print(f"removed: all of this, of {escape(str(found.person))}", soft_wrap=True)
    for sentence in found.kept:
        err.print(f"  {escape(sentence)}", soft_wrap=True)
    for sentence in found.obstacles:
        err.print(f"[yellow]not yet:[/] {escape(sentence)}", soft_wrap=True)
