"""``scones monitor baseline``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from scones.cli._common import (
    BucketOption,
    EndpointOption,
    JsonOption,
    StoreOption,
    TaskOption,
    WhoOption,
    console,
    print_json,
    progress_report,
    whoami,
)

if TYPE_CHECKING:
    from scones.monitoring.watch.baseline import Declared

_TIME: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


def baseline(
    why: Annotated[
        str,
        typer.Option(
            metavar="TEXT", help="How you know that these pictures are healthy, for the record", show_default=False
        ),
    ],
    last: Annotated[int, typer.Option(min=100, max=20_000, help="Pictures to take, the latest that there are")] = 2_000,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", formats=_TIME, help="Take none from before, UTC, as 2026-11-20T08:00"),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(metavar="TIME", formats=_TIME, help="Take none from after, UTC")
    ] = None,
    phases: Annotated[
        int,
        typer.Option(
            min=1, max=24, help="Phases of the day, UTC, that differ: a picture is compared with those of its own"
        ),
    ] = 1,
    prefix: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Where the capture lies in the bucket  [capture/ and the endpoint's name]"),
    ] = None,
    who: WhoOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be taken")] = False,
    endpoint: EndpointOption = None,
    task: TaskOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Declare captured pictures healthy: from now on the model's pictures are compared with these.

    At first they are compared with those of its dataset, and what comes in is never quite that. Look at the pictures
    before (`scones monitor report`, `audit`): what drifts among them will not be noticed again. An alarm that stands is
    taken down, and the watch begins anew. A new model in production starts from its own dataset again.

    Pictures that are the same byte for byte count once. With `--phases 4`, night, morning, afternoon and evening each
    have a reference of their own: take several days then. Each phase needs 100 pictures.

    Example:  `scones monitor baseline --last 5000 --phases 4 --why "audited: 97 of 100 right"`
    """
    from scones.errors import SettingsError
    from scones.monitoring.watch.baseline import declare_healthy, fit_baseline
    from scones.settings import Settings
    from scones.store import open_bucket
    from scones.task import load_task

    if not why.strip():
        raise SettingsError("--why is empty: say how you know that these pictures are healthy, it goes on record")
    settings = Settings.load(store=store, bucket=bucket, endpoint=endpoint, task=task)
    place, name, now = open_bucket(settings.store, settings.bucket), load_task(settings.task).name, datetime.now(UTC)
    with progress_report(as_json) as report:
        found = fit_baseline(
            place,
            settings.endpoint,
            name,
            who=who or whoami(),
            why=why,
            now=now,
            last=last,
            since=since and since.replace(tzinfo=UTC),
            until=until and until.replace(tzinfo=UTC),
            phases=phases,
            prefix=prefix and prefix.strip("/"),
            report=report,
        )
    if not dry_run:
        found = declare_healthy(place, settings.endpoint, found, now)
    _tell(settings.endpoint, found, dry_run=dry_run, as_json=as_json)


def _tell(endpoint: str, found: Declared, *, dry_run: bool, as_json: bool) -> None:
    from scones.page.numbers import plural

    base = found.health.baseline
    assert base is not None
    if as_json:
        print_json(
            {
                "endpoint": endpoint,
                "version": found.health.version,
                "baseline": base.model_dump(mode="json"),
                "repeats": found.repeats,
                "without_picture": found.without,
                "unreadable": found.unreadable,
                "changed": [one.model_dump(mode="json") for one in found.changed],
                "taken": not dry_run,
                "look": found.look,
            }
        )
        return
    err = console()
    would = "would be" if dry_run else "is from now on"
    err.print(f"model {found.health.version} {would} compared with {base}", soft_wrap=True, markup=False)
    left = [
        plural(found.repeats, "repeat"),
        plural(found.without, "answer") + " without a picture",
        plural(found.unreadable, "unreadable line"),
    ]
    counts = (found.repeats, found.without, found.unreadable)
    if told := ", ".join(text for text, count in zip(left, counts, strict=True) if count):
        err.print(f"left out: {told}", soft_wrap=True, markup=False)
    if found.changed:
        strongest = found.changed[0]
        err.print(
            f"these pictures are not alike: {', '.join(one.channel for one in found.changed[:3])} changed among them, "
            f"about {strongest.began:%Y-%m-%d %H:%M} UTC, so that others like them may raise an alarm: if that is day "
            "and night, tell --phases apart; if something went wrong there, leave it out with --since or --until",
            style="yellow",
            soft_wrap=True,
            markup=False,
        )
    if found.look is not None:
        err.print(f"the watch began anew: look {found.look}", soft_wrap=True, markup=False)
    elif not dry_run:
        err.print("the watch begins with it at the next look: scones monitor watch", soft_wrap=True, markup=False)
