import io
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PIL import ImageFilter

from scones.monitoring.drift.channels import PIXEL_CHANNELS, answer_scores, fine_features, pixel_scores
from scones.monitoring.drift.learned import Damage, Surroundings

Images = NDArray[np.uint8]


def scenes(rng: np.random.Generator, n: int, side: int = 32) -> Images:
    """A soft background, a hard-edged box and a little noise, all in colours of their own."""
    found = np.empty((n, side, side, 3), np.uint8)
    for image in found:
        rough = PIL.Image.fromarray(rng.integers(40, 200, (4, 4, 3), dtype=np.uint8))
        soft = np.asarray(rough.resize((side, side), PIL.Image.Resampling.BICUBIC), np.float64).copy()
        left, top = rng.integers(2, side // 2, 2)
        soft[top : top + side // 3, left : left + side // 3] = rng.integers(20, 230, 3)
        image[:] = np.clip(soft + rng.normal(0, 3, soft.shape), 0, 255)
    return found


def each(images: Images, change: Callable[[PIL.Image.Image], PIL.Image.Image]) -> Images:
    return np.stack([np.asarray(change(PIL.Image.fromarray(image))) for image in images])


def compressed(image: PIL.Image.Image) -> PIL.Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=20)
    return PIL.Image.open(buffer)


def blurred(image: PIL.Image.Image) -> PIL.Image.Image:
    return image.filter(ImageFilter.GaussianBlur(1))


DAMAGE: dict[str, tuple[Callable[[Images], Images], dict[str, int]]] = {
    "darkness": (lambda x: (x * 0.6).astype(np.uint8), {"brightness": -1, "contrast": -1}),
    "light": (lambda x: (x * 0.6 + 100).astype(np.uint8), {"brightness": 1, "darkest": 1, "contrast": -1}),
    "greyness": (lambda x: np.repeat(x.mean(3, keepdims=True), 3, axis=3).astype(np.uint8), {"colour": -1}),
    "blur": (lambda x: each(x, blurred), {"sharpness": -1, "noise": -1}),
    "noise": (
        lambda x: np.clip(x + np.random.default_rng(0).normal(0, 20, x.shape), 0, 255).astype(np.uint8),
        {"sharpness": 1, "noise": 1},
    ),
    "JPEG": (lambda x: each(x, compressed), {"blockiness": 1}),
    "enlargement": (lambda x: x.repeat(2, axis=1).repeat(2, axis=2), {"size": 1}),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_each_damage_moves_its_channels_the_way_it_should(kind: str) -> None:
    images = scenes(np.random.default_rng(1), 100)
    change, moves = DAMAGE[kind]
    before, after = pixel_scores(images), pixel_scores(change(images))
    for channel, way in moves.items():
        assert (way * (after[channel] - before[channel]) > 0).mean() >= 0.85, channel


def test_all_pixel_channels_and_features_are_numbers_even_of_black_pictures_and_large_ones() -> None:
    for images in (np.zeros((2, 32, 32, 3), np.uint8), scenes(np.random.default_rng(2), 2, 100)[:, :, :67]):
        scores = pixel_scores(images)
        assert tuple(scores) == PIXEL_CHANNELS
        assert all(np.isfinite(values).all() and values.shape == (2,) for values in scores.values())
        assert np.isfinite(fine_features(images)).all()


def test_an_answer_gives_its_class_and_the_odds_against_the_second() -> None:
    found = answer_scores(np.array([[0.8, 0.2], [0.1, 0.9]]))
    assert found["class"].tolist() == [0, 1]
    assert found["confidence"] == pytest.approx(np.log([4, 9]))
    assert found["log odds"] == pytest.approx(np.log([1 / 4, 9]))
    assert "log odds" not in answer_scores(np.array([[0.8, 0.1, 0.1]]))


def test_a_learned_channel_knows_its_damage_in_pictures_that_it_was_not_fitted_on() -> None:
    rng = np.random.default_rng(3)
    images = scenes(rng, 600)
    fitted, rest = images[:300], images[300:]
    damage = Damage.fit(fine_features(fitted), {"blur": fine_features(each(fitted, blurred))})
    clean, worse = (damage.scores(fine_features(x))["like blur"] for x in (rest, each(rest, blurred)))
    assert (worse > np.quantile(clean, 0.95)).mean() > 0.9


def test_embeddings_of_a_new_thing_lie_far_from_all_clusters() -> None:
    rng = np.random.default_rng(4)
    centres = np.eye(8)[:4] * 10
    embeddings = centres[rng.integers(4, size=400)] + rng.normal(size=(400, 8))
    around = Surroundings.fit(embeddings[:200], seed=0)
    assert around.centres.shape == (8, 8)
    usual = around.scores(embeddings[200:])
    new = around.scores(np.eye(8)[[6]] * 10 + rng.normal(size=(50, 8)))
    assert np.median(new["distance"]) > np.quantile(usual["distance"], 0.95)
