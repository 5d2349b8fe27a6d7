"""What a new camera does to light is told from pictures of other things, and old pictures are made as it would."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from scones.retraining.camera import Camera


def scenes(seed: int, count: int = 80) -> NDArray[np.uint8]:
    """Pictures with the spectrum of natural ones: the finer a detail, the fainter."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(32)[:, None], np.fft.fftfreq(32))[..., None]
    white = np.fft.fft2(rng.normal(size=(count, 32, 32, 3)), axes=(1, 2))
    values = np.fft.ifft2(white / np.maximum(frequency, 1 / 32) ** 1.2, axes=(1, 2)).real
    values = 128 + 45 * values / values.std() + rng.normal(0, 15, (count, 1, 1, 3))
    found: NDArray[np.uint8] = values.round().clip(0, 255).astype(np.uint8)
    return found


@pytest.mark.parametrize(
    "camera",
    [
        Camera((0.3, 0.3, 0.3), (30, 30, 30), 0, (8, 8, 8)),
        Camera((0.6, 0.6, 0.6), (92, 92, 92), 0, (1, 1, 1)),
        Camera((1, 1, 1), (0, 0, 0), 0.9, (3, 3, 3)),
        Camera((0.9, 0.6, 0.4), (0, 10, 20), 0, (2, 4, 6)),
    ],
    ids=["dark and noisy", "fog", "out of focus", "another tint"],
)
def test_a_camera_is_told_from_pictures_of_other_things(camera: Camera) -> None:
    new = camera.take(scenes(1), np.random.default_rng(0))
    found = Camera.between(scenes(2), new)
    assert found.is_new
    assert found.gain == pytest.approx(camera.gain, rel=0.12)
    assert found.offset == pytest.approx(camera.offset, abs=8)
    assert found.blur == pytest.approx(camera.blur, abs=0.25)
    assert found.noise == pytest.approx(camera.noise, abs=1.5)


def test_pictures_that_are_made_look_as_the_cameras_own_do() -> None:
    new = gaussian_filter(scenes(1) * 0.5 + 60.0, (0, 0.7, 0.7, 0)).round().astype(np.uint8)
    made = Camera.between(scenes(2), new).take(scenes(3), np.random.default_rng(0))
    assert made.dtype == np.uint8
    again = Camera.between(new, made)
    assert not again.is_new


def test_the_same_camera_is_not_new_and_one_that_shows_nothing_teaches_nothing() -> None:
    assert not Camera.between(scenes(2), scenes(1)).is_new
    assert not Camera.between(scenes(2), np.zeros_like(scenes(1))).is_new


def test_a_camera_is_told_in_the_record_as_plain_numbers() -> None:
    camera = Camera((0.25, 0.5, 1 / 3), (1, 2, 3), 0.5, (0, 0, 0))
    assert camera.to_json() == {
        "gain": [0.25, 0.5, 0.333], "offset": [1, 2, 3], "blur": 0.5, "noise": [0, 0, 0],
    }  # fmt: skip
