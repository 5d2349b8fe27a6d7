"""Right and wrong: the confusion matrix, each label's figures, and how well its score ranks pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from scones.page import Block, Chart, Column, Key, Section, Table, charts
from scones.page.numbers import NONE, count, interval, percent, plural

__all__ = ["answers_section"]

_FEW = 6
"""So many labels fit beside each other."""
_Name = Literal["blue", "orange", "green"]
_COLORS: tuple[tuple[_Name, str], ...] = (("blue", charts.BLUE), ("orange", charts.ORANGE), ("green", charts.GREEN))


def answers_section(evaluation: Mapping[str, Any]) -> Section:
    """The section of the model's first answers, whether it was sure or not."""
    blocks: list[Block] = [_matrix(evaluation), *_rankings(evaluation["per_class"]), _labels(evaluation["per_class"])]
    return Section("Right and wrong", blocks, "The model's first answer, whether it was sure or not.")


def _matrix(evaluation: Mapping[str, Any]) -> Chart:
    labels, confusion = evaluation["labels"], evaluation["confusion"]
    wrong = sum(sum(row) for row in confusion) - sum(row[i] for i, row in enumerate(confusion))
    return Chart(
        "What was seen, and what was answered",
        charts.heat_map(labels, confusion, row_label="truth", column_label="the model's answer"),
        caption="Pictures by truth and answer. Right answers stand on the diagonal.",
        summary=f"Confusion matrix of {plural(len(labels), 'label')}: {plural(wrong, 'picture')} off the diagonal.",
        wide=True,
    )


def _labels(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row a label; of many, the one that is found least stands first."""
    many = len(rows) > _FEW
    return Table(
        "Label by label" + (", the least found first" if many else ""),
        [
            Column("Label"),
            *(
                Column(title, numeric=True)
                for title in ("Pictures", "Found", "95 % interval", "Trusted", "95 % interval", "ROC area", "AP")
            ),
        ],
        [_label_row(row) for row in (sorted(rows, key=lambda row: row["recall"]) if many else rows)],
        caption="Found: the share of a label's pictures that are answered so (recall). Trusted: the share of these "
        "answers that are right (precision). ROC area: the chance that a picture of the label scores higher than one "
        "of another. AP: average precision.",
        wide=True,
    )


def _label_row(row: Mapping[str, Any]) -> list[str]:
    found, trusted = row["n"] > 0, row["answered"] > 0
    return [
        row["label"],
        count(row["n"]),
        percent(row["recall"]) if found else NONE,
        interval(*row["recall_interval"]) if found else NONE,
        percent(row["precision"]) if trusted else NONE,
        interval(*row["precision_interval"]) if trusted else NONE,
        _area(row["roc_auc"]),
        _area(row["average_precision"]),
    ]


def _area(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _rankings(per_class: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """ROC and precision-recall curves; the labels with the least area are coloured, the others quiet."""
    rows = [row for row in per_class if row["roc_auc"] is not None]
    if not rows:
        return []
    # of two labels each is the other's mirror image in ROC space: one curve says it all
    one = rows[-1:] if len(per_class) == 2 else rows
    return [
        _ranking(
            "ROC: found, against false alarms",
            one,
            ("roc", "roc_auc"),
            ("false alarms among the others", "found"),
            "Each label against the rest, as the score to answer it falls. Good curves keep to the upper left; "
            "the dashed line is guessing.",
        ),
        _ranking(
            "Precision and recall",
            rows,
            ("precision_recall", "average_precision"),
            ("found (recall)", "trusted (precision)"),
            "Finding more of a label's pictures costs trust in the answer. Good curves keep to the upper right.",
        ),
    ]


def _ranking(
    title: str, rows: Sequence[Mapping[str, Any]], names: tuple[str, str], axes: tuple[str, str], caption: str
) -> Chart:
    points, area = names
    told = "area" if area == "roc_auc" else "average precision"
    weakest = sorted(rows, key=lambda row: row[area])[: len(_COLORS)]
    colors = {row["label"]: color for row, (_, color) in zip(weakest, _COLORS, strict=False)}
    said = [f"{row['label']}, {told} {_area(row[area])}" for row in weakest]
    keys = [Key(text, color, "line") for text, (color, _) in zip(said, _COLORS, strict=False)]
    if len(rows) > len(weakest):
        keys.append(Key(f"the other {len(rows) - len(weakest)}: point at one", "quiet", "line"))
    return Chart(
        title,
        charts.curves(
            [charts.Curve(row["label"], row[points], colors.get(row["label"], charts.QUIET)) for row in rows],
            x_label=axes[0],
            y_label=axes[1],
            diagonal=area == "roc_auc",
        ),
        caption=caption,
        keys=keys,
        summary=f"{title}. {'; '.join(said)}.",
    )
