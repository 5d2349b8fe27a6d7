"""``scones task``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scones.cli._common import JsonOption, console, print_json, results

__all__ = ["task"]

task = typer.Typer(
    name="task",
    help="The questions that pictures answer: list them, read one, write your own.",
    no_args_is_help=True,
)


@task.callback()
def _task() -> None:
    """The questions that pictures answer: list them, read one, write your own."""


@task.command(name="list")
def list_tasks(as_json: JsonOption = False) -> None:
    """List the tasks that come with Scones: which question each asks, and its labels."""
    from rich.table import Table

    from scones.task import load_task, task_names

    found = [load_task(name) for name in task_names()]
    if as_json:
        print_json([one.model_dump() for one in found])
        return
    table = Table("task", "question", "labels", "target risk")
    for one in found:
        table.add_row(one.name, one.title, ", ".join(one.labels), f"{one.policy.target_risk:.0%}")
    results().print(table)


@task.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A task that comes with Scones")],
    as_json: JsonOption = False,
) -> None:
    """Print the file of a task that comes with Scones, comments and all: to learn from, or to start from.

    Example:  `scones task show road > crossing.toml`
    """
    from scones.task import load_task, task_text

    if as_json:
        print_json(load_task(name).model_dump())
    else:
        typer.echo(task_text(name), nl=False)


@task.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call the task")],
    labels: Annotated[str | None, typer.Option(metavar="A,B,…", help="What the model can say")] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Your pictures: each sub-folder is a label")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The file to write  [NAME.toml]")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the file of a task of your own, with a comment on everything that it can say.

    The labels come from `--labels`, or from the sub-folders of `--folder`. Then, with the same `--task`:
    `scones stage --task NAME.toml --folder DIR`, `scones train`, `scones evaluate`.
    """
    from scones.errors import TaskError
    from scones.task import load_task
    from scones.task_file import called, labels_of_folder, task_file, write_new

    if (labels is None) == (folder is None):
        raise TaskError("name the labels with --labels a,b,c, or a folder whose sub-folders are named so with --folder")
    large = False
    if folder is not None:
        given, large = labels_of_folder(folder)
    else:
        given = [label.strip() for label in (labels or "").split(",") if label.strip()]
    path = out or Path(f"{called(name)}.toml")
    write_new(path, task_file(name, given, large=large))
    made = load_task(str(path))
    if as_json:
        print_json({"file": str(path.absolute()), **made.model_dump()})
        return
    err = console()
    for asked, got in ((name, made.name), *zip(given, made.labels, strict=True)):
        if asked != got:
            err.print(f"{asked!r} is called {got}", markup=False)
    err.print(f"next: scones stage --task {path} --folder {folder or 'pictures'}", soft_wrap=True, markup=False)
    typer.echo(str(path.absolute()))
