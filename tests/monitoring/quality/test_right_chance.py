"""How likely each answer is right, where pictures are damaged too."""

import numpy as np
import pytest
from numpy.typing import NDArray

from scones.monitoring.quality.right_chance import RightChance

PICTURES = 400


def world(
    n: int, damage: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Answers of a model that is 90 % sure of all: damage makes it guess, and moves embeddings along an axis."""
    embeddings = rng.normal(size=(n, 20)).astype(np.float32)
    embeddings[:, 0] += 5 * damage
    confidence = rng.uniform(0.85, 0.95, n).astype(np.float32)
    correct = rng.random(n) < np.where(damage > 0.5, 0.5, confidence)
    return np.stack([confidence, 1 - confidence], axis=1), embeddings, correct


def fitted(rng: np.random.Generator) -> RightChance:
    parts = [world(PICTURES, damage, rng) for damage in (0, 1)]
    answers, embeddings, correct = (np.concatenate(part) for part in zip(*parts, strict=True))
    return RightChance.fit(answers, embeddings, correct, PICTURES)


def test_damaged_pictures_are_believed_less_although_the_model_is_as_sure_of_them() -> None:
    rng = np.random.default_rng(0)
    chance = fitted(rng)
    for damage, accuracy in ((0, 0.9), (1, 0.5)):
        answers, embeddings, _ = world(2000, damage, rng)
        assert chance.of(answers, embeddings).mean() == pytest.approx(accuracy, abs=0.05)


def test_where_the_picture_was_not_captured_the_confidence_has_to_do() -> None:
    rng = np.random.default_rng(1)
    answers, embeddings, _ = world(10, 1, rng)
    embeddings[3:] = np.nan
    found = fitted(rng).of(answers, embeddings)
    assert found[3:] == pytest.approx(answers[3:, 0])
    assert (found[:3] < 0.8).all()
    assert fitted(rng).of(answers[:0], embeddings[:0]).shape == (0,)


@pytest.mark.parametrize("right", [0, 1])
def test_answers_that_are_all_right_or_all_wrong_can_be_learned_from(right: int) -> None:
    rng = np.random.default_rng(2)
    answers, embeddings, _ = world(30, 0, rng)
    chance = RightChance.fit(answers, embeddings, np.full(30, bool(right)), 30)
    assert np.abs(chance.of(answers, embeddings) - right).max() < 0.2


def test_few_pictures_and_answers_that_are_quite_certain_do_no_harm() -> None:
    rng = np.random.default_rng(3)
    answers, embeddings, correct = world(5, 0, rng)
    answers[:] = [1, 0]
    found = RightChance.fit(answers, np.zeros_like(embeddings), correct, 5).of(answers, embeddings)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()
