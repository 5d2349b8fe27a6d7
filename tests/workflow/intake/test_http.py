"""Arrivals over HTTP, from callers who mean well and others."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from scones.errors import EndpointError, PortInUse, SettingsError
from scones.http_server import background_server
from scones.store import Bucket
from scones.workflow.arrivals import execution_name
from scones.workflow.intake import build_intake_app, listen

from ..conftest import BLUE, RED
from .conftest import Gate, Worker

Wait = Callable[[Callable[[], object]], None]
Picture = Callable[..., bytes]
PNG = {"Content-Type": "image/png"}
JSON = {"Content-Type": "application/json"}
KEY = "arrivals/vehicles/main/d7/a1.png"
WHO = "/arrivals?driver_id=d7&arrival_id=a1"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Caller:
    url: str

    def __call__(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            given = response.read()
            return Reply(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                json.loads(given) if given else None,
            )
        finally:
            connection.close()

    def post(self, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
        return self("POST", path, body, headers)

    def raw(self, *sent: bytes) -> bytes:
        """Send bytes as they are, and go on without an end; what comes back first."""
        with self.connect() as connection:
            for some in sent:
                connection.sendall(some)
            return connection.recv(65536)

    def connect(self) -> socket.socket:
        parts = urlsplit(self.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=60)


@pytest.fixture
def serve() -> Iterator[Callable[..., Caller]]:
    """Put a worker behind HTTP: ``call = serve(worker, most_bytes=1000)``."""
    with ExitStack() as stack:

        def make(worker: Worker, **options: Any) -> Caller:
            listener = stack.enter_context(listen("127.0.0.1:0"))
            app = build_intake_app(
                worker.desk,
                waiting=lambda: worker.intake.waiting,
                **{"new_id": lambda: "made-up", **options},
            )
            return Caller(stack.enter_context(background_server(app, listener, stop_seconds=5)))

        yield make


@pytest.fixture
def worker(start: Callable[..., Worker]) -> Worker:
    return start()


@pytest.fixture
def call(serve: Callable[..., Caller], worker: Worker) -> Caller:
    return serve(worker)


def test_a_picture_is_taken_worked_and_its_end_can_be_asked_for(
    call: Caller, bucket: Bucket, png_bytes: Picture, wait_until: Wait
) -> None:
    reply = call.post(WHO, png_bytes(RED), PNG)
    name = execution_name(bucket, KEY)
    url = "/arrivals/vehicles/main/d7/a1"
    assert reply.status == 202
    assert reply.headers["location"] == url
    expected = {"arrival": "vehicles/main/d7/a1", "execution": name, "status": "RUNNING", "status_url": url}
    assert reply.body == expected
    assert bucket.get(KEY) == png_bytes(RED)
    wait_until(lambda: call("GET", url).body["status"] == "SUCCEEDED")
    told = call("GET", url)
    assert told.status == 200
    assert told.body["outcome"] == "routed"
    assert told.body["route"]["bay"] == "bicycle bay"
    assert (told.body["error"], told.body["dead_letter"]) == (None, False)


def test_the_same_again_changes_nothing_and_gets_the_same_answer(
    call: Caller, worker: Worker, png_bytes: Picture, wait_until: Wait
) -> None:
    first = call.post(WHO, png_bytes(RED), PNG)
    wait_until(lambda: worker.outcomes == {"routed": 1})
    again = call.post(WHO, png_bytes(RED), PNG)
    assert (again.status, again.body["execution"]) == (202, first.body["execution"])
    assert len(worker.started) == 1


def test_another_picture_under_the_same_name_is_refused(call: Caller, bucket: Bucket, png_bytes: Picture) -> None:
    assert call.post(WHO, png_bytes(RED), PNG).status == 202
    for other in (png_bytes(BLUE), png_bytes(BLUE, size=(64, 64)), png_bytes(RED, kind="JPEG")):
        reply = call.post(WHO, other, PNG)
        assert (reply.status, reply.body["error"]) == (409, "ObjectExists")
    assert list(bucket.list("arrivals")) == [KEY]


def test_an_idempotency_key_makes_a_repeat_safe_where_the_caller_has_no_id(
    call: Caller, worker: Worker, png_bytes: Picture
) -> None:
    headers = {**PNG, "Idempotency-Key": "8e03978e-40d5 / any text"}
    first = call.post("/arrivals?driver_id=d7", png_bytes(RED), headers)
    assert call.post("/arrivals?driver_id=d7", png_bytes(RED), headers).body["arrival"] == first.body["arrival"]
    assert call.post("/arrivals?driver_id=d7", png_bytes(BLUE), headers).status == 409
    other = call.post("/arrivals?driver_id=d7", png_bytes(BLUE), {**PNG, "Idempotency-Key": "another"})
    assert other.body["arrival"] != first.body["arrival"]


def test_many_callers_with_the_same_picture_at_once_start_one_execution(
    call: Caller, worker: Worker, png_bytes: Picture, wait_until: Wait
) -> None:
    replies: list[Reply] = []
    together = threading.Barrier(12)

    def post() -> None:
        together.wait()
        replies.append(call.post(WHO, png_bytes(RED), PNG))

    threads = [threading.Thread(target=post) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [reply.status for reply in replies] == [202] * 12
    assert len({reply.body["execution"] for reply in replies}) == 1
    wait_until(lambda: worker.outcomes == {"routed": 1})
    assert len(worker.started) == 1


def test_who_arrives_is_said_by_headers_too_and_defaults_to_the_settings(
    call: Caller, bucket: Bucket, png_bytes: Picture
) -> None:
    headers = {"X-Scones-Depot": "north", "X-Scones-Driver-Id": "d8", "X-Scones-Arrival-Id": "a2"}
    assert call.post("/arrivals", png_bytes(RED), {**PNG, **headers}).body["arrival"] == "vehicles/north/d8/a2"
    made_up = call.post("/arrivals", png_bytes(RED, kind="JPEG"), {"Content-Type": "image/jpeg; q=1"})
    assert made_up.body["arrival"] == "vehicles/main/unknown/made-up"
    assert bucket.exists("arrivals/vehicles/main/unknown/made-up.jpg"), "named by what it is"


def test_an_object_that_lies_there_is_worked_by_its_key(
    call: Caller, worker: Worker, bucket: Bucket, png_bytes: Picture, wait_until: Wait
) -> None:
    bucket.put(KEY, png_bytes(RED))
    for body in ({"s3_key": KEY}, {"s3_key": KEY, "s3_bucket": "scones", "image_data": ""}):
        assert call.post("/arrivals", json.dumps(body), JSON).status == 202
    wait_until(lambda: worker.outcomes == {"routed": 1})
    assert worker.started == [execution_name(bucket, KEY)]


def test_an_event_of_s3_is_worked_however_often_it_comes(
    call: Caller, worker: Worker, bucket: Bucket, png_bytes: Picture, wait_until: Wait
) -> None:
    key = "arrivals/loose picture+1.png"  # EventBridge sends keys as they are
    bucket.put(key, png_bytes(RED))
    event = {
        "version": "0",
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": {"bucket": {"name": "scones"}, "object": {"key": key, "size": 7}, "reason": "PutObject"},
    }
    replies = [call.post("/arrivals", json.dumps(event), JSON) for _ in range(3)]
    assert {reply.status for reply in replies} == {202}
    wait_until(lambda: worker.outcomes == {"routed": 1})
    assert len(worker.started) == 1
    told = call("GET", replies[0].body["status_url"])
    assert (told.body["outcome"], told.body["key"]) == ("routed", key), "also where the key says no name"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"\xff\xfe", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"9" * 100_000, "is no JSON"),
        (b"[]", "is a list, not an object"),
        (b"null", "is a NoneType"),
        (b"{}", "field s3_key is a NoneType"),
        (b'{"s3_key": 7}', "field s3_key is a int"),
        (b'{"s3_key": ""}', "does not lie under arrivals/"),
        (b'{"s3_key": "reports/a.png"}', "does not lie under arrivals/"),
        (b'{"s3_key": "/arrivals/a.png"}', "does not lie under arrivals/"),
        (b'{"s3_key": "arrivals"}', "does not lie under arrivals/"),
        (b'{"s3_key": "Arrivals/a.png"}', "does not lie under arrivals/"),
        (b'{"s3_key": "arrivals%2Fa.png"}', "does not lie under arrivals/"),
        (b'{"s3_key": "arrivals/../a.png"}', "is no key"),
        (b'{"s3_key": "arrivals/./a.png"}', "is no key"),
        (b'{"s3_key": "arrivals//a.png"}', "is no key"),
        (b'{"s3_key": "arrivals/a\\u0000.png"}', "is no key"),
        (b'{"s3_key": "arrivals/a\\n.png"}', "is no key"),
        (b'{"s3_key": "arrivals/\\ud800.png"}', "is no key"),
        (b'{"s3_key": "arrivals/' + b"x" * 2000 + b'.png"}', "is no key"),
        (b'{"s3_key": "arrivals/test.lst"}', "is no picture by its name"),
        (b'{"s3_key": "arrivals/a.png", "driver_id": "d7"}', "unknown field 'driver_id'"),
        (b'{"s3_key": "arrivals/a.png", "s3_bucket": "other"}', "bucket 'other' is not worked here"),
        (b'{"s3_key": "arrivals/a.png", "s3_bucket": ["scones"]}', "is not worked here"),
        (b'{"detail-type": "Object Deleted", "detail": {}}', "an event 'Object Deleted' starts nothing"),
        (b'{"detail": {"object": {"key": "arrivals/a.png"}}}', "starts nothing"),
        (b'{"detail-type": "Object Created"}', "no S3 event"),
        (b'{"detail-type": "Object Created", "detail": 7}', "no S3 event"),
        (b'{"detail-type": "Object Created", "detail": {"bucket": {"name": "scones"}, "object": {"key": 7}}}', "a int"),
    ],
)
def test_json_that_names_no_arrival_is_one_clear_400(call: Caller, worker: Worker, body: bytes, said: str) -> None:
    reply = call.post("/arrivals", body, JSON)
    assert reply.status == 400
    assert said in reply.body["message"]
    assert reply.body["error"] == "MessageError"
    assert worker.started == []


def test_a_key_of_a_name_that_no_arrival_can_have_is_refused_and_one_that_is_not_there_is_a_404(
    call: Caller, bucket: Bucket, png_bytes: Picture
) -> None:
    key = "arrivals/vehicles/main/ü b/a1.png"
    bucket.put("arrivals/vehicles/main/d/\u202e.png", b"x")
    assert call.post("/arrivals", json.dumps({"s3_key": key}), JSON).status == 400
    reply = call.post("/arrivals", json.dumps({"s3_key": KEY}), JSON)
    assert (reply.status, reply.body["error"]) == (404, "ObjectMissing")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/arrivals?driver_id=../../x", "field driver_id"),
        ("/arrivals?driver_id=..", "field driver_id"),
        ("/arrivals?driver_id=a%2Fb", "field driver_id"),
        ("/arrivals?arrival_id=%00", "field arrival_id"),
        ("/arrivals?task=%C3%BC", "field task"),
        ("/arrivals?depot=", "field depot"),
        ("/arrivals?arrival_id=" + "x" * 200, "field arrival_id"),
        ("/arrivals?driver=d7", "unknown parameter 'driver'"),
        ("/arrivals?driver_id=a&driver_id=b", "driver_id is said twice"),
    ],
)
def test_a_name_that_is_none_is_one_clear_400(
    call: Caller, bucket: Bucket, path: str, said: str, png_bytes: Picture
) -> None:
    reply = call.post(path, png_bytes(RED), PNG)
    assert reply.status == 400
    assert said in reply.body["message"]
    assert list(bucket.list("arrivals")) == []


@pytest.mark.parametrize("kind", ["", "text/plain", "image/gif", "multipart/form-data; boundary=x", "image/png,text/x"])
def test_another_content_type_is_a_415(call: Caller, kind: str, png_bytes: Picture) -> None:
    reply = call.post(WHO, png_bytes(RED), {"Content-Type": kind})
    assert reply.status == 415
    assert reply.body["error"] == "MessageError"
    assert "image/png, image/jpeg, image/webp, application/json" in reply.body["message"]


@pytest.mark.parametrize("data", [b"", b"hello", b"GIF89a..", b"<html>", b"RIFF1234WAVE"])
def test_a_body_that_is_no_picture_is_a_400_and_nothing_is_written(call: Caller, bucket: Bucket, data: bytes) -> None:
    reply = call.post(WHO, data, PNG)
    assert (reply.status, reply.body["error"]) == (400, "PictureError")
    assert list(bucket.list("arrivals")) == []


HEAD = b"POST /arrivals HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"


def test_a_huge_body_is_refused_before_it_was_read(
    serve: Callable[..., Caller], worker: Worker, bucket: Bucket
) -> None:
    call = serve(worker, most_bytes=1000)
    reply = call.post(WHO, b"x" * 1001, PNG)
    assert (reply.status, reply.body["error"]) == (413, "PictureTooLarge")
    assert "more than the 1,000 bytes allowed" in reply.body["message"]
    assert call.raw(HEAD, b"Content-Length: 99999999999\r\n\r\nx").startswith(b"HTTP/1.1 413")
    endless = call.raw(HEAD, b"Transfer-Encoding: chunked\r\n\r\n", b"800\r\n" + b"x" * 2048 + b"\r\n")
    assert endless.startswith(b"HTTP/1.1 413")
    assert list(bucket.list("arrivals")) == []
    assert call("GET", "/healthz").status == 200


def test_json_has_a_limit_of_its_own(call: Caller) -> None:
    assert call.post("/arrivals", b'{"s3_key": "' + b"x" * 300_000 + b'"}', JSON).status == 413


def test_a_body_that_does_not_come_is_a_408(serve: Callable[..., Caller], worker: Worker) -> None:
    call = serve(worker, body_seconds=0.05)
    with call.connect() as connection:
        connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nx")
        response = http.client.HTTPResponse(connection, method="POST")
        response.begin()
        assert (response.status, json.loads(response.read())["error"]) == (408, "MessageError")


def test_callers_that_go_away_in_the_midst_leave_nothing_and_take_no_room(
    call: Caller, bucket: Bucket, png_bytes: Picture, wait_until: Wait
) -> None:
    for _ in range(64):  # as many as may be inside
        with call.connect() as connection:
            connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nx")
    assert call("GET", "/healthz").status == 200
    assert list(bucket.list("arrivals")) == []
    wait_until(lambda: call.post(WHO, png_bytes(RED), PNG).status == 202)


def test_when_the_queue_is_full_callers_are_told_to_come_again_and_nothing_is_written(
    start: Callable[..., Worker], serve: Callable[..., Caller], bucket: Bucket, png_bytes: Picture, wait_until: Wait
) -> None:
    gate = Gate()
    worker = start(queue=2, classify_image=gate)
    call = serve(worker)
    for number in range(2):
        assert call.post(f"/arrivals?arrival_id=a{number}", png_bytes(RED), PNG).status == 202
    bucket.put(KEY, png_bytes(RED))
    wait_until(lambda: len(gate.calls) == 2)
    for reply in (
        call.post("/arrivals?arrival_id=a2", png_bytes(RED), PNG),
        call.post("/arrivals", json.dumps({"s3_key": KEY}), JSON),
    ):
        assert (reply.status, reply.body["error"]) == (503, "QueueFull")
        assert int(reply.headers["retry-after"]) > 0
    assert not bucket.exists("arrivals/vehicles/main/unknown/a2.png")
    waiting = call("GET", "/arrivals/vehicles/main/d7/a1").body
    assert (waiting["status"], waiting["execution"]) == ("WAITING", None)
    health = call("GET", "/healthz")
    assert (health.body["status"], health.body["running"], health.body["queue"]) == ("ok", 2, 2)
    gate.open.set()
    wait_until(lambda: sum(worker.outcomes.values()) == 3)
    assert call.post("/arrivals?arrival_id=a2", png_bytes(RED), PNG).status == 202


def test_while_the_process_ends_callers_are_told_to_come_again(
    call: Caller, worker: Worker, bucket: Bucket, png_bytes: Picture
) -> None:
    worker.stop()
    reply = call.post(WHO, png_bytes(RED), PNG)
    assert (reply.status, reply.body["error"]) == (503, "Stopping")
    assert "retry-after" in reply.headers
    assert call("GET", "/healthz").status == 503
    assert list(bucket.list("arrivals")) == []


def test_a_picture_that_was_written_when_the_engine_stopped_is_accepted_and_worked_later(
    start: Callable[..., Worker], worker: Worker, serve: Callable[..., Caller], bucket: Bucket, png_bytes: Picture
) -> None:
    call = serve(worker)
    worker.engine.stop()
    reply = call.post(WHO, png_bytes(RED), PNG)
    assert (reply.status, reply.body["status"]) == (202, "WAITING")
    worker.stop()
    after = start(watch=False)
    after.join()
    assert after.started == [reply.body["execution"]]


def test_a_store_that_fails_is_a_503_and_not_the_callers_fault(
    call: Caller, worker: Worker, bucket: Bucket, png_bytes: Picture
) -> None:
    bucket.put("arrivals/vehicles/main", b"a file where a folder is to be")
    reply = call.post(WHO, png_bytes(RED), PNG)
    assert reply.status == 503
    assert "retry-after" in reply.headers


def test_a_poison_picture_is_told_with_its_reason(
    call: Caller, worker: Worker, png_bytes: Picture, wait_until: Wait
) -> None:
    assert call.post(WHO, png_bytes(RED, size=(300, 300))[:60], PNG).status == 202
    wait_until(lambda: len(worker.letters) == 1)
    told = call("GET", "/arrivals/vehicles/main/d7/a1").body
    assert (told["status"], told["outcome"], told["error"], told["dead_letter"]) == (
        "FAILED",
        "failed",
        "PictureError",
        True,
    )
    again = call.post(WHO, png_bytes(RED, size=(300, 300))[:60], PNG)
    assert (again.status, again.body["status"]) == (202, "FAILED")
    assert len(worker.started) == 1


def test_what_never_arrived_and_what_does_not_exist_are_404(call: Caller) -> None:
    assert call("GET", "/arrivals/vehicles/main/d7/nobody").body["error"] == "ObjectMissing"
    for method, path, status in (
        ("GET", "/arrivals/vehicles/main/d7/nobody", 404),
        ("GET", "/arrivals/vehicles/main/../x", 400),
        ("GET", "/arrivals/vehicles/main/d7/%C3%BC", 400),
        ("GET", "/arrivals/..%2F..%2F/b/c/d", 404),
        ("GET", "/nothing", 404),
        ("GET", "/arrivals", 405),
        ("DELETE", "/arrivals/vehicles/main/d7/a1", 405),
        ("OPTIONS", "/arrivals", 405),
    ):
        reply = call(method, path)
        assert reply.status == status, (method, path)
        assert reply.body["message"]


@pytest.mark.parametrize("address", ["", "nowhere", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "a:1/path", "[::1"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="--listen"):
        listen(address)


def test_a_port_alone_is_one_of_this_machine_and_one_in_use_is_named() -> None:
    with listen("0") as listener:
        host, port = listener.getsockname()[:2]
        assert host == "127.0.0.1"
        with pytest.raises(PortInUse, match=f"port {port} .*choose another with --listen"):
            listen(str(port))
    with pytest.raises(EndpointError, match="choose another with --listen"):
        listen("203.0.113.1:80")
