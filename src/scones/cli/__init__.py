"""The command line: one thin module a verb."""

from __future__ import annotations

import os
import signal
import sys
import traceback
from typing import Annotated

import typer

from scones.cli.answer import answer
from scones.cli.aws import aws
from scones.cli.batch import batch
from scones.cli.bench import bench
from scones.cli.classify import classify
from scones.cli.clean import clean
from scones.cli.compare import compare
from scones.cli.crossvalidate import crossvalidate
from scones.cli.dead_letters import dead_letters
from scones.cli.demo import demo
from scones.cli.evaluate import evaluate
from scones.cli.executions import executions
from scones.cli.forget import forget
from scones.cli.generate import generate
from scones.cli.models import models
from scones.cli.monitor import monitor
from scones.cli.notify import notify
from scones.cli.orders import orders
from scones.cli.pretrain import pretrain
from scones.cli.promote import promote
from scones.cli.retrain import retrain
from scones.cli.reviews import reviews
from scones.cli.rollback import rollback
from scones.cli.run import run
from scones.cli.serve import serve
from scones.cli.stage import stage
from scones.cli.task import task
from scones.cli.train import train
from scones.cli.workflow import workflow
from scones.errors import SconesError

__all__ = ["app", "main"]

app = typer.Typer(
    name="scones",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
_debug = False


def _tell_version(wanted: bool) -> None:
    if wanted:
        from scones import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
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


for _verb in (
    demo,
    stage,
    train,
    evaluate,
    promote,
    rollback,
    retrain,
    models,
    compare,
    crossvalidate,
    classify,
    batch,
    serve,
    generate,
    run,
    dead_letters,
    executions,
    reviews,
    answer,
    orders,
    forget,
    clean,
    pretrain,
):
    app.command()(_verb)
app.add_typer(aws, name="aws")
app.add_typer(bench, name="bench")
app.add_typer(monitor, name="monitor")
app.add_typer(notify, name="notify")
app.add_typer(task, name="task")
app.add_typer(workflow, name="workflow")


def main() -> None:
    """Run the command line; an error is one clear line and its own exit code."""
    if os.getpid() == 1:  # of a container: the kernel keeps signals from it that it has no handler for
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the last place where a person can be told in one line
        if _debug:
            traceback.print_exc()
        message = " ".join(str(error).split())
        if not isinstance(error, SconesError):
            message = f"unexpected {type(error).__name__}: {message}; `scones --debug …` shows where: please report it"
        typer.echo(f"scones: {message}", err=True)
        sys.exit(error.exit_code if isinstance(error, SconesError) else SconesError.exit_code)
