"""How often the model is right, without labels and with a few answers."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from scones.monitoring.quality.accuracy import (
    CANNOT_SEE,
    Accuracy,
    accuracy_from_confidence,
    accuracy_from_reviews,
    accuracy_from_threshold,
)
from scones.monitoring.quality.review_queue import choose_for_review

WINDOW = 500
Estimate = Callable[[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]], Accuracy]


def confidences(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Of a model that is right in about 93 of 100."""
    return 0.5 + 0.5 * rng.beta(3, 0.5, n)


def reviewed(confidence: NDArray[np.float64], correct: NDArray[np.bool_], rng: np.random.Generator) -> Accuracy:
    choice = choose_for_review(confidence, 50, rng)
    return accuracy_from_reviews(confidence, choice, {int(k): bool(correct[k]) for k in choice.indices})


def chances(world: str, confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """How likely each answer truly is right."""
    return {
        "as stated": confidence,
        "never wrong": np.ones(WINDOW),
        "seldom wrong": np.full(WINDOW, 0.98),
        "seldom right": np.full(WINDOW, 0.05),
        "overconfident": confidence - 0.3,
        "a tenth of them of a class it never saw": np.where(np.arange(WINDOW) % 10 == 0, 0.0, confidence),
        "as good as a coin": np.full(WINDOW, 0.5),
    }[world]


@pytest.mark.parametrize(
    ("world", "error", "bias"),
    [
        ("as stated", 0.02, 0.01),
        ("never wrong", 0.01, 0.01),
        ("seldom wrong", 0.02, 0.01),
        ("seldom right", 0.03, 0.01),
        ("overconfident", 0.065, 0.015),
        ("a tenth of them of a class it never saw", 0.05, 0.045),  # where leaning to the model costs most
        ("as good as a coin", 0.06, 0.01),
    ],
)
def test_with_50_answers_the_interval_holds_whatever_has_changed(world: str, error: float, bias: float) -> None:
    rng = np.random.default_rng(1)
    off, covered = [], []
    for _ in range(400):
        confidence = confidences(WINDOW, rng)
        correct = rng.random(WINDOW) < chances(world, confidence)
        found = reviewed(confidence, correct, rng)
        off.append(found.estimate - correct.mean())
        covered.append(found.low <= correct.mean() <= found.high)
    assert np.mean(covered) >= 0.95
    assert np.abs(off).mean() <= error
    assert abs(np.mean(off)) <= bias


def test_answers_are_spent_better_than_on_a_simple_sample() -> None:
    rng = np.random.default_rng(2)
    ours, simple = [], []
    for _ in range(400):
        confidence = confidences(WINDOW, rng)
        correct = rng.random(WINDOW) < confidence
        ours.append(reviewed(confidence, correct, rng).estimate - correct.mean())
        simple.append(correct[rng.choice(WINDOW, 50, replace=False)].mean() - correct.mean())
    assert np.mean(np.square(ours)) < 0.4 * np.mean(np.square(simple))


def test_all_right_is_no_proof_of_never_wrong() -> None:
    found = reviewed(np.full(WINDOW, 0.9), np.ones(WINDOW, bool), np.random.default_rng(0))
    assert found.high == 1
    assert 0.95 < found.estimate <= 1
    assert 0.92 < found.low < 0.95  # 50 right answers exclude 7 in 100 wrong
    none = reviewed(np.full(WINDOW, 0.9), np.zeros(WINDOW, bool), np.random.default_rng(0))
    assert (none.low, none.answers) == (0, 50)
    assert none.high < 0.09


def test_when_all_are_answered_the_accuracy_is_known() -> None:
    rng = np.random.default_rng(3)
    confidence, correct = confidences(40, rng), rng.random(40) < 0.7
    found = reviewed(confidence, correct, rng)
    assert found.low == pytest.approx(correct.mean())
    assert found.high == pytest.approx(correct.mean())


def test_with_no_answers_nothing_is_certain() -> None:
    confidence = np.full(20, 0.8)
    found = accuracy_from_reviews(confidence, choose_for_review(confidence, 0, np.random.default_rng(0)), {})
    assert (found.low, found.high, found.answers) == (0, 1, 0)
    assert found.estimate == pytest.approx(0.8)
    assert found.warning == CANNOT_SEE
    empty = np.zeros(0)
    assert accuracy_from_reviews(empty, choose_for_review(empty, 5, np.random.default_rng(0)), {}).high == 1


def test_an_answer_to_a_picture_that_was_not_chosen_is_refused() -> None:
    confidence = np.full(20, 0.8)
    choice = choose_for_review(confidence, 5, np.random.default_rng(0))
    strange = next(k for k in range(20) if k not in choice.indices)
    with pytest.raises(ValueError, match=f"picture {strange} was answered, but not chosen"):
        accuracy_from_reviews(confidence, choice, {strange: True})


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120), st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
def test_the_interval_holds_the_estimate_and_what_was_seen_whoever_answered(
    seed: int, n: int, count: int, share: float, answered: float
) -> None:
    rng = np.random.default_rng(seed)
    confidence, correct = rng.random(n), rng.random(n) < share
    choice = choose_for_review(confidence, count, rng)
    given_answers = {int(k): bool(correct[k]) for k in choice.indices if rng.random() <= answered}
    found = accuracy_from_reviews(confidence, choice, given_answers)
    assert 0 <= found.low <= found.estimate <= found.high <= 1
    assert found.low >= sum(given_answers.values()) / n - 1e-9 or not given_answers
    order = rng.permutation(n)
    turned = type(choice)(np.sort(np.argsort(order)[choice.indices]), choice.inclusion, choice.stratum[order])
    moved = {int(np.argsort(order)[k]): right for k, right in given_answers.items()}
    again = accuracy_from_reviews(confidence[order], turned, moved)
    assert again.estimate == pytest.approx(found.estimate)
    assert (again.low, again.high) == pytest.approx((found.low, found.high))


@pytest.mark.parametrize("estimate", [accuracy_from_confidence, accuracy_from_threshold])
def test_without_labels_the_interval_holds_while_confidence_means_the_same(estimate: Estimate) -> None:
    rng = np.random.default_rng(4)
    covered, off = [], []
    for _ in range(400):
        old, new = confidences(800, rng) - 0.05, confidences(WINDOW, rng) - 0.05  # not quite calibrated
        right, correct = rng.random(800) < old + 0.05, rng.random(WINDOW) < new + 0.05
        found = estimate(new, old, right)
        covered.append(found.low <= correct.mean() <= found.high)
        off.append(abs(found.estimate - correct.mean()))
    assert np.mean(covered) >= 0.93  # 0.95, and the luck of 400
    assert np.mean(off) <= 0.02
    assert found.warning == CANNOT_SEE


@pytest.mark.parametrize("estimate", [accuracy_from_confidence, accuracy_from_threshold])
def test_without_labels_less_sure_answers_are_taken_for_less_often_right(estimate: Estimate) -> None:
    rng = np.random.default_rng(5)
    old = confidences(2000, rng)
    right = rng.random(2000) < old
    unsure = old[old < np.quantile(old, 0.5)]
    assert estimate(unsure, old, right).high < right.mean()


@pytest.mark.parametrize("estimate", [accuracy_from_confidence, accuracy_from_threshold])
def test_without_pictures_or_calibration_nothing_is_known_and_all_right_is_no_proof(estimate: Estimate) -> None:
    some, none = np.full(10, 0.9), np.zeros(0)
    for found in (estimate(none, some, np.ones(10, bool)), estimate(some, none, np.zeros(0, bool))):
        assert (found.low, found.high) == (0, 1)
    sure = estimate(np.ones(10), np.ones(10), np.ones(10, bool))
    assert sure.low < 0.9
    assert estimate(some, some, np.zeros(10, bool)).low == 0
