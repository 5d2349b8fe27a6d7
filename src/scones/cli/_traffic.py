"""What a person sees of traffic: one table that lives, or a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scones.cli._common import console
from scones.page.numbers import count, percent
from scones.workflow.tally import Figures, Right

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["traffic_display", "traffic_line", "traffic_table"]

_COLOURS = {"routed": "green", "classified": "green", "wait": "cyan", "review": "yellow", "failed": "red"}
_ORDER = ["routed", "classified", "wait", "review", "duplicate", "failed"]
_BAR = 16
_EIGHTHS = " \N{LEFT ONE EIGHTH BLOCK}\N{LEFT ONE QUARTER BLOCK}\N{LEFT THREE EIGHTHS BLOCK}\N{LEFT HALF BLOCK}"
_EIGHTHS += "\N{LEFT FIVE EIGHTHS BLOCK}\N{LEFT THREE QUARTERS BLOCK}\N{LEFT SEVEN EIGHTHS BLOCK}"
_LEVELS = "\N{LOWER ONE EIGHTH BLOCK}\N{LOWER ONE QUARTER BLOCK}\N{LOWER THREE EIGHTHS BLOCK}\N{LOWER HALF BLOCK}"
_LEVELS += "\N{LOWER FIVE EIGHTHS BLOCK}\N{LOWER THREE QUARTERS BLOCK}\N{LOWER SEVEN EIGHTHS BLOCK}\N{FULL BLOCK}"
_NOTE = 30
_LINE_SECONDS = 5.0
_QUIET_SECONDS = 10.0
"""So long without an end, and a person is asked whether anything works the arrivals."""


@contextmanager
def traffic_display(title: str, quiet: bool) -> Iterator[Callable[[Figures], None]]:
    """Show figures on stderr: a table that lives, or where that is no terminal a line every few seconds and the table
    at the end; nothing if ``quiet``.

    Yields:
        What to call with the figures, as often as they change.
    """
    from rich.live import Live

    err = console()
    if quiet:
        yield lambda _: None
    elif err.is_terminal:
        with Live(console=err, auto_refresh=False) as live:
            yield lambda figures: live.update(traffic_table(figures, title), refresh=True)
    else:
        last: Figures | None = None
        told = time.monotonic()

        def say(figures: Figures) -> None:
            nonlocal last, told
            last = figures
            if time.monotonic() - told >= _LINE_SECONDS:
                told = time.monotonic()
                err.print(traffic_line(figures), soft_wrap=True)

        try:
            yield say
        finally:
            if last is not None:
                err.print(traffic_table(last, title))


def traffic_table(figures: Figures, title: str) -> RenderableType:
    """The figures as one table."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(
        Column(no_wrap=True),
        Column(justify="right", no_wrap=True, min_width=10),
        Column(width=_BAR, no_wrap=True),
        Column(min_width=_NOTE),
        show_header=False,
        box=None,
        padding=(0, 2, 0, 0),
        pad_edge=False,
    )
    sent, ended = zip(*figures.history, strict=True)
    total = f"{count(figures.sent)} of {count(figures.total)}"
    table.add_row("[bold]sent[/]", total, f"[blue]{_spark(sent)}[/]", _pace(figures))
    if late := _late(figures):
        table.add_row("  late", _seconds(figures.late.p50) if figures.late else "", "", late)
    if figures.again:
        table.add_row("  again", count(figures.again), "", "duplicates: no new work")
    table.add_row("[bold]ended[/]", count(figures.ended), f"[green]{_spark(ended)}[/]", _per_second(figures.ended_rate))
    for how in sorted(figures.outcomes, key=lambda how: (_ORDER.index(how) if how in _ORDER else len(_ORDER), how)):
        n, colour = figures.outcomes[how], _COLOURS.get(how, "blue")
        share = n / figures.ended
        notes = ", ".join(filter(None, [percent(share), _note(figures, how)]))
        table.add_row(f"  [{colour}]{how}[/]", count(n), f"[{colour}]{_bar(share)}[/]", notes)
    table.add_row("  not yet", count(figures.unended), "", _awaited(figures) if figures.unended else "")
    if figures.kinds.get("corrupted"):
        for kind in ("plain", "corrupted"):
            found = figures.answers(unsure=False, kind=kind)
            said = f"{percent(found.share)} right of {count(found.n)} decided"
            table.add_row(f"[bold]{kind}[/]", count(figures.kinds.get(kind, 0)), "", said)
    if figures.latency:
        rest = f"median; p90 {_seconds(figures.latency.p90)}, p99 {_seconds(figures.latency.p99)}"
        table.add_row("[bold]latency[/]", _seconds(figures.latency.p50), "written to ended", rest)
    panel = Panel(table, title=f"[default]{title}[/]", title_align="left", border_style="dim", expand=False)
    question = _question(figures)
    return Group(panel, Text(question, "yellow")) if question else panel


def traffic_line(figures: Figures) -> str:
    """The figures as one line."""
    outcomes = ", ".join(f"{count(n)} {how}" for how, n in figures.outcomes.items())
    parts = [
        f"sent {count(figures.sent)} of {count(figures.total)}",
        _pace(figures),
        f"{count(figures.due - figures.sent)} are due" if figures.due - figures.sent > 1 else "",
        f"ended {count(figures.ended)}{f' ({outcomes})' if outcomes else ''}",
        _awaited(figures) if figures.unended else "",
    ]
    if (spread := figures.latency) is not None:
        times = (f"{name} {_seconds(getattr(spread, name))}" for name in ("p50", "p90", "p99"))
        parts.append(f"latency {', '.join(times)}")
    return "; ".join(filter(None, [*parts, _question(figures)]))


def _pace(figures: Figures) -> str:
    if figures.asked_rate and figures.sent_rate:
        return f"{_per_second(figures.sent_rate)} of {_per_second(figures.asked_rate)} asked"
    return _per_second(figures.sent_rate)


def _late(figures: Figures) -> str:
    """How far the generator itself is behind; nothing where no time was asked for."""
    if not figures.late or not figures.asked_rate:
        return ""
    most = f"median; at most {_seconds(figures.late.most)}"
    behind = figures.due - figures.sent
    return f"{most}; {count(behind)} due" if behind > 1 else most


def _awaited(figures: Figures) -> str:
    return f"{count(figures.running)} run, {count(figures.waiting)} wait to start"


def _note(figures: Figures, how: str) -> str:
    if how == "failed":
        garbage, others = figures.garbage_failed, figures.outcomes[how] - figures.garbage_failed
        if not garbage:
            return ""
        return f"{count(garbage)} no pictures, {count(others)} others" if others else "none of them a picture"
    found = sum((right for (ended, _), right in figures.right.items() if ended == how), Right())
    if not found.n:
        return ""
    return f"{'the guess ' if how == 'review' else ''}{percent(found.share)} right"


def _question(figures: Figures) -> str | None:
    if figures.idle < _QUIET_SECONDS:
        return None
    return (
        f"nothing has ended for {figures.idle:.0f} s: does `scones run --watch` work, on the same store, bucket and "
        "journal?"
    )


def _seconds(value: float) -> str:
    """A time in three figures or so.

    Example:
        >>> [_seconds(value) for value in (0.0004, 0.0123, 1.234, 75.2)]
        ['0 ms', '12 ms', '1.23 s', '75 s']
    """
    if value < 1:
        return f"{1000 * value:.0f} ms"
    return f"{value:.2f} s" if value < 10 else f"{value:.0f} s"


def _per_second(rate: float | None) -> str:
    if not rate:
        return ""
    return f"{rate:.3g}/s" if rate < 1000 else f"{count(round(rate))}/s"


def _bar(share: float) -> str:
    """A bar of a share, in eighths of a character."""
    eighths = round(8 * _BAR * share)
    return "\N{FULL BLOCK}" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _spark(values: Sequence[int]) -> str:
    """The last values, each a block as high as it is to the highest."""
    shown = values[-_BAR:]
    most = max(shown, default=0)
    return "".join(_LEVELS[(len(_LEVELS) - 1) * value // most] if value else " " for value in shown) if most else ""
