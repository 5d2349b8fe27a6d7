"""A model's answers to a dataset's pictures, a batch at a time: no more than a batch is held in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from scones.errors import ObjectMissing, TrainingError
from scones.picture import model_input
from scones.staging.source import Progress, no_progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scones.bundle import BundleInfo
    from scones.classifier import Classifier
    from scones.contracts import ManifestLine
    from scones.staging import Dataset
    from scones.store import Bucket

__all__ = ["BATCH", "learned_from", "lines_to_test", "predict_lines"]

BATCH = 64
"""Pictures that are read, classified and let go together."""
_READERS = 4
_ORDINARY = 128
"""From this side on, in pixels, fewer pictures go together: a view cuts each into tiles."""


def lines_to_test(info: BundleInfo, dataset: Dataset) -> list[ManifestLine]:
    """The test pictures of a dataset, for a model that knows their labels.

    Raises:
        TrainingError: the labels disagree, or there are no test pictures.
    """
    if tuple(dataset.labels) != info.labels:
        raise TrainingError(
            f"dataset {dataset.version} has the labels {', '.join(dataset.labels)}, but model {info.version} "
            f"knows {', '.join(info.labels)}: use a dataset of its own task"
        )
    lines = [line for line in dataset.lines if line.split == "test"]
    if not lines:
        raise TrainingError(f"dataset {dataset.version} holds no test pictures: stage some")
    return lines


def learned_from(bucket: Bucket, info: BundleInfo, dataset: Dataset) -> int | None:
    """How many test pictures of a dataset a model knows: it learned from them, or from others of the same things.

    Args:
        bucket: where the model's own dataset lies.
        info: of the model.
        dataset: whose test pictures are asked for.

    Returns:
        Their number; None when the model's dataset is gone.
    """
    from scones.staging import load_dataset

    if info.dataset == dataset.version:
        return 0
    try:
        own = load_dataset(bucket, info.task, info.dataset)
    except ObjectMissing:
        return None
    known = {mark for line in own.lines if line.split != "test" for mark in (line.hash, line.group) if mark}
    return sum(line.hash in known or line.group in known for line in dataset.lines if line.split == "test")


def predict_lines(
    classifier: Classifier, dataset: Dataset, lines: Sequence[ManifestLine], *, report: Progress = no_progress
) -> NDArray[np.float32]:
    """Classify pictures of a dataset.

    Args:
        classifier: the model.
        dataset: where the pictures lie.
        lines: N of its lines.
        report: told how it gets on.

    Returns:
        Probabilities, float32 (N, K).

    Raises:
        ObjectMissing: a picture was removed.
    """
    info = classifier.info

    def read(line: ManifestLine) -> NDArray[np.uint8]:
        return model_input(dataset.read(line), info.input_size, name=dataset.key(line))

    found = np.empty((len(lines), len(info.labels)), np.float32)
    batch = max(1, round(BATCH * min(1, (_ORDINARY / info.input_size) ** 2)))
    with ThreadPoolExecutor(_READERS) as pool:
        for start in range(0, len(lines), batch):
            images = list(pool.map(read, lines[start : start + batch]))
            end = start + len(images)
            found[start:end] = classifier.predict(np.stack(images))[0]
            report(f"model {info.version}", end, len(lines))
    return found
