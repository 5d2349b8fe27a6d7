"""The monitor's charts: volume, confidence and labels, as Bokeh figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from scones.monitoring.timeline import BUCKETS, TimeBin
from scones.page import Bar, charts
from scones.page.numbers import count, percent

if TYPE_CHECKING:
    from datetime import datetime

    from scones.monitoring.summary import Dot, Summary

__all__ = [
    "bin_name",
    "confidence_histogram",
    "confidence_over_time",
    "label_mix",
    "milliseconds",
    "over_time",
    "span_name",
    "volume",
]

_UNITS = ((604_800, "week"), (86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_FEWEST_BINS = 8  # fewer would be drawn as a wall of colour
_MOST_LABELS = 15


def span_name(seconds: int) -> str:
    """A width in the largest unit that divides it.

    Example:
        >>> span_name(1), span_name(900), span_name(86400)
        ('1 second', '15 minutes', '1 day')
    """
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    number = seconds // size
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def bin_name(summary: Summary) -> str:
    """What a bin is called after "each" or "the busiest"."""
    return span_name(summary.bin_seconds).removeprefix("1 ")


def volume(summary: Summary) -> charts.Plot:
    """Records a bin, split by the threshold that was in force for each."""
    from bokeh.models import ColumnDataSource

    bins, half = summary.bins, summary.bin_seconds * 500
    parts = {
        "at or above the threshold": ([entry.judged - entry.below for entry in bins], charts.BLUE),
        "below it": ([entry.below for entry in bins], charts.ORANGE),
        "no threshold known": ([entry.records - entry.judged for entry in bins], charts.QUIET),
    }
    used = {name: part for name, part in parts.items() if any(part[0])}
    source = ColumnDataSource(
        {
            "time": [milliseconds(entry.start) + half for entry in bins],
            "start": [milliseconds(entry.start) for entry in bins],
            "records": [entry.records for entry in bins],
            **{name: counts for name, (counts, _) in used.items()},
        }
    )
    plot = _over_time(summary, y_label="pictures", height=260)
    marks = plot.vbar_stack(
        list(used),
        x="time",
        width=2 * half * 0.86,
        color=[color for _, color in used.values()],
        line_width=0,
        source=source,
    )
    plot.y_range.start = 0
    charts.count_axis(plot.yaxis)
    tips = [
        ("from", "@start{%F %T} UTC"),
        ("pictures", "@records{0,0}"),
        *((name, f"@{{{name}}}{{0,0}}") for name in used),
    ]
    charts.hover(plot, marks, tips, formatters={"@start": "datetime"})
    return plot


def confidence_over_time(summary: Summary) -> charts.Plot:
    """Each record, the middle of each bin, the band that holds 80 % of it, and the threshold in force."""
    from bokeh.models import ColumnDataSource

    bins, half = summary.bins, summary.bin_seconds * 500
    lowest = min(
        [dot.confidence for dot in summary.dots] + [value for value in (summary.threshold,) if value is not None]
    )
    plot = _over_time(
        summary,
        y_label="confidence",
        height=340,
        y_range=charts.span(max(0.0, math.floor(20 * lowest - 0.5) / 20), 1.02),
    )
    source = ColumnDataSource(
        {
            "time": [milliseconds(entry.start) + half for entry in bins],
            "start": [milliseconds(entry.start) for entry in bins],
            "records": [entry.records for entry in bins],
            **{
                name: [math.nan if (value := getattr(entry, name)) is None else value for entry in bins]
                for name in ("low", "median", "high")
            },
        }
    )
    plot.varea("time", "low", "high", source=source, fill_color=charts.BLUE, fill_alpha=0.16)
    times = _spread(summary.dots)
    for color, below in ((charts.BLUE, False), (charts.ORANGE, True)):
        chosen = [
            (time, dot.confidence)
            for time, dot in zip(times, summary.dots, strict=True)
            if (dot.threshold is not None and dot.confidence < dot.threshold) == below
        ]
        if chosen:
            plot.scatter(
                [time for time, _ in chosen],
                [value for _, value in chosen],
                size=6 if len(summary.dots) <= 400 else 4,
                color=color,
                fill_alpha=0.85 if below else 0.45,
                line_width=0,
            )
    plot.line("time", "median", source=source, line_color=charts.BLUE, line_width=2.5)
    marks = plot.scatter("time", "median", source=source, size=7, color=charts.BLUE, line_width=0)
    tips = [
        ("from", "@start{%F %T} UTC"),
        ("median", "@median{0.000}"),
        ("80 % between", "@low{0.000} and @high{0.000}"),
        ("pictures", "@records{0,0}"),
    ]
    charts.hover(plot, [marks], tips, formatters={"@start": "datetime"})
    _threshold_steps(plot, bins, 2 * half)
    charts.percent_axis(plot.yaxis)
    return plot


def _threshold_steps(plot: charts.Plot, bins: Sequence[TimeBin], width: int) -> None:
    steps = [(milliseconds(entry.start), entry.threshold) for entry in bins if entry.threshold is not None]
    if not steps:
        return
    end = milliseconds(bins[-1].start) + width
    times = [time for time, _ in steps] + [end]
    values = [value for _, value in steps] + [steps[-1][1]]
    plot.step(times, values, mode="after", line_color=charts.ALERT, line_dash=[6, 5], line_width=2)


def confidence_histogram(summary: Summary) -> charts.Plot:
    """How many records have which confidence; the threshold as a line."""
    from bokeh.models import ColumnDataSource
    from bokeh.models.annotations import Span

    first = next((place for place, number in enumerate(summary.histogram) if number), 0)
    step = 4 if first >= BUCKETS // 2 else 8
    starts = range(first // step * step, BUCKETS, step)
    source = ColumnDataSource(
        {
            "low": [place / BUCKETS for place in starts],
            "high": [min(1.0, (place + step) / BUCKETS) for place in starts],
            "n": [sum(summary.histogram[place : place + step]) for place in starts],
        }
    )
    left = min(starts[0] / BUCKETS, summary.threshold if summary.threshold is not None else 1.0) - 0.01
    plot = charts.blank(x_label="confidence", y_label="pictures", height=280, x_range=charts.span(left, 1.01))
    marks = plot.quad(
        left="low", right="high", top="n", bottom=0, source=source, color=charts.BLUE, fill_alpha=0.75, line_width=0
    )
    plot.y_range.start = 0
    charts.count_axis(plot.yaxis)
    if summary.threshold is not None:
        plot.add_layout(
            Span(
                location=summary.threshold, dimension="height", line_color=charts.ALERT, line_dash=[6, 5], line_width=2
            )
        )
    charts.percent_axis(plot.xaxis)
    charts.hover(plot, [marks], [("confidence", "@low{0.0 %} to @high{0.0 %}"), ("pictures", "@n{0,0}")])
    return plot


def label_mix(summary: Summary) -> list[Bar]:
    """How often each label was the likeliest; rare ones beyond the first 15 are one bar."""
    items = list(summary.labels.items())
    if len(items) > _MOST_LABELS:
        rest = items[_MOST_LABELS - 1 :]
        items = [*items[: _MOST_LABELS - 1], (f"{len(rest)} other labels", sum(number for _, number in rest))]
    return [
        Bar(name, f"{count(number)} · {percent(number / summary.records)}", number / summary.records)
        for name, number in items
    ]


def _over_time(summary: Summary, *, y_label: str, height: int, **options: Any) -> charts.Plot:
    width = summary.bin_seconds * 1000
    first, last = summary.bins[0].start, summary.bins[-1].start
    start, end = milliseconds(first), milliseconds(last) + width
    room = max(0.15 * width, (_FEWEST_BINS * width - (end - start)) / 2)
    return over_time(
        first, last, y_label=y_label, height=height, x_range=charts.span(start - room, end + room), **options
    )


def over_time(first: datetime, last: datetime, *, y_label: str, height: int, **options: Any) -> charts.Plot:
    """An empty figure with an axis of times (UTC), in line with others above and below it.

    Args:
        first, last: what is shown; the axis names the day where it is one.
        y_label: with the unit.
        height: pixels.
        **options: as for ``bokeh.plotting.figure``; ``x_range`` in milliseconds.
    """
    day = f", {first:%-d %B %Y}" if first.date() == last.date() else ""
    plot = charts.blank(x_label=f"time (UTC{day})", y_label=y_label, height=height, x_axis_type="datetime", **options)
    charts.time_axis(plot.xaxis)
    # Charts over time stand below each other: equal room on the left keeps them in line.
    plot.min_border_left = 72
    return plot


def _spread(dots: Sequence[Dot]) -> list[float]:
    """Times to draw the dots at: a capture tells whole seconds, so those of one second are spread over it."""
    times: list[float] = []
    for time, group in groupby(dots, key=lambda dot: dot.time):
        size = len(list(group))
        # Steps of the golden ratio fill the second evenly without ranking the dots by confidence.
        step = 0 if time.microsecond else 1000 * 0.6180339887498949
        times += [milliseconds(time) + (number * step) % 1000 for number in range(size)]
    return times


def milliseconds(time: datetime) -> float:
    """A time as Bokeh's axes count it."""
    return time.timestamp() * 1000
