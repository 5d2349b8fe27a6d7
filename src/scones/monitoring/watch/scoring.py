"""Captured pictures as a detector takes them: what the channels say of each, and in which phase of the day it came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image

from scones.errors import PictureError
from scones.functions.serialize_image import MAX_PICTURE_BYTES, MAX_SIDE
from scones.monitoring.drift.blocks import phases
from scones.monitoring.drift.channels import answer_scores
from scones.picture import decode, shrink_to_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.capture import CaptureProblems
    from scones.classifier import Classifier
    from scones.monitoring.drift.reference import DriftReference
    from scones.monitoring.watch.health import Health
    from scones.monitoring.watch.repeats import LatestPictures
    from scones.monitoring.watch.stream import Captured

__all__ = ["DAY", "Batch", "Model", "Scored", "batches", "phase_at", "score"]

DAY: Final = 86_400.0
"""Seconds of the cycle that a reference may tell phases of: the first begins at midnight, UTC."""
_BATCH: Final = 64
_BATCH_PIXELS: Final = 32_000_000
"""Pixels of decoded pictures that are held together, about."""
_SAME: Final = 1e-3
"""How far an answer may be from the recomputed one and still be the same: some endpoints round what they capture."""


@dataclass(frozen=True)
class Model:
    """The model that is watched, and what it looks like in health."""

    classifier: Classifier
    health: Health


@dataclass(frozen=True)
class Batch:
    """Some records.

    Attributes:
        records: of which pictures are shown, in their order.
        images: their pictures as pixels, uint8 (H, W, 3); None where it was not captured.
        taken: how many were taken for it, those too that cannot be read or came before.
        repeats: how many of them came before.
    """

    records: Sequence[Captured]
    images: Sequence[NDArray[np.uint8] | None]
    taken: int
    repeats: int


@dataclass(frozen=True)
class Scored:
    """What is known of N records; of those without a picture only what the answer tells.

    Attributes:
        scores: by channel, for a detector's ``places``.
        told: float32 (N, K), the answers that callers got.
        embeddings: float32 (N, D); NaN where there is no picture.
        outside: bool (N,), whether a picture lies far outside of all reference pictures.
    """

    scores: dict[str, NDArray[Any]]
    told: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    outside: NDArray[np.bool_]


def batches(records: Iterable[Captured], problems: CaptureProblems, latest: LatestPictures) -> Iterator[Batch]:
    """Put records together, a few at a time, with their pictures as pixels.

    Args:
        records: pictures that were captured must have been read.
        problems: told of pictures that cannot be read: they are left out.
        latest: those that came before: they are left out, too. Told of those that are not.
    """
    kept: list[Captured] = []
    images: list[NDArray[np.uint8] | None] = []
    taken = repeats = size = 0
    for one in records:
        taken += 1
        picture = one.record.picture
        if picture is not None and picture in latest:
            repeats += 1
            continue
        image = None
        if picture is not None:
            try:
                image = np.asarray(_as_sent(picture))
            except PictureError as error:
                problems.add(f"{one.file} event {one.record.event_id}", str(error))
                continue
            size += image.shape[0] * image.shape[1]
        latest.add(picture)
        kept.append(one)
        images.append(image)
        if len(kept) >= _BATCH or size >= _BATCH_PIXELS:
            yield Batch(kept, images, taken, repeats)
            kept, images, taken, repeats, size = [], [], 0, 0, 0
    yield Batch(kept, images, taken, repeats)


def score(model: Model, batch: Batch) -> Scored:
    """Measure the pictures of a batch. The answers are those that callers got; embeddings are computed again."""
    n = len(batch.records)
    rows = np.array([k for k, image in enumerate(batch.images) if image is not None], np.int64)
    measured = model.health.measure(model.classifier, [image for image in batch.images if image is not None])
    told = np.array([one.record.probabilities for one in batch.records], np.float32)
    close = np.abs(told[rows] - measured.probabilities).max(1, initial=0) <= _SAME
    exact = told.copy()
    exact[rows[close]] = measured.probabilities[close]
    scores = {name: _among(n, rows, values) for name, values in measured.scores.items()} | answer_scores(exact)
    outside = np.zeros(n, np.bool_)
    outside[rows] = measured.outside
    return Scored(scores, told, _among(n, rows, measured.embeddings), outside)


def phase_at(reference: DriftReference, times: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """The phases of the day, (N,), in which pictures came; None where a reference tells none apart.

    Args:
        reference: of a model.
        times: (N,), POSIX seconds.
    """
    count = len(reference.parts)
    return phases(times, DAY, count) if count > 1 else None


def _as_sent(data: bytes) -> PIL.Image.Image:
    """A picture as the workflow would have sent it: the reference pictures were made so, too."""
    image = decode(data, at_least=MAX_SIDE)
    if max(image.size) > MAX_SIDE or len(data) > MAX_PICTURE_BYTES:
        image = decode(shrink_to_bytes(image, max_side=MAX_SIDE, max_bytes=MAX_PICTURE_BYTES))
    return image


def _among(n: int, rows: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    """Scores of some of n records; of the others they are not known."""
    unknown = -1 if np.issubdtype(values.dtype, np.integer) else np.nan
    found = np.full((n, *values.shape[1:]), unknown, values.dtype)
    found[rows] = values
    return found
