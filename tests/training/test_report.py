import re
from collections.abc import Callable
from typing import Any

import pytest

from scones.training.report import evaluation_page


def evaluation(**changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = {
        "task": "vehicles",
        "title": "Bicycle or motorcycle",
        "labels": ["bicycle", "motorcycle"],
        "model_version": "v1",
        "backbone": "nano",
        "dataset": {
            "version": "d41f",
            "source": {"kind": "cifar100", "classes": ["bicycle", "motorcycle"]},
            "counts": {"test": {"bicycle": 100, "motorcycle": 100}, "train": {"bicycle": 400, "motorcycle": 410}},
        },
        "n": 200,
        "accuracy": 0.99,
        "accuracy_interval": [0.964, 0.999],
        "confusion": [[99, 1], [1, 99]],
        "per_class": [label_figures("bicycle"), label_figures("motorcycle")],
        "ece": 0.021,
        "ece_null": 0.018,
        "ece_excess": 0.003,
        "reliability": [
            {"low": 0.6, "high": 0.7, "n": 8, "confidence": 0.66, "accuracy": 0.75, "by_chance": [0.25, 1.0]},
            {"low": 0.9, "high": 1.0, "n": 192, "confidence": 0.98, "accuracy": 1.0, "by_chance": [0.96, 0.99]},
        ],
        "risk_coverage": [
            {"threshold": 0.999, "coverage": 0.005, "risk": 0.0, "n": 1},
            {"threshold": 0.87, "coverage": 0.95, "risk": 1 / 190, "n": 190},
            {"threshold": 0.5, "coverage": 1.0, "risk": 0.01, "n": 200},
        ],
        "threshold": {
            "value": 0.87,
            "origin": "fitted",
            "target_risk": 0.05,
            "confidence": 0.95,
            "risk_bound": 0.044,
            "pictures": 180,
            "coverage": 0.94,
            "note": "fitted on 180 pictures",
        },
        "at_threshold": {"coverage": 0.95, "risk": 1 / 190, "accepted": 190, "wrong": 1},
        "mistakes": [
            {"key": "pictures/1.png", "truth": "bicycle", "predicted": "motorcycle", "confidence": 0.91},
            {"key": "pictures/2.png", "truth": "motorcycle", "predicted": "bicycle", "confidence": 0.61},
        ],
        "robustness": {
            "n": 150,
            "seed": 0,
            "example": "pictures/1.png",
            "plain": condition("as they are", ""),
            "conditions": [
                condition("noise", "deviation 5 %"),
                condition("noise", "deviation 15 %", accuracy=0.61, accepted=60, wrong=20, risk=1 / 3),
                condition("blur", "radius 6 %", accuracy=0.4, coverage=0.0, accepted=0, wrong=0, risk=0.0),
            ],
        },
    }
    return value | changes


def label_figures(label: str, **changes: Any) -> dict[str, Any]:
    value = {
        "label": label,
        "n": 100,
        "recall": 0.99,
        "recall_interval": [0.946, 0.9997],
        "answered": 100,
        "precision": 0.99,
        "precision_interval": [0.946, 0.9997],
        "roc_auc": 0.998,
        "average_precision": 0.997,
        "roc": [[0.0, 0.0], [0.0, 0.99], [1.0, 1.0]],
        "precision_recall": [[0.99, 0.99], [1.0, 0.5]],
    }
    return value | changes


def condition(name: str, setting: str, **changes: Any) -> dict[str, Any]:
    value = {
        "name": name,
        "group": "damage",
        "setting": setting,
        "accuracy": 0.95,
        "accuracy_interval": [0.9, 0.98],
        "coverage": 0.8,
        "accepted": 120,
        "wrong": 1,
        "risk": 1 / 120,
    }
    return value | changes


NONE = [None, None, None]


def words(page: str) -> str:
    """What a reader sees, without markup."""
    body = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)).replace("\u2060", "")


def test_the_page_says_the_figures_with_their_intervals(png_bytes: Callable[..., bytes]) -> None:
    page = evaluation_page(evaluation(), [png_bytes(), png_bytes()], NONE)
    text = words(page)
    assert "The model answers 198 of 200 test pictures correctly." in text
    assert "1 of the 190 it decides is wrong (the target is at most 5 %)" in text
    assert "95 % interval 96.4\N{EN DASH}99.9 %" in text
    assert "95 % interval 0.0\N{EN DASH}2.9 %; target at most 5 %: met" in text
    assert "a perfectly calibrated model shows 0.018 here by luck alone: +0.003" in text
    assert "ROC area" in text
    assert "bicycle, average precision 0.997" in text
    assert "is bicycle answered motorcycle, 91.0 % sure 1.png" in text
    assert text.index("train") < text.index("what this page measures")
    assert "bicycle, motorcycle" in text
    assert page.count('class="pixelated"') == 2
    assert len(page.encode()) < 1_600_000


def test_a_target_that_is_missed_is_marked_and_said(png_bytes: Callable[..., bytes]) -> None:
    held = {"coverage": 1.0, "risk": 0.1, "accepted": 200, "wrong": 20}
    page = evaluation_page(evaluation(at_threshold=held, mistakes=[]), [], NONE)
    assert 'class="tile warn"' in page
    assert "target at most 5 %: missed" in words(page)
    assert "decide alone on all of them; 20 of the 200 it decides are wrong" in words(page)


def test_a_target_that_so_few_pictures_cannot_judge_is_neither_met_nor_missed(png_bytes: Callable[..., bytes]) -> None:
    held = {"coverage": 1.0, "risk": 0.0, "accepted": 3, "wrong": 0}
    page = evaluation_page(evaluation(at_threshold=held, mistakes=[]), [], NONE)
    assert "target at most 5 %: neither shown nor contradicted by so few" in words(page)


def test_a_model_that_decides_nothing_alone_makes_a_page() -> None:
    held = {"coverage": 0.0, "risk": 0.0, "accepted": 0, "wrong": 0}
    text = words(evaluation_page(evaluation(at_threshold=held, mistakes=[]), [], NONE))
    assert "decide alone on none of them" in text
    assert "nothing is decided alone" in text


def test_a_perfect_model_has_no_mistakes_to_show() -> None:
    perfect = evaluation(accuracy=1.0, accuracy_interval=[0.98, 1.0], confusion=[[100, 0], [0, 100]], mistakes=[])
    assert "every test picture was answered correctly" in words(evaluation_page(perfect, [], NONE))


def test_a_picture_that_is_gone_or_broken_leaves_a_placeholder() -> None:
    page = evaluation_page(evaluation(), [None, b"broken"], [None, None, b"broken"])
    assert page.count('class="no-picture"') == 2 + 2  # two mistakes, and the strongest step of two distortions


@pytest.mark.parametrize(("mistakes", "examples"), [([None], NONE), ([None, None], [None])])
def test_as_many_pictures_as_mistakes_and_conditions_are_asked_for(mistakes: list[None], examples: list[None]) -> None:
    with pytest.raises(ValueError, match="shorter"):
        evaluation_page(evaluation(), mistakes, examples)


def test_hostile_labels_keys_and_sources_are_text() -> None:
    bad = "<script>alert(1)</script>"
    hostile = evaluation(
        labels=[bad, "b"],
        title=bad,
        model_version=bad,
        dataset={"version": bad, "source": {bad: bad}, "counts": {bad: {bad: 3}}},
        per_class=[label_figures(bad)],
        robustness={**evaluation()["robustness"], "conditions": [condition(bad, bad)] * 3},
        mistakes=[{"key": bad, "truth": bad, "predicted": bad, "confidence": 0.9}],
    )
    assert "<script>alert" not in evaluation_page(hostile, [None], NONE)


@pytest.mark.parametrize("size", [10, 100])
def test_many_labels_make_a_page_too(size: int) -> None:
    labels = [f"label {number}" for number in range(size)]
    many = evaluation(
        labels=labels,
        confusion=[[int(row == column) for column in range(size)] for row in range(size)],
        per_class=[label_figures(label, roc_auc=0.9 if label == "label 7" else 0.99) for label in labels],
        mistakes=[],
    )
    page = evaluation_page(many, [], NONE)
    assert len(page.encode()) < 2_500_000
    assert "label 7, area 0.900" in words(page), "the weakest label is named"
    assert f"the other {size - 3}: point at one" in words(page)


def test_the_page_says_under_which_distortions_deciding_alone_is_not_safe() -> None:
    text = words(evaluation_page(evaluation(), [None, None], NONE))
    assert "misses the target of at most 5 % wrong, beyond chance, in 1 of 3 conditions" in text
    assert "noise, deviation 15 %: 33.3 % of 60 decided alone" in text
    safe = {**evaluation()["robustness"], "conditions": [condition("noise", "5 %")]}
    assert "is not shown to be missed on any" in words(evaluation_page(evaluation(robustness=safe), [None] * 2, [None]))


def test_a_label_without_test_pictures_has_dashes_and_no_curve() -> None:
    absent: dict[str, Any] = {"roc_auc": None, "average_precision": None, "roc": [], "precision_recall": []}
    rows = [label_figures("bicycle", **absent), label_figures("motorcycle", n=0, answered=0, **absent)]
    text = words(evaluation_page(evaluation(per_class=rows), [None, None], NONE))
    assert "motorcycle 0 \N{EN DASH} \N{EN DASH} \N{EN DASH} \N{EN DASH} \N{EN DASH} \N{EN DASH}" in text
    assert "Precision and recall" not in text
