"""A bucket and the first task, for tests that stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from scones.store import Bucket, open_bucket
from scones.task import Task, load_task


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path / "store"), "scones")


@pytest.fixture
def vehicles() -> Task:
    return load_task("vehicles")
