"""``scones executions``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scones.cli._common import JournalOption, JsonOption, console, failure_message, print_json

if TYPE_CHECKING:
    from scones.workflow.engine import JournalReader


def executions(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one, state by state")] = None,
    machine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this machine: classify or review")
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first")] = 20,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """List executions, newest first; with a NAME, show one state by state.

    Reads the journal, also while `scones run` is at work.
    """
    from scones.errors import SettingsError
    from scones.settings import Settings
    from scones.workflow.engine import Journal

    known = ("RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED")
    if status is not None and status.upper() not in known:
        raise SettingsError(f"unknown status {status!r}: use one of {', '.join(known)}")
    with Journal.open_readonly(Settings.load(journal=journal).journal) as reader:
        if name is not None:
            _show_one(reader, name, machine, as_json)
            return
        found = reader.executions(machine, status.upper() if status else None, limit)  # type: ignore[arg-type]
        if as_json:
            print_json([_plain(execution) for execution in found])
            return
        from rich.table import Table

        table = Table("started (UTC)", "machine", "name", "status", "seconds", "error")
        for execution in found:
            seconds = f"{(execution.stopped - execution.started).total_seconds():.3f}" if execution.stopped else "…"
            colour = {"SUCCEEDED": "green", "RUNNING": "yellow"}.get(execution.status, "red")
            table.add_row(
                f"{execution.started:%Y-%m-%d %H:%M:%S}",
                execution.machine,
                execution.name,
                f"[{colour}]{execution.status}[/]",
                seconds,
                execution.error or "",
            )
        console().print(table)


def _show_one(reader: JournalReader, name: str, machine: str | None, as_json: bool) -> None:
    found = reader.describe(name, machine)
    events = reader.history(name, machine or found.machine)
    if as_json:
        print_json({**_plain(found), "history": [_plain(event) for event in events]})
        return
    from rich.markup import escape
    from rich.table import Table

    err = console()
    err.print(f"[bold]{found.name}[/] of {found.machine}: {found.status}", soft_wrap=True)
    table = Table("after (s)", "state", "event", "what")
    for event in events:
        after = (event.time - found.started).total_seconds()
        table.add_row(f"{after:.3f}", event.state or "", event.type, escape(_brief(event.details)))
    err.print(table)
    if found.error:
        err.print(f"[red]{found.error}[/]: {escape(failure_message(found.cause))}", soft_wrap=True)


def _plain(record: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(record)


def _brief(details: Any) -> str:
    """An event's details in a line: long texts (pictures) are cut."""
    import json

    def cut(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: cut(item) for key, item in value.items()}
        if isinstance(value, str) and len(value) > 60:
            return f"{value[:20]}… ({len(value):,} characters)"
        return value

    text = json.dumps({key: cut(value) for key, value in details.items()}, ensure_ascii=False)
    return text if len(text) <= 400 else f"{text[:400]}…"
