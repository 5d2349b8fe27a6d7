"""The old pictures as the camera would have taken them that took the judged ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from scones.picture import decode, pixels
from scones.retraining.camera import Camera
from scones.retraining.pictures import captured_origin
from scones.training.trainer import Remake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scones.contracts import ManifestLine
    from scones.retraining.judged import Judged
    from scones.staging import Dataset

__all__ = ["new_camera", "remade_by"]

_LEAST, _MOST_OLD = 50, 1_000
"""Judged pictures that tell a camera; and old ones that are looked at."""
_COUNTS: Final = 0.25
"""What a remade picture counts beside the old one. With more, hardly more is learned of the new camera's pictures, and
more is lost on the old one's: so it was on training pictures of three made-up cameras."""


def new_camera(dataset: Dataset, endpoint: str, learned: Sequence[Judged], size: int) -> Camera | None:
    """Tell what camera took the judged pictures; None where it is the old one, or nobody knows.

    Args:
        dataset: the old pictures, and the judged ones.
        endpoint: that captured the judged ones.
        learned: the judged ones to learn from.
        size: side of the model's input, in pixels: all is told of that square.
    """
    old = [line for line in dataset.lines if line.split == "train" and _is_old(line, endpoint)]
    if len(learned) < _LEAST or len(old) < _LEAST:
        return None
    some = old[:: -(-len(old) // _MOST_OLD)]
    before = np.stack([pixels(decode(dataset.read(line), name=dataset.key(line)), size) for line in some])
    after = np.stack([pixels(decode(one.data, name=one.event), size) for one in learned])
    camera = Camera.between(before, after)
    return camera if camera.is_new else None


def remade_by(camera: Camera, endpoint: str, seed: int) -> Remake:
    """Make old pictures as a camera would have taken them; of the endpoint's own, none."""

    def make(lines: Sequence[ManifestLine], images: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        rows = np.flatnonzero([_is_old(line, endpoint) for line in lines])
        return rows, camera.take(images[rows], np.random.default_rng(seed))

    return Remake(make, _COUNTS)


def _is_old(line: ManifestLine, endpoint: str) -> bool:
    return not line.origin.startswith(captured_origin(endpoint, ""))
