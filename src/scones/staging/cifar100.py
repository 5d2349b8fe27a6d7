"""Read the CIFAR-100 archive without trusting it.

The official archive is a gzipped tar with three Python 2 pickles (Krizhevsky 2009, "Learning multiple
layers of features from tiny images", https://www.cs.toronto.edu/~kriz/cifar.html); they are read by
:mod:`scones.staging.archive`.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from scones.errors import ArchiveCorrupt, TaskError
from scones.staging.archive import read_tables
from scones.staging.source import SourcePicture

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from scones.task import Task

__all__ = ["CIFAR100_MD5", "CIFAR100_URL", "CifarSplit", "cifar100_pictures", "class_names", "read_split"]

CIFAR100_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
CIFAR100_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
"""Checksum published beside the official archive."""

_FOLDER = "cifar-100-python"
_NAMES = {b"fine_label_names": 100, b"coarse_label_names": 20}
_Splits = Literal["train", "test"]


@dataclass(frozen=True)
class CifarSplit:
    """One split of CIFAR-100.

    Attributes:
        images: uint8 array of shape (N, 32, 32, 3), RGB.
        labels: int64 array of shape (N,), 0 to 99, in the order of ``class_names``.
        coarse: int64 array of shape (N,), 0 to 19: the superclass.
        filenames: the N names in the archive; they are names, not labels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    coarse: NDArray[np.int64]
    filenames: list[str]


def cifar100_pictures(archive: Path, task: Task) -> Iterator[SourcePicture]:
    """Take the pictures of a task's classes out of the archive.

    Args:
        archive: path of ``cifar-100-python.tar.gz``.
        task: its labels say which classes are wanted (:meth:`scones.task.Task.source_classes`), by
            their fine names (``bicycle``) or their coarse ones (``vehicles_1``).

    Returns:
        The pictures as lossless PNG, in the archive's splits and order; of a label that has more than the
        task's ``per_label`` the first ones, as many of each of its classes. Labels come from the archive's
        label table; its file names are not to be trusted (``bike_s_*`` may be a motorcycle).

    Raises:
        TaskError: CIFAR-100 has no class of that name, or two labels want the same class.
        SourceMissing, ArchiveCorrupt, ArchiveUnsafe: as :func:`read_split`.
    """
    meta, *tables = _tables(archive, "meta", "train", "test")
    fine, coarse = (_names(archive, meta, key) for key in _NAMES)
    of_fine: dict[int, str] = {}
    of_coarse: dict[int, str] = {}
    for label in task.labels:
        for name in task.source_classes(label):
            if name not in fine and name not in coarse:
                close = difflib.get_close_matches(name, fine + coarse, n=3, cutoff=0.4) or fine[:3]
                raise TaskError(
                    f"task {task.name}: label {label!r} wants class {name!r}, which CIFAR-100 does not have "
                    f"(it has {', '.join(close)} …): correct [classes] in the task's file"
                )
            chosen, index = (of_fine, fine.index(name)) if name in fine else (of_coarse, coarse.index(name))
            if chosen.setdefault(index, label) != label:
                raise TaskError(
                    f"task {task.name}: class {name!r} stands for both {chosen[index]!r} and {label!r}: "
                    "give it to one label"
                )
    return _chosen_pictures(archive, tables, of_fine, of_coarse, task.per_label)


def _chosen_pictures(
    archive: Path, tables: list[dict[bytes, Any]], of_fine: dict[int, str], of_coarse: dict[int, str], per_label: int
) -> Iterator[SourcePicture]:
    import PIL.Image

    from scones.picture import encode_png

    splits: tuple[_Splits, ...] = ("train", "test")
    contents = [_split(archive, table, split) for split, table in zip(splits, tables, strict=True)]
    for split, content in zip(splits, contents, strict=True):
        # a class's place: 0 to 99 is a fine one, from 100 a coarse one, where no label wants the fine one
        classes = [
            int(f) if int(f) in of_fine else 100 + int(c) for f, c in zip(content.labels, content.coarse, strict=True)
        ]
        labels = [of_fine.get(place) or of_coarse.get(place - 100) for place in classes]
        most = round(per_label * len(labels) / max(len(contents[0].labels), 1))
        for k in _evenly(labels, classes, most):
            data = encode_png(PIL.Image.fromarray(content.images[k]))
            yield SourcePicture(f"{split}/{content.filenames[k]}", labels[k] or "", data, split)


def _evenly(labels: list[str | None], classes: list[int], most: int) -> list[int]:
    """Choose pictures that have a label: all, or ``most`` a label, as many of each of its classes."""
    seen: Counter[int] = Counter()
    ranked: dict[str, list[tuple[int, int]]] = {}
    for k, (label, place) in enumerate(zip(labels, classes, strict=True)):
        if label:
            ranked.setdefault(label, []).append((seen[place], k))
            seen[place] += 1
    return sorted(k for found in ranked.values() for _, k in sorted(found)[: most or None])


def class_names(archive: Path) -> list[str]:
    """The 100 fine class names, in label order.

    Raises:
        SourceMissing, ArchiveCorrupt, ArchiveUnsafe: as :func:`read_split`.
    """
    return _names(archive, _tables(archive, "meta")[0], b"fine_label_names")


def read_split(archive: Path, split: str) -> CifarSplit:
    """Read the ``train`` (50,000) or ``test`` (10,000) pictures.

    Raises:
        SourceMissing: there is no such file.
        ArchiveCorrupt: it is truncated, no gzipped tar, or of another layout.
        ArchiveUnsafe: it holds links, odd paths, oversized members or code.
    """
    return _split(archive, _tables(archive, split)[0], split)


def _tables(archive: Path, *members: str) -> list[dict[bytes, Any]]:
    return read_tables(archive, [f"{_FOLDER}/{member}" for member in members])


def _names(archive: Path, meta: dict[bytes, Any], key: bytes) -> list[str]:
    names = meta.get(key)
    try:
        if not isinstance(names, list) or len(names) != _NAMES[key]:
            raise ValueError(f"{_NAMES[key]} names expected")
        return [name.decode() for name in names]
    except (AttributeError, ValueError) as error:
        raise ArchiveCorrupt(f"{archive}: its meta file has no good {key.decode()} ({error}): get it again") from error


def _split(archive: Path, content: dict[bytes, Any], split: str) -> CifarSplit:
    try:
        data = content[b"data"]
        names = [name.decode("utf-8", "replace") for name in content[b"filenames"]]
        if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072 or len(data) != len(names):
            raise ValueError(f"data of shape {data.shape} and type {data.dtype} with {len(names)} names")
        images = np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        fine = _label_array(content[b"fine_labels"], len(names), 100)
        return CifarSplit(images, fine, _label_array(content[b"coarse_labels"], len(names), 20), names)
    except (KeyError, AttributeError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise ArchiveCorrupt(f"{archive}: its {split} file is not CIFAR-100 ({error}): get it again") from error


def _label_array(values: Any, count: int, classes: int) -> NDArray[np.int64]:
    labels = np.asarray(values)
    if labels.shape != (count,) or (count and labels.dtype.kind not in "iu"):
        raise ValueError(f"{count} whole numbers expected as labels, got shape {labels.shape} of {labels.dtype}")
    if count and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(f"labels outside 0 to {classes - 1}")
    return labels.astype(np.int64)
