"""``scones workflow``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scones.cli._common import JournalOption, JsonOption, console, print_json, results, write_out

if TYPE_CHECKING:
    from datetime import datetime

    from scones.workflow.engine import Event, ExecutionDetail, JournalReader

__all__ = ["workflow"]

workflow = typer.Typer(
    name="workflow",
    help="State machines: list the application's, check definitions, draw one with what an execution did.",
    no_args_is_help=True,
)


@workflow.callback()
def _workflow() -> None:
    """State machines: list the application's, check definitions, draw one with what an execution did."""


@workflow.command(name="list")
def list_machines(as_json: JsonOption = False) -> None:
    """List the application's state machines: how many states each has, and what it is for."""
    import json

    from rich.table import Column, Table

    from scones.cli._definitions import count_states
    from scones.workflow.definitions import MACHINES, definition

    documents = {name: json.loads(definition(name)) for name in MACHINES}
    rows = [
        {"machine": name, "states": count_states(document), "comment": document.get("Comment", "")}
        for name, document in documents.items()
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("machine", Column("states", justify="right"), Column("what it is for", overflow="fold"))
    for row in rows:
        table.add_row(row["machine"], str(row["states"]), row["comment"])
    results().print(table)


@workflow.command()
def validate(
    machines: Annotated[
        list[str] | None,
        typer.Argument(metavar="MACHINE|FILE", help="The application's machines by name, or files  [all of these]"),
    ] = None,
    substitute: Annotated[
        list[str] | None,
        typer.Option(
            "--substitute", metavar="NAME=VALUE", help="The value of the placeholder ${NAME}; may be repeated"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check definitions: every problem of each, a line each, with its place in the document.

    A definition is Amazon States Language in JSON. It is checked for what it says and for what the engine here
    runs. A placeholder without a value, as `${Function}`, is no problem: it stands for itself, and is told.

    The exit code is 1 where there is a problem.

    Example:  `scones workflow validate *.asl.json`
    """
    from dataclasses import asdict

    from scones.cli._definitions import check, read_substitutions
    from scones.page.numbers import plural
    from scones.settings import Settings
    from scones.workflow.definitions import MACHINES, substitutions

    given = read_substitutions(substitute or [])
    own = {**substitutions(Settings.load()), **given}
    checked = [check(name, own if name in MACHINES else given) for name in machines or MACHINES]
    problems = sum(len(one.problems) for one in checked)
    if as_json:
        print_json({"problems": problems, "definitions": [asdict(one) for one in checked]})
    else:
        err = console()
        for one in checked:
            for problem in one.problems:
                where = f"{one.name}: {problem.place}: " if problem.place else f"{one.name}: "
                typer.echo(" ".join(f"{where}{problem.problem}".split()))
            if not one.problems:
                typer.echo(f"{one.name}: no problem in {plural(one.states, 'state')}")
            if one.placeholders:
                names = ", ".join(f"${{{name}}}" for name in one.placeholders)
                note = f"{one.name}: these have no value and stand for themselves: {names}; --substitute gives them one"
                err.print(note, style="dim", markup=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)


@workflow.command()
def draw(
    machine: Annotated[str, typer.Argument(metavar="MACHINE|FILE", help="One of `scones workflow list`, or a file")],
    execution: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show what this execution did: its way, times and failures")
    ] = None,
    journal: JournalOption = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.svg", help="Where to write the picture  [stdout]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw a state machine as an SVG, with the way that an execution took and each state's time.

    The picture is one file without references, light or dark as its reader's system is; a pointer over a state
    or an edge shows more. It also draws what `validate` finds fault with.

    Examples:  `scones workflow draw classify --out classify.svg`  and, with a name of `scones executions`,
    `scones workflow draw classify --execution NAME > picture.svg`
    """
    import json
    from datetime import UTC, datetime

    from scones.cli._definitions import machine_text, substituted
    from scones.errors import DefinitionError
    from scones.settings import Settings
    from scones.workflow.definitions import MACHINES, substitutions
    from scones.workflow.diagram import draw as draw_machine
    from scones.workflow.engine import Journal

    settings = Settings.load(journal=journal)
    document: Any = machine_text(machine)
    if machine in MACHINES:
        document = substituted(json.loads(document), substitutions(settings))
    title = machine if machine in MACHINES else Path(machine).name.removesuffix(".json").removesuffix(".asl")
    history, name = None, ""
    if execution is not None:
        with Journal.open_readonly(settings.journal) as reader:
            found = _find(reader, execution, title, only=machine in MACHINES)
            history, name = reader.history(found.name, found.machine), found.name
    now = datetime.now(UTC)
    try:
        svg = draw_machine(document, history, title=title, subtitle=name, now=now)
        told = _told(document, history, now)
    except DefinitionError as error:
        raise DefinitionError(f"{machine}: {error}") from error
    if gone := [one["name"] for one in told["states"] if not one["drawn"]]:
        note = f"the execution was in states that {machine} has no more, or never had: {', '.join(gone)}"
        console().print(note, style="yellow", markup=False, soft_wrap=True)
    file = None if out is None else write_out(svg, out)
    if as_json:
        picture = {"svg": svg} if file is None else {"file": file}
        print_json({"machine": machine, "execution": name or None, **told, **picture})
    else:
        typer.echo(file or svg, nl=file is not None)


def _find(reader: JournalReader, name: str, machine: str, *, only: bool) -> ExecutionDetail:
    """An execution of a machine, or of the items of its distributed Map; else of any machine, unless ``only``."""
    from scones.errors import ExecutionMissing, WorkflowError

    try:
        found = reader.describe(name, machine)
    except ExecutionMissing:
        found = reader.describe(name)
    if only and found.machine.split("/")[0] != machine:
        raise WorkflowError(f"{name} is an execution of {found.machine}, not of {machine}: draw {found.machine}")
    return found


def _told(document: Any, history: list[Event] | None, now: datetime) -> dict[str, Any]:
    """What the picture shows, for a program."""
    from dataclasses import asdict

    from scones.workflow.diagram import follow, read_graph, walk

    graph = read_graph(document)
    types = {name: state.type for part, _ in walk(graph) for name, state in part.states.items()}
    states: dict[str, dict[str, Any]] = {
        name: {"name": name, "type": kind, "drawn": True} for name, kind in types.items()
    }
    if history is None:
        return {"states": list(states.values())}
    course = follow(graph, history, now=now)
    for name, figures in course.states.items():
        states[name] = {"name": name, "type": types.get(name, ""), "drawn": name in types, **asdict(figures)}
    return {"status": course.status, "seconds": course.seconds, "states": list(states.values())}
