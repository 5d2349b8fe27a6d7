"""``scones executions``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from scones.cli._common import JournalOption, JsonOption, print_json, results

if TYPE_CHECKING:
    from scones.workflow.engine import Event, Execution, ExecutionDetail, JournalReader


def executions(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Show this one, state by state")] = None,
    machine: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only of this machine: classify, review or batch")
    ] = None,
    status: Annotated[
        str | None, typer.Option(metavar="STATUS", help="RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first")] = 20,
    journal: JournalOption = None,
    as_json: JsonOption = False,
) -> None:
    """List executions, newest first; with a NAME, show one state by state, and the review that it started.

    Reads the journal, also while `scones run` is at work.
    """
    from scones.errors import SettingsError
    from scones.settings import Settings
    from scones.workflow.definitions import MACHINES
    from scones.workflow.engine import Journal, Status

    known = get_args(Status)
    if status is not None and status.upper() not in known:
        raise SettingsError(f"unknown status {status!r}: use one of {', '.join(known)}")
    with Journal.open_readonly(Settings.load(journal=journal).journal) as reader:
        if name is not None:
            found = _same_name(reader, name, [machine] if machine else MACHINES)
            if as_json:
                print_json([{**asdict(one), "history": list(map(asdict, events))} for one, events in found])
            else:
                for one, events in found:
                    _show(one, events)
            return
        listed = reader.executions(machine, status.upper() if status else None, limit)  # type: ignore[arg-type]
    if as_json:
        print_json(list(map(asdict, listed)))
    else:
        _list(listed)


def _same_name(reader: JournalReader, name: str, machines: Sequence[str]) -> list[tuple[ExecutionDetail, list[Event]]]:
    """An arrival's execution, and the review of the same name that it may have started."""
    from scones.errors import ExecutionMissing

    found = []
    for machine in machines:
        with suppress(ExecutionMissing):
            found.append((reader.describe(name, machine), reader.history(name, machine)))
    if not found:
        reader.describe(name)  # of another machine, or of none: the error says so
    return found


def _list(found: Sequence[Execution]) -> None:
    from rich.table import Column, Table

    same_day = len({execution.started.date() for execution in found}) == 1
    table = Table(
        f"started ({found[0].started:%Y-%m-%d}, UTC)" if same_day else "started (UTC)",
        "machine",
        Column("name", overflow="fold"),
        "status",
        Column("seconds", justify="right"),
        Column("error", overflow="fold"),
    )
    for execution in found:
        seconds = f"{(execution.stopped - execution.started).total_seconds():.3f}" if execution.stopped else "…"
        colour = {"SUCCEEDED": "green", "RUNNING": "yellow"}.get(execution.status, "red")
        table.add_row(
            f"{execution.started:%H:%M:%S}" if same_day else f"{execution.started:%Y-%m-%d %H:%M:%S}",
            execution.machine,
            execution.name,
            f"[{colour}]{execution.status}[/]",
            seconds,
            execution.error or "",
        )
    results().print(table)


def _show(found: ExecutionDetail, events: Sequence[Event]) -> None:
    from rich.markup import escape
    from rich.table import Column, Table

    from scones.contracts import failure_message

    table = Table(
        Column("after (s)", justify="right"),
        "state",
        Column("what it added, or how it failed", overflow="fold"),
        title=f"{found.name} of {found.machine}: {found.status}",
        title_justify="left",
    )
    entered: Any = None
    for event in events:
        if event.type.endswith("StateEntered"):
            entered = event.details.get("input")
            continue
        if "error" in event.details:
            what = f"{event.details['error']}: {failure_message(str(event.details.get('cause') or ''))}"
        elif event.type.endswith("StateExited"):
            what = ", ".join(f"{name} {value}" for name, value in _added(entered, event.details.get("output")).items())
        else:
            continue
        after = (event.time - found.started).total_seconds()
        table.add_row(f"{after:.3f}", event.state or event.type, escape(what))
    out = results()
    out.print(table)


def _added(before: Any, after: Any) -> dict[str, str]:
    """The values that a state added to its input or changed, by name; long ones are cut."""
    known = set(_leaves(before))
    return {
        name: value if len(value) <= 60 else f"{value[:20]}… ({len(value):,} characters)"
        for name, value in _leaves(after)
        if (name, value) not in known
    }


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _leaves(item, inner)
    else:
        yield name, str(value)
