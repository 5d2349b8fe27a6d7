"""The evaluation report: how good a model is, how sure it is of itself, and what it gets wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scones.intervals import share_interval
from scones.page import Chart, Column, Gallery, Key, Note, Picture, Section, Table, Tile, charts, render_page
from scones.page.numbers import NONE, count, interval, percent, plural

__all__ = ["evaluation_page"]


def evaluation_page(evaluation: Mapping[str, Any], pictures: Sequence[bytes | None]) -> str:
    """Draw an evaluation as one self-contained HTML page.

    Args:
        evaluation: as :func:`scones.training.evaluation.evaluate` returns it and ``evaluation.json`` holds it.
        pictures: the picture files of ``evaluation["mistakes"]``, in their order; None where there is none.

    Returns:
        The HTML text, which opens offline.

    Raises:
        ValueError: there are not as many pictures as mistakes.
        KeyError: the evaluation lacks a figure.
    """
    sections = [
        _answers(evaluation),
        _confidence(evaluation),
        _mistakes(evaluation, pictures),
        _data(evaluation),
    ]
    return render_page(
        evaluation["title"],
        sections,
        kind="Evaluation report",
        lead=_lead(evaluation),
        facts=[
            ("Task", evaluation["task"]),
            ("Model", evaluation["model_version"]),
            ("Backbone", evaluation["backbone"]),
            ("Dataset", evaluation["dataset"]["version"]),
        ],
        tiles=_tiles(evaluation),
        footer="Every figure of this page is in evaluation.json beside it.",
    )


def _lead(evaluation: Mapping[str, Any]) -> str:
    held, fit = evaluation["at_threshold"], evaluation["threshold"]
    right = round(evaluation["accuracy"] * evaluation["n"])
    first = f"The model answers {count(right)} of {plural(evaluation['n'], 'test picture')} correctly."
    if not held["accepted"]:
        return f"{first} It is sure enough to decide alone on none of them: a person decides each."
    if held["accepted"] == evaluation["n"]:
        second = "It is sure enough to decide alone on all of them"
    else:
        share = percent(held["coverage"], 0)
        second = f"It is sure enough to decide alone on {share} of them and leaves the rest to a person"
    return f"{first} {second}; {_wrong(held)} (the target is at most {percent(fit['target_risk'], None)})."


def _wrong(held: Mapping[str, Any]) -> str:
    if not held["wrong"]:
        return f"none of the {count(held['accepted'])} it decides is wrong"
    return f"{count(held['wrong'])} of the {count(held['accepted'])} it decides {_is(held['wrong'])} wrong"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _tiles(evaluation: Mapping[str, Any]) -> list[Tile]:
    held, fit, n = evaluation["at_threshold"], evaluation["threshold"], evaluation["n"]
    null = evaluation.get("ece_null")
    tiles = [
        Tile(
            "Accuracy", percent(evaluation["accuracy"]), f"95 % interval {interval(*evaluation['accuracy_interval'])}"
        ),
        Tile(
            "Decided alone",
            percent(held["coverage"]),
            f"95 % interval {_exact(held['accepted'], n)}; confidence {fit['value']:.3f} or more",
        ),
    ]
    if held["accepted"]:
        met, target = held["risk"] <= fit["target_risk"], percent(fit["target_risk"], None)
        tiles.append(
            Tile(
                "Wrong among those",
                percent(held["risk"]),
                f"95 % interval {_exact(held['wrong'], held['accepted'])}; target at most {target}, "
                + ("met" if met else "not met"),
                "good" if met else "warn",
            )
        )
    else:
        tiles.append(Tile("Wrong among those", NONE, "nothing is decided alone"))
    detail = "0 would be perfect" if null is None else f"a perfectly calibrated model shows {null:.3f} here by chance"
    tiles.append(Tile("Calibration error", f"{evaluation['ece']:.3f}", detail))
    return tiles


def _exact(part: int, whole: int) -> str:
    return interval(*share_interval(part, whole))


def _answers(evaluation: Mapping[str, Any]) -> Section:
    labels, confusion = evaluation["labels"], evaluation["confusion"]
    wrong = sum(sum(row) for row in confusion) - sum(row[i] for i, row in enumerate(confusion))
    matrix = Chart(
        "What was seen, and what was answered",
        charts.heat_map(labels, confusion, row_label="truth", column_label="the model's answer"),
        caption="Pictures by truth and answer. Right answers stand on the diagonal.",
        summary=f"Confusion matrix of {plural(len(labels), 'label')}: {plural(wrong, 'picture')} off the diagonal.",
        wide=len(labels) > 6,
    )
    rows = [
        [
            row["label"],
            count(row["n"]),
            percent(row["recall"]),
            _exact(round(row["recall"] * row["n"]), row["n"]),
            percent(row["precision"]),
        ]
        for row in evaluation["per_class"]
    ]
    table = Table(
        "Label by label",
        [
            Column("Label"),
            Column("Pictures", numeric=True),
            Column("Found", numeric=True),
            Column("95 % interval", numeric=True),
            Column("Trusted", numeric=True),
        ],
        rows,
        caption="Found: the share of a label's pictures that are answered so (recall). "
        "Trusted: the share of these answers that are right (precision).",
        wide=len(labels) > 6,
    )
    return Section("Right and wrong", [matrix, table], "The model's first answer, whether it was sure or not.")


def _confidence(evaluation: Mapping[str, Any]) -> Section:
    fit, held = evaluation["threshold"], evaluation["at_threshold"]
    chosen = Key(
        f"in force, {fit['value']:.3f}: {percent(held['coverage'])} alone, {percent(held['risk'])} wrong", "blue", "dot"
    )
    null = evaluation.get("ece_null")
    excess = "" if null is None else f" Calibration error {evaluation['ece']:.3f}, by chance alone {null:.3f}."
    return Section(
        "Does it know when it is right?",
        [
            Chart(
                "Said and kept",
                _reliability(evaluation),
                caption="Of answers given with 80 % confidence, 80 % should be right." + excess,
                keys=[
                    Key("share that is right, with its 95 % interval", "blue", "dot"),
                    Key("as it should be", "quiet", "dashes"),
                ],
                summary=f"Reliability diagram. Calibration error {evaluation['ece']:.3f}.",
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


def _reliability(evaluation: Mapping[str, Any]) -> charts.Plot:
    from bokeh.layouts import column
    from bokeh.models import ColumnDataSource
    from bokeh.models.annotations import Whisker

    rows = [row for row in evaluation["reliability"] if row["n"]]
    ends = [share_interval(round(row["accuracy"] * row["n"]), row["n"]) for row in rows]
    most = max([row["n"] for row in rows], default=1)
    left = min([row["low"] for row in rows], default=0.0)
    bottom = max(0.0, min([left, *(low for low, _ in ends)]) - 0.03)
    source = ColumnDataSource(
        {
            **{name: [row[name] for row in rows] for name in ("low", "high", "n", "confidence", "accuracy")},
            "size": [6 + 10 * (row["n"] / most) ** 0.5 for row in rows],
            "lower": [low for low, _ in ends],
            "upper": [high for _, high in ends],
        }
    )
    across = charts.span(left - 0.02, 1.02)
    upper = charts.blank(y_label="share that is right", height=270, x_range=across, y_range=charts.span(bottom, 1.03))
    upper.line([left, 1], [left, 1], line_color=charts.QUIET, line_dash=[6, 5])
    upper.add_layout(
        Whisker(
            base="confidence",
            lower="lower",
            upper="upper",
            source=source,
            line_color=charts.BLUE,
            line_width=2,
            line_alpha=0.5,
            lower_head=None,
            upper_head=None,
        )
    )
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
            ("right", "@accuracy{0.0 %} (95 % interval @lower{0.0 %} to @upper{0.0 %})"),
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


def _mistakes(evaluation: Mapping[str, Any], pictures: Sequence[bytes | None]) -> Section:
    mistakes, threshold = evaluation["mistakes"], evaluation["threshold"]["value"]
    shown = [
        Picture(
            data,
            title=f"is {row['truth']}",
            detail=f"answered {row['predicted']}, {percent(row['confidence'])} sure",
            name=row["key"],
            level=row["confidence"],
            mark=threshold,
        )
        for row, data in zip(mistakes, pictures, strict=True)
    ]
    total = round((1 - evaluation["accuracy"]) * evaluation["n"])
    of = f"The worst {len(shown)} of {total}" if total > len(shown) else "All of them"
    gallery = Gallery(
        "Mistakes, the surest first",
        shown,
        caption=f"{of}. The bar is how sure the model was; "
        "beyond the mark it decided alone, before it a person would have seen the picture.",
        empty="There is none: every test picture was answered correctly.",
    )
    return Section("What it gets wrong", [gallery])


def _data(evaluation: Mapping[str, Any]) -> Section:
    dataset, labels = evaluation["dataset"], evaluation["labels"]
    counts: Mapping[str, Mapping[str, int]] = dataset["counts"]
    uses = {
        "train": "what the model learned from",
        "calibration": "what its confidence and threshold were fitted on",
        "test": "what this page measures; nothing was chosen on it",
    }
    splits = sorted(counts, key=lambda split: (list(uses).index(split) if split in uses else len(uses), split))
    rows = [
        [
            split,
            uses.get(split, ""),
            *(count(counts[split].get(label, 0)) for label in labels),
            count(sum(counts[split].values())),
        ]
        for split in splits
    ]
    if len(labels) > 6:  # more columns than a page holds: the sums alone
        rows = [[*row[:2], row[-1]] for row in rows]
    names = [Column(label, numeric=True) for label in labels] if len(labels) <= 6 else []
    columns = [Column("Split"), Column("Use"), *names, Column("All", numeric=True)]
    source = [[str(name), _text(value)] for name, value in (dataset.get("source") or {}).items()]
    blocks: list[Table] = [Table("Pictures by split", columns, rows, wide=True)]
    if source:
        blocks.append(Table("Where they came from", [Column("Fact"), Column("Value")], source, wide=True))
    return Section("What it was measured on", blocks)


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
