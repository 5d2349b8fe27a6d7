from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps
import pytest
from numpy.typing import NDArray

from scones.staging.duplicates import near_duplicates, thumbnail
from scones.staging.synthetic import synthetic_pictures

Image = PIL.Image.Image


@pytest.fixture(scope="module")
def originals() -> list[Image]:
    return [PIL.Image.open(io.BytesIO(one.data)) for one in synthetic_pictures(7, train=15, test=0)]


def as_jpeg(image: Image) -> Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return PIL.Image.open(buffer)


def stack(images: list[Image]) -> NDArray[np.uint8]:
    return np.stack([thumbnail(image.convert("RGB")) for image in images])


@pytest.mark.parametrize(
    ("change", "mirrored"),
    [
        (lambda image: image.resize((96, 96), PIL.Image.Resampling.BICUBIC), False),
        (lambda image: image.resize((200, 120), PIL.Image.Resampling.BICUBIC), False),
        (as_jpeg, False),
        (lambda image: PIL.ImageEnhance.Brightness(image).enhance(0.8), False),
        (lambda image: PIL.ImageEnhance.Contrast(image).enhance(0.7), False),
        (lambda image: image.convert("L"), False),
        (PIL.ImageOps.mirror, True),
    ],
    ids=["larger", "stretched", "jpeg", "darker", "paler", "grey", "mirrored"],
)
def test_changed_copies_are_found_and_nothing_else(
    originals: list[Image], change: Callable[[Image], Image], mirrored: bool
) -> None:
    images = originals + [change(image) for image in originals]
    pairs = list(near_duplicates(stack(images)))
    assert sorted((pair.first, pair.second) for pair in pairs) == [(k, k + 30) for k in range(30)]
    assert {pair.mirrored for pair in pairs} == {mirrored}
    assert all(0.7 <= pair.similarity <= 1 for pair in pairs)


def test_pictures_built_alike_are_no_duplicates() -> None:
    """Horizons: one strong edge in the same place, and nothing else in common."""
    rng = np.random.default_rng(0)
    images = []
    for _ in range(12):
        pixels = rng.normal(90, 12, (32, 32, 3))
        pixels[:16] += 110
        images.append(PIL.Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
    assert np.corrcoef(stack(images).reshape(12, -1)).min() > 0.9
    assert list(near_duplicates(stack(images))) == []


def test_flat_pictures_are_not_compared() -> None:
    flat = np.full((5, 32, 32), 200, np.uint8)
    flat += np.random.default_rng(1).integers(0, 3, flat.shape, dtype=np.uint8)
    assert list(near_duplicates(flat)) == []


@pytest.mark.parametrize("number", [0, 1])
def test_there_is_nothing_to_compare_in_fewer_than_two(number: int) -> None:
    assert list(near_duplicates(np.zeros((number, 32, 32), np.uint8))) == []


def test_pairs_are_found_across_the_blocks_of_a_large_set() -> None:
    thumbs = np.random.default_rng(2).integers(0, 256, (2500, 32, 32), dtype=np.uint8)
    thumbs[2400], thumbs[1500] = thumbs[3], thumbs[1400][:, ::-1]
    seen: list[tuple[int, int]] = []
    pairs = list(near_duplicates(thumbs, lambda what, done, total: seen.append((done, total))))
    assert [(pair.first, pair.second, pair.mirrored) for pair in pairs] == [(3, 2400, False), (1400, 1500, True)]
    assert seen[-1] == (2500, 2500)
