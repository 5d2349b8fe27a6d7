"""Where the model breaks: its figures on other photographs of the same things, and on damaged ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scones.intervals import share_interval
from scones.page import Block, Chart, Column, Gallery, Key, Note, Picture, Section, Table, charts
from scones.page.numbers import NONE, count, interval, percent, plural

__all__ = ["robustness_section"]


def robustness_section(evaluation: Mapping[str, Any], examples: Sequence[bytes | None]) -> Section:
    """The section of the distorted pictures.

    Args:
        evaluation: as :func:`scones.training.evaluation.evaluate` returns it.
        examples: a picture file for each condition; None where there is none.

    Raises:
        ValueError: there are not as many examples as conditions.
    """
    found, target = evaluation["robustness"], evaluation["threshold"]["target_risk"]
    plain, conditions = found["plain"], found["conditions"]
    rows = {row["name"]: [other for other in conditions if other["name"] == row["name"]] for row in conditions}
    weakest = min(conditions, key=lambda row: row["accuracy"])
    blocks: list[Block] = [
        Chart(
            "How much it still gets right",
            charts.dot_rows(
                {name: _dots(steps, "accuracy") for name, steps in rows.items()},
                x_label="accuracy",
                color=charts.BLUE,
                mark=plain["accuracy"],
                mark_color=charts.QUIET,
            ),
            caption="The fuller the dot, the stronger the distortion.",
            keys=[Key(f"the same pictures as they are, {percent(plain['accuracy'])}", "quiet", "dashes")],
            summary=f"Accuracy by distortion. Weakest: {_told(weakest)}, {percent(weakest['accuracy'])}.",
        ),
        Chart(
            "How much is wrong of what it decides alone",
            charts.dot_rows(
                {name: _dots(steps, "risk") for name, steps in rows.items()},
                x_label="wrong among those decided alone",
                color=charts.ORANGE,
                mark=target,
                mark_color=charts.ALERT,
            ),
            caption="A good model is less sure of what it sees badly, and hands more to a person.",
            keys=[Key(f"target: at most {percent(target, None)} wrong", "alert", "dashes")],
            summary=_verdict(conditions, target).text,
        ),
        _verdict(conditions, target),
        Gallery(
            "What the strongest of each looks like",
            [
                Picture(
                    data, row["name"], f"{row['setting']}: {percent(row['accuracy'], 0)} right", level=row["accuracy"]
                )
                for row, data in zip(conditions, examples, strict=True)
                if row is rows[row["name"]][-1]
            ],
            caption="One of the pictures. The bar is the accuracy on all of them.",
        ),
        _table(plain, conditions),
    ]
    return Section(
        "Where it breaks",
        blocks,
        f"{plural(found['n'], 'test picture')} again, as other photographs of them and damaged: what was shown on "
        "clean pictures need not hold on these.",
    )


def _told(row: Mapping[str, Any]) -> str:
    return f"{row['name']}, {row['setting']}"


def _dots(steps: Sequence[Mapping[str, Any]], figure: str) -> list[charts.Dot]:
    """A distortion's steps, weakest first; of what decides nothing alone there is no risk to draw."""
    dots = []
    for number, row in enumerate(steps, 1):
        whole = f"{count(row['wrong'])} of {count(row['accepted'])}" if figure == "risk" else ""
        tip = f"{percent(row[figure])} ({whole or interval(*row['accuracy_interval'])})"
        if figure != "risk" or row["accepted"]:
            dots.append(charts.Dot(row[figure], row["setting"], tip, number / len(steps)))
    return dots


def _verdict(conditions: Sequence[Mapping[str, Any]], target: float) -> Note:
    """Name the conditions in which the target is missed by more than chance explains."""
    broken = [row for row in conditions if share_interval(row["wrong"], row["accepted"])[0] > target]
    if not broken:
        return Note(
            f"The target of at most {percent(target, None)} wrong is not shown to be missed on any.", tone="good"
        )
    return Note(
        f"What it decides alone misses the target of at most {percent(target, None)} wrong, beyond chance, in "
        f"{len(broken)} of {len(conditions)} conditions:",
        [f"{_told(row)}: {percent(row['risk'])} of {count(row['accepted'])} decided alone" for row in broken],
        tone="warn",
    )


def _table(plain: Mapping[str, Any], conditions: Sequence[Mapping[str, Any]]) -> Table:
    rows = [["as they are", "", *_cells(plain)], *([row["name"], row["setting"], *_cells(row)] for row in conditions)]
    return Table(
        "All conditions",
        [
            Column("Pictures"),
            Column("How much"),
            *(
                Column(title, numeric=True)
                for title in ("Accuracy", "95 % interval", "Decided alone", "Wrong of these")
            ),
        ],
        rows,
        wide=True,
    )


def _cells(row: Mapping[str, Any]) -> list[str]:
    wrong = f"{percent(row['risk'])} ({count(row['wrong'])})" if row["accepted"] else NONE
    return [percent(row["accuracy"]), interval(*row["accuracy_interval"]), percent(row["coverage"]), wrong]
