"""``scones aws logs``."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import console, results
from scones.cli.aws._options import ProfileOption, RegionOption, StackOption, open_account

if TYPE_CHECKING:
    from rich.console import Console

    from scones.aws.logs import LogEvent

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COLOURS = ("cyan", "green", "magenta", "blue", "yellow", "bright_cyan", "bright_green", "bright_magenta")
_LEVELS = {"ERROR": "bold red", "CRITICAL": "bold red", "FATAL": "bold red", "WARNING": "yellow", "WARN": "yellow"}


def logs(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WHAT]...",
            help="functions, machines, endpoint, training or build  [functions, machines and endpoint]",
        ),
    ] = None,
    since: Annotated[str, typer.Option(metavar="TIME", help="How far back, as 90s, 15m, 2h or 3d")] = "15m",
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes, until Ctrl-C")] = False,
    grep: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Only lines in which this regular expression is found")
    ] = None,
    stack: StackOption = None,
    region: RegionOption = None,
    profile: ProfileOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object a line on stdout, nothing else")
    ] = False,
) -> None:
    """Show what the application's parts logged, as one log by time."""
    from scones.aws.logs import APPLICATION, PARTS, find_groups, follow_logs, read_logs
    from scones.errors import SettingsError

    parts = [part for part in PARTS if part in (what or APPLICATION)]
    if unknown := set(what or ()) - set(PARTS):
        raise SettingsError(f"nothing logs as {unknown.pop()!r}: use one of {', '.join(PARTS)}")
    wanted = _pattern(grep)
    start = _start(since)
    account, names = open_account(stack, region, profile)
    groups = find_groups(account, names, parts)
    err, out = console(), results()
    if not groups:
        err.print(f"stack {names.stack} has no logs of {', '.join(parts)} yet")
        if not follow:
            return
    events = (
        follow_logs(account, partial(find_groups, account, names, parts), start, time.sleep)
        if follow
        else read_logs(account, groups, start)
    )
    shown = 0
    try:
        for event in events:
            if wanted.search(event.message):
                shown += 1
                if as_json:
                    typer.echo(json.dumps(_as_json(event)))
                else:
                    _show(out, event)
    except KeyboardInterrupt:
        return
    if groups and not shown:
        err.print(f"no line since {since}" + (f" in which {grep!r} is found" if grep else ""))


def _pattern(text: str | None) -> re.Pattern[str]:
    from scones.errors import SettingsError

    try:
        return re.compile(text or "")
    except re.error as error:
        raise SettingsError(
            f"--grep {text!r} is no regular expression ({error}): put a backslash before its signs"
        ) from error


def _start(since: str) -> datetime:
    from scones.errors import SettingsError

    read = re.fullmatch(r"(\d{1,6})([smhdw])", since)
    if read is None:
        raise SettingsError(f"--since {since!r} is no time: write a number and s, m, h, d or w, as 15m")
    now, back = datetime.now(UTC), timedelta(**{_UNITS[read[2]]: int(read[1])})
    return now - min(back, now - datetime.fromtimestamp(0, UTC))  # logs know no time before


def _as_json(event: LogEvent) -> dict[str, object]:
    try:
        message = json.loads(event.message)
    except ValueError:
        message = event.message
    return {
        "time": event.time.isoformat(),
        "group": event.group,
        "level": event.level,
        "request": event.request,
        "message": message,
    }


def _show(out: Console, event: LogEvent) -> None:
    from rich.text import Text

    colour = _COLOURS[sum(event.group.encode()) % len(_COLOURS)]  # the same in each run
    line = Text.assemble(
        (f"{event.time.astimezone():%m-%d %H:%M:%S}.{event.time.microsecond // 1000:03d} ", "dim"),
        (f"{event.group:<18} ", colour),
        (f"{event.level} " if event.level else "", _LEVELS.get(event.level, "bold")),
        event.text,
        (f"  {event.request}" if event.request else "", "dim"),
    )
    out.print(line, soft_wrap=True)
