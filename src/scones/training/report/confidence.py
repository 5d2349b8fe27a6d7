"""Whether the model knows when it is right: its reliability, and what deciding alone costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scones.page import Chart, Key, Note, Section, charts
from scones.page.numbers import percent, plural

__all__ = ["confidence_section"]


def confidence_section(evaluation: Mapping[str, Any]) -> Section:
    """The section of the model's confidence, and of what it decides alone."""
    fit, held = evaluation["threshold"], evaluation["at_threshold"]
    chosen = Key(
        f"in force, {fit['value']:.3f}: {percent(held['coverage'])} alone, {percent(held['risk'])} wrong", "blue", "dot"
    )
    return Section(
        "Does it know when it is right?",
        [
            Chart(
                "Said and kept",
                _reliability(evaluation),
                caption="Of answers given with 80 % confidence, 80 % should be right. "
                f"Calibration error {evaluation['ece']:.3f}; a perfectly calibrated model shows "
                f"{evaluation['ece_null']:.3f} here by luck alone.",
                keys=[
                    Key("share that is right", "blue", "dot"),
                    Key("where a perfectly calibrated model shows it, 95 times in 100", "quiet", "band"),
                ],
                summary=_reliability_summary(evaluation),
            ),
            Chart(
                "How much it decides alone, and at what risk",
                _risk_coverage(evaluation),
                caption="Deciding more pictures alone means accepting less sure ones.",
                keys=[
                    *([chosen] if held["accepted"] else []),
                    Key(f"target: at most {percent(fit['target_risk'], None)} wrong", "alert", "dashes"),
                ],
                summary=f"Risk-coverage curve. At threshold {fit['value']:.3f} it decides "
                f"{percent(held['coverage'])} alone, {percent(held['risk'])} wrong.",
            ),
            Note(
                f"Threshold {fit['value']:.4f}: {fit['note']}",
                tone="plain" if fit["origin"] == "fitted" else "warn",
            ),
        ],
        "A confidence is only worth something if it is kept.",
    )


def _reliability_summary(evaluation: Mapping[str, Any]) -> str:
    outside = sum(
        not row["by_chance"][0] <= row["accuracy"] <= row["by_chance"][1] for row in evaluation["reliability"]
    )
    return (
        f"Reliability diagram. Calibration error {evaluation['ece']:.3f}. In {outside} of "
        f"{plural(len(evaluation['reliability']), 'bin')} it is not what luck explains."
    )


def _reliability(evaluation: Mapping[str, Any]) -> charts.Plot:
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource

    rows = evaluation["reliability"]
    most = max([row["n"] for row in rows], default=1)
    left = min([row["low"] for row in rows], default=0.0)
    bottom = max(0.0, min([left, *(min(row["accuracy"], row["by_chance"][0]) for row in rows)]) - 0.03)
    source = ColumnDataSource(
        {
            **{name: [row[name] for row in rows] for name in ("low", "high", "n", "confidence", "accuracy")},
            "size": [6 + 10 * (row["n"] / most) ** 0.5 for row in rows],
            "lower": [row["by_chance"][0] for row in rows],
            "upper": [row["by_chance"][1] for row in rows],
        }
    )
    across = charts.span(left - 0.02, 1.02)
    upper = charts.blank(y_label="share that is right", height=270, x_range=across, y_range=charts.span(bottom, 1.03))
    upper.line([left, 1], [left, 1], line_color=charts.QUIET, line_dash=[6, 5])
    upper.quad(
        left="low", right="high", top="upper", bottom="lower", source=source, color=charts.QUIET, fill_alpha=0.18,
        line_width=0,
    )  # fmt: skip
    marks = upper.scatter("confidence", "accuracy", source=source, size="size", color=charts.BLUE)
    lower = charts.blank(x_label="confidence that the model states", y_label="pictures", height=130, x_range=across)
    lower.y_range.start = 0
    bars = lower.quad(
        left="low", right="high", top="n", bottom=0, source=source, color=charts.BLUE, fill_alpha=0.35, line_width=0
    )
    charts.count_axis(lower.yaxis, ticks=3)
    for plot, marked in ((upper, marks), (lower, bars)):
        tips = [
            ("said", "@confidence{0.0 %}"),
            ("right", "@accuracy{0.0 %}"),
            ("by chance", "@lower{0.0 %} to @upper{0.0 %}"),
            ("pictures", "@n{0,0}"),
        ]
        charts.hover(plot, [marked], tips)
        charts.percent_axis(plot.xaxis)
        # The two plots stand below each other: equal room on the left keeps their axes in line.
        plot.min_border_left = 76
    charts.percent_axis(upper.yaxis)
    upper.xaxis.major_label_text_font_size = "0px"
    return column(upper, lower, sizing_mode="stretch_width", spacing=0)


def _risk_coverage(evaluation: Mapping[str, Any]) -> charts.Plot:
    from bokeh.models import ColumnDataSource
    from bokeh.models.annotations import Span

    rows, fit, held = evaluation["risk_coverage"], evaluation["threshold"], evaluation["at_threshold"]
    names = ("threshold", "coverage", "risk", "n")
    source = ColumnDataSource({name: [row[name] for row in rows] for name in names})
    target = fit["target_risk"]
    top = 1.25 * max([target, held["risk"], *(row["risk"] for row in rows if row["coverage"] > 0.1)])
    plot = charts.blank(
        x_label="share of pictures decided alone",
        y_label="share of these that is wrong",
        height=400,
        x_range=charts.span(0, 1.02),
        y_range=charts.span(-0.02 * top, top),
    )
    curve = plot.line("coverage", "risk", source=source, line_color=charts.BLUE, line_width=2.5)
    plot.add_layout(Span(location=target, dimension="width", line_color=charts.ALERT, line_dash=[6, 5], line_width=1.5))
    if held["accepted"]:
        plot.scatter(
            [held["coverage"]], [held["risk"]], size=13, color=charts.BLUE, line_color=charts.INK, line_width=1.5
        )
    charts.percent_axis(plot.xaxis)
    charts.percent_axis(plot.yaxis, digits=1 if top < 0.1 else 0)
    tips = [
        ("threshold", "@threshold{0.0000}"),
        ("alone", "@coverage{0.0 %}"),
        ("wrong", "@risk{0.0 %}"),
        ("pictures", "@n{0,0}"),
    ]
    charts.hover(plot, [curve], tips, mode="vline")
    return plot
