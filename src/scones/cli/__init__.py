"""The command line: one thin module a verb."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from importlib import import_module
from typing import Annotated, Final

import typer

from scones.errors import SconesError

__all__ = ["VERBS", "command_line", "main"]

VERBS: Final = (
    "demo",
    "stage",
    "train",
    "evaluate",
    "promote",
    "rollback",
    "retrain",
    "models",
    "compare",
    "crossvalidate",
    "classify",
    "batch",
    "serve",
    "generate",
    "run",
    "dead-letters",
    "executions",
    "reviews",
    "answer",
    "orders",
    "forget",
    "clean",
    "pretrain",
    "aws",
    "bench",
    "monitor",
    "notify",
    "task",
    "workflow",
)
"""In the order of the help. Each is a function or a group of its name, in a module of its name."""
_debug = False


def _tell_version(wanted: bool) -> None:
    if wanted:
        from scones import __version__

        typer.echo(__version__)
        raise typer.Exit


def _root(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error")] = False,
    version: Annotated[  # noqa: ARG001 - its callback does it
        bool, typer.Option("--version", help="Print the version and end", is_eager=True, callback=_tell_version)
    ] = False,
) -> None:
    """From labelled pictures to a safe, monitored image-classification service.

    The whole journey at once:  `scones demo`

    Step by step:  `scones stage` → `train` → `evaluate` → `promote` → `serve` → `orders` → `generate` → `run`
    → `monitor report`

    Settings come from flags, from `SCONES_*` variables or from `scones.toml`, in this order.
    """
    global _debug  # noqa: PLW0603 - one flag of the process, set once
    _debug = debug


def command_line(*verbs: str) -> typer.Typer:
    """All of it, or some of its verbs: to build them all takes longer than most of them work."""
    made = typer.Typer(
        name="scones",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_root)
    for verb in verbs or VERBS:
        name = verb.replace("-", "_")
        found = getattr(import_module(f"scones.cli.{name}"), name)
        if isinstance(found, typer.Typer):
            made.add_typer(found, name=verb)
        else:
            made.command(verb)(found)
    return made


def main() -> None:
    """Run the command line; an error is one clear line and its own exit code."""
    if os.getpid() == 1:  # of a container: the kernel keeps signals from it that it has no handler for
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    words = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        command_line(*[word for word in words[:1] if word in VERBS])()
    except Exception as error:  # noqa: BLE001 - the last place where a person can be told in one line
        if _debug:
            traceback.print_exc()
        message = " ".join(str(error).split())
        if not isinstance(error, SconesError):
            message = f"unexpected {type(error).__name__}: {message}; `scones --debug …` shows where: please report it"
        typer.echo(f"scones: {message}", err=True)
        sys.exit(error.exit_code if isinstance(error, SconesError) else SconesError.exit_code)
