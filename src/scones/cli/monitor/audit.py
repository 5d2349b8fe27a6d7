"""``scones monitor audit``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import BucketOption, EndpointOption, JsonOption, StoreOption, console, print_json, write_out

if TYPE_CHECKING:
    from scones.monitoring.watch.audit import Audit
    from scones.store import Bucket


_TIMES = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"]


def audit(
    count: Annotated[int, typer.Option(min=1, help="Pictures that people are asked about")] = 50,
    last: Annotated[int, typer.Option(min=1, help="Of how many of the latest pictures")] = 500,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", formats=_TIMES, help="Of those from then on, as 2026-11-20T10:00:00, UTC"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the page to this file  [the store: reports/]")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Show the page in the browser")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be drawn")] = False,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw some of the latest pictures for people to judge, so that accuracy can be told.

    Doubtful answers are drawn more often than sure ones, and each with a known chance: so a few answers tell how good
    the model is on all of them. The page shows the pictures, without what the model said, and a field for each; it
    makes the file that `scones monitor answer` takes.
    """
    from datetime import UTC

    import numpy as np

    from scones.errors import MonitorError
    from scones.monitoring.watch.audit import draw, new_audit_name, save_audit
    from scones.monitoring.watch.health import health_of
    from scones.monitoring.watch.history import newest_look
    from scones.monitoring.watch.state import load_state
    from scones.settings import Settings
    from scones.store import Layout, open_bucket

    settings = Settings.load(store=store, bucket=bucket, endpoint=endpoint)
    place, now = open_bucket(settings.store, settings.bucket), datetime.now(UTC)
    _, look = newest_look(place, settings.endpoint)
    state = load_state(place, look.state) if look is not None else None
    if look is None or state is None:
        raise MonitorError(
            f"the monitor has not looked at endpoint {settings.endpoint} yet: look first, with `scones monitor watch`"
        )
    health = health_of(place, look.task, state.version)
    start = None if since is None else since.replace(tzinfo=UTC)
    drawn = draw(state.window, health, count, last=last, since=start, now=now, rng=np.random.default_rng())
    name, page = new_audit_name(now), ""
    if not dry_run:
        text = _page(place, name, drawn)  # first: an audit that nobody can see would never be answered
        save_audit(place, settings.endpoint, name, drawn)
        if out is not None:
            page = write_out(text, out)
        else:
            key = Layout.report(f"audit-{settings.endpoint}-{name}")
            place.put(key, text.encode())
            page = place.url(key)
    if as_json:
        print_json({
            "audit": name, "page": page, "of": len(drawn.events), "dry_run": dry_run,
            "drawn": [drawn.events[k] for k in drawn.drawn], "labels": drawn.labels,
        })  # fmt: skip
        return
    err = console()
    err.print(
        f"{len(drawn.drawn)} of the latest {len(drawn.events)} pictures {'would be' if dry_run else 'are'} drawn "
        f"as audit {name}; judge them on the page, then: scones monitor answer --audit {name} --file answers.csv",
        soft_wrap=True,
        markup=False,
    )
    if page:
        typer.echo(page)
    if open_page and page:
        typer.launch(Path(page).as_uri() if Path(page).is_file() else page)


def _page(bucket: Bucket, name: str, audit: Audit) -> str:
    from scones.capture import read_capture_file
    from scones.errors import ObjectMissing
    from scones.monitoring.audit_page import audit_page

    wanted = {audit.events[k] for k in audit.drawn}
    pictures: dict[str, bytes] = {}
    for file in sorted({audit.files[k] for k in audit.drawn}):
        try:
            for record in read_capture_file(bucket, file):
                if record.event_id in wanted and record.picture is not None:
                    pictures[record.event_id] = record.picture
        except ObjectMissing:  # it was removed meanwhile: the picture is left out of the page
            continue
    return audit_page(name, audit, pictures)
