"""What a person sees of fine-tuning, and how SIGTERM ends it."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from scones.cli._common import console, print_json, progress_bar
from scones.errors import TrainingStopped
from scones.training.container import run_container, write_failure
from scones.training.finetuning import Watcher

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Ending", "Shown", "ended_by_sigterm", "train_in_container"]


class Ending:
    """SIGTERM ends fine-tuning with a checkpoint, at its next step; before the first step it ends the process."""

    def __init__(self) -> None:
        self.asked = False
        self.patient = False

    def __call__(self, number: int, frame: object) -> None:  # noqa: ARG002 - the shape of a signal handler
        """Be the signal's handler."""
        self.asked = True
        if not self.patient:
            raise SystemExit(128 + number)


@contextmanager
def ended_by_sigterm() -> Iterator[Ending]:
    """Let SIGTERM end what is done inside."""
    ending = Ending()
    before = signal.signal(signal.SIGTERM, ending)
    try:
        yield ending
    finally:
        signal.signal(signal.SIGTERM, before)


class Shown(Watcher):
    """Shows a bar of all steps, and a line an epoch."""

    def __init__(self, bar: Progress, ending: Ending) -> None:
        self.bar, self.ending = bar, ending
        self.line = bar.add_task("starting", total=None)

    def step(self, done: int, total: int) -> None:
        self.bar.update(self.line, completed=done, total=total, description="fine-tuning")

    def epoch(self, row: dict[str, Any]) -> None:
        loss = "" if row["loss"] is None else f"loss {row['loss']:.4f}, "
        self.bar.console.print(
            f"epoch {row['epoch']}: {loss}on validation pictures loss {row['validation_loss']:.4f}, "
            f"accuracy {row['validation_accuracy']:.1%}  [dim]{row['seconds']:.0f} s[/]"
        )

    def say(self, text: str) -> None:
        self.bar.console.print(text, soft_wrap=True, markup=False)

    def stopping(self) -> bool:
        self.ending.patient = True
        return self.ending.asked

    def doing(self, step: str) -> None:
        """Show the name of a step as it starts."""
        self.bar.update(self.line, description=step)


def train_in_container(root: Path, *, as_json: bool) -> None:
    """Train as SageMaker's contract says; a failure is written down where SageMaker looks for it.

    Args:
        root: what stands for ``/opt/ml``.
        as_json: print ``bundle.json`` on stdout, and no metrics.
    """
    tell = console().print if as_json else typer.echo
    try:
        with ended_by_sigterm() as ending, progress_bar() as bar:
            shown = Shown(bar, ending)
            info = run_container(root, now=datetime.now(UTC), say=tell, watcher=shown, report=shown.doing)
    except TrainingStopped:
        raise
    except Exception as error:
        line = write_failure(root, error)
        traceback.print_exception(error)  # SageMaker keeps it in the job's log
        typer.echo(f"scones: {line}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        print_json(info.model_dump() if info else None)
