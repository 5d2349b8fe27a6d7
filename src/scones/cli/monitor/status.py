"""``scones monitor status``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones.cli._common import BucketOption, EndpointOption, JsonOption, StoreOption, print_json, results

if TYPE_CHECKING:
    from rich.text import Text

    from scones.monitoring.watch.records import Look, Standing


def status(
    endpoint: EndpointOption = None,
    store: StoreOption = None,
    bucket: BucketOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what the last look saw, what is wrong, and how the endpoint is run."""
    from scones.cli.monitor._words import finding_lines, findings_json
    from scones.monitoring.watch.findings import findings
    from scones.monitoring.watch.history import newest_look
    from scones.monitoring.watch.rules import Rules
    from scones.monitoring.watch.standings import in_force, newest_standing
    from scones.settings import Settings
    from scones.store import open_bucket

    settings = Settings.load(store=store, bucket=bucket, endpoint=endpoint)
    place = open_bucket(settings.store, settings.bucket)
    number, look = newest_look(place, settings.endpoint)
    standing, said = in_force(place, settings.endpoint), newest_standing(place, settings.endpoint)[1]
    found = findings(look, Rules()) if look is not None else ()
    if as_json:
        print_json(
            {
                "endpoint": settings.endpoint,
                "number": number,
                "look": look.model_dump(mode="json") if look else None,
                "findings": findings_json(found),
                "standing": standing.model_dump(mode="json") if standing else None,
                "would_be": said.model_dump(mode="json") if said and said.dry_run else None,
            }
        )
        return
    out = results()
    if look is None:
        out.print(f"nobody has looked at endpoint {settings.endpoint} yet: scones monitor watch", soft_wrap=True)
        return
    out.print(_table(settings.endpoint, number, look, standing, said))
    for line in finding_lines(look, found):
        out.print(line, soft_wrap=True)
    if not found:
        out.print("nothing was found to be wrong")


def _table(endpoint: str, number: int, look: Look, standing: Standing | None, said: Standing | None) -> object:
    from rich.table import Table
    from rich.text import Text

    from scones.cli.monitor._words import evidence_bar, figures, standing_line

    table = Table(show_header=False, box=None, pad_edge=False)

    def add(name: str, value: str | Text) -> None:
        table.add_row(Text(name, style="dim"), Text(value) if isinstance(value, str) else value)

    add("endpoint", f"{endpoint}, model {look.version} of task {look.task}")
    add("last look", f"{number} at {look.at:%Y-%m-%d %H:%M:%S} UTC, {look.records:,} new of {look.totals.records:,}")
    if look.newest is not None:
        add("newest record", f"{look.newest:%Y-%m-%d %H:%M:%S} UTC")
    if look.baseline:
        add("compared with", look.baseline)
    add("evidence of a drift", evidence_bar(look))
    for name, value in figures(look):
        add(name, value)
    add("stance", standing_line(standing) if standing else "observing (as it was promoted to)")
    if said is not None and said.dry_run:
        add("the monitor would", standing_line(said))
    return table
