"""The class mix of a window: how near, how sure, and when not to be believed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import softmax

from scones.monitoring.quality.label_shift import AnswerCells, ClassMix, class_mix, fit_cells

Answers = tuple[NDArray[np.float64], NDArray[np.int64]]


def answers(mix: list[float], n: int, rng: np.random.Generator, *, apart: float = 2.2, unsure: float = 0.0) -> Answers:
    """Answers and true classes of a model that knows classes apart, as of so many pictures of a mix."""
    labels = rng.choice(len(mix), n, p=mix)
    logits = rng.normal(size=(n, len(mix)))
    logits[np.arange(n), labels] += apart * (1 - unsure)
    return softmax(logits * apart, axis=1), labels


def even(classes: int) -> list[float]:
    return [1 / classes] * classes


CELLS = fit_cells(*answers(even(3), 3000, np.random.default_rng(0)))


def estimates(mix: list[float], *, calibrated: int, seen: int, repeats: int) -> list[ClassMix]:
    rng = np.random.default_rng(1)
    return [
        class_mix(fit_cells(*answers(even(len(mix)), calibrated, rng)), answers(mix, seen, rng)[0])
        for _ in range(repeats)
    ]


@pytest.mark.parametrize("mix", [[0.7, 0.3], [0.97, 0.03], [0.5, 0.2, 0.2, 0.05, 0.05], [1.0, 0.0]])
def test_the_mix_of_1000_pictures_is_near_and_its_intervals_hold(mix: list[float]) -> None:
    found = estimates(mix, calibrated=2000, seen=1000, repeats=200)
    assert np.mean([np.abs(one.share - mix).mean() for one in found]) <= 0.02
    assert np.mean([(one.low <= mix) & (mix <= one.high) for one in found]) >= 0.93  # 0.95, and the luck of 200


def test_the_intervals_carry_the_luck_of_few_calibration_pictures() -> None:
    found = estimates([0.7, 0.3], calibrated=200, seen=20_000, repeats=200)
    assert np.mean([one.low[0] <= 0.7 <= one.high[0] for one in found]) >= 0.92
    many = estimates([0.7, 0.3], calibrated=20_000, seen=20_000, repeats=1)[0]
    assert found[0].high[0] - found[0].low[0] > 3 * (many.high[0] - many.low[0])


def test_a_mix_is_found_that_counting_answers_would_miss() -> None:
    rng = np.random.default_rng(2)
    seen, _ = answers([0.9, 0.1], 5000, rng, apart=1.2)
    cells = fit_cells(*answers(even(2), 5000, rng, apart=1.2))
    assert (seen.argmax(1) == 0).mean() < 0.8
    assert class_mix(cells, seen).share[0] == pytest.approx(0.9, abs=0.03)


def test_it_is_said_so_when_no_class_mix_explains_the_answers_and_seldom_otherwise() -> None:
    rng = np.random.default_rng(3)
    healthy = [class_mix(CELLS, answers([0.6, 0.3, 0.1], 1000, rng)[0]) for _ in range(200)]
    damaged = [class_mix(CELLS, answers([0.6, 0.3, 0.1], 1000, rng, unsure=0.5)[0]) for _ in range(20)]
    assert np.mean([bool(one.warning) for one in healthy]) <= 0.03
    assert all("something else than the class mix has changed" in one.warning for one in damaged)


def test_classes_that_the_model_answers_alike_get_no_shares() -> None:
    rng = np.random.default_rng(4)
    seen, labels = answers(even(3), 3000, rng)
    muddled = np.where(labels == 2, 1, labels)
    logits = rng.normal(size=(3000, 3))
    logits[np.arange(3000), muddled] += 3
    found = class_mix(fit_cells(softmax(logits, axis=1), labels), seen)
    assert "classes 1 and 2 alike" in found.warning
    assert found.low.tolist() == [0, 0, 0]
    assert found.high.tolist() == [1, 1, 1]


def test_a_class_that_is_never_predicted_is_found_by_how_sure_the_others_are() -> None:
    rng = np.random.default_rng(5)

    def seen(labels: NDArray[np.int64]) -> NDArray[np.float64]:
        first = np.where(labels == 0, 0.9, np.where(labels == 1, 0.1, 0.6)) + rng.normal(0, 0.03, len(labels))
        return np.stack([first, 0.999 - first, np.full(len(labels), 0.001)], axis=1)

    labels = rng.integers(0, 3, 3000)
    found = class_mix(fit_cells(seen(labels), labels), seen(rng.choice(3, 1000, p=[0.2, 0.2, 0.6])))
    assert found.warning == ""
    assert found.share == pytest.approx([0.2, 0.2, 0.6], abs=0.05)


def test_no_pictures_tell_nothing() -> None:
    found = class_mix(CELLS, np.zeros((0, 3)))
    assert (found.pictures, found.fit_p) == (0, None)
    assert found.low.tolist() == [0, 0, 0]
    assert found.high.tolist() == [1, 1, 1]
    assert found.warning.startswith("no pictures")


def test_a_handful_of_pictures_gives_a_wide_interval_and_no_error() -> None:
    found = class_mix(CELLS, answers(even(3), 2, np.random.default_rng(6))[0])
    assert (found.high - found.low).max() > 0.5
    assert "hardly known from 2 pictures" in found.warning


def test_a_class_without_calibration_pictures_is_refused() -> None:
    seen, labels = answers([0.5, 0.5, 0.0], 100, np.random.default_rng(7))
    with pytest.raises(ValueError, match="no calibration picture of class 2"):
        fit_cells(seen, labels)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.permutations(range(3)), st.integers(20, 400))
def test_the_order_of_classes_and_of_pictures_makes_no_difference(seed: int, order: list[int], n: int) -> None:
    rng = np.random.default_rng(seed)
    calibrated, labels = answers(even(3), 600, rng)
    seen, _ = answers(rng.dirichlet(np.ones(3)).tolist(), n, rng)
    plain = class_mix(fit_cells(calibrated, labels), seen)
    turned = class_mix(fit_cells(calibrated[:, order], np.argsort(order)[labels]), rng.permutation(seen)[:, order])
    assert turned.share == pytest.approx(plain.share[order], abs=1e-4)
    assert turned.low == pytest.approx(plain.low[order], abs=1e-3)
    assert turned.fit_p == pytest.approx(plain.fit_p, abs=1e-3)
    assert plain.share.sum() == pytest.approx(1)
    assert ((plain.low <= plain.share) & (plain.share <= plain.high)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_every_answer_has_a_cell_of_its_predicted_class(seed: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    calibrated, labels = answers(even(classes), 300 * classes, rng)
    cells: AnswerCells = fit_cells(calibrated, labels)
    seen = rng.dirichlet(np.ones(classes), 100)
    steps = cells.counts.shape[1] // classes
    assert (cells.place(seen) // steps).tolist() == seen.argmax(1).tolist()
    assert cells.counts.sum() == 300 * classes
