"""``scones monitor``: one thin module a verb."""

from __future__ import annotations

import typer

from scones.cli.monitor.answer import answer
from scones.cli.monitor.audit import audit
from scones.cli.monitor.baseline import baseline
from scones.cli.monitor.override import history, override, release, undo
from scones.cli.monitor.report import report
from scones.cli.monitor.reset import reset
from scones.cli.monitor.status import status
from scones.cli.monitor.watch import watch

__all__ = ["monitor"]

monitor = typer.Typer(
    name="monitor",
    help="See what the endpoint saw, notice when it drifts, and do what helps.",
    no_args_is_help=True,
)


@monitor.callback()
def _monitor() -> None:
    """See what the endpoint saw, notice when it drifts, and do what helps.

    `report` draws what was captured. `watch` looks at what is new, as often as you like: did the pictures drift, how
    good are the answers, is the endpoint to be run otherwise. `status` says how that stands now. `reset` begins
    anew once a person has looked at an alarm; `baseline` declares captured pictures healthy, to be compared with.

    `audit` draws pictures for people to judge, and `answer` takes what they say: only so is an accuracy sure.

    `override` runs the endpoint as you say, until `release`; `undo` goes back to how it was run before, and `history`
    tells who decided what, and why.
    """


for _verb in (report, watch, status, reset, baseline, audit, answer, override, release, undo, history):
    monitor.command()(_verb)
