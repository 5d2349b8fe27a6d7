"""The load test's charts, as Bokeh figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scones.loadtest.knee import Curve
from scones.loadtest.step import Step
from scones.page import charts

__all__ = ["latency_by_connections", "latency_by_rate", "throughput_by_connections"]


def throughput_by_connections(curve: Curve) -> charts.Plot:
    """Answers a second over callers, and the knee."""
    from bokeh.models import NumeralTickFormatter

    plot = _by_connections(curve, "answers a second")
    source = _source(curve.steps)
    plot.line("x", "throughput", source=source, line_color=charts.BLUE, line_width=2.5)
    dots = plot.scatter("x", "throughput", size=9, source=source, fill_color=charts.BLUE, line_color=charts.BLUE)
    plot.y_range.start = 0
    plot.yaxis.formatter = NumeralTickFormatter(format="0,0")
    _knee(plot, curve)
    charts.hover(plot, [dots], _TIPS)
    return plot


def latency_by_connections(curve: Curve) -> charts.Plot:
    """Half of the answers and 99 of 100 over callers, the limit, and the knee."""
    plot = _by_connections(curve, "milliseconds", y_axis_type="log")
    _latencies(plot, curve.steps)
    _limit(plot, curve)
    _knee(plot, curve)
    return plot


def latency_by_rate(curve: Curve) -> charts.Plot:
    """The same over the rates of the open loop."""
    plot = charts.blank(x_label="requests a second", y_label="milliseconds", height=300, y_axis_type="log")
    _latencies(plot, curve.open_steps)
    _limit(plot, curve)
    plot.x_range.start = 0
    charts.count_axis(plot.xaxis)
    return plot


_TIPS = [
    ("load", "@name"),
    ("answers", "@throughput{0,0.0} a second"),
    ("half of them within", "@p50{0,0.00} ms"),
    ("99 of 100 within", "@p99{0,0.00} ms"),
    ("refused", "@refused{0,0}"),
    ("failed", "@failed{0,0}"),
]


def _source(steps: Sequence[Step]) -> Any:
    from bokeh.models import ColumnDataSource

    from scones.loadtest.advice import load_name

    return ColumnDataSource({
        "name": [load_name(step) for step in steps],
        "x": [float(step.connections if step.rate is None else step.rate) for step in steps],
        "throughput": [step.throughput for step in steps],
        "p50": [step.latency.p50 if step.latency else math.nan for step in steps],
        "p99": [step.latency.p99 if step.latency else math.nan for step in steps],
        "refused": [step.refused for step in steps],
        "failed": [step.failed for step in steps],
    })  # fmt: skip


def _by_connections(curve: Curve, y_label: str, **options: Any) -> charts.Plot:
    from bokeh.models import FixedTicker

    numbers = [step.connections for step in curve.steps]
    plot = charts.blank(
        x_label="callers at once",
        y_label=y_label,
        height=300,
        x_axis_type="log",
        x_range=charts.span(numbers[0] / 1.25, numbers[-1] * 1.25),
        **options,
    )
    plot.xaxis.ticker = FixedTicker(ticks=numbers)
    plot.xaxis.major_label_overrides = {number: f"{number:,}" for number in numbers}  # else 10 to a power
    return plot


def _latencies(plot: charts.Plot, steps: Sequence[Step]) -> None:
    from bokeh.models import FixedTicker

    source = _source(steps)
    marks = []
    for name, color in (("p50", charts.BLUE), ("p99", charts.ORANGE)):
        plot.line("x", name, source=source, line_color=color, line_width=2.5)
        marks.append(plot.scatter("x", name, size=9, source=source, fill_color=color, line_color=color))
    seen = [value for step in steps if step.latency for value in (step.latency.p50, step.latency.p99)] or [1.0]
    powers = range(math.floor(math.log10(min(seen))), math.ceil(math.log10(max(seen))) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    plot.yaxis.ticker = FixedTicker(ticks=ticks)
    plot.yaxis.major_label_overrides = {tick: f"{tick:,g}" for tick in ticks}
    charts.hover(plot, marks, _TIPS)


def _limit(plot: charts.Plot, curve: Curve) -> None:
    from bokeh.models.annotations import Span

    limit = Span(location=curve.limit_ms, dimension="width", line_color=charts.QUIET, line_dash=[2, 4], line_width=1.5)
    plot.add_layout(limit)


def _knee(plot: charts.Plot, curve: Curve) -> None:
    from bokeh.models.annotations import Span

    if curve.knee is not None:
        at = curve.knee.connections
        plot.add_layout(
            Span(location=at, dimension="height", line_color=charts.GREEN, line_dash=[6, 5], line_width=1.5)
        )
