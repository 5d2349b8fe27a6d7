"""What tests of the application share: settings with an endpoint, a bucket with orders, arrivals, their work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scones.dispatch import add_orders, sample_orders
from scones.settings import Settings
from scones.store import Bucket, open_bucket
from scones.workflow.arrivals import start_arrival
from scones.workflow.engine import Engine, ExecutionDetail

RED, BLUE, PURPLE = (220, 20, 20), (20, 20, 220), (120, 20, 120)
"""A tiny model is sure of the first two: the first label, the last. Of purple it is not."""


class FastClock:
    """A hundred seconds pass in one."""

    def __init__(self) -> None:
        self._began = time.time()

    def now(self) -> float:
        return self._began + 100.0 * (time.time() - self._began)

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(seconds / 100.0)


@pytest.fixture
def settings(tmp_path: Path, start_endpoint: Callable[..., str]) -> Settings:
    return Settings.load(
        environ={},
        file=None,
        store=str(tmp_path / "store"),
        journal=tmp_path / "journal.sqlite",
        endpoint_url=start_endpoint(),
    )


@pytest.fixture
def bucket(settings: Settings) -> Bucket:
    place = open_bucket(settings.store, settings.bucket)
    add_orders(place, "main", sample_orders(20, seed=1))
    return place


def arrive(bucket: Bucket, picture: bytes, name: str = "a1", task: str = "vehicles", ext: str = "png") -> str:
    """Let a picture arrive; its key."""
    key = f"arrivals/{task}/main/driver-1/{name}.{ext}"
    bucket.put(key, picture)
    return key


def work(engine: Engine, bucket: Bucket, key: str, **options: Any) -> ExecutionDetail:
    """Work an arrival to the end of its classify execution."""
    name, _ = start_arrival(engine, bucket, key, **options)
    [ended] = engine.wait(name, machine="classify", timeout=60)
    return ended
