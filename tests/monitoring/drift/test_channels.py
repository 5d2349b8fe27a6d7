import io
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PIL import ImageFilter

from scones.monitoring.drift.blocks import block_scores, first_of_each
from scones.monitoring.drift.channels import PIXEL_CHANNELS, answer_scores, fine_features, pixel_scores
from scones.monitoring.drift.learned import Damage, Surroundings
from scones.monitoring.drift.reference import fit_reference
from scones.monitoring.drift.sequential import Detector

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


def test_embeddings_of_a_new_thing_lie_far_from_all_clusters_and_a_cluster_is_known_again() -> None:
    rng = np.random.default_rng(4)
    centres = np.eye(8)[:4] * 10
    embeddings = centres[rng.integers(4, size=400)] + rng.normal(size=(400, 8))
    around = Surroundings.fit(embeddings[:200], (2, 8), seed=0)
    usual = around.scores(embeddings[200:])
    new = around.scores(np.eye(8)[[6]] * 10 + rng.normal(size=(50, 8)))
    assert usual["cluster of 2"].max() == 1
    assert 3 <= len(np.unique(usual["cluster of 8"])) <= 8
    assert np.median(new["distance"]) > np.quantile(usual["distance"], 0.95)
    assert set(new["cluster of 8"]) <= set(range(8))


def test_bursts_of_one_picture_fool_a_detector_that_takes_them_for_many_but_not_one_that_watches_blocks() -> None:
    rng = np.random.default_rng(5)
    burst = 20
    scenes_seen, again = rng.normal(size=400), rng.normal(size=300).repeat(burst)
    plain = fit_reference({"score": scenes_seen})
    fooled = Detector(plain)
    assert fooled.add(plain.places({"score": again}))
    one = Detector(plain)
    assert not one.add(plain.places({"score": again[first_of_each(np.repeat(np.arange(300), burst).tolist())]}))
    history = rng.normal(size=400).repeat(burst)
    blocks = fit_reference(block_scores({"score": history}, 2 * burst))
    watching = Detector(blocks)
    assert not watching.add(blocks.places(block_scores({"score": again}, 2 * burst)))


def test_day_and_night_look_like_drift_picture_by_picture_and_not_in_blocks_of_whole_days() -> None:
    rng = np.random.default_rng(6)
    day = 50

    def light(days: int) -> NDArray[np.float64]:
        return np.tile(np.repeat([2.0, -2.0], day // 2), days) + rng.normal(size=days * day)

    plain = fit_reference({"score": light(200)})
    fooled = Detector(plain)
    assert fooled.add(plain.places({"score": light(100)}))
    whole = fit_reference(block_scores({"score": light(200)}, day))
    watching = Detector(whole)
    assert not watching.add(whole.places(block_scores({"score": light(100)}, day)))
    assert watching.add(whole.places(block_scores({"score": light(30) - 1}, day), first=100))


def test_a_block_takes_the_mean_of_what_is_known_and_the_first_known_class() -> None:
    found = block_scores(
        {"score": np.array([np.nan, 4.0, np.nan, np.nan, 1.0]), "class": np.array([-1, 3, -1, -1, 2])}, 2
    )
    assert found["score"].tolist()[0] == 4
    assert np.isnan(found["score"][1])
    assert found["class"].tolist() == [3, -1]
