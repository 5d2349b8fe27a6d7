"""Decode, check, orient and resize pictures: the one home of it.

Training, serving, the functions and monitoring all read pictures through this module, so that a picture
means the same pixels everywhere.
"""

from __future__ import annotations

import hashlib
import io
import struct
from typing import TYPE_CHECKING, Any, cast

import PIL.Image

from scones.errors import PictureError, PictureTooLarge

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "MAX_BYTES",
    "MAX_PIXELS",
    "content_hash",
    "decode",
    "encode_png",
    "model_input",
    "pixels",
    "shrink_to_bytes",
]

MAX_BYTES = 30 * 1024 * 1024
"""Largest picture file that is read, in bytes."""
MAX_PIXELS = 80_000_000
"""Largest picture that is decoded, in pixels; beyond it lies a decompression bomb."""
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
_DECODE_ERRORS = (
    OSError,
    struct.error,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    TypeError,
    OverflowError,
    MemoryError,
)

_JPEG_MARGIN = 4
_REDUCING_GAP = 8.0
"""With these two a photograph decoded at a reduced scale is within a few of 255 of its twin decoded at full size, less
than half as far as with 2 and 3, and takes no longer."""

_TURNS = {
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
"""What sets a picture upright, by EXIF orientation."""


def decode(data: bytes, *, name: str = "the picture", at_least: int | None = None) -> PIL.Image.Image:
    """Decode a picture file to an upright RGB image.

    The EXIF orientation is applied, transparency is dropped (the colour below it stays), and every
    mode, 16-bit included, becomes 8-bit RGB. Of an animation the first frame is taken.

    Args:
        data: the file's bytes.
        name: what to call the picture in an error.
        at_least: if given, a JPEG may be decoded at a reduced scale of at least this many pixels
            a side (libjpeg's own scaling), which is many times faster for photographs.

    Returns:
        An RGB image, upright.

    Raises:
        PictureError: the bytes are no picture, or a damaged one.
        PictureTooLarge: more than ``MAX_BYTES`` or ``MAX_PIXELS``.

    Example:
        >>> import PIL.Image
        >>> decode(encode_png(PIL.Image.new("RGB", (3, 2)))).size
        (3, 2)
    """
    if not data:
        raise PictureError(f"{name} is empty (0 bytes): send the bytes of a PNG, JPEG or WebP file")
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(
            f"{name} has {len(data):,} bytes, more than the {MAX_BYTES:,} allowed: send a smaller picture"
        )
    # no warnings.catch_warnings here: it changes the whole process, and pictures are decoded in many threads
    try:
        image = PIL.Image.open(io.BytesIO(data), formats=_FORMATS)
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise PictureTooLarge(
                f"{name} has {width}x{height} pixels, more than the {MAX_PIXELS:,} allowed: send a smaller picture"
            )
        if at_least is not None and image.format in ("JPEG", "MPO"):  # MPO: a JPEG with further pictures behind it
            image.draft("RGB", (at_least, at_least))
        found = _to_rgb(_upright(image))
        found.info = {}  # what the file said besides: a colour profile may be larger than the picture
        return found
    except PictureError:
        raise
    except PIL.UnidentifiedImageError as error:
        raise PictureError(f"{name} is no picture that can be read: expected PNG, JPEG or WebP") from error
    except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
        raise PictureTooLarge(
            f"{name} has more than the {MAX_PIXELS:,} pixels allowed: send a smaller picture"
        ) from error
    except _DECODE_ERRORS as error:
        raise PictureError(f"{name} is damaged and cannot be decoded ({error}): send it again") from error


def _upright(image: PIL.Image.Image) -> PIL.Image.Image:
    """Turn an image as its EXIF orientation says; damaged EXIF data says nothing.

    Pillow's own ``exif_transpose`` writes the EXIF data again as well, which fails where it is damaged.
    """
    image.load()  # only then does a TIFF, which Pillow sets upright itself, no longer say how it lay
    try:
        orientation = image.getexif().get(0x0112)
    except _DECODE_ERRORS:
        return image
    turn = _TURNS.get(orientation) if isinstance(orientation, int) else None
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode == "RGB":
        return image
    if image.mode.startswith("I") or image.mode == "F":
        return _eight_bits(image).convert("RGB")
    if image.mode in ("P", "PA", "La", "RGBa"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    return image.convert("RGB")


def _eight_bits(image: PIL.Image.Image) -> PIL.Image.Image:
    """A grey picture of any depth with 8 bits: the upper byte, as Pillow itself does it with 16-bit colours.

    Only 16-bit files say how deep they are; of others the largest value tells. Without numpy, so that a function that
    decodes pictures needs none.
    """
    if image.mode.startswith("I;16"):
        upper = 0 if image.mode == "I;16B" else 1
        return PIL.Image.frombytes("L", image.size, image.tobytes()[upper::2])
    top = cast("tuple[float, float]", image.getextrema())[1]
    scale, rounding = 1.0, 0.0
    if image.mode == "F" and top <= 1:
        scale, rounding = 255.0, 0.5
    elif top > 65535:
        scale = 2.0**-23
    elif top > 255:
        scale = 2.0**-8
    return image.point(lambda value: value * scale + rounding).convert("L")


def pixels(image: PIL.Image.Image, size: int) -> NDArray[np.uint8]:
    """Resize an image to the square that a model takes.

    Args:
        image: of any size and colour mode; as :func:`decode` does it, it is set upright and becomes RGB.
        size: the side of the square in pixels.

    Returns:
        uint8 array of shape (size, size, 3). A picture that already has that size passes
        pixel for pixel; others are scaled with an antialiasing bicubic filter, each side by itself.
    """
    return _square(_to_rgb(_upright(image)), size)


def _square(image: PIL.Image.Image, size: int) -> NDArray[np.uint8]:
    import numpy as np

    if image.size != (size, size):
        image = image.resize((size, size), PIL.Image.Resampling.BICUBIC, reducing_gap=_REDUCING_GAP)
    return np.asarray(image)


def model_input(data: bytes, size: int, *, name: str = "the picture") -> NDArray[np.uint8]:
    """Decode a picture file to what a model takes; training, serving and monitoring all come through here.

    Args:
        data: the file's bytes.
        size: the side of the square in pixels.
        name: what to call the picture in an error.

    Returns:
        uint8 array of shape (size, size, 3).

    Raises:
        PictureError: it is no picture that can be read.
    """
    return _square(decode(data, name=name, at_least=_JPEG_MARGIN * size), size)


def content_hash(image: PIL.Image.Image) -> str:
    """Hash what a picture shows, not how its file is written.

    Returns:
        SHA-256 (hex) over size and RGB values: a re-encoded copy has the same hash.
    """
    digest = hashlib.sha256(f"{image.width}x{image.height}:RGB:".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def encode_png(image: PIL.Image.Image) -> bytes:
    """Encode an image losslessly as PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def shrink_to_bytes(image: PIL.Image.Image, *, max_side: int, max_bytes: int) -> bytes:
    """Encode a picture within a budget; never enlarge it.

    A small picture is written as PNG, pixel for pixel. A larger one is scaled down to ``max_side``
    and, where PNG would not fit, written as JPEG of falling quality, then size.

    Args:
        image: an RGB image.
        max_side: the longest side allowed, in pixels.
        max_bytes: the most bytes allowed.

    Returns:
        The bytes of a PNG or JPEG file.
    """
    side = max_side
    while True:
        small = image
        if max(image.size) > side:
            small = image.copy()
            small.thumbnail((side, side), PIL.Image.Resampling.BICUBIC, reducing_gap=3.0)
        if small.width * small.height * 3 <= 4 * max_bytes:  # else PNG has no chance, and takes long to fail
            data = encode_png(small)
            if len(data) <= max_bytes:
                return data
        for quality in (92, 85, 75):
            buffer = io.BytesIO()
            options: dict[str, Any] = {"quality": quality, "subsampling": 0 if quality > 90 else 2}
            small.save(buffer, "JPEG", **options)
            if buffer.tell() <= max_bytes:
                return buffer.getvalue()
        side = max(16, side * 3 // 4)
