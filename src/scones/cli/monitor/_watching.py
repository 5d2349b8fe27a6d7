"""Looks again and again, shows what they saw, and ends when told to."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from scones.cli._common import write_out
from scones.cli.monitor._words import evidence_bar, figures, finding_lines, findings_json, standing_line
from scones.errors import SconesError, StoreError
from scones.monitoring.watch.history import newest_look
from scones.monitoring.watch.metrics import embedded_metrics, prometheus_text
from scones.monitoring.watch.standings import newest_standing

if TYPE_CHECKING:
    from rich.console import Console

    from scones.monitoring.watch.monitor import Monitor, Turn
    from scones.store import Bucket

__all__ = ["Bounds", "Ending", "Shown", "ended_by_signals", "go_on"]


class _Stopped(Exception):
    """Told to end while there is nothing to do."""


class Ending:
    """SIGTERM and Ctrl+C end the watch after the look; a second one at once, which loses nothing either."""

    def __init__(self) -> None:
        self.asked = False
        self._idle = False

    def __call__(self, number: int, frame: object) -> None:  # noqa: ARG002 - the shape of a signal handler
        """Be the signals' handler."""
        if self.asked and not self._idle:
            raise SystemExit(128 + number)
        self.asked = True
        if self._idle:
            raise _Stopped

    def wait(self, seconds: float) -> None:
        """Let time pass, until told to end."""
        try:
            self._idle = True
            if not self.asked:
                time.sleep(seconds)
        except _Stopped:
            pass
        finally:
            self._idle = False


@contextmanager
def ended_by_signals() -> Iterator[Ending]:
    """Let SIGTERM and Ctrl+C end what is done inside."""
    ending = Ending()
    before = {number: signal.signal(number, ending) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True)
class Bounds:
    """How often to look: every so many seconds, None for once; for so many seconds; so many times."""

    every: float | None
    seconds: float | None
    looks: int | None


def go_on(monitor: Monitor, shown: Shown, ending: Ending, bounds: Bounds) -> None:
    """Look until there is no reason to go on: once, or as the bounds say; in any case as long as more is left.

    Raises:
        SconesError: a look that is to be the only one failed.
    """
    start, taken = time.monotonic(), 0
    while True:
        more = False
        try:
            turn = monitor.turn(datetime.now(UTC))
            more = turn.looked.more
            shown.turn(turn)
        except SconesError as error:
            if bounds.every is None:
                raise
            shown.failed(error)
        taken += 1
        pause = 0.0 if more else bounds.every
        if ending.asked or pause is None or taken == bounds.looks:
            break
        if bounds.seconds is not None and time.monotonic() + pause - start >= bounds.seconds:
            break
        ending.wait(pause)
        if ending.asked:
            break
    if ending.asked:
        shown.say("stopped; the next watch goes on where this one ended")


class Shown:
    """Shows what turns of the monitor saw and did: to a person, to a program, to Prometheus.

    Args:
        console: where a person reads.
        bucket, endpoint: whose figures.
        every: None where it looks but once: then it is told, too, that nothing is new.
        metrics: where the figures are written for Prometheus; None for nowhere.
        embedded: namespace of the figures that CloudWatch makes of a line on stdout for each look; None: no such line.
        as_json: a line of JSON on stdout for each look, in place of what a person reads.
    """

    def __init__(
        self,
        console: Console,
        bucket: Bucket,
        endpoint: str,
        *,
        every: float | None,
        metrics: Path | None,
        embedded: str | None,
        as_json: bool,
    ) -> None:
        self._console, self._bucket, self._endpoint = console, bucket, endpoint
        self._metrics, self._embedded, self._as_json = metrics, embedded, as_json
        self._tells_nothing = every is None

    def say(self, text: str, style: str | None = None) -> None:
        """Tell a person."""
        self._console.print(text, style=style, soft_wrap=True, markup=False)

    def failed(self, error: SconesError) -> None:
        """Tell that a look failed."""
        self.say(f"this look failed, the next one is due: {error}", "yellow")

    def turn(self, turn: Turn) -> None:
        """Tell what a turn brought.

        Raises:
            StoreError: the figures for Prometheus cannot be written.
        """
        if turn.looked.look is not None or turn.looked.beaten or self._tells_nothing:
            (self._print_json if self._as_json else self._print)(turn)
        elif turn.reaction is not None and not self._as_json:
            self._print_reaction(turn)
        self._tells_nothing = False
        if self._embedded is not None and turn.looked.look is not None:
            standing = newest_standing(self._bucket, self._endpoint)[1]
            typer.echo(embedded_metrics(self._embedded, self._endpoint, turn.looked.look, standing, datetime.now(UTC)))
        if self._metrics is not None:
            _write_metrics(self._metrics, self._bucket, self._endpoint)

    def _print_json(self, turn: Turn) -> None:
        look, reaction = turn.looked.look, turn.reaction
        standing = reaction.standing if reaction else None
        value = {
            "number": turn.looked.number,
            "look": look.model_dump(mode="json") if look else None,
            "findings": findings_json(reaction.findings if reaction else ()),
            "standing": standing.model_dump(mode="json") if standing else None,
            "did": reaction.did if reaction else "",
            "more": turn.looked.more,
        }
        typer.echo(json.dumps(value))

    def _print(self, turn: Turn) -> None:
        look, number = turn.looked.look, turn.looked.number
        if turn.looked.beaten:
            self.say("another monitor looked at the same time: its look counts")
        elif look is None:
            self.say(f"nothing is new since look {number}" if number else "nothing was captured yet")
        else:
            seen = f"  look {number}: {look.pictures:,} new pictures, {look.seen:,} seen"
            self._console.print(evidence_bar(look).append(seen), soft_wrap=True)
            self.say("  " + "; ".join(f"{name} {value}" for name, value in figures(look)), "dim")
            for line in finding_lines(look, turn.reaction.findings if turn.reaction else ()):
                self._console.print("  ", line, soft_wrap=True, sep="")
        self._print_reaction(turn)

    def _print_reaction(self, turn: Turn) -> None:
        if turn.reaction is not None and turn.reaction.standing is not None:
            self.say(f"  stance: {standing_line(turn.reaction.standing)}", "bold")
        if turn.reaction is not None and turn.reaction.did:
            self.say(f"  {turn.reaction.did}", "bold")


def _write_metrics(file: Path, bucket: Bucket, endpoint: str) -> None:
    """Write the figures so that whoever reads the file finds it whole: as node_exporter's textfile collector does."""
    look, standing = newest_look(bucket, endpoint)[1], newest_standing(bucket, endpoint)[1]
    text = prometheus_text(endpoint, look, standing, datetime.now(UTC))
    part = file.with_name(f".{file.name}.part")  # no name that ends in .prom, which would be read
    write_out(text, part)
    try:
        part.replace(file)
    except OSError as error:
        raise StoreError(f"cannot write {file} ({error.strerror}): choose another file with --metrics") from error
