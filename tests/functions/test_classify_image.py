"""The second function: boto3's own client against the real endpoint, and what becomes of its errors."""

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from scones.errors import EndpointBusy, EndpointRejected, MessageError
from scones.functions.classify_image import classify_image
from scones.functions.runtime import Runtime
from scones.settings import Settings

RED, PURPLE = (220, 20, 20), (120, 20, 120)


def runtime(url: str, **more: Any) -> Runtime:
    return Runtime(Settings.load(environ={}, file=None, endpoint_url=url, endpoint_timeout=5.0, **more))


def event(picture: bytes, **more: Any) -> dict[str, Any]:
    body = {
        "image_data": base64.b64encode(picture).decode(),
        "s3_bucket": "scones",
        "s3_key": "arrivals/vehicles/main/d/a.png",
        "task": "vehicles",
        "depot": "main",
        "driver_id": "d",
        "arrival_id": "a",
        "execution": "e-1",
        "inferences": [],
    }
    return {"statusCode": 200, "body": {**body, **more}}


@pytest.mark.parametrize("wrap", [lambda e: e, lambda e: {"body": json.dumps(e["body"])}])
def test_the_answer_is_added_to_the_message(
    wrap: Callable[[Any], Any], start_endpoint: Callable[..., str], png_bytes: Callable[..., bytes]
) -> None:
    given = event(png_bytes(RED), another_teams_field=7)
    answer = classify_image(wrap(given), runtime(start_endpoint()))
    body = answer["body"]
    assert json.loads(json.dumps(answer)) == answer
    assert len(body["inferences"]) == 2
    assert body["confidence"] == max(body["inferences"])
    assert (body["label"], body["threshold"], body["model_version"]) == ("bicycle", 0.9, "tiny-1")
    assert (body["inference_id"], body["another_teams_field"]) == ("e-1", 7)
    assert body["image_data"] == given["body"]["image_data"]


class Recorder(BaseHTTPRequestHandler):
    """An endpoint that is not ours: answers a list and nothing else, and notes what it was sent."""

    seen: list[dict[str, str]]
    status, answer = 200, b"[0.25, 0.75]"

    def do_POST(self) -> None:
        self.seen.append(dict(self.headers))
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.answer)))
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def other_endpoint() -> Iterator[Callable[..., tuple[str, list[dict[str, str]]]]]:
    servers = []

    def start(answer: bytes = b"[0.25, 0.75]", status: int = 200) -> tuple[str, list[dict[str, str]]]:
        handler = type("Handler", (Recorder,), {"seen": [], "answer": answer, "status": status})
        server = HTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}", handler.seen  # type: ignore[attr-defined]

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_endpoint_that_is_not_ours_gets_labels_and_threshold_from_the_task(
    other_endpoint: Callable[..., Any], png_bytes: Callable[..., bytes]
) -> None:
    body = classify_image(event(png_bytes()), runtime(other_endpoint()[0]))["body"]
    assert (body["label"], body["confidence"], body["threshold"]) == ("motorcycle", 0.75, 0.9)


def test_no_credentials_of_the_user_reach_a_local_endpoint(
    other_endpoint: Callable[..., Any],
    png_bytes: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        "[default]\naws_access_key_id=AKIASECRET1\naws_secret_access_key=x\naws_session_token=TOKEN1\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIASECRET2")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "TOKEN2")
    url, seen = other_endpoint()
    classify_image(event(png_bytes()), runtime(url))
    sent = json.dumps(seen)
    assert "SECRET" not in sent
    assert "TOKEN" not in sent
    assert "authorization" not in sent.lower()


def test_it_works_without_any_aws_variable_or_folder_and_with_a_profile_that_is_not_there(
    other_endpoint: Callable[..., Any],
    png_bytes: Callable[..., bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    assert classify_image(event(png_bytes()), runtime(other_endpoint()[0]))
    monkeypatch.setenv("AWS_PROFILE", "not-there")
    for name in ("RETRY_MODE", "DEFAULTS_MODE", "STS_REGIONAL_ENDPOINTS", "REQUEST_CHECKSUM_CALCULATION", "CA_BUNDLE"):
        monkeypatch.setenv(f"AWS_{name}", "nonsense")
    assert classify_image(event(png_bytes()), runtime(other_endpoint()[0]))


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_passes_by_itself_is_retryable(
    status: int, other_endpoint: Callable[..., Any], png_bytes: Callable[..., bytes]
) -> None:
    with pytest.raises(EndpointBusy, match="try again"):
        classify_image(event(png_bytes()), runtime(other_endpoint(b"{}", status)[0]))


def test_an_endpoint_that_is_not_there_is_retryable(png_bytes: Callable[..., bytes]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(EndpointBusy, match="is it running"):
        classify_image(event(png_bytes()), runtime(f"http://127.0.0.1:{port}"))


def test_an_endpoint_that_never_answers_is_retryable(png_bytes: Callable[..., bytes]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        slow = runtime(f"http://127.0.0.1:{deaf.getsockname()[1]}")
        slow.settings = slow.settings.model_copy(update={"endpoint_timeout": 0.2})
        with pytest.raises(EndpointBusy):
            classify_image(event(png_bytes()), slow)


def test_what_the_endpoint_refuses_is_permanent(
    start_endpoint: Callable[..., str], png_bytes: Callable[..., bytes]
) -> None:
    url = start_endpoint()
    with pytest.raises(EndpointRejected, match="ModelError 400"):
        classify_image(event(b"no picture"), runtime(url))
    with pytest.raises(EndpointRejected, match="ValidationError"):
        classify_image(event(png_bytes()), runtime(url, endpoint="another"))


@pytest.mark.parametrize("answer", [b"[]", b"hello", b'{"a": 1}', b"7", b"[1, 2, 3]", b'["x"]', b"null"])
def test_an_answer_that_is_no_list_of_probabilities_is_permanent(
    answer: bytes, other_endpoint: Callable[..., Any], png_bytes: Callable[..., bytes]
) -> None:
    with pytest.raises(EndpointRejected):
        classify_image(event(png_bytes()), runtime(other_endpoint(answer)[0]))


def test_image_data_that_is_no_base64_is_refused() -> None:
    with pytest.raises(MessageError, match="no base64"):
        classify_image(event(b"", image_data="%%%"), runtime("http://127.0.0.1:1"))
