"""The healthy pictures that a model is watched by: chosen from its dataset, read as they come in, and damaged."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np
import PIL.Image

from scones.errors import TrainingError
from scones.picture import decode, encode_png, shrink_to_bytes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.bundle import BundleInfo
    from scones.contracts import ManifestLine
    from scones.staging import Dataset

__all__ = ["KINDS", "as_sent", "choose", "damaged", "shown", "worn"]

KINDS: Final[dict[str, tuple[float, ...]]] = {
    "JPEG": (60, 30),
    "rotation": (15, 30),
    "blur": (0.02, 0.04),
    "less contrast": (0.3, 0.5),
    "darker": (0.3, 0.6),
    "noise": (0.05,),
}
"""Kinds of damage that channels learn to know, as :mod:`scones.training.distortions` names them, and their steps."""
_LEAST: Final = 100
"""Reference pictures that there must be."""
_MOST_TRAIN, _MOST_REFERENCE = 4_000, 5_000
"""Pictures that are looked at, so that it takes seconds."""
_READERS, _AHEAD = 4, 64
_SHOWN_SIDE: Final = 96


def choose(
    info: BundleInfo, dataset: Dataset, rng: np.random.Generator
) -> tuple[list[ManifestLine], list[ManifestLine]]:
    """Choose pictures, each kind in random order: to learn from, of the training split; and for the reference.

    Raises:
        TrainingError: the dataset is of another task, or there are too few.
    """
    if (dataset.task, tuple(dataset.labels)) != (info.task, info.labels):
        raise TrainingError(
            f"dataset {dataset.version} is of task {dataset.task} ({', '.join(dataset.labels)}), but model "
            f"{info.version} of {info.task} ({', '.join(info.labels)}): use the model's own, {info.dataset}"
        )
    lines = [dataset.lines[i] for i in rng.permutation(len(dataset.lines))]
    train = [line for line in lines if line.split == "train"][:_MOST_TRAIN]
    kept = [line for line in lines if line.split != "train"][:_MOST_REFERENCE]
    without = sorted(set(info.labels) - {info.labels[line.label_index] for line in kept})
    if not train or len(kept) < _LEAST or without:
        raise TrainingError(
            f"model {info.version} cannot be watched: its dataset {dataset.version} holds {len(train)} training "
            f"pictures, and {len(kept)} to calibrate and test with{f', none of {without[0]}' if without else ''}, of "
            f"which it takes {_LEAST}, some of each label: stage more pictures of task {info.task} and train again"
        )
    return train, kept


def as_sent(dataset: Dataset, lines: Sequence[ManifestLine]) -> Iterator[NDArray[np.uint8]]:
    """Read pictures as the endpoint gets them, uint8 (H, W, 3): the workflow makes large ones smaller on the way.

    Raises:
        ObjectMissing: a picture was removed.
    """
    from scones.functions.serialize_image import MAX_PICTURE_BYTES, MAX_SIDE

    def one(line: ManifestLine) -> NDArray[np.uint8]:
        image = decode(dataset.read(line), name=dataset.key(line), at_least=MAX_SIDE)
        sent = shrink_to_bytes(image, max_side=MAX_SIDE, max_bytes=MAX_PICTURE_BYTES)
        return np.asarray(decode(sent, name=dataset.key(line)))

    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(lines), _AHEAD):
            yield from pool.map(one, lines[start : start + _AHEAD])


def damaged(kind: str, images: Sequence[NDArray[np.uint8]], rng: np.random.Generator) -> Iterator[NDArray[np.uint8]]:
    """Damage pictures, each by one of the kind's steps."""
    from scones.training.distortions import DISTORTIONS

    apply, steps = next(one.apply for one in DISTORTIONS if one.name == kind), KINDS[kind]
    for image in images:
        file = apply(PIL.Image.fromarray(image), float(rng.choice(steps)), rng)
        yield np.asarray(PIL.Image.open(io.BytesIO(file)).convert("RGB"))


def worn(
    images: Sequence[NDArray[np.uint8]], rng: np.random.Generator
) -> Iterator[tuple[str, list[NDArray[np.uint8]]]]:
    """Damage pictures in all ways that there are, one after the other, each picture as much as luck has it.

    It is between a little more than the strongest step and half of the way from the mildest one to none.

    Yields:
        The kind of damage, and the pictures with it.
    """
    from scones.training.distortions import DISTORTIONS

    for one in DISTORTIONS:
        if one.group == "damage":
            strong, mild = one.steps[-1], one.steps[0]
            steps = strong + (mild - strong) * rng.uniform(-0.25, 1.5, len(images))
            files = (
                one.apply(PIL.Image.fromarray(image), float(step), rng)
                for image, step in zip(images, steps, strict=True)
            )
            yield one.name, [np.asarray(PIL.Image.open(io.BytesIO(file)).convert("RGB")) for file in files]


def shown(image: NDArray[np.uint8]) -> bytes:
    """A small PNG of a picture, for people to look at."""
    small = PIL.Image.fromarray(image)
    small.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE), PIL.Image.Resampling.BICUBIC)
    return encode_png(small)
