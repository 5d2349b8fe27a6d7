"""What the verbs share: options, output, progress."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn, TaskID

    from scones.bundle import BundleInfo
    from scones.staging import Dataset
    from scones.store import Bucket

__all__ = [
    "BucketOption",
    "EndpointOption",
    "EndpointUrlOption",
    "JournalOption",
    "JsonOption",
    "StoreOption",
    "TaskOption",
    "WhoOption",
    "console",
    "print_json",
    "progress_bar",
    "progress_report",
    "repeated",
    "results",
    "warn_of_known",
    "whoami",
    "write_out",
]

StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="PLACE", help="Where objects live: a folder, or s3://  [.scones/store]"),
]
BucketOption = Annotated[str | None, typer.Option("--bucket", metavar="NAME", help="The bucket in the store  [scones]")]
TaskOption = Annotated[
    str | None, typer.Option("--task", metavar="NAME", help="A task's name, or its TOML file  [vehicles]")
]
WhoOption = Annotated[
    str | None, typer.Option("--who", metavar="NAME", help="Who does it, for the record  [your user name]")
]
EndpointOption = Annotated[str | None, typer.Option("--endpoint", metavar="NAME", help="The endpoint's name  [scones]")]
EndpointUrlOption = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", help="Where the endpoint answers  [http://127.0.0.1:8080]"),
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


def repeated(**given: str | None) -> str:
    """The options that a person gave, for the command that they are told to run next.

    Example:
        >>> repeated(task="my plates.toml", store=None)
        " --task 'my plates.toml'"
    """
    return "".join(f" --{name} {shlex.quote(value)}" for name, value in given.items() if value is not None)


def warn_of_known(bucket: Bucket, info: BundleInfo, dataset: Dataset) -> int | None:
    """Say so where a model knows test pictures that it is measured on; answers how many, None: nobody can tell."""
    from scones.training.predictions import learned_from

    known = learned_from(bucket, info, dataset)
    if known is None:
        told = f"the dataset {info.dataset} that model {info.version} learned from is gone: it may know these pictures"
    else:
        told = (
            f"model {info.version} learned from {known} of these test pictures, or others of the same: it looks better"
        )
    if known != 0:
        console().print(f"[yellow]{told}[/]", soft_wrap=True)
    return known


def whoami() -> str:
    """The name of the user who runs this process; "unknown" where the machine has none, as in some containers."""
    import getpass

    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "unknown"


def print_json(value: Any) -> None:
    """Print a result for a program."""
    typer.echo(json.dumps(value, indent=1, default=str))


def write_out(text: str, out: Path) -> str:
    """Write a result where ``--out`` says, in folders that are made for it; answers the whole path.

    Raises:
        StoreError: it cannot be written there.
    """
    from scones.errors import StoreError

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"cannot write {out} ({error.strerror}): choose another file with --out") from error
    return str(out.absolute())


@contextmanager
def progress_bar(quiet: bool = False, *more: ProgressColumn) -> Iterator[Progress]:
    """A progress display on stderr, with ``more`` columns; nothing when ``quiet`` or when stderr is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        *more,
    )
    target = console()
    with Progress(*columns, console=target, disable=quiet or not target.is_terminal) as progress:
        yield progress


@contextmanager
def progress_report(quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A progress display as :func:`progress_bar`; call what it yields with what is done, how much, and of how much."""
    with progress_bar(quiet) as bar:
        lines: dict[str, TaskID] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in lines:
                lines[what] = bar.add_task(what, total=total or None)
            bar.update(lines[what], completed=done, total=total or None)

        yield report
