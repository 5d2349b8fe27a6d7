"""A look and a stance in words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from scones.page.numbers import interval, percent, plural

if TYPE_CHECKING:
    from rich.text import Text

    from scones.monitoring.watch.findings import Finding
    from scones.monitoring.watch.records import Estimate, Look, Standing

__all__ = ["evidence_bar", "figures", "finding_lines", "findings_json", "standing_line"]

_WIDTH = 20
_COLOURS = {"harm": "bold red", "warning": "yellow", "info": "dim"}


def evidence_bar(look: Look) -> Text:
    """How near the evidence is to the alarm line; each step is as many times more as the one before."""
    from rich.text import Text

    near = min(1.0, math.log1p(look.strongest) / math.log1p(look.alarm_line))
    full = round(near * _WIDTH)
    colour = "red" if near >= 1 else "yellow" if near >= 0.5 else "green"
    told = f" {look.strongest:,.3g} of {look.alarm_line:,.0f}" if near < 1 else " over the alarm line"
    return Text("\N{FULL BLOCK}" * full, style=colour) + Text("\N{LIGHT SHADE}" * (_WIDTH - full), style="dim") + told


def figures(look: Look) -> Iterator[tuple[str, str]]:
    """What a look tells besides, by name."""
    if look.confidence is not None:
        yield "mean confidence", percent(look.confidence)
    if look.accuracy is not None:
        yield "accuracy, estimated", f"{_estimate(look.accuracy)}, expected {percent(look.expected)}"
    if look.reviewed is not None:
        yield "accuracy, by people", f"{_estimate(look.reviewed)}, from {plural(look.reviewed.answers, 'answer')}"
    if look.mix and not look.mix_warning:
        shares = sorted(look.mix.items(), key=lambda one: -one[1].share)
        yield "class mix", ", ".join(f"{label} {percent(share.share)}" for label, share in shares[:8])
    if look.others:
        yield "of other models", plural(look.others, "answer")
    if look.duplicates:
        yield "left out", plural(look.duplicates, "duplicate")
    if look.repeats:
        yield "not shown again", plural(look.repeats, "picture") + " that came before, byte for byte"


def finding_lines(look: Look, findings: Sequence[Finding]) -> Iterator[Text]:
    """What was found, the worst first, and the look's note."""
    from rich.text import Text

    if look.alarm is not None:
        began = ", ".join(f"{one.channel} since {one.began:%Y-%m-%d %H:%M:%S}" for one in look.alarm.channels[:5])
        yield Text(f"ALARM at {look.alarm.at:%Y-%m-%d %H:%M:%S} UTC: {began}", style="bold red")
    for one in findings:
        yield Text(one.text, style=_COLOURS[one.level])
    if look.note:
        yield Text(look.note, style="cyan")


def findings_json(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [{"level": one.level, "signal": one.signal, "text": one.text} for one in findings]


def standing_line(standing: Standing) -> str:
    """How the endpoint is run, by whom and why."""
    parts = [str(standing.stance)]
    if standing.threshold is not None:
        parts.append(f"threshold at least {standing.threshold:g}")
    if standing.candidate is not None:
        parts.append(f"candidate {standing.candidate} answers {percent(standing.weight, None)}")
    if standing.held:
        parts.append("held")
    said = "would be " if standing.dry_run else ""
    return f"{said}{', '.join(parts)} ({standing.who}, {standing.at:%Y-%m-%d %H:%M} UTC: {standing.why})"


def _estimate(estimate: Estimate) -> str:
    return f"{percent(estimate.share)} ({interval(estimate.low, estimate.high)})"
