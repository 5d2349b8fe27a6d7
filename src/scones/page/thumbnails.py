"""Pictures as they stand in a page: decoded, made small, written anew, as ``data:`` addresses.

The bytes that came in never go into a page as they are: what is shown has been decoded and encoded by
us, so that a file that only claims to be a picture cannot bring anything along.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from scones import picture
from scones.errors import PictureError

__all__ = ["Thumbnail", "thumbnail"]

MAX_SIDE = 224
"""Longest side of a picture in a page, in pixels."""
MAX_BYTES = 32 * 1024
"""Most bytes of a picture in a page, before base64."""
_PIXELATED_BELOW = 112


@dataclass(frozen=True)
class Thumbnail:
    """A picture ready for a page.

    Attributes:
        address: a ``data:`` address; "" when there is no picture.
        pixelated: so small that it is shown enlarged, with its pixels kept.
        problem: why there is no picture; "" when there is one.
    """

    address: str
    pixelated: bool = False
    problem: str = ""


def thumbnail(data: bytes | None) -> Thumbnail:
    """Make a picture file small enough for a page; what cannot be shown says why.

    Example:
        >>> thumbnail(b"no picture").problem
        'the picture is no picture that can be read: expected PNG, JPEG or WebP'
    """
    if data is None:
        return Thumbnail("", problem="its picture was not kept")
    try:
        image = picture.decode(data, at_least=2 * MAX_SIDE)
    except PictureError as error:
        return Thumbnail("", problem=str(error))
    small = picture.shrink_to_bytes(image, max_side=MAX_SIDE, max_bytes=MAX_BYTES)
    kind = "png" if small.startswith(b"\x89PNG") else "jpeg"
    return Thumbnail(
        address=f"data:image/{kind};base64,{base64.b64encode(small).decode()}",
        pixelated=max(image.size) < _PIXELATED_BELOW,
    )
