"""What tests of the engine share: an object store in memory, a clock that is set by hand, an engine on both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from scones.workflow.engine import Engine, ExecutionDetail, Listed

FUNCTION = "arn:aws:lambda:eu-west-1:123456789012:function:"
"""The start of a plain function ARN; the name follows."""

Open: TypeAlias = Callable[..., Engine]
Run: TypeAlias = Callable[..., ExecutionDetail]


class MemoryObjects:
    """An object store in memory: contents by bucket and key."""

    def __init__(self, contents: dict[tuple[str, str], bytes]) -> None:
        self.contents = contents

    def get(self, bucket: str, key: str) -> bytes:
        return self.contents[bucket, key]

    def put(self, bucket: str, key: str, body: bytes) -> None:
        self.contents[bucket, key] = body

    def list(self, bucket: str, prefix: str) -> Iterator[Listed]:
        for (owner, key), body in sorted(self.contents.items()):
            if owner == bucket and key.startswith(prefix):
                yield Listed(key, len(body), 1_700_000_000.0, "e")


class HandClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self._now = time.time()
        self._waiting: list[threading.Condition] = []

    def now(self) -> float:
        return self._now

    def wait(self, condition: threading.Condition, seconds: float) -> None:
        self._waiting.append(condition)
        condition.wait()

    def move(self, seconds: float) -> None:
        self._now += seconds
        for condition in list(self._waiting):
            with condition:
                condition.notify_all()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects({})


@pytest.fixture
def run(tmp_path: Path, objects: MemoryObjects) -> Run:
    """Run a machine once: its end. Functions by name; ``machines`` that it may start."""

    def run(
        definition: dict[str, Any],
        given: Any = None,
        *,
        machines: dict[str, Any] | None = None,
        name: str = "e",
        **functions: Callable[..., object],
    ) -> ExecutionDetail:
        path = tmp_path / "journal.db"
        with Engine(path, {"m": definition, **(machines or {})}, functions, objects) as engine:
            engine.start("m", given, name=name)
            [ended] = engine.wait(name, machine="m", timeout=20)
        return ended

    return run
