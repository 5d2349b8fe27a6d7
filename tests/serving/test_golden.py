"""A model is tried before it answers anybody: its answers, and how many pictures at once are best."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.errors import BundleError
from scones.serving.golden import best_batch, golden_answers


@pytest.fixture
def classifier(tiny_bundle: Callable[..., bytes]) -> Classifier:
    return Classifier(*read_bundle(tiny_bundle()))


def test_golden_answers_are_always_the_same_and_tell_models_apart(tiny_bundle: Callable[..., bytes]) -> None:
    first, again, other = (
        golden_answers(Classifier(*read_bundle(tiny_bundle(strength=strength)))) for strength in (8.0, 8.0, 7.9)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


class _Odd(Classifier):
    """Spoils the answers of the real one."""

    spoil: Callable[[Any], Any]

    def predict(self, batch: Any) -> Any:
        probabilities, embedding = super().predict(batch)
        return self.spoil(probabilities), embedding


@pytest.mark.parametrize(
    "spoil",
    [lambda found: found * np.nan, lambda found: found[:, :1], lambda found: found * 2],
    ids=["nan", "few", "sum"],
)
def test_what_are_no_probabilities_is_refused(tiny_bundle: Callable[..., bytes], spoil: Callable[[Any], Any]) -> None:
    odd = _Odd(*read_bundle(tiny_bundle()))
    odd.spoil = spoil
    with pytest.raises(BundleError, match=r"model tiny-1 answers .* for its 2 labels: train it again"):
        golden_answers(odd)


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 1.0, 2: 1.9, 4: 3.7, 8: 7.4}, 4),  # 0.925 s a picture at 4 and at 8: the smaller of the two
        ({1: 1.0, 2: 1.6, 4: 2.8, 8: 5.0}, 8),
        ({1: 1.0, 2: 2.2, 4: 4.4, 8: 8.8}, 1),
    ],
)
def test_the_best_batch_is_the_smallest_of_the_quickest(
    classifier: Classifier, seconds: dict[int, float], best: int
) -> None:
    """The clock is asked before and after each run of 1, 2, 4 and 8 pictures; in one round of five all take longer."""
    spans = [factor * took for factor in (3.0, 1.0, 1.0, 1.0, 1.0) for took in seconds.values()]
    ticks = itertools.chain.from_iterable((0.0, span) for span in spans)
    assert best_batch(classifier, lambda: next(ticks)) == best


def test_a_model_that_answers_several_pictures_otherwise_than_each_is_given_one_at_a_time(
    tiny_bundle: Callable[..., bytes],
) -> None:
    odd = _Odd(*read_bundle(tiny_bundle()))
    odd.spoil = lambda found: np.nextafter(found, np.float32(1)) if len(found) > 1 else found
    assert best_batch(odd) == 1
