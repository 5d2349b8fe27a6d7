"""``scones aws status``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from scones.cli._common import JsonOption, console, print_json, results
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption, open_account

if TYPE_CHECKING:
    from rich.text import Text

    from scones.aws.stacks import Stack
    from scones.aws.status import Day, Status

_COLOURS = {"OK": "green", "ALARM": "bold red", "InService": "green", "Failed": "bold red"}


def status(
    stack: StackOption = None, region: RegionOption = None, profile: ProfileOption = None, as_json: JsonOption = False
) -> None:
    """Show how the application on AWS is: stacks, endpoint, alarms, the last 24 hours, what waits for people."""
    from datetime import UTC, datetime

    from rich.table import Table
    from rich.text import Text

    from scones.aws.status import look_at

    account, names = open_account(stack, region, profile)
    found = look_at(account, names, datetime.now(UTC))
    if as_json:
        share = None if found.day is None else found.day.unsure_share
        print_json({**asdict(found), "unsure_share": share})
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in _rows(found):
        table.add_row(Text(name, style="dim"), value)
    results().print(table)
    for what, why in found.unseen.items():
        console().print(f"{what}: could not look: {why}", style="yellow", markup=False, soft_wrap=True)
    if found.app is None:
        console().print(f"`scones aws deploy` makes stack {names.stack}", soft_wrap=True)


def _rows(found: Status) -> Iterator[tuple[str, Text]]:
    from rich.text import Text

    yield "bootstrap stack", _stack(found.bootstrap)
    yield "application's stack", _stack(found.app)
    if (endpoint := found.endpoint) is not None:
        count = "serverless" if endpoint.wanted is None else f"{endpoint.instances} of {endpoint.wanted} instances"
        colour = _COLOURS.get(endpoint.status, "yellow")
        yield (
            f"endpoint {endpoint.name}",
            Text.assemble((endpoint.status, colour), f"  {count}  {endpoint.fault}".rstrip()),
        )
    if found.day is not None:
        yield "last 24 hours", Text(_day(found.day))
    if found.reviews is not None:
        yield "wait for a person", Text(f"{found.reviews:,}")
    if found.dead_letters is not None:
        yield "dead letters", Text(f"{found.dead_letters:,}", style="bold red" if found.dead_letters else "")
    for alarm in found.alarms:
        why = f"  since {alarm.since.astimezone():%Y-%m-%d %H:%M}: {alarm.why}" if alarm.state == "ALARM" else ""
        yield f"alarm {alarm.name}", Text.assemble((alarm.state, _COLOURS.get(alarm.state, "dim")), why)
    for name, value in found.app.outputs.items() if found.app is not None else ():
        yield name, Text(value)


def _stack(stack: Stack | None) -> Text:
    from rich.text import Text

    if stack is None:
        return Text("not there", style="yellow")
    good = stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
    reason = f"  {stack.reason}" if stack.reason else ""
    return Text.assemble((stack.status, "green" if good else "yellow"), reason)


def _day(day: Day) -> str:
    share = "" if day.unsure_share is None else f" ({day.unsure_share:.1%} of {day.asked:,} answers)"
    return f"{day.pictures:,} pictures, {day.unsure:,} unsure{share}, {day.errors:,} errors, {day.failed:,} failed"
