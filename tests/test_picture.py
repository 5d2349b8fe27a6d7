"""Pictures of any kind become the same pixels everywhere."""

import io
from contextlib import suppress

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scones.errors import PictureError, PictureTooLarge
from scones.picture import MAX_BYTES, content_hash, decode, encode_png, model_input, pixels, shrink_to_bytes


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
