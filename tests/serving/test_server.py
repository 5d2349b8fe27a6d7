"""Binding a port, and ending: what is inside is answered, what was captured is written."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from scones.capture import read_capture
from scones.errors import EndpointError, PortInUse
from scones.serving import CaptureWriter, bind, build_app, listening_url, run_server
from scones.store import Bucket


def test_a_port_in_use_is_told_with_the_port_and_the_way_out() -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"port {port} on 127\.0\.0\.1 is in use .*--port 0 takes a free one"):
            bind("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(EndpointError, match=r"cannot listen on 203\.0\.113\.7 port 0"):
        bind("203.0.113.7", 0)


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


def _accepts(url: str) -> bool:
    try:
        socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=5).close()
    except OSError:
        return False
    return True
