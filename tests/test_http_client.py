"""What went wrong with a request, in words: as urllib3 raises it, with retries and without."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import urllib3

from scones.http_client import open_client, reason

REFUSED = "Failed to establish a new connection: [Errno 111] Connection refused"
both = pytest.mark.parametrize("retries", [False, urllib3.Retry(0)], ids=["without retries", "with retries"])


def told(url: str, retries: Any) -> str:
    """The reason why an address cannot be asked."""
    with open_client(url) as http, pytest.raises(urllib3.exceptions.HTTPError) as caught:
        http.request("GET", url, retries=retries, timeout=30)
    return reason(caught.value)


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that answers once, whatever it is asked, and hangs up; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)

        def serve() -> None:
            connection = server.accept()[0]
            connection.recv(10_000)
            connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@both
def test_nobody_listening_is_told_without_the_connections_own_name(nobody: str, retries: Any) -> None:
    assert told(nobody, retries) == REFUSED


@both
def test_a_proxy_where_nobody_listens_is_told_as_the_proxys(
    nobody: str, retries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", nobody)
    assert told("https://example.com/", retries) == f"Unable to connect to proxy: {REFUSED}"


@both
def test_a_proxy_that_refuses_is_told_with_its_answer(retries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(b"HTTP/1.1 403 Forbidden\r\n\r\n") as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        said = told("https://example.com/", retries)
    assert said == "Unable to connect to proxy: Tunnel connection failed: 403 Forbidden"


@both
def test_a_server_that_hangs_up_is_told(retries: Any) -> None:
    with answering(b"") as url:
        assert told(url, retries) == "Connection aborted."
