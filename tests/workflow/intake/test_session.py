"""The process is told to end, whatever its threads are at."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scones.errors import StoreError
from scones.settings import Settings
from scones.store import Bucket, Entry, open_bucket
from scones.workflow.application import open_engine
from scones.workflow.engine import Engine
from scones.workflow.intake import Admission, DeadLetters, Intake, Questions, Watcher, work


class Hanging(Watcher):
    """A place that does not answer."""

    def __init__(self, bucket: Bucket) -> None:
        super().__init__(bucket, now=time.time, clock=time.monotonic)
        self.asked, self.answers = threading.Event(), threading.Event()

    def look(self) -> list[Entry]:
        self.asked.set()
        self.answers.wait(60)
        return super().look()


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path / "store"), "scones")


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    settings = Settings.load(environ={}, file=None, store=str(tmp_path / "store"), journal=tmp_path / "j.sqlite")
    with open_engine(settings) as opened:
        yield opened


@pytest.fixture
def make(engine: Engine, bucket: Bucket) -> Callable[..., Intake]:
    def make(watcher: Watcher | None = None, *, watch: bool = True) -> Intake:
        admission = Admission(bucket, DeadLetters(bucket), 10)
        admission.attach(engine)
        return Intake(
            engine,
            admission,
            watcher or Watcher(bucket, now=time.time, clock=time.monotonic),
            Questions(),
            watch=watch,
            retry_failed=False,
            every=0.05,
            check_endpoint=lambda: None,
            say=print,
            clock=time.monotonic,
        )

    return make


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_what_heeded_it_before_does_so_again(
    make: Callable[..., Intake], bucket: Bucket, number: int
) -> None:
    before = signal.getsignal(number)
    watcher = Hanging(bucket)
    watcher.answers.set()

    def tell() -> None:
        watcher.asked.wait(60)
        os.kill(os.getpid(), number)

    teller = threading.Thread(target=tell)
    teller.start()
    assert work(make(watcher))
    teller.join()
    assert signal.getsignal(number) is before


def test_a_store_that_hangs_does_not_keep_the_process_from_ending(make: Callable[..., Intake], bucket: Bucket) -> None:
    watcher = Hanging(bucket)

    def tell() -> None:
        watcher.asked.wait(60)
        os.kill(os.getpid(), signal.SIGTERM)

    teller = threading.Thread(target=tell)
    teller.start()
    intake = make(watcher)
    assert work(intake, grace=0.01)
    intake.finish()  # does nothing: the thread still hangs
    teller.join()
    watcher.answers.set()


def test_one_that_ends_by_itself_was_not_told_to(make: Callable[..., Intake]) -> None:
    assert not work(make(watch=False))


def test_what_it_raises_is_raised_in_the_main_thread(make: Callable[..., Intake], bucket: Bucket) -> None:
    bucket.put("arrivals", b"a file")
    with pytest.raises(StoreError):
        work(make(watch=False))
