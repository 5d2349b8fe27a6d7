"""Ways to talk to an endpoint, and a model that answers when the test lets it."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore
import botocore.config
import PIL.Image
import pytest

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


class GatedClassifier(Classifier):
    """The real classifier, which waits at a gate before each answer."""

    def __init__(self, info: BundleInfo, model: bytes) -> None:
        super().__init__(info, model)
        self.gate = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.calls = 0

    def classify(self, pictures: Sequence[bytes | PIL.Image.Image]) -> list[list[float]]:
        self.calls += 1
        self.arrived.release()
        assert self.gate.wait(20)
        return super().classify(pictures)


@pytest.fixture
def gated(tiny_bundle: Callable[..., bytes]) -> Iterator[GatedClassifier]:
    classifier = GatedClassifier(*read_bundle(tiny_bundle()))
    yield classifier
    classifier.gate.set()


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return open_bucket(str(tmp_path / "store"), "scones")
