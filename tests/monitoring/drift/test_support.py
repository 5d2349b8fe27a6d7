import numpy as np
import pytest
from numpy.typing import NDArray

from scones.monitoring.drift.support import Support

CHANNELS = ("brightness", "contrast", "colour", "darkest", "sharpness", "noise")
Seen = tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]


def healthy(rng: np.random.Generator, n: int) -> Seen:
    """Embeddings that spread more in some directions than in others, and channels that depend on each other."""
    embeddings = rng.standard_t(8, (n, 12)) * np.linspace(0.1, 3, 12) + 5
    mood = rng.normal(size=n)
    return embeddings, {name: mood + rng.gamma(2, size=n) for name in CHANNELS}


@pytest.mark.parametrize(("reference", "most"), [(100, 0.005), (400, 0.005), (2000, 0.005)])
def test_few_healthy_pictures_are_outside(reference: int, most: float) -> None:
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        support = Support.fit(healthy(rng, 300), healthy(rng, reference))
        found.append(support.outside(*healthy(rng, 2000)).mean())
    assert np.mean(found) <= most


def test_a_picture_is_outside_by_an_embedding_that_is_long_in_a_direction_in_which_others_hardly_differ() -> None:
    rng = np.random.default_rng(0)
    support = Support.fit(healthy(rng, 300), healthy(rng, 400))
    embeddings, scores = healthy(rng, 2)
    embeddings[:] = 5
    embeddings[0, 0] += 8
    embeddings[1, -1] += 8
    assert support.outside(embeddings, scores).tolist() == [True, False]


def test_a_picture_is_outside_by_one_channel_alone_in_either_direction() -> None:
    rng = np.random.default_rng(1)
    support = Support.fit(healthy(rng, 300), healthy(rng, 400))
    embeddings, scores = healthy(rng, 3)
    scores["darkest"][0] += 30
    scores["sharpness"][1] -= 30
    assert support.outside(embeddings, scores).tolist() == [True, True, False]


def test_embeddings_that_never_change_are_no_obstacle() -> None:
    rng = np.random.default_rng(2)
    (_, train), (_, reference) = healthy(rng, 50), healthy(rng, 100)
    support = Support.fit((np.ones((50, 3)), train), (np.ones((100, 3)), reference))
    assert not support.outside(np.ones((2, 3)), {name: np.median(train[name]).repeat(2) for name in CHANNELS}).any()
