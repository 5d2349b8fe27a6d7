"""Which pictures a person is asked about."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scones.monitoring.quality.review_queue import choose_for_review


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 300), st.integers(0, 80), st.booleans())
def test_as_many_as_asked_for_are_chosen_once_and_every_picture_has_a_chance(
    seed: int, total: int, count: int, odd: bool
) -> None:
    rng = np.random.default_rng(seed)
    drift = rng.random(total) if odd else None
    choice = choose_for_review(rng.random(total) ** 0.2, count, rng, drift=drift)
    assert len(set(choice.indices.tolist())) == len(choice.indices) == min(count, total)
    assert choice.stratum.shape == (total,)
    assert ((choice.inclusion > 0) & (choice.inclusion <= 1)).all()
    if count:
        assert set(choice.stratum[choice.indices]) == set(choice.stratum)
        # weighted with the inverse of their chances, the chosen stand for all
        assert (1 / choice.inclusion).sum() == pytest.approx(total)


def test_the_stated_chances_are_those_of_the_draw() -> None:
    confidence = np.linspace(0.5, 1, 60)
    hits, stated = np.zeros(60), np.zeros(60)
    for seed in range(2000):
        choice = choose_for_review(confidence, 12, np.random.default_rng(seed))
        hits[choice.indices] += 1
        stated[choice.indices] = choice.inclusion
    assert hits / 2000 == pytest.approx(stated, abs=0.05)


def test_doubtful_pictures_are_asked_about_more_often_and_sure_ones_still_are() -> None:
    confidence = np.r_[np.full(250, 0.55), np.full(250, 0.999)]
    choice = choose_for_review(confidence, 50, np.random.default_rng(0))
    doubtful = int((choice.indices < 250).sum())
    assert 30 <= doubtful <= 42


def test_pictures_that_look_odd_are_asked_about_more_often_though_the_model_is_sure() -> None:
    drift = np.r_[np.zeros(250), np.ones(250)]
    choice = choose_for_review(np.full(500, 0.999), 50, np.random.default_rng(0), drift=drift)
    assert (choice.indices >= 250).sum() >= 30


def test_a_negative_number_of_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="ask for 0 or more"):
        choose_for_review(np.ones(3), -1, np.random.default_rng(0))
