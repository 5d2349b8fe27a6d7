"""The watch's charts: evidence, estimated accuracy, class mix and stances over time, as Bokeh figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NamedTuple

from scones.monitoring.plots import milliseconds, over_time
from scones.monitoring.watch.records import Look, Stance
from scones.monitoring.watch_series import Span, alarms, labels, moments, reviews, strongest, thinned
from scones.page import charts

__all__ = ["STYLES", "Style", "accuracy", "class_mix", "evidence", "stances"]

_LEAST: Final = 0.01
"""What less evidence is drawn as: a logarithmic axis has no zero."""
_BEYOND: Final = 1e6
"""So many times the alarm line the axis reaches at most: else a long drift would press all the rest to the ground."""
_FEW: Final = 30
_TIME_TIP: Final = ("until", "@time{%F %T} UTC")
_STANCE_COLORS: Final = {
    Stance.OBSERVING: charts.GREEN,
    Stance.CAUTIOUS: charts.ORANGE,
    Stance.SHADOWING: charts.BLUE,
    Stance.CANARY: charts.PURPLE,
    Stance.ROLLED_BACK: charts.ALERT,
}


Color = Literal["blue", "orange", "green", "purple"]


class Style(NamedTuple):
    """How a line of several is drawn: a colour by its name in a page's keys, and whether it is dashed."""

    name: Color
    color: str
    dashed: bool

    @property
    def dash(self) -> list[int]:
        """As Bokeh takes it."""
        return [7, 4] if self.dashed else []


_COLORS: Final[tuple[tuple[Color, str], ...]] = (
    ("blue", charts.BLUE),
    ("orange", charts.ORANGE),
    ("green", charts.GREEN),
    ("purple", charts.PURPLE),
)
STYLES: Final = tuple(Style(name, color, dashed) for dashed in (False, True) for name, color in _COLORS)
"""How lines that are drawn together are told apart."""


def evidence(looks: Sequence[Look]) -> charts.Plot:
    """The evidence of the strongest channel and of each, with the alarm line and the change points.

    Args:
        looks: at least one, the oldest first.
    """
    from bokeh.models import ColumnDataSource
    from bokeh.models.annotations import BoxAnnotation
    from bokeh.models.annotations import Span as Line

    drawn, line = thinned(looks), max(look.alarm_line for look in looks)
    top = max(30 * line, min(3 * max(look.strongest for look in looks), _BEYOND * line))
    plot = _plot(drawn, "evidence", 400, y_axis_type="log", y_range=charts.span(_LEAST, top))
    shown = strongest(looks)
    told = {"total": [look.strongest for look in drawn]}
    told |= {f"c{k}": [look.evidence.get(name, math.nan) for look in drawn] for k, name in enumerate(shown)}
    source = ColumnDataSource({
        "time": moments(drawn),
        "line": [look.alarm_line for look in drawn],
        "seen": [look.seen for look in drawn],
        **{name: [_rounded(value) for value in values] for name, values in told.items()},
        **{f"{name} drawn": [max(_rounded(value), _LEAST) for value in values] for name, values in told.items()},
    })  # fmt: skip
    for alarm, until in alarms(looks):
        began = milliseconds(alarm.began)
        plot.add_layout(BoxAnnotation(left=began, right=until, fill_color=charts.ALERT, fill_alpha=0.08, line_width=0))
        plot.add_layout(
            Line(location=began, dimension="height", line_color=charts.ALERT, line_dash=[2, 4], line_width=2)
        )
    others = sorted({name for look in drawn for name in look.evidence} - set(shown))
    plot.multi_line(
        [moments(drawn)] * len(others),
        [[max(_rounded(look.evidence.get(name, math.nan)), _LEAST) for look in drawn] for name in others],
        line_color=charts.QUIET,
        line_alpha=0.3,
    )
    for k, style in reversed(list(enumerate(STYLES[: len(shown)]))):
        plot.line("time", f"c{k} drawn", source=source, line_color=style.color, line_dash=style.dash, line_width=1.8)
    _level(plot, moments(drawn), [look.alarm_line for look in drawn], charts.ALERT)
    total = _line(plot, source, "total drawn", charts.INK, 3)
    tips = [("strongest", "@total{%.3g}"), *((name, f"@c{k}{{%.3g}}") for k, name in enumerate(shown)),
            ("alarm line", "@line{0,0}"), ("pictures", "@seen{0,0}")]  # fmt: skip
    _tell(plot, total, tips, {f"@{name}": "printf" for name in told})
    return plot


def accuracy(looks: Sequence[Look]) -> charts.Plot:
    """Estimated accuracy with its 95 % interval: without labels, and with people's answers; and the expected one.

    Args:
        looks: as for :func:`evidence`.
    """
    from bokeh.models import ColumnDataSource

    drawn, points = thinned(looks), reviews(looks)
    known = [look.accuracy for look in drawn if look.accuracy is not None] + [estimate for _, estimate in points]
    lows = [estimate.low for estimate in known] + [look.expected for look in drawn if look.expected is not None]
    least = max(0.0, math.floor(20 * min(lows, default=0.5) - 0.5) / 20)
    expected = [math.nan if look.expected is None else look.expected for look in drawn]
    plot = _plot(drawn, "accuracy", 320, y_range=charts.span(least, 1.015))
    source = ColumnDataSource({
        "time": moments(drawn),
        "expected": expected,
        **{end: [_end(look.accuracy, end) for look in drawn] for end in ("share", "low", "high")},
    })  # fmt: skip
    _band(plot, source, "low", "high", charts.BLUE)
    _level(plot, moments(drawn), expected, charts.GREEN)
    middle = _line(plot, source, "share", charts.BLUE, 2.5)
    _tell(plot, middle, [("estimated", "@share{0.0 %}"), ("95 % interval", "@low{0.0 %} to @high{0.0 %}"),
                         ("expected", "@expected{0.0 %}")])  # fmt: skip
    if points:
        judged = ColumnDataSource({
            "time": [time for time, _ in points],
            "answers": [estimate.answers for _, estimate in points],
            **{end: [getattr(estimate, end) for _, estimate in points] for end in ("share", "low", "high")},
        })  # fmt: skip
        plot.segment("time", "low", "time", "high", source=judged, line_color=charts.ORANGE, line_width=2)
        marks = plot.scatter("time", "share", source=judged, size=9, color=charts.ORANGE, line_color=charts.INK)
        tips = [_TIME_TIP, ("by people's answers", "@share{0.0 %}"), ("95 % interval", "@low{0.0 %} to @high{0.0 %}"),
                ("answers", "@answers{0,0}")]  # fmt: skip
        charts.hover(plot, [marks], tips, formatters={"@time": "datetime"})
    charts.percent_axis(plot.yaxis)
    return plot


def class_mix(looks: Sequence[Look]) -> charts.Plot:
    """The estimated shares of the largest classes, each with its 95 % interval.

    Args:
        looks: as for :func:`evidence`.
    """
    from bokeh.models import ColumnDataSource

    drawn, shown = thinned([look for look in looks if look.mix]), labels(looks)
    most = max(look.mix[label].high for look in drawn for label in shown if label in look.mix)
    plot = _plot(drawn, "share of the pictures", 300, y_range=charts.span(0, min(1.01, 1.15 * most)))
    source = ColumnDataSource({
        "time": moments(drawn),
        **{
            f"{end}{k}": [_end(look.mix.get(label), end) for look in drawn]
            for k, label in enumerate(shown)
            for end in ("share", "low", "high")
        },
    })  # fmt: skip
    lines = []
    for k, style in enumerate(STYLES[: len(shown)]):
        _band(plot, source, f"low{k}", f"high{k}", style.color)
        lines.append(_line(plot, source, f"share{k}", style.color, 2.2, style.dash))
    tips = [(label, f"@share{k}{{0.0 %}} (@low{k}{{0.0 %}} to @high{k}{{0.0 %}})") for k, label in enumerate(shown)]
    _tell(plot, lines[0], tips)
    charts.percent_axis(plot.yaxis)
    return plot


def stances(shown: Sequence[Span]) -> charts.Plot:
    """How the endpoint was run, a row for each stance; what was only said is pale.

    Args:
        shown: at least one, as :func:`spans` makes them.
    """
    from bokeh.models import AllLabels, ColumnDataSource

    first, last = min(span.start for span in shown), max(span.end for span in shown)
    plot = _over_time(first, last, y_label="", height=230, y_range=[*reversed(Stance)])
    source = ColumnDataSource({
        "stance": [span.standing.stance for span in shown],
        "left": [milliseconds(span.start) for span in shown],
        "right": [milliseconds(span.end) for span in shown],
        "color": [_STANCE_COLORS[span.standing.stance] for span in shown],
        "alpha": [0.25 if span.standing.dry_run else 0.85 for span in shown],
        "who": [charts.plain(span.standing.who) for span in shown],
        "why": [charts.plain(_short(span.standing.why)) for span in shown],
        "how": ["no, only said" if span.standing.dry_run else "yes, and held" if span.standing.held else "yes"
                for span in shown],
    })  # fmt: skip
    marks = plot.hbar(
        y="stance", left="left", right="right", height=0.62, fill_color="color", fill_alpha="alpha",
        line_color="color", line_width=1.5, source=source,
    )  # fmt: skip
    plot.yaxis.major_label_policy = AllLabels()
    plot.yaxis.major_label_text_color = charts.INK
    tips = [("", "@stance"), ("from", "@left{%F %T} UTC"), ("to", "@right{%F %T} UTC"), ("who", "@who"),
            ("why", "@why"), ("in force", "@how")]  # fmt: skip
    charts.hover(plot, [marks], tips, formatters={"@left": "datetime", "@right": "datetime"})
    return plot


def _plot(drawn: Sequence[Look], y_label: str, height: int, **options: Any) -> charts.Plot:
    first, last = (datetime.fromtimestamp(time / 1000, UTC) for time in (moments(drawn)[0], moments(drawn)[-1]))
    return _over_time(first, last, y_label=y_label, height=height, **options)


def _over_time(first: datetime, last: datetime, **options: Any) -> charts.Plot:
    """An empty figure of a stretch of time with a little room on both sides, which can be moved."""
    start, end = milliseconds(first), milliseconds(last)
    room = max(30_000.0, 0.015 * (end - start))
    plot = over_time(first, last, x_range=charts.span(start - room, end + room), **options)
    charts.movable(plot)
    return plot


def _line(plot: charts.Plot, source: Any, y: str, color: str, width: float, dash: Sequence[int] = ()) -> Any:
    """A line over time; of few looks the points too, as a single one makes no line. What the pointer finds."""
    line = plot.line("time", y, source=source, line_color=color, line_width=width, line_dash=list(dash))
    looks = len(source.data["time"])
    if looks > _FEW:
        return line
    marks = plot.scatter("time", y, source=source, size=width + 4, color=color, line_width=0)
    return line if looks > 1 else marks


def _band(plot: charts.Plot, source: Any, low: str, high: str, color: str) -> None:
    plot.varea("time", low, high, source=source, fill_color=color, fill_alpha=0.15)
    if len(source.data["time"]) == 1:
        plot.segment("time", low, "time", high, source=source, line_color=color, line_width=2)


def _level(plot: charts.Plot, times: Sequence[float], values: Sequence[float], color: str) -> None:
    """What to compare with, from edge to edge: it changes with the model."""
    across = [plot.x_range.start, *times, plot.x_range.end]
    plot.step(across, [values[0], *values, values[-1]], mode="before", line_color=color, line_dash=[6, 5], line_width=2)


def _tell(plot: charts.Plot, line: Any, tips: Sequence[tuple[str, str]], formats: dict[str, str] | None = None) -> None:
    """Tell the figures of the look above or below the pointer."""
    charts.hover(plot, [line], [_TIME_TIP, *tips], mode="vline", formatters={"@time": "datetime", **(formats or {})})


def _end(of: Any, end: str) -> float:
    return math.nan if of is None else getattr(of, end)


def _rounded(value: float) -> float:
    """To four digits: a page holds thousands of these."""
    return float(f"{value:.4g}")


def _short(text: str, most: int = 160) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
