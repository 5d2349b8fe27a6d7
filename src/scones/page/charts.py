"""Charts in one hand: the same type, colours and axes everywhere. Bokeh is loaded when a chart is made.

Colours are Okabe and Ito's, which people with any colour vision tell apart ("Color Universal Design",
2008). Charts are drawn on a canvas, which style sheets do not reach: the page's script exchanges the
light colours of ``DARK`` for dark ones before it draws, where the reader's system asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = [
    "ALERT",
    "BLUE",
    "DARK",
    "GREEN",
    "GRID",
    "INK",
    "ORANGE",
    "PURPLE",
    "QUIET",
    "Curve",
    "Dot",
    "Plot",
    "blank",
    "count_axis",
    "curves",
    "distinct",
    "dot_rows",
    "heat_map",
    "hover",
    "movable",
    "percent_axis",
    "plain",
    "span",
    "time_axis",
]

Plot = Any
"""A ``bokeh.plotting.figure``. Bokeh's own annotations refuse much of what it takes, so they are not used."""
INK = "#1d2733"
QUIET = "#5a6876"
GRID = "#e3e8ed"
BLUE = "#0072b2"
ORANGE = "#e69f00"
ALERT = "#c44e00"
GREEN = "#00805d"
PURPLE = "#b8578c"
ON_FILL = "#fffffe"
"""Text on a filled cell."""
DARK = {
    INK: "#e8edf2",
    QUIET: "#a3b0bd",
    GRID: "#33404d",
    BLUE: "#56b4e9",
    ORANGE: "#f0b429",
    ALERT: "#ff8a4c",
    GREEN: "#3cc79f",
    PURPLE: "#dd9cc6",
    ON_FILL: "#0f1620",
}
"""What each colour becomes on a dark page."""

FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"


def plain(text: str) -> str:
    r"""Keep BokehJS from reading text as TeX: it would ask the network for a formula renderer.

    Example:
        >>> "$$" in plain("$$x$$"), plain("bicycle")
        (False, 'bicycle')
    """
    gap = "\N{WORD JOINER}"
    for mark in ("$$", r"\[", r"\]", r"\(", r"\)"):
        text = text.replace(mark, mark[0] + gap + mark[1])
    return text


def blank(
    *,
    x_label: str = "",
    y_label: str = "",
    height: int = 300,
    **options: Any,
) -> Plot:
    """Make an empty figure in the house style; it stretches to the width it is given.

    Args:
        x_label, y_label: with the unit.
        height: pixels.
        **options: as for ``bokeh.plotting.figure``.
    """
    from bokeh.models import NoOverlap
    from bokeh.plotting import figure

    plot: Plot = figure(
        height=height,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="",
        min_border_left=8,
        min_border_right=16,
        x_axis_label=plain(x_label) or None,
        y_axis_label=plain(y_label) or None,
        background_fill_alpha=0,
        border_fill_alpha=0,
        outline_line_color=None,
        **options,
    )
    plot.toolbar.visible = False  # without a place it still shows a menu when it has no room
    for axis in plot.axis:
        axis.axis_label_text_font = FONT
        axis.axis_label_text_font_size = "13px"
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_color = QUIET
        axis.axis_label_standoff = 10
        axis.major_label_text_font = FONT
        axis.major_label_text_font_size = "12px"
        axis.major_label_text_color = QUIET
        axis.major_tick_line_color = None
        axis.minor_tick_line_color = None
        axis.axis_line_color = None
        axis.major_label_policy = NoOverlap(min_distance=8)  # a phone has room for fewer
    plot.xaxis.axis_line_color = QUIET
    plot.xgrid.grid_line_color = None
    plot.ygrid.grid_line_color = GRID
    return plot


def span(low: float, high: float) -> Any:
    """The range of an axis, for ``blank``."""
    from bokeh.models import Range1d

    return Range1d(start=low, end=high)


def percent_axis(axis: Any, *, digits: int = 0, ticks: int = 5) -> None:
    """Write an axis of shares, 0 to 1, as per cent."""
    from bokeh.models import BasicTicker, NumeralTickFormatter

    axis.formatter = NumeralTickFormatter(format="0 %" if digits == 0 else f"0.{'0' * digits} %")
    axis.ticker = BasicTicker(desired_num_ticks=ticks, mantissas=[1, 2, 5])


def count_axis(axis: Any, *, ticks: int = 4) -> None:
    """Write an axis of counts, which starts at none, in whole numbers."""
    from bokeh.models import BasicTicker, NumeralTickFormatter

    axis.formatter = NumeralTickFormatter(format="0,0")
    axis.ticker = BasicTicker(desired_num_ticks=ticks, mantissas=[1, 2, 5], min_interval=1)


def time_axis(axis: Any) -> None:
    """Write an axis of times (UTC) so that a second, an hour and a month all read well."""
    from bokeh.models import DatetimeTickFormatter

    axis.formatter = DatetimeTickFormatter(
        milliseconds="%H:%M:%S.%3N",
        seconds="%H:%M:%S",
        minsec="%H:%M:%S",
        minutes="%H:%M",
        hourmin="%H:%M",
        hours="%H:%M",
        days="%-d %b",
        months="%b %Y",
        years="%Y",
    )
    axis.ticker.desired_num_ticks = 5
    axis.ticker.num_minor_ticks = 0


def hover(plot: Plot, renderers: Sequence[Any], tooltips: Sequence[tuple[str, str]], **options: Any) -> None:
    """Tell the figures behind a mark when the pointer (or a finger) is on it.

    Args:
        plot: the figure.
        renderers: the marks that answer.
        tooltips: pairs of name and Bokeh's ``@column{format}``. Columns are escaped by Bokeh.
        **options: as for ``bokeh.models.HoverTool``.
    """
    from bokeh.models import HoverTool

    told = [(plain(name), value) for name, value in tooltips]
    plot.add_tools(HoverTool(renderers=list(renderers), tooltips=told, visible=False, **options))  # it has no button


def movable(plot: Plot) -> None:
    """Let readers drag the figure along its horizontal axis, enlarge a stretch of it, and go back.

    The tools are buttons above it. None is on at first, so that a finger on the figure still scrolls the page.
    """
    from bokeh.models import BoxZoomTool, PanTool, ResetTool, Toolbar

    tools = [PanTool(dimensions="width"), BoxZoomTool(dimensions="width"), ResetTool()]
    plot.toolbar = Toolbar(tools=[*plot.tools, *tools], active_drag=None, logo=None)
    plot.toolbar_location = "above"


def heat_map(
    names: Sequence[str],
    counts: Sequence[Sequence[int]],
    *,
    row_label: str,
    column_label: str,
) -> Plot:
    """A square of counts, each cell as dark as its share of its row.

    Args:
        names: of rows and columns alike; at least one.
        counts: rows of counts.
        row_label, column_label: the axes' names.
    """
    from bokeh.models import AllLabels, ColumnDataSource

    keys = distinct(names)
    cells: dict[str, list[Any]] = {key: [] for key in ("row", "column", "n", "share", "alpha", "text", "ink")}
    written = len(keys) <= 12  # beyond it numbers no longer fit their cells on a phone
    for row, values in zip(keys, counts, strict=True):
        whole = sum(values) or 1
        for column, value in zip(keys, values, strict=True):
            share = value / whole
            cells["row"].append(row)
            cells["column"].append(column)
            cells["n"].append(value)
            cells["share"].append(share)
            cells["alpha"].append(0.05 + 0.95 * share if value else 0.03)
            cells["text"].append(f"{value:,}" if len(keys) <= 4 or (written and value) else "")
            cells["ink"].append(ON_FILL if share > 0.55 else INK)
    source = ColumnDataSource(cells)
    plot = blank(
        x_label=column_label,
        y_label=row_label,
        height=min(
            720, max(260, (100 + 64 * len(keys) if len(keys) <= 4 else 180 + (40 if written else 22) * len(keys)))
        ),
        x_range=keys,
        y_range=list(reversed(keys)),
        x_axis_location="above",
    )
    marks = plot.rect(
        x="column",
        y="row",
        width=0.97,
        height=0.97,
        fill_color=BLUE,
        fill_alpha="alpha",
        line_color=None,
        source=source,
    )
    size = "20px" if len(keys) <= 4 else "13px"
    style = {"text_align": "center", "text_baseline": "middle", "text_font": {"value": FONT}, "text_font_size": size}
    plot.text(x="column", y="row", text="text", text_color="ink", source=source, **style)
    plot.grid.grid_line_color = None
    plot.axis.axis_line_color = None
    plot.axis.major_label_text_color = INK
    if len(keys) > 4:
        plot.xaxis.major_label_orientation = "vertical"
    if written:
        plot.axis.major_label_policy = AllLabels()
    hover(
        plot,
        [marks],
        [(row_label, "@row"), (column_label, "@column"), ("pictures", "@n{0,0} (@share{0.0 %} of its row)")],
    )
    return plot


@dataclass(frozen=True)
class Curve:
    """A curve through points, both 0 to 1; the quiet ones lie below the others."""

    name: str
    points: Sequence[Sequence[float]]
    color: str


def curves(drawn: Sequence[Curve], *, x_label: str, y_label: str, diagonal: bool = False) -> Plot:
    """Draw curves of one share over another, on axes from 0 to 1.

    Args:
        drawn: any number of them; the pointer tells which is which.
        x_label, y_label: the axes' names.
        diagonal: draw the line on which both are the same.
    """
    from bokeh.models import ColumnDataSource

    plot = blank(x_label=x_label, y_label=y_label, height=380, x_range=span(-0.01, 1.02), y_range=span(-0.01, 1.03))
    if diagonal:
        plot.line([0, 1], [0, 1], line_color=QUIET, line_dash=[6, 5])
    ordered = sorted(drawn, key=lambda curve: curve.color != QUIET)
    source = ColumnDataSource({
        "name": [plain(curve.name) for curve in ordered],
        "x": [[float(x) for x, _ in curve.points] for curve in ordered],
        "y": [[float(y) for _, y in curve.points] for curve in ordered],
        "color": [curve.color for curve in ordered],
        "width": [1.2 if curve.color == QUIET else 2.5 for curve in ordered],
    })  # fmt: skip
    lines = plot.multi_line(xs="x", ys="y", line_color="color", line_width="width", source=source)
    hover(plot, [lines], [("label", "@name"), (x_label, "$x{0 %}"), (y_label, "$y{0 %}")])
    percent_axis(plot.xaxis)
    percent_axis(plot.yaxis)
    return plot


@dataclass(frozen=True)
class Dot:
    """A share, 0 to 1, and what it is of; the tip is told when the pointer is on it; ``fullness`` 0 to 1."""

    value: float
    name: str
    tip: str
    fullness: float = 1.0


def dot_rows(rows: Mapping[str, Sequence[Dot]], *, x_label: str, color: str, mark: float, mark_color: str) -> Plot:
    """Draw rows of dots on one scale of shares.

    Args:
        rows: by name, from top to bottom.
        x_label: what the shares are.
        color: of the dots.
        mark: a share to compare with, drawn through all rows in ``mark_color``.
    """
    from bokeh.models import AllLabels, ColumnDataSource
    from bokeh.models.annotations import Span

    keys = distinct(list(rows))
    cells: dict[str, list[Any]] = {key: [] for key in ("row", "value", "name", "tip", "alpha")}
    for key, dots in zip(keys, rows.values(), strict=True):
        for dot in dots:
            cells["row"].append(key)
            cells["value"].append(dot.value)
            cells["name"].append(plain(dot.name))
            cells["tip"].append(plain(dot.tip))
            cells["alpha"].append(dot.fullness)
    shown = [*cells["value"], mark]
    room = max(0.02, 0.06 * (max(shown) - min(shown)))
    plot = blank(
        x_label=x_label,
        height=70 + 30 * max(len(keys), 3),
        x_range=span(min(shown) - room, max(shown) + room),
        y_range=list(reversed(keys)),
    )
    for key, dots in zip(keys, rows.values(), strict=True):
        plot.line([dot.value for dot in dots], [key] * len(dots), line_color=color, line_alpha=0.35, line_width=2)
    plot.add_layout(Span(location=mark, dimension="height", line_color=mark_color, line_dash=[6, 5], line_width=1.5))
    source = ColumnDataSource(cells)
    marks = plot.scatter("value", "row", size=12, fill_color=color, fill_alpha="alpha", line_color=color, source=source)
    plot.yaxis.major_label_policy = AllLabels()
    plot.yaxis.major_label_text_color = INK
    percent_axis(plot.xaxis)
    hover(plot, [marks], [("", "@row, @name"), (x_label, "@tip")])
    return plot


def distinct(names: Sequence[str]) -> list[str]:
    """Make names fit for a category axis: no TeX, none empty, none twice.

    Example:
        >>> distinct(["a", "", "a"])
        ['a', '(no name)', 'a (2)']
    """
    result: list[str] = []
    for name in names:
        text = plain(name)[:48].strip() or "(no name)"
        key, number = text, 1
        while key in result:
            number += 1
            key = f"{text} ({number})"
        result.append(key)
    return result
