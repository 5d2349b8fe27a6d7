"""Distortions are what they say, the same each time, and measured through the path of real pictures."""

import io
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.picture import decode, encode_png
from scones.staging import Dataset
from scones.training.distortions import DISTORTIONS, Distortion
from scones.training.predictions import lines_to_test, predict_lines
from scones.training.robustness import distorted, robustness

HASH = "0123456789abcdef"
STEPS = [(distortion, step) for distortion in DISTORTIONS for step in distortion.steps]


def picture(width: int = 40, height: int = 32, seed: int = 0) -> PIL.Image.Image:
    rng = np.random.default_rng(seed)
    return PIL.Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def apply(distortion: Distortion, step: float, image: PIL.Image.Image, seed: int = 0) -> PIL.Image.Image:
    return decode(distortion.apply(image, step, np.random.default_rng(seed)))


@pytest.mark.parametrize(("distortion", "step"), STEPS, ids=lambda value: getattr(value, "name", f"{value}"))
@pytest.mark.parametrize("size", [(1, 1), (40, 32), (9, 200)])
def test_every_distortion_makes_a_picture_of_any_picture(
    distortion: Distortion, step: float, size: tuple[int, int]
) -> None:
    assert apply(distortion, step, picture(*size)).mode == "RGB"


@pytest.mark.parametrize(
    "distortion", [one for one in DISTORTIONS if one.group == "damage"], ids=lambda distortion: distortion.name
)
def test_a_stronger_step_changes_more(distortion: Distortion) -> None:
    image = picture(64, 64).resize((64, 64), box=(0, 0, 8, 8))  # smooth, as photographs are
    plain = np.asarray(image).astype(int)
    changes = [
        np.abs(np.asarray(apply(distortion, step, image).resize(image.size)).astype(int) - plain).mean()
        for step in (distortion.steps[0], distortion.steps[-1])
    ]
    assert changes[1] > changes[0] > 0


def test_a_photograph_of_the_picture_shows_the_same() -> None:
    image = picture(8, 8).resize((32, 32), PIL.Image.Resampling.BICUBIC)
    photograph = DISTORTIONS[0]
    for side in photograph.steps:
        found = apply(photograph, side, image)
        assert max(found.size) == side
        assert np.abs(np.asarray(found.resize((32, 32))).astype(int) - np.asarray(image)).mean() < 12


def test_the_same_picture_is_distorted_the_same_way_each_time() -> None:
    data = encode_png(picture())
    assert distorted(data, HASH, size=32) == distorted(data, HASH, size=32)
    assert distorted(data, HASH, size=32) != distorted(data, HASH, size=32, seed=1)


def test_a_large_photograph_is_made_smaller_but_not_below_what_the_model_sees() -> None:
    buffer = io.BytesIO()
    picture(1600, 1200).save(buffer, "JPEG")
    noise = [step for distortion, step in STEPS].index(0.05)
    for size, longest in ((32, 256), (224, 448)):
        assert max(decode(distorted(buffer.getvalue(), HASH, size=size)[noise]).size) == longest


def test_a_sample_is_measured_under_every_condition_and_the_same_each_time(
    tiny_bundle: Callable[..., bytes], coloured: Callable[..., Dataset]
) -> None:
    classifier, dataset = Classifier(*read_bundle(tiny_bundle(threshold=0.85))), coloured(40)
    lines = lines_to_test(classifier.info, dataset)
    probabilities = predict_lines(classifier, dataset, lines)
    said: list[tuple[int, int]] = []
    found = robustness(
        classifier, dataset, lines, probabilities, pictures=30, report=lambda _, done, total: said.append((done, total))
    )
    assert found["n"] == 30 < len(lines)
    assert said[-1] == (30 * len(STEPS), 30 * len(STEPS))
    assert [(row["name"], row["setting"]) for row in found["conditions"]] == [(d.name, d.told(s)) for d, s in STEPS]
    by_name = {row["name"]: row for row in found["conditions"]}
    assert found["plain"]["accuracy"] == 1.0
    assert by_name["photograph"]["accuracy"] > 0.95
    assert by_name["darker"]["coverage"] < found["plain"]["coverage"], "colours fade, and so does its confidence"
    for row in found["conditions"]:
        assert row["accuracy_interval"][0] <= row["accuracy"] <= row["accuracy_interval"][1]
        assert 0 <= row["wrong"] <= row["accepted"] <= found["n"]
    assert robustness(classifier, dataset, lines, probabilities, pictures=30) == found
