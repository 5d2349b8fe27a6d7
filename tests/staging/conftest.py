"""Tiny archives in CIFAR-100's layout, a bucket, and pictures that differ."""

from __future__ import annotations

import io
import pickle
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from scones.picture import encode_png
from scones.store import Bucket, open_bucket
from scones.task import Task, load_task

Row = tuple[int, str]
"""A fine label and a file name."""

FINE = [f"class_{number}" for number in range(100)]
FINE[8], FINE[48], FINE[12] = "bicycle", "motorcycle", "bridge"
COARSE = [f"coarse_{number}" for number in range(20)]
COARSE[18] = "vehicles_1"


def noise(seed: int, side: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


@pytest.fixture
def draw() -> Callable[..., bytes]:
    """The PNG of a picture like no other: ``draw(seed, side=32)``."""

    def make(seed: int, side: int = 32) -> bytes:
        return encode_png(PIL.Image.fromarray(noise(seed, side)))

    return make


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path / "store"), "scones")


@pytest.fixture
def vehicles() -> Task:
    return load_task("vehicles")


def table(rows: Sequence[Row], first: int) -> dict[bytes, Any]:
    data = np.stack([noise(first + index).transpose(2, 0, 1).reshape(-1) for index in range(len(rows))])
    return {
        b"data": data,
        b"fine_labels": [label for label, _ in rows],
        b"coarse_labels": [18 if label in (8, 48) else 0 for label, _ in rows],
        b"filenames": [name.encode() for _, name in rows],
    }


def add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


@pytest.fixture
def make_archive(tmp_path: Path) -> Callable[..., Path]:
    """Write an archive in CIFAR-100's layout.

    ``make_archive(train=[(8, "a.png"), …], test=…, extra=…, pickles={"meta": b"…"})``: ``extra`` is called
    with the open tar, ``pickles`` replaces members.
    """

    def make(
        train: Sequence[Row] | None = None,
        test: Sequence[Row] | None = None,
        extra: Callable[[tarfile.TarFile], None] | None = None,
        pickles: Mapping[str, bytes] | None = None,
    ) -> Path:
        many = [(label, f"{number}.png") for number in range(12) for label in (8, 48, 12)]
        contents: dict[str, Any] = {
            "meta": {
                b"fine_label_names": [name.encode() for name in FINE],
                b"coarse_label_names": [name.encode() for name in COARSE],
            },
            "train": table(many if train is None else train, 0),
            "test": table(many[:9] if test is None else test, 1000),
        }
        path = tmp_path / "cifar-100-python.tar.gz"
        with tarfile.open(path, "w:gz", compresslevel=1) as tar:
            if extra is not None:
                extra(tar)
            for name, content in contents.items():
                # protocol 3, as later ones pickle arrays in other words than Python 2 did
                data = (pickles or {}).get(name, pickle.dumps(content, protocol=3))
                add(tar, f"cifar-100-python/{name}", data)
        return path

    return make
