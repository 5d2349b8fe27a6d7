"""Look at one picture: can it be read, what is it, and where does it belong."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import PIL.Image

from scones.errors import PictureError
from scones.picture import content_hash, decode
from scones.staging.duplicates import thumbnail
from scones.staging.splits import in_calibration, in_test

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scones.staging.source import SourcePicture

__all__ = ["SPLITS", "Inspected", "Split", "inspect_picture"]

Split = Literal["train", "calibration", "test"]
SPLITS: tuple[Split, ...] = ("train", "calibration", "test")
"""In the order in which pictures give way: a duplicate leaves the split that stands further left."""

_EXTENSIONS = {"JPEG": "jpg"}


@dataclass(frozen=True)
class Inspected:
    """A readable picture.

    Attributes:
        origin, label: as its source says.
        split: where it belongs.
        hash: SHA-256 of its content, hex.
        width, height: pixels, upright.
        mode: the file's pixel mode, in Pillow's words (RGB, L, RGBA, …).
        extension: of its true format, whatever its file was called.
        thumb: uint8 array of shape (32, 32), to compare it by.
        group: the thing that it shows; empty when nothing is known of it.
        settled: its source says where it belongs, and nobody else.
        place: where its bytes lie, for whoever keeps them.
    """

    origin: str
    label: str
    split: Split
    hash: str
    width: int
    height: int
    mode: str
    extension: str
    thumb: NDArray[np.uint8]
    group: str = ""
    settled: bool = False
    place: tuple[int, int] = (0, 0)

    @property
    def mark(self) -> str:
        """What decides on its split, hex: pictures that have the same are never parted."""
        return _mark(self.group, self.hash)


def inspect_picture(picture: SourcePicture, group: str = "") -> Inspected:
    """Decode a picture and say what it is.

    Args:
        picture: as its source has it.
        group: the thing that it shows: all pictures of it belong to one split. Empty: the picture is its own.

    Raises:
        PictureError: it cannot be read.
    """
    if picture.fault:
        raise PictureError(f"{picture.origin} {picture.fault}")
    image = decode(picture.data, name=picture.origin)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the picture was decoded above: it is good enough
        header = PIL.Image.open(io.BytesIO(picture.data))
    kind, mode = header.format or "", header.mode
    digest = content_hash(image)
    mark = _mark(group, digest)
    split: Split = picture.split or ("test" if in_test(mark) else "train")
    if split == "train" and in_calibration(mark) and not picture.only_train:
        split = "calibration"
    return Inspected(
        origin=picture.origin,
        label=picture.label,
        split=split,
        hash=digest,
        width=image.width,
        height=image.height,
        mode=mode,
        extension=_EXTENSIONS.get(kind, kind.lower()),
        thumb=thumbnail(image),
        group=group,
        settled=picture.split is not None,
    )


def _mark(group: str, content: str) -> str:
    return hashlib.sha256(group.encode()).hexdigest() if group else content
