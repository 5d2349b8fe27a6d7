"""A dataset in the object store: a version of checked, split, labelled pictures."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from scones.contracts import ManifestLine, first_fault
from scones.errors import ObjectMissing, StoreError
from scones.picture import model_input
from scones.staging.checks import Checks
from scones.staging.inspection import Split
from scones.staging.source import Progress, no_progress
from scones.store import Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.store import Bucket

__all__ = ["Dataset", "DatasetRecord", "load_dataset"]

_THREADS = 8
_MOST_LISTED = 5
_M = TypeVar("_M", bound=BaseModel)


class DatasetRecord(BaseModel):
    """What ``dataset.json`` says of a dataset.

    It is written once, with the pictures. Who stages the same pictures again, from another place, adds
    a record to the series of stagings; this one goes on to tell where the stored files came from.

    Attributes:
        task, labels, version: as in :class:`Dataset`.
        source: where the stored pictures came from: the kind of source, its place and its checksum.
        counts: pictures by split and label.
        created_at: when they were stored, UTC, ISO 8601.
    """

    model_config = ConfigDict(frozen=True)

    task: str
    labels: tuple[str, ...]
    version: str
    source: dict[str, Any]
    counts: dict[Split, dict[str, int]]
    created_at: str


@dataclass(frozen=True)
class Dataset:
    """One version of a task's pictures.

    Attributes:
        bucket: where it lies.
        record: ``dataset.json``: what it is, where it came from and when.
        lines: its pictures, as ``manifest.jsonl`` has them.
        checks: the checks report.
    """

    bucket: Bucket
    record: DatasetRecord
    lines: tuple[ManifestLine, ...]
    checks: Checks

    @property
    def task(self) -> str:
        """The task's name."""
        return self.record.task

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of ``label_index``."""
        return self.record.labels

    @property
    def version(self) -> str:
        """Derived from the content: the same pictures in the same splits have the same version."""
        return self.record.version

    @property
    def source(self) -> dict[str, Any]:
        """Where the stored pictures came from, as the record says."""
        return self.record.source

    @property
    def prefix(self) -> str:
        """Where its objects lie in the bucket."""
        return Layout.dataset(self.task, self.version)

    def counts(self) -> dict[Split, dict[str, int]]:
        """Pictures by split and label."""
        return self.record.counts

    def key(self, line: ManifestLine) -> str:
        """The key of a picture in the dataset's bucket."""
        own = f"s3://{self.bucket.name}/"
        ref = line.source_ref
        return ref.removeprefix(own) if ref.startswith(own) else f"{self.prefix}/{ref}"

    def read(self, line: ManifestLine) -> bytes:
        """Read a picture's file.

        Raises:
            ObjectMissing: someone removed it.
        """
        with _advice(self.task):
            return self.bucket.get(self.key(line))

    def arrays(
        self, split: Split, size: int, progress: Progress = no_progress
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Read a split as a model takes it, in the manifest's order.

        Args:
            split: train, calibration or test.
            size: the side of the model's square input in pixels.
            progress: called as pictures are read.

        Returns:
            Images, uint8 of shape (N, size, size, 3), RGB; label indices, int64 of shape (N,).

        Raises:
            ObjectMissing: a picture was removed.
        """
        lines = [line for line in self.lines if line.split == split]
        images = np.empty((len(lines), size, size, 3), np.uint8)

        def one(line: ManifestLine) -> NDArray[np.uint8]:
            return model_input(self.read(line), size, name=self.key(line))

        with ThreadPoolExecutor(_THREADS) as pool:
            for done, image in enumerate(pool.map(one, lines)):
                images[done] = image
                progress(f"reading {split} pictures", done + 1, len(lines))
        return images, np.array([line.label_index for line in lines], np.int64)


def load_dataset(bucket: Bucket, task_name: str, version: str | None = None) -> Dataset:
    """Open a version of a task's dataset; by default the one that was staged last.

    Raises:
        ObjectMissing: nothing is staged, or not that version.
        StoreError: what is there is damaged.
    """
    staged = _staged_versions(bucket, task_name)
    if version is None:
        version = next(staged, None)
    elif not _is_complete(bucket, task_name, version):
        complete = (one for one in staged if _is_complete(bucket, task_name, one))
        if listed := ", ".join(islice(complete, _MOST_LISTED)):
            raise ObjectMissing(f"no dataset version {version} of task {task_name}; staged are {listed}")
        version = None
    if version is None:
        raise ObjectMissing(
            f"no dataset of task {task_name} in bucket {bucket.name} ({bucket.url()}): "
            f"run `scones stage --task {task_name}`"
        )
    prefix = Layout.dataset(task_name, version)
    with _advice(task_name):
        text = bucket.get(f"{prefix}/manifest.jsonl")
        record = _stored(DatasetRecord, bucket.get(f"{prefix}/dataset.json"), f"{prefix}/dataset.json")
        checks = _stored(Checks, bucket.get(f"{prefix}/checks.json"), f"{prefix}/checks.json")
    lines = (
        _stored(ManifestLine, row, f"line {number} of {prefix}/manifest.jsonl")
        for number, row in enumerate(text.splitlines(), 1)
    )
    return Dataset(bucket, record, tuple(lines), checks)


def _staged_versions(bucket: Bucket, task_name: str) -> Iterator[str]:
    """The versions in the series of stagings, each once, newest first; read only as far as it is gone through."""
    series, seen = Layout.dataset_series(task_name), set()
    for number in range(bucket.latest_number(series), 0, -1):
        version = str(bucket.get_json(Layout.record(series, number))["version"])
        if version not in seen:
            seen.add(version)
            yield version


def _is_complete(bucket: Bucket, task_name: str, version: str) -> bool:
    return bucket.exists(f"{Layout.dataset(task_name, version)}/manifest.jsonl")


def _stored(model: type[_M], text: bytes, where: str) -> _M:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise StoreError(f"{where} is damaged ({first_fault(error)}): remove the dataset and stage again") from error


@contextmanager
def _advice(task: str) -> Iterator[None]:
    try:
        yield
    except ObjectMissing as error:
        raise ObjectMissing(f"{str(error).split(': check', 1)[0]}: run `scones stage --task {task}` again") from error
