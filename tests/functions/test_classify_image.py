"""The second function: boto3's own client against the real endpoint, and what becomes of its errors."""

import base64
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from scones.capture import CaptureRecord, read_capture
from scones.errors import EndpointBusy, EndpointRejected, MessageError, ThresholdConfidenceNotMet
from scones.functions.answer_capture import capture_answer
from scones.functions.classify_image import classify_image
from scones.functions.filter_inferences import filter_inferences
from scones.functions.runtime import Runtime
from scones.monitoring import summarise
from scones.settings import Settings
from scones.store import Layout

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
    status, answer, attributes = 200, b"[0.25, 0.75]", ""

    def do_POST(self) -> None:
        self.seen.append(dict(self.headers))
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(self.answer)))
        self.send_header("X-Amzn-SageMaker-Custom-Attributes", self.attributes)
        self.end_headers()
        self.wfile.write(self.answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def other_endpoint() -> Iterator[Callable[..., tuple[str, list[dict[str, str]]]]]:
    servers = []

    def start(
        answer: bytes = b"[0.25, 0.75]", status: int = 200, attributes: str = ""
    ) -> tuple[str, list[dict[str, str]]]:
        given = {"seen": [], "answer": answer, "status": status, "attributes": attributes}
        handler = type("Handler", (Recorder,), given)
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


def test_the_floor_is_the_least_threshold_in_force_whatever_the_endpoint_says(
    start_endpoint: Callable[..., str], png_bytes: Callable[..., bytes]
) -> None:
    url, given = start_endpoint(), event(png_bytes(RED))
    sure = classify_image(given, runtime(url))
    assert filter_inferences(sure)
    assert classify_image(given, runtime(url, threshold_floor=0.5))["body"]["threshold"] == 0.9
    raised = classify_image(given, runtime(url, threshold_floor=1.0))
    assert raised["body"] == {**sure["body"], "threshold": 1.0}
    with pytest.raises(ThresholdConfidenceNotMet):
        filter_inferences(raised)


@pytest.mark.parametrize("threshold", ["-0.5", "1.5", "nan"])
def test_a_threshold_that_is_none_is_refused_and_not_floored(
    threshold: str, other_endpoint: Callable[..., Any], png_bytes: Callable[..., bytes]
) -> None:
    header = f"model_version=v;threshold={threshold};inference_id=e-1;labels=bicycle,motorcycle;task=vehicles"
    url = other_endpoint(attributes=header)[0]
    with pytest.raises(MessageError, match="custom attributes: field threshold"):
        classify_image(event(png_bytes()), runtime(url, threshold_floor=0.5))


STARTED = "2026-11-20T10:14:51.007Z"


def capturing(url: str, tmp_path: Path, share: float = 1.0) -> Runtime:
    return runtime(url, store=str(tmp_path), capture_share=share, threshold_floor=0.95)


def test_an_answer_is_captured_as_monitoring_reads_it(
    start_endpoint: Callable[..., str], png_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    mine, picture = capturing(start_endpoint(), tmp_path), png_bytes(PURPLE)
    mine.clock = lambda: 1_795_170_892.0
    body = classify_image(event(picture, execution_started=STARTED), mine)["body"]
    assert list(mine.home.list("capture")) == ["capture/scones/serverless/2026/11/20/10/14-51-007-e-1.jsonl"]
    [record] = read_capture(mine.home, Layout.CAPTURE)
    assert (record.inference_id, record.picture, record.content_type) == (body["inference_id"], picture, "image/png")
    assert list(record.probabilities) == body["inferences"]
    assert record.time.timestamp() == 1_795_170_892
    summary = summarise([record])
    assert (summary.labels, summary.below_share, summary.threshold) == ({body["label"]: 1}, 1.0, 0.95)
    assert summary.versions[0].version == "tiny-1"


def test_a_repeated_step_captures_the_same_object(
    start_endpoint: Callable[..., str], png_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    mine = capturing(start_endpoint(), tmp_path)
    for _ in range(2):
        classify_image(event(png_bytes(), execution_started=STARTED), mine)
    assert len(list(mine.home.list("capture"))) == 1


@pytest.mark.parametrize("started", ["", "at noon", "2026-11-20T10:14:51"])
def test_a_start_that_nobody_told_keeps_no_answer_from_being_captured(
    started: str, start_endpoint: Callable[..., str], png_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    mine = capturing(start_endpoint(), tmp_path)
    classify_image(event(png_bytes(), execution_started=started, execution=""), mine)
    assert len(list(mine.home.list("capture"))) == 1


def test_a_share_of_the_answers_is_captured_and_a_repeated_step_decides_the_same(
    start_endpoint: Callable[..., str], png_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    mine = capturing(start_endpoint(), tmp_path, share=0.5)
    for number in [*range(40), *range(40)]:
        classify_image(event(png_bytes(), execution=f"e-{number}", execution_started=STARTED), mine)
    kept = [record.inference_id for record in read_capture(mine.home, Layout.CAPTURE)]
    assert len(kept) == len(set(kept))
    assert 10 < len(kept) < 30


def test_nothing_is_captured_unless_it_is_asked_for(
    start_endpoint: Callable[..., str], png_bytes: Callable[..., bytes], tmp_path: Path
) -> None:
    mine = capturing(start_endpoint(), tmp_path, share=0.0)
    classify_image(event(png_bytes()), mine)
    assert list(mine.home.list("capture")) == []


def test_a_store_that_fails_is_logged_and_the_answer_goes_on(
    start_endpoint: Callable[..., str],
    png_bytes: Callable[..., bytes],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "scones").mkdir()
    (tmp_path / "scones/capture").write_text("no folder")
    given = event(png_bytes())
    with caplog.at_level(logging.DEBUG, "scones"):
        assert classify_image(given, capturing(start_endpoint(), tmp_path))["body"]["label"] == "bicycle"
    assert "cannot write capture/scones/serverless/" in caplog.text
    assert given["body"]["image_data"] not in caplog.text


def test_a_store_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        for name, value in {
            "ENDPOINT_URL": f"http://127.0.0.1:{deaf.getsockname()[1]}",
            "ALLOW_HTTP": "true",
            "ACCESS_KEY_ID": "testing",
            "SECRET_ACCESS_KEY": "testing",
            "REGION": "eu-west-1",
        }.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        record = CaptureRecord("e", "e", datetime(2026, 11, 20, tzinfo=UTC), (0.9, 0.1))
        capture_answer(Runtime(Settings.load(environ={}, file=None, store="s3://")), record, "", patience=0.05)
    assert "the store did not take capture/scones/serverless/2026/11/20/00/00-00-000-e.jsonl" in caplog.text
