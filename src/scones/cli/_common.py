"""What the verbs share: options, output, progress."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

__all__ = [
    "BucketOption",
    "JournalOption",
    "JsonOption",
    "StoreOption",
    "TaskOption",
    "console",
    "failure_message",
    "print_json",
    "progress_bar",
    "results",
]

StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="PLACE", help="Where objects live: a folder, or s3://  [.scones/store]"),
]
BucketOption = Annotated[str | None, typer.Option("--bucket", metavar="NAME", help="The bucket in the store  [scones]")]
TaskOption = Annotated[
    str | None, typer.Option("--task", metavar="NAME", help="A task's name, or its TOML file  [vehicles]")
]
JournalOption = Annotated[
    Path | None, typer.Option("--journal", metavar="FILE", help="The engine's journal  [.scones/journal.sqlite]")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, nothing else")]


def console() -> Console:
    """Where people read: stderr, so that stdout stays free for results."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def results() -> Console:
    """Where a table goes that is the result: stdout, as wide as it needs to be when no person is looking."""
    from rich.console import Console

    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=200)


def failure_message(cause: str | None) -> str:
    """The message in a function's cause, which is JSON text as Lambda writes it."""
    try:
        return str(json.loads(cause or "")["errorMessage"])
    except (ValueError, KeyError, TypeError):
        return cause or ""


def print_json(value: Any) -> None:
    """Print a result for a program."""
    typer.echo(json.dumps(value, indent=1, default=str))


@contextmanager
def progress_bar(quiet: bool = False) -> Iterator[Progress]:
    """A progress display on stderr; it shows nothing when ``quiet`` or when stderr is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    target = console()
    with Progress(*columns, console=target, disable=quiet or not target.is_terminal) as progress:
        yield progress
