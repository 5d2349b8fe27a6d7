"""Ways to talk to an endpoint, and a model that answers when the test lets it."""

from __future__ import annotations

import http.client
import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore
import botocore.config
import numpy as np
import pytest
from numpy.typing import NDArray

from scones.bundle import BundleInfo, read_bundle
from scones.classifier import Classifier
from scones.store import Bucket, open_bucket

if TYPE_CHECKING:
    from pathlib import Path

    from mypy_boto3_sagemaker_runtime import SageMakerRuntimeClient


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes


@pytest.fixture
def access_log() -> Iterator[Callable[[logging.Handler], None]]:
    """Have the access log written to a handler until the test ends."""
    logger, handlers = logging.getLogger("scones.serving.access"), []

    def write_to(handler: logging.Handler) -> None:
        handlers.append(handler)
        logger.addHandler(handler)

    logger.setLevel(logging.INFO)
    yield write_to
    logger.setLevel(logging.NOTSET)
    for handler in handlers:
        logger.removeHandler(handler)


@pytest.fixture
def send() -> Callable[..., Reply]:
    """Send one request: ``send(url, "/invocations", body, {"Content-Type": …})``; an iterable body goes chunked."""

    def send(url: str, path: str, body: Any = b"", headers: Mapping[str, str] | None = None, method: str = "") -> Reply:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
        chunked = not isinstance(body, bytes)
        try:
            connection.request(
                method or ("GET" if path == "/ping" else "POST"),
                path,
                body,
                {"Content-Type": "image/png"} | dict(headers or {}),
                encode_chunked=chunked,
            )
            response = connection.getresponse()
            return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    return send


@pytest.fixture
def boto_client() -> Iterator[Callable[..., SageMakerRuntimeClient]]:
    """Make boto3's own client for an endpoint's address."""
    clients = []

    def make(url: str, *, attempts: int = 1) -> SageMakerRuntimeClient:
        config = botocore.config.Config(
            signature_version=botocore.UNSIGNED, retries={"total_max_attempts": attempts}, read_timeout=20, proxies={}
        )
        session = boto3.session.Session(region_name="local")
        client = session.client("sagemaker-runtime", endpoint_url=url, config=config)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str], socket.socket]]:
    """Open a connection to an endpoint's address; it is closed when the test ends."""
    with ExitStack() as stack:

        def connect(url: str) -> socket.socket:
            at = urlsplit(url)
            return stack.enter_context(socket.create_connection((at.hostname, at.port), timeout=20))

        yield connect


def post(picture: bytes, *headers: str) -> bytes:
    """The bytes of a request to classify a picture."""
    lines = ["POST /invocations HTTP/1.1", "Host: here", "Content-Type: image/png", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(picture)}", "", ""]).encode() + picture


def replies(wire: socket.socket, number: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
    """Read so many replies, with status, headers and body; of those of status 100 there is no body."""
    data = b""
    found: list[tuple[int, dict[str, str], bytes]] = []
    while len(found) < number:
        while b"\r\n\r\n" not in data:
            data += _more(wire)
        head, _, data = data.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", "0"))
        while len(data) < size:
            data += _more(wire)
        found.append((int(first.split()[1]), headers, data[:size]))
        data = data[size:]
    assert data == b"", "more than was expected"
    return found


def _more(wire: socket.socket) -> bytes:
    data = wire.recv(65536)
    assert data, "the connection ended"
    return data


class GatedClassifier(Classifier):
    """The real classifier, which waits at a gate before each answer that a caller gets."""

    def __init__(self, info: BundleInfo, model: bytes) -> None:
        super().__init__(info, model)
        self.gate = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.calls = 0

    def predict(self, batch: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if threading.current_thread().name == "worker":
            self.calls += 1
            self.arrived.release()
            assert self.gate.wait(20)
        return super().predict(batch)


@pytest.fixture
def gated(tiny_bundle: Callable[..., bytes]) -> Iterator[GatedClassifier]:
    classifier = GatedClassifier(*read_bundle(tiny_bundle()))
    yield classifier
    classifier.gate.set()


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path / "store"), "scones")
