"""``scones demo``."""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scones.cli._common import JsonOption, console, print_json

if TYPE_CHECKING:
    from scones.demo import DemoResult


def demo(
    archive: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="cifar-100-python.tar.gz, if you have it  [SCONES_CIFAR100]"),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Run the whole journey on this machine, from pictures to reports, in a minute or so.

    Stages data and checks it, trains and calibrates a model, evaluates it, serves it, sends 200 test
    pictures through the workflow, routes the sure ones, sets the unsure ones aside for a person, lets
    fog come up before the camera to see whether the monitor notices, and draws a report. All of it lies
    under .scones/demo; `scones clean` removes it.

    CIFAR-100 comes from `--archive`, else from its official address; offline, Scones draws pictures itself.
    """
    from rich.live import Live
    from rich.text import Text

    from scones.contracts import failure_message
    from scones.demo import Reporter, run_demo
    from scones.errors import WorkflowError
    from scones.settings import Settings

    err = console()

    class Shown(Reporter):
        """Shows each step on a line, and how far it is."""

        def __init__(self) -> None:
            self.number = 0
            self.name = ""
            self.live: Live | None = None

        @contextmanager
        def step(self, name: str) -> Iterator[Callable[[str], None]]:
            self.number += 1
            number, started = self.number, time.monotonic()
            self.name = name
            self.show(f"… {number}  {name}")

            def done(result: str) -> None:
                self.show("")
                err.print(
                    f"[green]✓[/] {number}  {name}: [bold]{result}[/]  [dim]{time.monotonic() - started:.1f} s[/]",
                    soft_wrap=True,
                )

            yield done

        def advance(self, done: int, total: int) -> None:
            self.show(f"… {self.number}  {self.name}: {done:,} of {total:,}")

        def say(self, text: str) -> None:
            err.print(f"[yellow]![/] {text}", soft_wrap=True)

        def show(self, text: str) -> None:
            if self.live is not None:
                self.live.update(Text(text, style="dim"))

    def end(number: int, frame: object) -> None:  # noqa: ARG001 - the shape of a signal handler
        raise SystemExit(128 + number)  # so that the endpoint, a child process, is ended too

    signal.signal(signal.SIGTERM, end)
    reporter = Shown()
    with Live("", console=err, transient=True, refresh_per_second=8) as live:
        reporter.live = live if err.is_terminal else None
        result = run_demo(Settings.load(cifar100=archive).cifar100, reporter)
    if as_json:
        print_json(result.to_json())
    else:
        _summary(result)
    if failure := result.details["failure"]:
        raise WorkflowError(
            f"{result.executions['failed']} executions failed; the first, {failure.name}, with {failure.error}: "
            f"{failure_message(failure.cause)}; see `scones executions --journal {result.details['journal']}`"
        )


def _summary(result: DemoResult) -> None:
    from rich.table import Table

    right, decided = result.details["decided_right"]
    ended = result.executions
    table = Table(show_header=False, title="What happened", title_justify="left")
    table.add_row("pictures", "CIFAR-100" if result.data == "cifar100" else "synthetic, drawn by Scones")
    table.add_row("accuracy", f"{result.accuracy:.1%} on {result.test_images} test pictures")
    table.add_row("calibration error", f"{result.ece:.3f}")
    table.add_row("arrivals", f"{ended['succeeded']} decided, {ended['review']} for a person, {ended['failed']} failed")
    table.add_row("decided alone", f"{right} of {decided} right; {result.details['threshold']}")
    table.add_row("orders claimed", str(result.orders_claimed))
    table.add_row("inferences captured", str(result.capture_records))
    late = result.drift["pictures_to_alarm"]
    table.add_row("then fog", "no alarm" if late is None else f"alarm after {late} pictures, none before")
    table.add_row("time", f"{result.seconds:.0f} s")
    err = console()
    err.print(table)
    err.print("Open these in a browser:")
    typer.echo(result.evaluation_report)
    typer.echo(result.report)
    scones = "scones" if shutil.which("scones") else sys.argv[0]  # as it can be called from here
    err.print(
        f"Look closer:  {scones} executions --journal {result.details['journal']}\n"
        f"              {scones} reviews --store {Path(result.details['store']).parent}\n"
        f"Clean up:     {scones} clean",
        soft_wrap=True,
    )
