"""Pictures of any kind become the same pixels everywhere."""

import io
import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.errors import PictureError, PictureTooLarge
from scones.picture import MAX_BYTES, content_hash, decode, encode_png, model_input, pixels, shrink_to_bytes
from scones.serving import VARIANT, Endpoint, Lineup, Slot, Terms, background_endpoint


def picture(width: int = 40, height: int = 20, seed: int = 0) -> PIL.Image.Image:
    return PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def written(image: PIL.Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_png_passes_pixel_for_pixel() -> None:
    image = picture(32, 32)
    assert np.array_equal(model_input(encode_png(image), 32), np.asarray(image))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_tag_gives_the_upright_picture(orientation: int) -> None:
    upright = picture()
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = upright.transpose(PIL.Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    assert np.array_equal(np.asarray(decode(written(stored, exif=exif))), np.asarray(upright))


def test_alpha_is_dropped_and_the_colour_below_it_stays() -> None:
    image = picture()
    image_with_alpha = image.copy()
    image_with_alpha.putalpha(0)
    assert np.array_equal(np.asarray(decode(written(image_with_alpha))), np.asarray(image))


def test_sixteen_bit_grey_keeps_its_brightness() -> None:
    deep = PIL.Image.fromarray(np.full((4, 4), 32896, np.uint16))
    assert np.asarray(decode(written(deep))).mean() == pytest.approx(128, abs=1)


@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_sixteen_bit_grey_means_the_same_in_either_byte_order(order: str) -> None:
    ramp = np.linspace(0, 300, 64).astype(order).reshape(8, 8)
    assert np.asarray(decode(written(PIL.Image.fromarray(ramp), "TIFF"))).max() == 1


def test_a_value_that_is_no_number_is_black() -> None:
    values = np.array([[np.nan, 10.0], [20.0, 200.0]], np.float32)
    assert np.asarray(decode(written(PIL.Image.fromarray(values), "TIFF")))[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    kind = "TIFF" if mode == "CMYK" else "PNG"
    found = decode(written(picture().convert(mode), kind))
    assert (found.mode, found.size) == ("RGB", (40, 20))


@pytest.mark.parametrize("data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff" + b"\0" * 99])
def test_what_is_no_picture_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(PictureError, match=r"^p\.png "):
        decode(data, name="p.png")


@given(st.integers(0, 10_000), st.sampled_from(["PNG", "JPEG", "WEBP", "GIF", "BMP"]))
def test_a_damaged_picture_is_a_picture_error_or_still_a_picture(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(written(picture(), kind))
    for place in rng.integers(0, len(data), 1 + seed % 8):
        data[place] = rng.integers(0, 256)
    with suppress(PictureError):
        assert decode(bytes(data[: len(data) - seed % 50])).mode == "RGB"


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = written(PIL.Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    with pytest.raises(PictureTooLarge, match="more than the 80,000,000"):
        decode(bomb)


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(PictureTooLarge, match="bytes"):
        decode(b"\0" * (MAX_BYTES + 1))


def test_the_content_hash_is_of_what_is_shown() -> None:
    image = picture()
    assert content_hash(decode(written(image, "PNG"))) == content_hash(decode(written(image, "BMP")))
    assert content_hash(image) != content_hash(picture(20, 40))


@pytest.mark.parametrize("size", [(10, 10), (300, 200), (3000, 10), (1, 1)])
def test_shrinking_keeps_to_the_budget_and_never_enlarges(size: tuple[int, int]) -> None:
    image = picture(*size)
    data = shrink_to_bytes(image, max_side=256, max_bytes=20_000)
    small = PIL.Image.open(io.BytesIO(data))
    assert len(data) <= 20_000
    assert max(small.size) <= min(256, max(size))


def test_any_size_becomes_the_models_square() -> None:
    assert pixels(picture(500, 333), 32).shape == (32, 32, 3)


def test_damaged_exif_data_is_at_worst_a_picture_error() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    data = bytearray(written(picture(), "JPEG", exif=exif))
    start = data.index(b"Exif")
    rng = np.random.default_rng(0)
    for _ in range(300):
        damaged = data.copy()
        for place in rng.integers(start + 6, start + 60, 4):
            damaged[place] = rng.integers(0, 256)
        with suppress(PictureError):
            assert decode(bytes(damaged)).mode == "RGB"


def photograph(width: int = 200, height: int = 150) -> PIL.Image.Image:
    return picture(max(width // 16, 2), max(height // 16, 2)).resize((width, height), PIL.Image.Resampling.BICUBIC)


def deep(image: PIL.Image.Image, kind: str, factor: float) -> PIL.Image.Image:
    return PIL.Image.fromarray((np.asarray(image.convert("L")).astype(np.float64) * factor).astype(kind))


def with_alpha(image: PIL.Image.Image) -> PIL.Image.Image:
    copy = image.copy()
    copy.putalpha(picture(*image.size, seed=1).getchannel("R"))
    return copy


SOURCE = photograph()
PALETTE = SOURCE.quantize(64)
GREY = SOURCE.convert("L").convert("RGB")
TWINS = {
    "RGB as PNG": (SOURCE, written(SOURCE)),
    "RGB as lossless WebP": (SOURCE, written(SOURCE, "WEBP", lossless=True)),
    "RGB with a transparent colour": (SOURCE, written(SOURCE, transparency=(1, 2, 3))),
    "RGBA as PNG": (SOURCE, written(with_alpha(SOURCE))),
    "RGBA as TIFF": (SOURCE, written(with_alpha(SOURCE), "TIFF")),
    "RGBA as WebP": (SOURCE, written(with_alpha(SOURCE), "WEBP", lossless=True, exact=True)),
    "CMYK": (SOURCE.convert("CMYK").convert("RGB"), written(SOURCE.convert("CMYK"), "TIFF")),
    "YCbCr": (SOURCE.convert("YCbCr").convert("RGB"), written(SOURCE.convert("YCbCr"), "TIFF")),
    "L": (GREY, written(SOURCE.convert("L"))),
    "LA": (GREY, written(with_alpha(SOURCE.convert("L")))),
    "I;16 as PNG": (GREY, written(deep(SOURCE, "<u2", 257))),
    "I;16 as TIFF": (GREY, written(deep(SOURCE, "<u2", 257), "TIFF")),
    "I;16B": (GREY, written(deep(SOURCE, ">u2", 256), "TIFF")),
    "I of 8 bits": (GREY, written(deep(SOURCE, "<i4", 1), "TIFF")),
    "I of 16 bits": (GREY, written(deep(SOURCE, "<i4", 257), "TIFF")),
    "I of 31 bits": (GREY, written(deep(SOURCE, "<i4", (2**31 - 1) / 255), "TIFF")),
    "F to 1": (GREY, written(deep(SOURCE, "<f4", 1 / 255), "TIFF")),
    "F to 255": (GREY, written(deep(SOURCE, "<f4", 1), "TIFF")),
    "F to 65,535": (GREY, written(deep(SOURCE, "<f4", 257), "TIFF")),
    "1": (SOURCE.convert("1").convert("RGB"), written(SOURCE.convert("1"))),
    "P": (PALETTE.convert("RGB"), written(PALETTE)),
    "P as GIF with transparency": (PALETTE.convert("RGB"), written(PALETTE, "GIF", transparency=3)),
    "P with a transparency of each colour": (PALETTE.convert("RGB"), written(PALETTE, transparency=bytes(range(64)))),
    "PA": (PALETTE.convert("RGB"), written(PALETTE.convert("PA"), "TIFF")),
}
"""By name: the plain RGB picture, and a file of another kind that shows the same."""


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Callable[..., bytes]) -> Classifier:
    return Classifier(*read_bundle(tiny_bundle()))


@pytest.fixture(scope="module")
def url(classifier: Classifier) -> Iterator[str]:
    with background_endpoint(Endpoint(Lineup(Slot(VARIANT, classifier, 0.9)), Terms("scones"))) as url:
        yield url


def served(url: str, data: bytes) -> list[float]:
    request = urllib.request.Request(f"{url}/invocations", data, {"Content-Type": "application/x-image"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[float] = json.load(answer)
    return found


@pytest.mark.parametrize("name", TWINS)
def test_a_picture_of_any_mode_and_depth_is_answered_as_its_plain_twin_is(
    classifier: Classifier, url: str, name: str
) -> None:
    plain, data = TWINS[name]
    expected = classifier.classify([plain])[0]
    assert classifier.classify([data, encode_png(plain)]) == [expected, expected]
    assert classifier.classify([PIL.Image.open(io.BytesIO(data))])[0] == expected
    assert served(url, data) == expected
    # the tiny model sees little; what it is given must be the same to the last value (float files round theirs)
    given = np.abs(model_input(data, 32).astype(int) - pixels(plain, 32))
    assert given.max() <= (1 if name.startswith(("F ", "I of 31")) else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "MPO"])
def test_a_photograph_is_answered_alike_however_the_camera_was_held(
    classifier: Classifier, kind: str, orientation: int
) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = SOURCE.transpose(PIL.Image.Transpose(undo[orientation])) if orientation > 1 else SOURCE
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    best = {"quality": 98, "subsampling": 0}
    options: dict[str, dict[str, Any]] = {
        "WEBP": {"lossless": True},
        "JPEG": best,
        "MPO": {**best, "save_all": True, "append_images": [SOURCE]},
    }
    data = written(stored, kind, exif=exif, **options.get(kind, {}))
    found = [model_input(data, 32), pixels(PIL.Image.open(io.BytesIO(data)), 32), pixels(decode(data), 32)]
    for one in found:
        assert np.abs(one.astype(int) - pixels(SOURCE, 32)).max() <= (2 if kind in ("JPEG", "MPO") else 0)


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (33, 31), (640, 480), (1600, 1200), (3000, 100)])
@pytest.mark.parametrize("side", [32, 96])
def test_a_jpeg_of_any_size_is_all_but_the_same_as_its_twin_decoded_at_full_size(
    size: tuple[int, int], side: int
) -> None:
    data = written(photograph(*size), "JPEG", quality=90)
    difference = np.abs(model_input(data, side).astype(int) - pixels(decode(data), side))
    assert difference.max() <= 6
    assert difference.mean() < 0.5


def test_a_colour_profile_larger_than_the_budget_costs_a_small_picture_nothing() -> None:
    image = picture(32, 32)
    found = shrink_to_bytes(decode(written(image, icc_profile=bytes(200_000))), max_side=256, max_bytes=20_000)
    assert np.array_equal(np.asarray(decode(found)), np.asarray(image))
