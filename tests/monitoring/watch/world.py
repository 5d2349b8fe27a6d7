"""A shop with a model in production and an endpoint that captures: what tests of the monitor look at."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import PIL.Image

from scones.bundle import read_bundle
from scones.capture import CaptureRecord, capture_key, encode_line
from scones.classifier import Classifier
from scones.monitoring.watch.health import health_of
from scones.picture import encode_png
from scones.registry import register
from scones.staging import SourcePicture, write_dataset
from scones.store import Bucket, Layout, open_bucket
from scones.task import load_task

TASK, ENDPOINT = "vehicles", "scones"
START = datetime(2024, 11, 20, 10, 0, tzinfo=UTC)
"""Long before the files of these tests are written, as no record counts as newer than its file."""
PROMOTED = START - timedelta(minutes=1)


def picture(rng: np.random.Generator, *, drifted: bool = False) -> bytes:
    """A red or a blue picture, as those that the model was trained on; drifted: in strange light."""
    values = rng.integers(0, 60, (32, 32, 3))
    values[..., 0 if rng.random() < 0.5 else 2] += rng.integers(90, 190)
    if drifted:
        values = values // 4 + 150
    return encode_png(PIL.Image.fromarray(values.astype(np.uint8)))


def add_model(bucket: Bucket, bundle: bytes, dataset: str) -> Classifier:
    """Register a model; the first goes into production."""
    info, model = read_bundle(bundle)
    info = info.model_copy(update={"dataset": dataset})
    register(bucket, info, model, who="a test", now=PROMOTED)
    return Classifier(info, model)


def build(folder: Path, bundle: bytes, pictures: list[SourcePicture]) -> Bucket:
    """A store with a dataset, a model in production, and what that looks like in health."""
    bucket = open_bucket(str(folder), "scones")
    dataset = write_dataset(bucket, load_task(TASK), pictures, source={"kind": "test"})
    info = add_model(bucket, bundle, dataset.version).info
    health_of(bucket, TASK, info.version)
    return bucket


@dataclass
class Shop:
    """An endpoint that captures into a bucket of its own."""

    bucket: Bucket
    classifier: Classifier
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))
    made: int = 0

    @classmethod
    def copy_of(cls, bucket: Bucket, folder: Path, bundle: bytes) -> Shop:
        """A shop with a copy of what :func:`build` made."""
        assert bucket.folder is not None
        shutil.copytree(bucket.folder, folder / "scones")
        return cls(open_bucket(str(folder), "scones"), Classifier(*read_bundle(bundle)))

    @property
    def dataset(self) -> str:
        """The version of the dataset that there is."""
        return str((self.bucket.latest(Layout.dataset_series(TASK)) or {})["version"])

    def answer(
        self,
        count: int,
        *,
        start: datetime = START,
        apart: float = 1.0,
        drifted: bool = False,
        version: str | None = None,
    ) -> list[CaptureRecord]:
        """Let the model answer new pictures, ``apart`` seconds from each other."""
        found = []
        for k in range(count):
            data = picture(self.rng, drifted=drifted)
            found.append(
                CaptureRecord(
                    event_id=f"event-{self.made}",
                    inference_id=f"inference-{self.made}",
                    time=start + timedelta(seconds=k * apart),
                    probabilities=tuple(self.classifier.classify([data])[0]),
                    content_type="image/png",
                    picture=data,
                    attributes={
                        "model_version": version or self.classifier.info.version,
                        "threshold": "0.9",
                        "labels": ",".join(self.classifier.info.labels),
                    },
                )
            )
            self.made += 1
        return found

    def write(self, records: Sequence[CaptureRecord], name: str = "u", *, time: datetime | None = None) -> str:
        """Capture answers in one file."""
        key = capture_key(Layout.CAPTURE, ENDPOINT, "AllTraffic", time or records[0].time, name)
        self.bucket.put(key, text(records))
        return key

    def capture(self, count: int, *, start: datetime = START, apart: float = 1.0, drifted: bool = False) -> str:
        """Answer new pictures and capture them in one file."""
        return self.write(self.answer(count, start=start, apart=apart, drifted=drifted))


def text(records: Sequence[CaptureRecord]) -> bytes:
    """A capture file."""
    return "".join(f"{encode_line(record)}\n" for record in records).encode()


MakeShop = Callable[[], Shop]
