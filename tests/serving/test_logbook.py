"""Who was answered is written down later, and whatever becomes of that, answers go on."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.serving import VARIANT, Endpoint, Lineup, Slot, Terms, background_endpoint
from scones.serving.job import Job

Send = Callable[..., Any]


class _Stuck(logging.Handler):
    """A log that nobody reads, until they do."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.read = threading.Event(), threading.Event()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.begun.set()
        self.read.wait(60)
        self.lines.append(record.getMessage())


@pytest.fixture
def stuck(access_log: Callable[[logging.Handler], None]) -> Iterator[_Stuck]:
    access_log(handler := _Stuck())
    yield handler
    handler.read.set()


@pytest.fixture
def endpoint(tiny_bundle: Callable[..., bytes]) -> Callable[..., Endpoint]:
    classifier = Classifier(*read_bundle(tiny_bundle()))
    return lambda **how: Endpoint(Lineup(Slot(VARIANT, classifier, 0.9)), Terms("bays", access_log=True), **how)


def test_a_log_that_nobody_reads_holds_up_neither_answers_nor_the_end(
    endpoint: Callable[..., Endpoint], stuck: _Stuck, send: Send, png_bytes: Callable[..., bytes]
) -> None:
    with background_endpoint(endpoint()) as url:
        assert send(url, "/invocations", png_bytes()).status == 200
        assert stuck.begun.wait(20)
        for _ in range(3):
            assert send(url, "/invocations", png_bytes()).status == 200
        assert send(url, "/ping").status == 200
    assert not stuck.lines


class _Failing:
    """What makes spans, and cannot make the first."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def tell(self, answered: Any) -> None:
        self.told.append(answered.status)
        if len(self.told) == 1:
            raise RuntimeError("a sampler of one's own")


def test_what_cannot_be_written_down_costs_no_other_and_is_told(
    endpoint: Callable[..., Endpoint], send: Send, png_bytes: Callable[..., bytes], caplog: pytest.LogCaptureFixture
) -> None:
    tracing = _Failing()
    with background_endpoint(endpoint(tracing=tracing)) as url:
        for _ in range(3):
            assert send(url, "/invocations", png_bytes()).status == 200
    assert tracing.told == [200] * 3
    assert "was not written down" in caplog.text


def test_nothing_of_a_picture_is_kept_when_its_request_has_ended(
    endpoint: Callable[..., Endpoint], send: Send, png_bytes: Callable[..., bytes]
) -> None:
    gc.collect()
    gc.disable()  # it would find them some time, and bodies may be large
    try:
        with background_endpoint(endpoint()) as url:
            for body in (png_bytes(), b"no picture"):
                send(url, "/invocations", body)
        # isinstance would ask each for its class, and some complain of that
        left = [one for one in gc.get_objects() if type(one) is Job and one.picture]
    finally:
        gc.enable()
    assert not left
