"""Measure pictures with a model: all that the channels of the monitor are made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image

from scones.monitoring.drift.channels import answer_scores, blockiness, fine_features, pixel_scores
from scones.picture import pixels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scones.classifier import Classifier
    from scones.monitoring.drift.learned import Damage, Surroundings

__all__ = ["Seen", "see"]

_LEAST_SIDE: Final = 16
"""What the fine features take."""
_BATCH, _ORDINARY = 64, 128
"""Pictures that are held in memory together; from this side on, in pixels, fewer."""


@dataclass(frozen=True)
class Seen:
    """What was seen of N pictures.

    Attributes:
        pixels: the pixel channels, by name, float64 (N,).
        probabilities: float32 (N, K), the model's answers.
        embeddings: float32 (N, D).
        features: float64 (N, F), what the tests for damage look at.
    """

    pixels: dict[str, NDArray[np.float64]]
    probabilities: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    features: NDArray[np.float64]

    def scores(self, surroundings: Surroundings, damage: Damage) -> dict[str, NDArray[Any]]:
        """All channels, by name (N,); ``embedding`` is (N, D)."""
        return {
            **self.pixels,
            **answer_scores(self.probabilities),
            **surroundings.scores(self.embeddings),
            **damage.scores(self.features),
            "embedding": self.embeddings,
        }


def see(
    classifier: Classifier, images: Iterable[NDArray[np.uint8]], report: Callable[[int], None] = lambda _: None
) -> Seen:
    """Look at pictures, a batch at a time.

    All is measured of the square that the model is given, but two channels, which scaling would change: ``size`` and
    ``blockiness`` are of the picture as it is.

    Args:
        classifier: the model.
        images: N upright RGB pictures, uint8 (H, W, 3), each of its own size. None at all is measured too.
        report: told how many are done.
    """
    side = classifier.info.input_size
    most = max(1, round(_BATCH * min(1, (_ORDINARY / side) ** 2)))
    waiting, parts, done = iter(images), [], 0
    while batch := list(islice(waiting, most)):
        parts.append(_see(classifier, batch))
        done += len(batch)
        report(done)
    if not parts:  # one of none, so that every array has its shape
        parts.append(_first(_see(classifier, [np.zeros((side, side, 3), np.uint8)]), 0))
    return Seen(
        {name: np.concatenate([part.pixels[name] for part in parts]) for name in parts[0].pixels},
        np.concatenate([part.probabilities for part in parts]),
        np.concatenate([part.embeddings for part in parts]),
        np.concatenate([part.features for part in parts]),
    )


def _see(classifier: Classifier, images: Sequence[NDArray[np.uint8]]) -> Seen:
    side = classifier.info.input_size
    given = _squares(images, side)
    measured = given if side >= _LEAST_SIDE else _squares(images, _LEAST_SIDE)
    probabilities, embeddings = classifier.predict(given)
    scores = pixel_scores(measured)
    scores["size"] = np.log([image.shape[0] * image.shape[1] for image in images])
    scores["blockiness"] = np.concatenate([blockiness(image[None]) for image in images])
    features = np.concatenate([fine_features(measured), embeddings], axis=1)
    return Seen(scores, probabilities, embeddings, features)


def _squares(images: Sequence[NDArray[np.uint8]], side: int) -> NDArray[np.uint8]:
    return np.stack([pixels(PIL.Image.fromarray(image), side) for image in images])


def _first(seen: Seen, n: int) -> Seen:
    return Seen(
        {name: values[:n] for name, values in seen.pixels.items()},
        seen.probabilities[:n],
        seen.embeddings[:n],
        seen.features[:n],
    )
