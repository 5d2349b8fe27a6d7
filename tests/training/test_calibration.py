"""How sure, and sure enough: the promises of calibration and threshold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.task import DecisionPolicy
from scones.training.calibration import (
    calibration_error,
    fit_temperature,
    fit_threshold,
    null_calibration_error,
    pictures_needed,
    reliability,
    risk_bounds,
    risk_coverage,
)

POLICY = DecisionPolicy(target_risk=0.05, confidence=0.95, default_threshold=0.9)


def calibrated(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Confidences and answers of a perfectly calibrated two-class model, right in about 93 of 100."""
    confidence = 0.5 + 0.5 * rng.beta(3, 0.5, n)
    return confidence, rng.random(n) < confidence


POPULATION, _ = calibrated(100_000, np.random.default_rng(99))


def true_risk(threshold: float) -> float:
    return float((1 - POPULATION[threshold <= POPULATION]).mean())


def test_the_temperature_that_logits_were_scaled_with_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (4000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = np.array([rng.choice(3, p=row) for row in shares])
    assert fit_temperature(logits * 2.5, labels) == pytest.approx(2.5, rel=0.1)


def test_no_mistake_among_the_calibration_pictures_is_no_reason_for_certainty() -> None:
    rng = np.random.default_rng(1)
    margin = rng.uniform(3, 8, 150)
    logits = np.stack([margin / 2, -margin / 2], axis=1)
    assert fit_temperature(logits, np.zeros(150, np.int64)) > 0.5


def test_a_calibrated_model_shows_the_error_of_its_null_and_an_overconfident_one_more() -> None:
    confidence, correct = calibrated(1000, np.random.default_rng(1))
    null = null_calibration_error(confidence)
    assert calibration_error(confidence, correct) == pytest.approx(null, abs=0.015)
    assert calibration_error(np.full(1000, 0.99), np.arange(1000) % 2 == 0) > 0.4


def test_reliability_counts_every_picture_once() -> None:
    confidence = np.array([0.0, 0.5, 0.97, 1.0])
    rows = reliability(confidence, np.array([False, True, True, True]))
    assert sum(row["n"] for row in rows) == 4
    assert rows[-1]["accuracy"] == 1.0


def test_the_bound_is_clopper_and_pearsons() -> None:
    bounds = risk_bounds(np.array([0, 0, 3]), np.array([59, 58, 3]), 0.95)
    assert bounds[0] <= 0.05 < bounds[1]
    assert bounds[2] == 1.0
    assert pictures_needed(POLICY) == 59


def test_the_promise_is_broken_in_at_most_five_percent_of_resamples() -> None:
    rng = np.random.default_rng(2)
    broken, coverage = 0, []
    for _ in range(200):
        fit = fit_threshold(*calibrated(1000, rng), POLICY)
        assert fit.origin == "fitted"
        broken += true_risk(fit.value) > POLICY.target_risk
        coverage.append((fit.value <= POPULATION).mean())
    assert broken <= 17  # 5 % of 200, and what luck adds to it in 99 of 100 runs
    surest = np.sort(POPULATION)[::-1]
    oracle = (np.cumsum(1 - surest) / np.arange(1, len(surest) + 1) <= POLICY.target_risk).mean()
    assert np.mean(coverage) >= 0.85 * oracle


def test_a_model_that_is_sure_of_few_pictures_alone_decides_those() -> None:
    """The surest fifth is right, of the rest every other one."""
    n = 1000
    confidence = np.linspace(1, 0.5, n)
    fit = fit_threshold(confidence, (np.arange(n) < n // 5) | (np.arange(n) % 2 == 0), POLICY)
    assert fit.origin == "fitted"
    assert 0.15 < fit.coverage < 0.25


def test_pictures_of_the_same_confidence_are_one_point_of_the_curve() -> None:
    rows = risk_coverage(np.array([1.0, 1.0, 1.0, 0.6]), np.array([False, True, True, True]))
    assert [(row["threshold"], row["coverage"], row["risk"]) for row in rows] == [(1.0, 0.75, 1 / 3), (0.6, 1.0, 0.25)]


def test_too_few_pictures_fall_back_to_the_default_and_say_how_many_are_missing() -> None:
    fit = fit_threshold(np.full(20, 0.99), np.ones(20, bool), POLICY)
    assert (fit.origin, fit.value, fit.risk_bound) == ("default", 0.9, None)
    assert "39 more" in fit.note


def test_a_hopeless_model_gets_the_default_without_a_promise() -> None:
    rng = np.random.default_rng(3)
    fit = fit_threshold(rng.random(500), rng.random(500) < 0.5, POLICY)
    assert fit.origin == "default"
    assert "does not hold" in fit.note


@given(st.integers(0, 10_000), st.integers(1, 300))
def test_what_the_fit_says_of_the_calibration_pictures_is_so(seed: int, n: int) -> None:
    confidence, correct = calibrated(n, np.random.default_rng(seed))
    confidence = np.round(confidence, 2)  # with ties
    fit = fit_threshold(confidence, correct, POLICY)
    accepted = confidence >= fit.value
    assert fit.coverage == pytest.approx(accepted.mean())
    if fit.origin == "fitted":
        bound = risk_bounds((~correct[accepted]).sum(keepdims=True), accepted.sum(keepdims=True), 0.95)
        assert bound[0] <= POLICY.target_risk


def test_risk_against_coverage_ends_at_the_whole() -> None:
    confidence, correct = calibrated(500, np.random.default_rng(4))
    rows = risk_coverage(confidence, correct)
    assert rows[-1]["coverage"] == 1.0
    assert rows[-1]["risk"] == pytest.approx((~correct).mean())
