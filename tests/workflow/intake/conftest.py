"""What tests of the intake share: clocks that are set by hand, and what `scones run` is made of, in this process."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from scones.settings import Settings
from scones.store import Bucket
from scones.workflow.application import Function, open_engine
from scones.workflow.engine import Engine, Event
from scones.workflow.intake import Admission, DeadLetters, Desk, Intake, Questions, Watcher

SURE = {
    "inferences": [0.99, 0.01],
    "label": "bicycle",
    "confidence": 0.99,
    "threshold": 0.9,
    "model_version": "v",
    "inference_id": "i",
}


def classify_at_once(event: Any, _: Any) -> Any:
    """Stands for an endpoint that is sure of every picture."""
    return {"statusCode": 200, "body": {**event["body"], **SURE}}


class HandClock:
    """Stands still until it is moved."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += seconds


class Gate:
    """A function that waits until it is let go, and counts."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.calls: list[str] = []

    def __call__(self, event: Any, _: Any) -> Any:
        self.calls.append(event["body"]["s3_key"])
        assert self.open.wait(60)
        return classify_at_once(event, _)


class Worker:
    """What `scones run` does, in a thread."""

    def __init__(
        self,
        settings: Settings,
        bucket: Bucket,
        functions: Mapping[str, Function],
        *,
        watch: bool,
        queue: int,
        retry_failed: bool,
        check_endpoint: Callable[[], None],
        watcher: Watcher | None,
    ) -> None:
        self.said: list[str] = []
        self.started: list[str] = []
        self.bucket = bucket
        self.letters = DeadLetters(bucket)
        self.admission = Admission(bucket, self.letters, queue)
        self.questions = Questions(self.admission.wake)
        self.error: BaseException | None = None
        self.engine: Engine = open_engine(settings, on_event=self._heed, functions=functions)
        self.admission.attach(self.engine)
        self.desk = Desk(self.engine, self.admission, task="vehicles", depot="main")
        self.intake = Intake(
            self.engine,
            self.admission,
            watcher or Watcher(bucket, now=time.time, clock=time.monotonic),
            self.questions,
            watch=watch,
            retry_failed=retry_failed,
            every=0.05,
            check_endpoint=check_endpoint,
            say=self.said.append,
            clock=time.monotonic,
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _heed(self, event: Event) -> None:
        self.admission.heed(event)
        self.questions.heed(event)
        if event.type == "ExecutionStarted" and event.machine == "classify":
            self.started.append(event.execution)

    def _run(self) -> None:
        try:
            self.intake.run()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    @property
    def outcomes(self) -> dict[str, int]:
        return dict(self.admission.outcomes)

    def join(self) -> None:
        self._thread.join(60)
        assert not self._thread.is_alive()

    def end(self) -> None:
        """Wait until it has ended by itself."""
        self.join()
        self.stop()

    def stop(self) -> None:
        self.intake.stop()
        self.join()
        self.engine.stop()
        self.intake.finish()


@pytest.fixture
def start(settings: Settings, bucket: Bucket) -> Iterator[Callable[..., Worker]]:
    """Start a worker: ``start(watch=True, queue=1000, classify_image=…)``; it is stopped when the test ends."""
    with ExitStack() as stack:

        def make(
            *,
            watch: bool = True,
            queue: int = 1000,
            retry_failed: bool = False,
            check_endpoint: Callable[[], None] = lambda: None,
            watcher: Watcher | None = None,
            place: Settings | None = None,
            **functions: Function,
        ) -> Worker:
            worker = Worker(
                place or settings,
                bucket,
                {"classify_image": classify_at_once, **functions},
                watch=watch,
                queue=queue,
                retry_failed=retry_failed,
                check_endpoint=check_endpoint,
                watcher=watcher,
            )
            stack.callback(worker.stop)
            return worker

        yield make


@pytest.fixture
def drop(bucket: Bucket) -> Callable[..., str]:
    """Let a picture lie there that was written a minute ago: ``key = drop(data, "a1", age=60.0)``."""

    def make(data: bytes, name: str = "a1", *, age: float = 60.0, ext: str = "png") -> str:
        assert bucket.folder is not None
        key = f"arrivals/vehicles/main/driver-1/{name}.{ext}"
        write(bucket.folder / key, data, age)
        return key

    return make


def write(path: Path, data: bytes, age: float = 60.0) -> None:
    """Write a file at once, so that nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.name}")
    hidden.write_bytes(data)
    os.utime(hidden, (time.time() - age,) * 2)
    hidden.replace(path)
