"""Binding a port, and ending: what is inside is answered, what was captured is written."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette

from scones.capture import CaptureRecord, read_capture
from scones.errors import EndpointError, PortInUse
from scones.serving import CaptureWriter, background_server, bind, build_app, listening_url, run_server
from scones.store import Bucket, open_bucket


def test_a_port_in_use_is_told_with_the_port_and_the_way_out() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(
            PortInUse, match=rf"port {port} on 127\.0\.0\.1 is in use .* --port \(port 0 takes a free one"
        ):
            bind("127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "reason"),
    [("203.0.113.7", "Cannot assign requested address"), ("no such host", "Name or service not known")],
)
def test_an_address_that_is_not_this_machines_is_refused_with_the_reason(host: str, reason: str) -> None:
    with pytest.raises(EndpointError) as caught:
        bind(host, 0)
    assert str(caught.value) == f"cannot listen on {host} port 0 ({reason}): choose others with --host and --port"


def test_the_address_told_is_one_that_a_client_can_reach() -> None:
    with bind("0.0.0.0", 0) as listener:
        assert listening_url(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_sigterm_refuses_what_is_new_answers_what_is_inside_and_writes_the_capture(
    gated: Any, send: Callable[..., Any], png_bytes: Callable[..., bytes], bucket: Bucket
) -> None:
    listener = bind("127.0.0.1", 0)
    url = listening_url(listener)
    writer = CaptureWriter(bucket, "capture", "scones", "AllTraffic", flush_seconds=3600)
    app = build_app(gated, endpoint="scones", threshold=0.9, capture=writer)
    before = signal.getsignal(signal.SIGTERM)

    def call_then_terminate() -> int:
        with ThreadPoolExecutor() as callers:
            inside = callers.submit(send, url, "/invocations", png_bytes())
            assert gated.arrived.acquire(timeout=20)
            os.kill(os.getpid(), signal.SIGTERM)
            while _accepts(url):
                pass
            gated.gate.set()
            return int(inside.result().status)

    with ThreadPoolExecutor() as background:
        status: list[Future[int]] = []
        run_server(
            app, listener, capture=writer, on_ready=lambda: status.append(background.submit(call_then_terminate))
        )
        assert status[0].result() == 200
    assert len(list(read_capture(bucket, "capture"))) == 1
    assert signal.getsignal(signal.SIGTERM) is before


class _StuckBucket(Bucket):
    """A store that answers when the test lets it."""

    gate: threading.Event

    def put(self, key: str, data: bytes) -> None:
        assert self.gate.wait(20)


def test_neither_a_model_nor_a_store_that_hangs_keeps_the_endpoint_beyond_its_time(
    gated: Any, send: Callable[..., Any], png_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    listener = bind("127.0.0.1", 0)
    url = listening_url(listener)
    stuck = _StuckBucket("scones", open_bucket(str(tmp_path), "scones")._store)
    stuck.gate = gated.gate
    writer = CaptureWriter(stuck, "capture", "scones", "AllTraffic")
    writer.add(CaptureRecord("e1", "i1", datetime(2026, 11, 20, tzinfo=UTC), (0.5, 0.5)))
    app = build_app(gated, endpoint="scones", threshold=0.9)

    def call_and_terminate() -> int:
        with ThreadPoolExecutor() as callers:
            inside = callers.submit(send, url, "/invocations", png_bytes())
            assert gated.arrived.acquire(timeout=20)
            os.kill(os.getpid(), signal.SIGTERM)
            return int(inside.result().status)

    with ThreadPoolExecutor() as background:
        calls: list[Future[int]] = []
        begun = time.monotonic()
        run_server(
            app,
            listener,
            capture=writer,
            on_ready=lambda: calls.append(background.submit(call_and_terminate)),
            stop_seconds=0,
        )
        assert time.monotonic() - begun < 10
        assert not gated.gate.is_set()
        assert calls[0].result() == 500


def test_what_the_requests_inside_leave_of_the_time_is_for_the_capture(bucket: Bucket) -> None:
    class Closed(CaptureWriter):
        timeout = 0.0

        def close(self, timeout: float = 20.0) -> None:
            self.timeout = timeout
            super().close(timeout)

    writer = Closed(bucket, "capture", "scones", "AllTraffic")
    run_server(Starlette(), bind("127.0.0.1", 0), capture=writer, on_ready=lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert 20 < writer.timeout < 28


def test_a_server_that_dies_before_it_is_ready_is_an_error_and_no_wait_for_ever() -> None:
    @asynccontextmanager
    async def die(app: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("no model")
        yield

    with (
        pytest.raises(EndpointError, match="the server ended before it could answer"),
        background_server(Starlette(lifespan=die)),
    ):
        pass


def _accepts(url: str) -> bool:
    try:
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5).close()
    except OSError:
        return False
    return True
