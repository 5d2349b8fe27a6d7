"""Where a model breaks: the same test pictures again, as other photographs of them and damaged.

A threshold is fitted on pictures as they were staged. What holds there need not hold on a blurred or dark one, so
the share that is decided alone, and how much of that is wrong, is measured for each distortion as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from scones.intervals import share_interval
from scones.picture import decode, model_input
from scones.staging.source import Progress, no_progress
from scones.training.distortions import DISTORTIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.classifier import Classifier
    from scones.contracts import ManifestLine
    from scones.staging import Dataset

__all__ = ["PICTURES", "distorted", "robustness"]

PICTURES = 150
"""The most test pictures that are distorted: enough to see what breaks, few enough to take seconds."""
_WORKERS = 2
_AT_ONCE = 4
"""Pictures distorted, classified and let go together."""
_LONGEST = 256
_STEPS = [(distortion, step) for distortion in DISTORTIONS for step in distortion.steps]


def robustness(
    classifier: Classifier,
    dataset: Dataset,
    lines: Sequence[ManifestLine],
    probabilities: NDArray[np.float32],
    *,
    pictures: int = PICTURES,
    seed: int = 0,
    report: Progress = no_progress,
) -> dict[str, Any]:
    """Measure a model on distorted test pictures.

    Args:
        classifier: the model.
        dataset: where the pictures lie.
        lines: N of its lines.
        probabilities: (N, K), the model's answers to them as they are.
        pictures: the most that are distorted; of more a random sample is taken.
        seed: of the sample and of all that is random in a distortion.
        report: told how it gets on.

    Returns:
        ``n`` pictures, ``seed``, ``size`` (side of the model's input in pixels), ``example`` (the key of one of
        them), ``plain`` (the figures of the same pictures undistorted) and ``conditions``, one for each step of each
        distortion: ``name``, ``group``, ``setting`` (in words) and the figures. The figures are ``accuracy``,
        ``accuracy_interval`` (95 %), ``coverage`` (share decided alone at the model's threshold), ``accepted`` and
        ``wrong`` (pictures), ``risk`` (``wrong`` of ``accepted``, 0 where there is none).

    Raises:
        ObjectMissing: a picture was removed.
    """
    info = classifier.info
    chosen = np.sort(np.random.default_rng(seed).permutation(len(lines))[:pictures])
    sample = [lines[i] for i in chosen]
    truth = np.array([line.label_index for line in sample])

    def inputs(line: ManifestLine) -> NDArray[np.uint8]:
        files = distorted(dataset.read(line), line.hash, size=info.input_size, seed=seed)
        return np.stack([model_input(file, info.input_size) for file in files])

    found = np.empty((len(sample), len(_STEPS), len(info.labels)), np.float32)
    with ThreadPoolExecutor(_WORKERS) as pool:
        for start in range(0, len(sample), _AT_ONCE):
            images = list(pool.map(inputs, sample[start : start + _AT_ONCE]))
            end = start + len(images)
            found[start:end] = classifier.predict(np.concatenate(images))[0].reshape(found[start:end].shape)
            report("distorted pictures", end * len(_STEPS), len(sample) * len(_STEPS))
    threshold = info.threshold.value
    return {
        "n": len(sample),
        "seed": seed,
        "size": info.input_size,
        "example": sample[0].source_ref,
        "plain": _figures(probabilities[chosen], truth, threshold),
        "conditions": [
            {
                "name": distortion.name,
                "group": distortion.group,
                "setting": distortion.told(step),
                **_figures(found[:, place], truth, threshold),
            }
            for place, (distortion, step) in enumerate(_STEPS)
        ],
    }


def distorted(data: bytes, name: str, *, size: int, seed: int = 0) -> list[bytes]:
    """Distort a picture file in every way, in the order of the conditions that :func:`robustness` returns.

    Args:
        data: the picture file. A large photograph is made smaller first, but never below what the model sees of it.
        name: hexadecimal digits, the picture's hash: the same picture is distorted the same way each time.
        size: the side of the model's square input, in pixels.
        seed: of all that is random.

    Returns:
        The bytes of picture files.

    Raises:
        PictureError: it is no picture.
    """
    longest = max(_LONGEST, 2 * size)
    image = decode(data, at_least=longest)
    image.thumbnail((longest, longest), reducing_gap=3.0)
    rng = np.random.default_rng([seed, int(name[:8], 16)])
    return [distortion.apply(image, step, rng) for distortion, step in _STEPS]


def _figures(probabilities: NDArray[np.float32], truth: NDArray[np.int64], threshold: float) -> dict[str, Any]:
    right = probabilities.argmax(1) == truth
    alone = probabilities.max(1).astype(np.float64) >= threshold
    accepted, wrong = int(alone.sum()), int((alone & ~right).sum())
    return {
        "accuracy": float(right.mean()),
        "accuracy_interval": list(share_interval(int(right.sum()), len(right))),
        "coverage": float(alone.mean()),
        "accepted": accepted,
        "wrong": wrong,
        "risk": wrong / max(accepted, 1),
    }
