"""Classify pictures in batches on all cores, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any

import numpy as np

from scones.errors import PictureError, StoreError
from scones.picture import model_input

if TYPE_CHECKING:
    from scones.bulk.places import Picture
    from scones.classifier import Classifier

__all__ = ["BATCH", "classify_pictures"]

BATCH = 16
"""Pictures a call of the model: more are no faster, and the last ones keep a core waiting."""


def classify_pictures(
    pictures: Iterable[Picture],
    classifier: Classifier,
    threshold: float,
    *,
    cores: int,
    readers: int | None = None,
    batch: int = BATCH,
) -> Generator[list[dict[str, Any]], None, None]:
    """Classify pictures, however many.

    Threads do it: decoding and the model let go of Python's lock, so that they are as fast as processes,
    start at once and share the model.

    Args:
        pictures: taken as they are needed; a few batches are in memory at a time, of which only as many
            pictures are there in full as there are readers.
        classifier: of one thread a call, since every core has a call of its own.
        threshold: least confidence at which the model decides alone, 0 to 1.
        cores: how many pictures are worked on at the same time.
        readers: how many are read at the same time; default: as many. A store that answers late wants more.
        batch: pictures a call of the model. It changes no label.

    Returns:
        Rows, a batch at a time, in the order of the pictures. A row has ``source``, ``model_version`` and
        ``threshold``; and ``label``, ``confidence``, ``decided`` (confidence ≥ threshold) and ``probabilities``
        by label, as the endpoint would have answered, or the ``error`` that says why the picture cannot be read.

    Raises:
        StoreError: a store fails altogether.
    """
    readers = readers or cores
    worker = _Worker(classifier, threshold, BoundedSemaphore(cores))
    left = iter(pictures)
    pending: deque[Future[list[dict[str, Any]]]] = deque()
    pool = ThreadPoolExecutor(readers, "bulk")
    try:
        while some := list(islice(left, batch)):
            pending.append(pool.submit(worker, some))
            if len(pending) > 2 * readers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker:
    """Classifies a batch; of all its calls only as many compute at a time as there are cores."""

    def __init__(self, classifier: Classifier, threshold: float, cores: BoundedSemaphore) -> None:
        self._classifier = classifier
        self._threshold = threshold
        self._cores = cores
        self._common = {"model_version": classifier.info.version, "threshold": threshold}

    def __call__(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        size = self._classifier.info.input_size
        inputs, rows, readable = [], [], []
        for picture in pictures:
            row: dict[str, Any] = {"source": picture.source}
            rows.append(row)
            try:
                data = picture.read()
                with self._cores:
                    inputs.append(model_input(data, size))
                readable.append(row)
            except PictureError as error:
                row["error"] = str(error)
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001 - one strange file must not end a run of thousands, each time anew
                row["error"] = f"cannot be decoded ({type(error).__name__}: {error})"
        if inputs:
            with self._cores:
                probabilities = self._classifier.predict(np.stack(inputs))[0]
            for row, values in zip(readable, probabilities.tolist(), strict=True):
                row.update(self._answer(values))
        return [row | self._common for row in rows]

    def _answer(self, values: Sequence[float]) -> dict[str, Any]:
        labels = self._classifier.info.labels
        confidence = max(values)
        return {
            "label": labels[values.index(confidence)],
            "confidence": confidence,
            "decided": confidence >= self._threshold,
            "probabilities": dict(zip(labels, values, strict=True)),
        }
