"""The comparison's page: which of two models is better, whether that is real, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scones.page import Block, Chart, Column, Gallery, Key, Picture, Section, Table, Tile, charts, render_page
from scones.page.numbers import count, interval, percent
from scones.training.comparison import NO_DIFFERENCE, points, sentence

__all__ = ["SHOWN", "comparison_page", "disputes"]

SHOWN = 24
"""The most pictures in a gallery."""


def disputes(comparison: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """The pictures on which the models differ: "first" alone is right, "second" alone is, or "neither" is."""
    found: dict[str, list[Mapping[str, Any]]] = {"first": [], "second": [], "neither": []}
    for row in comparison["pictures"]:
        sides = [side for side in ("first", "second") if row[side]["label"] == row["truth"]]
        found[sides[0] if sides else "neither"].append(row)
    return found


def comparison_page(comparison: Mapping[str, Any], pictures: Mapping[str, bytes | None]) -> str:
    """Draw a comparison as one self-contained HTML page.

    Args:
        comparison: as :func:`scones.training.comparison.compare` returns it.
        pictures: picture files by their ``key``; at most ``SHOWN`` of each of :func:`disputes` are looked up, and one
            that is missing leaves a placeholder.

    Returns:
        The HTML text, which opens offline.
    """
    one, other = comparison["first"]["version"], comparison["second"]["version"]
    found = disputes(comparison)
    galleries = [
        _gallery(f"Only {one} is right", found["first"], pictures),
        _gallery(f"Only {other} is right", found["second"], pictures),
    ]
    if found["neither"]:
        galleries.append(_gallery("Both are wrong, each in its own way", found["neither"], pictures))
    return render_page(
        f"{one} against {other}",
        [
            Section("Is the difference real?", _figures(comparison)),
            Section("Where they differ", galleries, "The pictures about which they are surest stand first."),
        ],
        kind="Comparison of two models",
        lead=sentence(comparison),
        facts=[
            ("Task", comparison["task"]),
            ("First", f"{one} ({comparison['first']['backbone']})"),
            ("Second", f"{other} ({comparison['second']['backbone']})"),
            ("Dataset", comparison["dataset"]),
        ],
        tiles=_tiles(comparison),
        footer="The same figures, for a program: scones compare --json.",
    )


def _tiles(comparison: Mapping[str, Any]) -> list[Tile]:
    low, high = comparison["difference_interval"]
    shown = comparison["verdict"] != NO_DIFFERENCE
    return [
        *(
            Tile(
                f"Accuracy of the {name}",
                percent(comparison[name]["accuracy"]),
                f"95 % interval {interval(*comparison[name]['accuracy_interval'])}; decides "
                f"{percent(comparison[name]['coverage'], 0)} alone, {percent(comparison[name]['risk'])} of them wrong",
            )
            for name in ("first", "second")
        ),
        Tile(
            "Difference, in points",
            points(comparison["difference"]),
            f"second less first; 95 % interval {points(low)} to {points(high)}",
        ),
        Tile(
            "p value",
            f"{comparison['p_value']:.2g}",
            "how often equally good models would differ so much or more (exact McNemar test): "
            + ("the difference is real" if shown else "no difference shown"),
        ),
    ]


def _figures(comparison: Mapping[str, Any]) -> list[Block]:
    only_first, only_second = comparison["only_first_right"], comparison["only_second_right"]
    right = round(comparison["first"]["accuracy"] * comparison["n"])
    both = right - only_first
    names = ["right", "wrong"]
    matrix = Chart(
        "Right and wrong together",
        charts.heat_map(
            names,
            [[both, only_first], [only_second, comparison["n"] - both - only_first - only_second]],
            row_label="first",
            column_label="second",
        ),
        caption="Only the two corners where they disagree tell the models apart.",
        summary=f"Both right {both}, only the first {only_first}, only the second {only_second}.",
    )
    low, high = comparison["difference_interval"]
    return [
        matrix,
        Chart(
            "The difference, and what it may be",
            _span(comparison["difference"], low, high),
            caption="Second less first, with its 95 % interval (Newcombe 1998, paired). Where the interval holds zero, "
            "these test pictures do not tell which is better.",
            keys=[
                Key("difference", "blue", "dot"),
                Key("95 % interval", "blue", "line"),
                Key("none", "quiet", "dashes"),
            ],
            summary=f"{points(comparison['difference'])} points, {points(low)} to {points(high)}.",
        ),
        Table(
            "Label by label",
            [Column("Label"), *(Column(name, numeric=True) for name in ("Pictures", "First right", "Second right"))],
            [
                [row["label"], count(row["n"]), count(row["first_right"]), count(row["second_right"])]
                for row in comparison["per_class"]
            ],
            wide=True,
        ),
    ]


def _span(value: float, low: float, high: float) -> charts.Plot:
    from bokeh.models.annotations import Span

    edge = 1.15 * max(abs(low), abs(high), 0.01)
    plot = charts.blank(
        x_label="accuracy of the second less the first", height=230, x_range=charts.span(-edge, edge), y_range=[" "]
    )
    plot.line([low, high], [" ", " "], line_color=charts.BLUE, line_width=4)
    plot.scatter([value], [" "], size=14, color=charts.BLUE)
    plot.add_layout(Span(location=0, dimension="height", line_color=charts.QUIET, line_dash=[6, 5], line_width=1.5))
    plot.ygrid.grid_line_color = None
    charts.percent_axis(plot.xaxis, digits=1 if edge < 0.1 else 0)
    return plot


def _gallery(title: str, rows: Sequence[Mapping[str, Any]], pictures: Mapping[str, bytes | None]) -> Gallery:
    more = f" The first {SHOWN} of {count(len(rows))}." if len(rows) > SHOWN else ""
    return Gallery(
        f"{title} ({count(len(rows))})",
        [
            Picture(
                pictures.get(row["key"]),
                title=f"is {row['truth']}",
                detail="; ".join(
                    f"{side}: {row[side]['label']}, {percent(row[side]['confidence'], 0)} sure"
                    for side in ("first", "second")
                ),
                name=row["key"],
            )
            for row in rows[:SHOWN]
        ],
        caption=more.strip(),
        empty="There is none.",
    )
