"""The container's face of the endpoint: what is answered, what is refused, and how it behaves when busy."""

from __future__ import annotations

import json
import logging
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from scones.bundle import read_bundle
from scones.capture import read_capture
from scones.classifier import Classifier
from scones.contracts import Answer
from scones.errors import BundleError, SettingsError
from scones.serving import VARIANT, CaptureWriter, Endpoint, Lineup, Slot, Terms, background_endpoint
from scones.serving.terms import Patience
from scones.store import Bucket

Send = Callable[..., Any]
Start = Callable[..., str]
Png = Callable[..., bytes]


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("image/png", "PNG"),
        ("image/jpeg", "JPEG"),
        ("image/webp", "WEBP"),
        ("application/x-image", "PNG"),
        ("application/octet-stream", "JPEG"),
        ("Image/PNG; name=red.png", "PNG"),
    ],
)
def test_each_picture_type_is_answered_with_the_plain_list_of_probabilities(
    endpoint_url: str, send: Send, png_bytes: Png, content_type: str, kind: str
) -> None:
    reply = send(endpoint_url, "/invocations", png_bytes(kind=kind), {"Content-Type": content_type})
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    bicycle, motorcycle = json.loads(reply.body)
    assert bicycle > 0.99
    assert bicycle + motorcycle == pytest.approx(1)


def test_the_header_tells_version_threshold_labels_and_the_callers_inference_id(
    start_endpoint: Start, send: Send, png_bytes: Png
) -> None:
    url = start_endpoint(threshold=0.75)
    reply = send(url, "/invocations", png_bytes(), {"X-Amzn-SageMaker-Inference-Id": "arrival 7, first"})
    assert Answer.from_header(reply.headers["x-amzn-sagemaker-custom-attributes"]) == Answer(
        model_version="tiny-1",
        threshold=0.75,
        inference_id="arrival 7, first",
        labels=("bicycle", "motorcycle"),
        task="vehicles",
    )
    assert reply.headers["x-amzn-invoked-production-variant"] == "AllTraffic"


def test_a_request_without_inference_id_gets_one_of_its_own(endpoint_url: str, send: Send, png_bytes: Png) -> None:
    headers = [
        send(endpoint_url, "/invocations", png_bytes()).headers["x-amzn-sagemaker-custom-attributes"] for _ in range(2)
    ]
    first, second = (Answer.from_header(header).inference_id for header in headers)
    assert len(first) == len(second) == 36
    assert first != second


@pytest.mark.parametrize("given", ["", "x" * 65, "tab\there", "café", "x;threshold=0.0"])
def test_an_inference_id_that_is_not_valid_is_refused(
    endpoint_url: str, send: Send, png_bytes: Png, given: str
) -> None:
    reply = send(endpoint_url, "/invocations", png_bytes(), {"X-Amzn-SageMaker-Inference-Id": given})
    assert (reply.status, json.loads(reply.body)["error"]) == (400, "ValidationError")


def test_the_endpoint_answers_what_the_classifier_answers_in_process(
    endpoint_url: str, send: Send, png_bytes: Png, tiny_bundle: Callable[..., bytes]
) -> None:
    photo = png_bytes((90, 80, 100), size=(400, 300), kind="JPEG")
    [expected] = Classifier(*read_bundle(tiny_bundle())).classify([photo])
    assert json.loads(send(endpoint_url, "/invocations", photo, {"Content-Type": "image/jpeg"}).body) == expected


def _chunks(data: bytes, size: int = 100) -> Iterator[bytes]:
    yield from (data[i : i + size] for i in range(0, len(data), size))


def test_a_chunked_body_is_read_like_any_other(endpoint_url: str, send: Send, png_bytes: Png) -> None:
    reply = send(endpoint_url, "/invocations", _chunks(png_bytes(size=(300, 200))))
    assert reply.status == 200


@pytest.mark.parametrize(
    ("body", "content_type", "status", "error"),
    [
        (b"", "image/png", 400, "PictureError"),
        (b"row\tlabel\tpath\n", "image/png", 400, "PictureError"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "image/png", 400, "PictureError"),
        (b"{}", "application/json", 415, "EndpointRejected"),
        (b"0.5,0.5", "text/csv", 415, "EndpointRejected"),
        (b"", "", 415, "EndpointRejected"),
        (b"x" * 10_001, "image/png", 413, "PictureTooLarge"),
    ],
)
def test_bad_input_is_the_callers_fault_and_the_answer_says_what_to_do(
    endpoint_url: str, send: Send, body: bytes, content_type: str, status: int, error: str
) -> None:
    reply = send(endpoint_url, "/invocations", body, {"Content-Type": content_type})
    assert reply.status == status
    answer = json.loads(reply.body)
    assert answer.keys() == {"error", "message"}
    assert answer["error"] == error
    assert any(advice in answer["message"] for advice in ("send", "expected"))


def test_a_picture_cut_short_is_refused(endpoint_url: str, send: Send, png_bytes: Png) -> None:
    whole = png_bytes(size=(64, 64))
    assert send(endpoint_url, "/invocations", whole[: len(whole) // 2]).status == 400


def test_a_chunked_body_that_is_too_large_is_refused_while_it_arrives(endpoint_url: str, send: Send) -> None:
    def endless() -> Iterator[bytes]:
        yield from (b"x" * 1000 for _ in range(500))

    reply = send(endpoint_url, "/invocations", endless())
    assert reply.status == 413


def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(endpoint_url: str) -> None:
    address = urlsplit(endpoint_url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as wire:
        wire.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\n"
            b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n"
        )
        assert wire.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_does_not_arrive_in_time_is_refused(start_endpoint: Start) -> None:
    address = urlsplit(start_endpoint(patience=Patience(body=0.05)))
    with socket.create_connection((address.hostname, address.port), timeout=20) as wire:
        wire.sendall(
            b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\nContent-Length: 100\r\n\r\nhalf"
        )
        assert wire.recv(100).startswith(b"HTTP/1.1 408 ")


def test_mutated_pictures_never_make_a_server_error(endpoint_url: str, send: Send, png_bytes: Png) -> None:
    rng = random.Random(7)
    seeds = [png_bytes((10, 90, 200), size=(40, 30), kind=kind) for kind in ("PNG", "JPEG", "WEBP")]
    statuses = set()
    for case in range(150):
        data = bytearray(seeds[case % 3])
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        statuses.add(send(endpoint_url, "/invocations", bytes(data[: rng.randint(1, len(data))])).status)
    assert statuses <= {200, 400, 413}


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/invocations", 405), ("POST", "/elsewhere", 404)])
def test_an_unknown_path_or_method_is_told_which_ones_there_are(
    endpoint_url: str, send: Send, method: str, path: str, status: int
) -> None:
    reply = send(endpoint_url, path, method=method)
    assert reply.status == status
    assert "use GET /ping or POST /invocations" in json.loads(reply.body)["message"]


def test_ping_is_answered_while_the_worker_is_busy_and_the_queue_is_full(
    start_endpoint: Start, send: Send, png_bytes: Png, gated: Any, wait_until: Callable[..., None]
) -> None:
    url = start_endpoint(gated, max_queue=2)
    with ThreadPoolExecutor() as callers:
        waiting = [callers.submit(send, url, "/invocations", png_bytes()) for _ in range(2)]
        assert gated.arrived.acquire(timeout=20)
        wait_until(lambda: 'inside{endpoint="scones"} 2' in send(url, "/metrics", method="GET").body.decode())
        assert send(url, "/ping").status == 200
        refused = send(url, "/invocations", png_bytes())
        assert refused.status == 503
        assert refused.headers["retry-after"] == "1"
        assert json.loads(refused.body)["error"] == "EndpointBusy"
        gated.gate.set()
        assert [future.result().status for future in waiting] == [200, 200]
    assert send(url, "/invocations", png_bytes()).status == 200


class _Statuses(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict[str, Any]] = []
        self.gone = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.loads(record.getMessage()))
        if self.lines[-1]["status"] == 499:
            self.gone.set()


@pytest.fixture
def access_lines(access_log: Callable[[logging.Handler], None]) -> _Statuses:
    access_log(handler := _Statuses())
    return handler


def test_a_request_whose_caller_has_gone_is_not_computed(
    start_endpoint: Start, send: Send, png_bytes: Png, gated: Any, access_lines: _Statuses
) -> None:
    url = start_endpoint(gated, access_log=True)
    picture = png_bytes()
    with ThreadPoolExecutor() as callers:
        first = callers.submit(send, url, "/invocations", picture)
        assert gated.arrived.acquire(timeout=20)
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as wire:
            wire.sendall(
                b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: image/png\r\n"
                b"Content-Length: %d\r\n\r\n" % len(picture) + picture
            )
        assert access_lines.gone.wait(20)
        gated.gate.set()
        assert first.result().status == 200
    assert send(url, "/invocations", picture).status == 200
    assert gated.calls == 2


@pytest.mark.parametrize("logged", [True, False])
def test_the_access_log_has_a_line_a_request_and_no_picture(
    tiny_bundle: Callable[..., bytes], send: Send, access_lines: _Statuses, logged: bool
) -> None:
    classifier = Classifier(*read_bundle(tiny_bundle()))
    terms = Terms("bays", access_log=logged)
    with background_endpoint(Endpoint(Lineup(Slot(VARIANT, classifier, 0.9)), terms)) as url:
        for path in ("/invocations", "/endpoints/bays/invocations"):
            send(url, path, b"no picture", {"X-Amzn-SageMaker-Inference-Id": "arrival-1"})
        send(url, "/ping")
    assert [line["status"] for line in access_lines.lines] == [400, 424] * logged, "what the caller was told"
    for line in access_lines.lines:
        assert line.keys() == {"time", "event_id", "inference_id", "path", "status", "ms"}
        assert line["inference_id"] == "arrival-1"
        assert line["event_id"] != "arrival-1"
        assert datetime.now(UTC) - datetime.fromisoformat(line["time"]) < timedelta(minutes=1)


def test_every_answer_is_captured_with_picture_ids_and_threshold(
    start_endpoint: Start, send: Send, png_bytes: Png, bucket: Bucket
) -> None:
    picture = png_bytes()
    with CaptureWriter(bucket, "capture", "scones", "AllTraffic") as writer:
        url = start_endpoint(capture=writer)
        answers = [
            json.loads(send(url, "/invocations", picture, {"X-Amzn-SageMaker-Inference-Id": f"i{number}"}).body)
            for number in range(3)
        ]
        send(url, "/invocations", b"no picture")
    records = list(read_capture(bucket, "capture/scones/AllTraffic"))
    assert [record.inference_id for record in records] == ["i0", "i1", "i2"]
    assert [list(record.probabilities) for record in records] == answers
    assert {record.picture for record in records} == {picture}
    assert records[0].content_type == "image/png"
    assert records[0].attributes == {
        "model_version": "tiny-1",
        "threshold": "0.9",
        "labels": "bicycle,motorcycle",
    }


def test_answers_go_on_while_the_capture_cannot_be_written(
    start_endpoint: Start, send: Send, png_bytes: Png, bucket: Bucket
) -> None:
    bucket.put("capture", b"a file where a folder should be: nothing can be written below it")
    with CaptureWriter(bucket, "capture", "scones", "AllTraffic", flush_records=1) as writer:
        url = start_endpoint(capture=writer)
        assert [send(url, "/invocations", png_bytes()).status for _ in range(5)] == [200] * 5
    assert (writer.written, writer.dropped) == (0, 5)


class _BrokenClassifier(Classifier):
    def predict(self, batch: Any) -> Any:
        if threading.current_thread().name == "worker":
            raise RuntimeError("a fault of ours")
        return super().predict(batch)


def test_a_fault_of_ours_is_a_500_of_the_agreed_shape_and_the_log_has_the_traceback(
    start_endpoint: Start,
    send: Send,
    png_bytes: Png,
    tiny_bundle: Callable[..., bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    reply = send(start_endpoint(_BrokenClassifier(*read_bundle(tiny_bundle()))), "/invocations", png_bytes())
    assert (reply.status, json.loads(reply.body)["error"]) == (500, "EndpointError")
    assert "a fault of ours" in caplog.text
    assert "a fault of ours" not in reply.body.decode()


class _NoNumber(Classifier):
    def predict(self, batch: Any) -> Any:
        probabilities, embedding = super().predict(batch)
        if threading.current_thread().name == "worker":
            probabilities[batch[:, 0, 0, 0] == 0] = np.nan  # of pictures without red
        return probabilities, embedding


def test_an_answer_that_is_no_number_is_a_500_and_harms_no_other(
    start_endpoint: Start, send: Send, png_bytes: Png, tiny_bundle: Callable[..., bytes]
) -> None:
    url = start_endpoint(_NoNumber(*read_bundle(tiny_bundle())))
    assert [send(url, "/invocations", png_bytes((red, 0, 200))).status for red in (9, 0, 9)] == [200, 500, 200]


def test_a_model_that_does_not_fit_its_bundle_is_found_out_before_anything_is_served(
    tiny_bundle: Callable[..., bytes],
) -> None:
    info, model = read_bundle(tiny_bundle())
    wrong_size = Classifier(info.model_copy(update={"input_size": 64}), model)
    wrong_labels = Classifier(info.model_copy(update={"labels": ("a", "b", "c")}), model)
    for classifier in (wrong_size, wrong_labels):
        with pytest.raises(BundleError, match="model tiny-1"):
            Endpoint(Lineup(Slot(VARIANT, classifier, 0.9)), Terms("scones"))


@pytest.mark.parametrize("options", [{"endpoint": "no/name"}, {"endpoint": ""}, {"max_queue": 0}])
def test_names_and_numbers_that_cannot_work_are_refused(
    tiny_bundle: Callable[..., bytes], options: dict[str, Any]
) -> None:
    lineup = Lineup(Slot(VARIANT, Classifier(*read_bundle(tiny_bundle())), 0.9))
    with pytest.raises(SettingsError):
        Endpoint(lineup, Terms(**({"endpoint": "scones"} | options)))
