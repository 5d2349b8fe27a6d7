"""Each gate: what it refuses, what it lets pass, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scones.bundle import BundleInfo, read_bundle
from scones.contracts import Policy
from scones.registry import gates
from scones.task import Gates, load_task

LIMITS = Gates()
POLICY = load_task("vehicles").policy


def comparison(accuracy: float, before: float, p: float, n: int = 200) -> dict[str, Any]:
    difference = accuracy - before
    return {
        "n": n,
        "first": {"accuracy": before},
        "second": {"accuracy": accuracy},
        "only_first_right": 12,
        "only_second_right": 2,
        "difference": difference,
        "difference_interval": [difference - 0.04, difference + 0.04],
        "p_value": p,
    }


def evaluation(*, ece: float = 0.03, n: int = 200, wrong: int = 1, accepted: int = 150) -> dict[str, Any]:
    held = {"wrong": wrong, "accepted": accepted}
    return {"n": n, "ece": ece, "ece_null": 0.02, "threshold": {"value": 0.9}, "at_threshold": held}


@pytest.fixture
def info(tiny_bundle: Callable[..., bytes]) -> BundleInfo:
    return read_bundle(tiny_bundle(version="new"))[0]


def fitted(info: BundleInfo, version: str) -> BundleInfo:
    fit = info.threshold.model_copy(update={"origin": "fitted", "note": "at most 3.8% are wrong"})
    return info.model_copy(update={"threshold": fit, "version": version})


@pytest.mark.parametrize(
    ("measured", "verdict", "said"),
    [
        (comparison(0.90, 0.95, p=0.013), "refused", "p = 0.013: worse"),
        (comparison(0.95, 0.90, p=0.013), "passed", "p = 0.013: better"),
        (comparison(0.95, 0.95, p=1.0), "passed", "no difference shown"),
        (comparison(0.94, 0.95, p=0.4), "warning", "no difference shown, but not shown to be as good either"),
        (comparison(0.94, 0.95, p=0.4, n=30), "warning", "too few pictures to see a difference, 100 would do"),
        (comparison(0.50, 0.95, p=0.0001, n=30), "refused", "worse"),
    ],
)
def test_a_model_that_is_significantly_worse_is_refused(measured: dict[str, Any], verdict: str, said: str) -> None:
    gate = gates.not_worse(measured, LIMITS)
    assert gate.verdict == verdict
    assert said in gate.says
    assert f"accuracy {measured['second']['accuracy']:.1%} against {measured['first']['accuracy']:.1%}" in gate.says
    assert gate.figures["p_value"] == measured["p_value"]


@pytest.mark.parametrize(("coverage", "verdict"), [(0.95, "passed"), (0.92, "passed"), (0.1, "warning")])
def test_a_model_that_leaves_people_much_more_to_decide_is_told(coverage: float, verdict: str) -> None:
    gate = gates.decides_alone({"first": {"coverage": 0.95}, "second": {"coverage": coverage}}, LIMITS)
    assert gate.verdict == verdict
    assert f"it decides {coverage:.1%} alone, and production 95.0%" in gate.says


@pytest.mark.parametrize(
    ("measured", "verdict", "said"),
    [
        (
            evaluation(ece=0.03),
            "passed",
            "calibration error 0.030 on 200 test pictures, where luck alone would show 0.020",
        ),
        (evaluation(ece=0.06), "refused", "0.040 more, 0.030 is allowed"),
        (evaluation(ece=0.06, n=40), "warning", "too few to be sure"),
    ],
)
def test_a_model_that_is_not_calibrated_is_refused(measured: dict[str, Any], verdict: str, said: str) -> None:
    gate = gates.calibrated(measured, LIMITS)
    assert (gate.verdict, said in gate.says) == (verdict, True)


@pytest.mark.parametrize(
    ("measured", "verdict", "said"),
    [
        (evaluation(wrong=1, accepted=150), "passed", "the risk is below 3.1% with 95% confidence"),
        (evaluation(wrong=6, accepted=150), "warning", "too few to show that it holds: below 7.7%"),
        (evaluation(wrong=15, accepted=150), "refused", "the target is 5.0%, and the risk is above 6.3%"),
        (evaluation(wrong=0, accepted=0), "warning", "decides none of the test pictures alone"),
    ],
)
def test_a_model_that_breaks_the_target_risk_is_refused(measured: dict[str, Any], verdict: str, said: str) -> None:
    gate = gates.risk_held(measured, POLICY)
    assert (gate.verdict, said in gate.says) == (verdict, True), gate.says


def test_a_threshold_without_a_promise_does_not_take_the_place_of_one_with_it(info: BundleInfo) -> None:
    assert gates.promise_kept(info, fitted(info, "old")).verdict == "refused"
    assert gates.promise_kept(info, info).verdict == "warning"
    assert gates.promise_kept(info, None).verdict == "warning"
    kept = gates.promise_kept(fitted(info, "new"), fitted(info, "old"))
    assert (kept.verdict, kept.says) == ("passed", "at most 3.8% are wrong")


def test_a_model_that_answers_another_question_is_refused(info: BundleInfo) -> None:
    task = load_task("vehicles")
    assert gates.same_question(task, info, info).verdict == "passed"
    assert gates.same_question(task, info, None).verdict == "passed"
    turned = info.model_copy(update={"labels": info.labels[::-1], "version": "old"})
    gate = gates.same_question(task, info, turned)
    assert gate.verdict == "refused"
    assert gate.says == ("it answers with bicycle, motorcycle, but model old in production has motorcycle, bicycle")
    both = gates.same_question(task, turned, info)
    assert "but task vehicles has bicycle, motorcycle and model new in production has" in both.says


@pytest.mark.parametrize(
    ("seen", "verdict", "said"),
    [
        (0, "passed", "neither model"),
        (7, "warning", "learned from 7 of the 200 test pictures, which flatters it"),
        (None, "warning", "is gone"),
    ],
)
def test_a_comparison_that_flatters_production_is_told(seen: int | None, verdict: str, said: str) -> None:
    gate = gates.fair_comparison(seen, 200, "old")
    assert (gate.verdict, said in gate.says) == (verdict, True)


def test_what_a_person_decided_before_is_told() -> None:
    policy = Policy(version="old", threshold=0.97, who="Ada", why="too many errors", at="2026-11-20")
    assert "the threshold 0.97 that Ada set for production (too many errors) ends" in gates.override_ends(policy).says
    assert "Ada went back from this very model to old on 2026-11-20" in gates.was_taken_back(policy).says


def test_the_limits_are_the_tasks() -> None:
    strict = Gates(ece_excess=0.005, worse_p=0.5, pictures=1000)
    assert gates.calibrated(evaluation(ece=0.03, n=2000), strict).verdict == "refused"
    assert gates.calibrated(evaluation(ece=0.03, n=200), strict).verdict == "warning"
    assert gates.not_worse(comparison(0.94, 0.95, p=0.4), strict).verdict == "refused"
