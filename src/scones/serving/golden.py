"""Try a model before anybody is answered by it: on fixed pictures, one at a time and several at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import numpy as np

from scones.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.classifier import Classifier

__all__ = ["best_batch", "golden_answers"]

_BATCHES: Final = (1, 2, 4, 8)
_GAIN: Final = 0.02
"""A larger batch makes everybody in it wait for the last; it must save at least this share."""
_ROUNDS: Final = 5


def _pictures(size: int, number: int) -> NDArray[np.uint8]:
    """Black, white, a ramp, and noise: always the same, uint8 (number, size, size, 3)."""
    found = np.random.default_rng(0).integers(0, 256, (number, size, size, 3), dtype=np.uint8)
    for place, plain in enumerate((0, 255, np.linspace(0, 255, size, dtype=np.uint8)[:, None])[:number]):
        found[place] = plain
    return found


def golden_answers(classifier: Classifier, number: int = 4) -> NDArray[np.float32]:
    """Let a model answer fixed pictures, each by itself.

    Returns:
        The probabilities, float32 (number, K). The same model gives the same in every process of a machine.

    Raises:
        BundleError: the model takes no pictures of its size, or answers something else than probabilities.
    """
    info = classifier.info
    found = []
    for picture in _pictures(info.input_size, number):
        try:
            found.append(classifier.predict(picture[None])[0])
        except Exception as error:  # onnxruntime's own exceptions share no base of their own
            shape = (1, *picture.shape)
            raise BundleError(f"model {info.version} does not take a picture of {shape}: {error}") from error
        row = found[-1]
        if row.shape != (1, len(info.labels)) or not np.isfinite(row).all() or abs(row.sum() - 1) > 1e-3:
            raise BundleError(
                f"model {info.version} answers {row.tolist()} for its {len(info.labels)} labels: train it again"
            )
    return np.concatenate(found)


def best_batch(classifier: Classifier, cpu: Callable[[], float] = time.thread_time) -> int:
    """How many pictures a model is best given at once.

    A size only counts where every number of pictures up to it is answered bit for bit as each picture by itself, so
    that an answer never hangs on who else asks. It is measured in time of the processor, which what else runs changes
    less; the model must run in the thread that calls it.

    Args:
        classifier: a model that answers on one core.
        cpu: a clock of this thread's time on the processor, in seconds.
    """
    sizes = [size for size in _BATCHES if size <= _most_alike(classifier)]
    pictures = _pictures(classifier.info.input_size, sizes[-1])
    least = dict.fromkeys(sizes, float("inf"))
    for _ in range(_ROUNDS):
        for size in sizes:  # in turn, so that what disturbs one disturbs all
            begun = cpu()
            classifier.predict(pictures[:size])
            least[size] = min(least[size], (cpu() - begun) / size)
    return next(size for size in sizes if least[size] <= min(least.values()) * (1 + _GAIN))


def _most_alike(classifier: Classifier) -> int:
    """How many pictures at once are answered bit for bit as each by itself, as are all fewer."""
    pictures = _pictures(classifier.info.input_size, _BATCHES[-1])
    alone = golden_answers(classifier, len(pictures))
    for number in range(2, len(pictures) + 1):
        if not np.array_equal(classifier.predict(pictures[:number])[0], alone[:number]):
            return number - 1
    return len(pictures)
