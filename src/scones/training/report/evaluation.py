"""The evaluation report: how good a model is, how sure it is of itself, and what it gets wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scones.intervals import share_interval
from scones.page import Column, Gallery, Picture, Section, Table, Tile, render_page
from scones.page.numbers import NONE, count, interval, percent, plural
from scones.page.parts import Tone
from scones.training.report.answers import answers_section
from scones.training.report.confidence import confidence_section
from scones.training.report.robustness import robustness_section

__all__ = ["evaluation_page"]


def evaluation_page(
    evaluation: Mapping[str, Any], pictures: Sequence[bytes | None], examples: Sequence[bytes | None]
) -> str:
    """Draw an evaluation as one self-contained HTML page.

    Args:
        evaluation: as :func:`scones.training.evaluation.evaluate` returns it and ``evaluation.json`` holds it.
        pictures: the picture files of ``evaluation["mistakes"]``, in their order; None where there is none.
        examples: a picture file for each of ``evaluation["robustness"]["conditions"]``, as
            :func:`scones.training.robustness.distorted` makes them; None where there is none.

    Returns:
        The HTML text, which opens offline.

    Raises:
        ValueError: there are not as many pictures as mistakes, or examples as conditions.
        KeyError: the evaluation lacks a figure.
    """
    sections = [
        confidence_section(evaluation),
        answers_section(evaluation),
        _mistakes(evaluation, pictures),
        robustness_section(evaluation, examples),
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
        verdict, tone = _verdict(held["wrong"], held["accepted"], fit["target_risk"])
        tiles.append(
            Tile(
                "Wrong among those",
                percent(held["risk"]),
                f"95 % interval {_exact(held['wrong'], held['accepted'])}; target at most "
                f"{percent(fit['target_risk'], None)}: {verdict}",
                tone,
            )
        )
    else:
        tiles.append(Tile("Wrong among those", NONE, "nothing is decided alone"))
    tiles.append(
        Tile(
            "Calibration error",
            f"{evaluation['ece']:.3f}",
            f"a perfectly calibrated model shows {evaluation['ece_null']:.3f} here by luck alone: "
            f"{evaluation['ece_excess']:+.3f}",
        )
    )
    return tiles


def _verdict(wrong: int, accepted: int, target: float) -> tuple[str, Tone]:
    """Whether a target is met, as far as so many pictures can tell."""
    low, high = share_interval(wrong, accepted)
    if low > target:
        return "missed", "warn"
    return ("met", "good") if high <= target else ("neither shown nor contradicted by so few", "plain")


def _exact(part: int, whole: int) -> str:
    return interval(*share_interval(part, whole))


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
