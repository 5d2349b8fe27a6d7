"""Traces: what a collector gets, over loopback, of an endpoint in this process and of one of several processes."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.errors import SettingsError
from scones.serving import VARIANT, Endpoint, Lineup, Slot, Terms, background_endpoint
from scones.serving.tracing import Tracing, traces_wanted

from .conftest import GatedClassifier, post

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra tracing is not installed")

Send = Callable[..., Any]
Png = Callable[..., bytes]
Bundle = Callable[..., bytes]
Wait = Callable[..., None]
Connect = Callable[[str], socket.socket]
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
STAGES = ["wait", "decode", "infer", "encode"]


class Collector(ThreadingHTTPServer):
    """What takes OTLP over HTTP, and keeps the spans with their resources' attributes."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Take)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.spans: list[Any] = []
        self.resources: list[dict[str, Any]] = []
        self.bytes = b""

    def named(self, name: str) -> Any:
        [found] = [span for span in self.spans if span.name == name]
        return found

    def below(self, span: Any) -> list[Any]:
        found = [other for other in self.spans if other.parent_span_id == span.span_id]
        return sorted(found, key=lambda stage: stage.start_time_unix_nano)


class _Take(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

        body = self.rfile.read(int(self.headers["content-length"]))
        for found in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.resources.append(values(found.resource))
            self.server.spans += [span for scope in found.scope_spans for span in scope.spans]
        self.server.bytes += body
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def values(of: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in of.attributes}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector that the environment names."""
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector
        collector.shutdown()
        thread.join()


@contextmanager
def traced(classifier: Classifier, *, batch: int = 1, flush: float = 20, **terms: Any) -> Iterator[str]:
    tracing = Tracing("bays")
    lineup = Lineup(Slot(VARIANT, classifier, 0.9, batch))
    with background_endpoint(Endpoint(lineup, Terms("bays", **terms), tracing=tracing)) as url:
        yield url
    tracing.close(flush)


@pytest.fixture
def classifier(tiny_bundle: Bundle) -> Classifier:
    return Classifier(*read_bundle(tiny_bundle()))


def test_a_request_is_a_span_of_its_callers_trace_and_its_stages_lie_inside_it_in_order(
    collector: Collector, classifier: Classifier, send: Send, png_bytes: Png
) -> None:
    told = {
        "traceparent": f"00-{TRACE}-{CALLER}-01",
        "tracestate": "vendor=7",
        "X-Amzn-SageMaker-Inference-Id": "arrival-1",
    }
    begun = time.time_ns()
    with traced(classifier) as url:
        assert send(url, "/invocations", png_bytes(), told).status == 200
        assert send(url, "/ping").status == 200
    span = collector.named("POST /invocations")
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.trace_state) == (TRACE, CALLER, "vendor=7")
    assert span.kind == span.SPAN_KIND_SERVER
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert begun < span.start_time_unix_nano < span.end_time_unix_nano < time.time_ns()
    assert values(span) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/invocations",
        "network.protocol.version": "1.1",
        "url.path": "/invocations",
        "url.scheme": "http",
        "scones.batch_size": 1,
        "scones.inference_id": "arrival-1",
        "scones.model_version": "tiny-1",
        "scones.variant": "AllTraffic",
    }
    stages = collector.below(span)
    assert [stage.name for stage in stages] == STAGES
    assert {stage.trace_id.hex() for stage in stages} == {TRACE}
    times = [at for stage in stages for at in (stage.start_time_unix_nano, stage.end_time_unix_nano)]
    assert times == sorted(times)
    assert span.start_time_unix_nano <= times[0]
    assert times[-1] <= span.end_time_unix_nano
    assert len(collector.spans) == 5, "of nothing else"
    assert collector.resources[0]["service.name"] == "bays"
    assert png_bytes()[:40] not in collector.bytes


def test_pictures_of_a_batch_say_how_many_they_were_and_each_is_a_trace_of_its_own(
    collector: Collector, gated: GatedClassifier, send: Send, png_bytes: Png, wait_until: Wait
) -> None:
    with ThreadPoolExecutor() as callers, traced(gated, batch=8) as url:
        waiting = [callers.submit(send, url, "/invocations", png_bytes())]
        assert gated.arrived.acquire(timeout=20)
        waiting += [callers.submit(send, url, "/invocations", png_bytes()) for _ in range(3)]
        wait_until(lambda: b'inside{endpoint="bays"} 4' in send(url, "/metrics", method="GET").body)
        gated.gate.set()
        assert [future.result().status for future in waiting] == [200] * 4
    servers = [span for span in collector.spans if span.kind == span.SPAN_KIND_SERVER]
    assert sorted(values(span)["scones.batch_size"] for span in servers) == [1, 3, 3, 3]
    assert len({span.trace_id for span in servers}) == 4, "who says nothing gets a trace of its own"
    took = {
        number: {stage(collector, span, "infer") for span in servers if values(span)["scones.batch_size"] == number}
        for number in (1, 3)
    }
    assert max(took[3]) - min(took[3]) < 1000, "nanoseconds of rounding"
    assert min(took[1]) > max(took[3]), "the first waited at the gate"


def stage(collector: Collector, span: Any, name: str) -> int:
    [found] = [each for each in collector.below(span) if each.name == name]
    return int(found.end_time_unix_nano - found.start_time_unix_nano)


@pytest.mark.parametrize(
    ("path", "told", "status", "stages"),
    [
        ("/invocations", {"method": "GET"}, 405, []),
        ("/invocations", {"headers": {"Content-Type": "text/plain"}}, 415, []),
        ("/invocations", {"body": b"no picture"}, 400, ["wait", "decode"]),
        ("/endpoints/bays/invocations", {"body": b"no picture"}, 424, ["wait", "decode"]),
        ("/endpoints/other/invocations", {}, 400, []),
    ],
)
def test_a_refused_request_is_a_span_with_its_status_and_no_error_of_ours(
    collector: Collector,
    classifier: Classifier,
    send: Send,
    path: str,
    told: dict[str, Any],
    status: int,
    stages: list[str],
) -> None:
    with traced(classifier) as url:
        assert send(url, path, **told).status == status
    route = path if path == "/invocations" else "/endpoints/{name}/invocations"
    span = collector.named(f"{told.get('method', 'POST')} {route}")
    assert (values(span)["http.response.status_code"], values(span)["url.path"]) == (status, path)
    assert span.status.code == span.status.STATUS_CODE_UNSET
    assert [stage.name for stage in collector.below(span)] == stages


def test_one_too_many_and_one_that_fails_are_errors_and_one_whose_caller_went_is_a_499(
    collector: Collector, gated: GatedClassifier, send: Send, png_bytes: Png, connect: Connect, wait_until: Wait
) -> None:
    def fails(batch: Any) -> Any:
        GatedClassifier.predict(gated, batch)
        raise RuntimeError("no memory")

    with ThreadPoolExecutor() as callers, traced(gated, max_queue=2) as url:
        gated.predict = fails  # type: ignore[method-assign]
        failing = callers.submit(send, url, "/invocations", png_bytes())
        assert gated.arrived.acquire(timeout=20)
        gone = connect(url)
        gone.sendall(post(png_bytes(), "User-Agent: gone"))
        wait_until(lambda: b'inside{endpoint="bays"} 2' in send(url, "/metrics", method="GET").body)
        assert send(url, "/endpoints/bays/invocations", png_bytes()).status == 503
        gone.close()
        wait_until(lambda: b'requests_total{endpoint="bays",code="499"} 1' in send(url, "/metrics", method="GET").body)
        gated.gate.set()
        assert failing.result().status == 500
    found = {values(span)["http.response.status_code"]: span for span in collector.spans if span.kind == 2}
    assert found.keys() == {499, 500, 503}
    assert {status: (span.status.code, values(span).get("error.type")) for status, span in found.items()} == {
        499: (0, None),
        500: (2, "500"),
        503: (2, "503"),
    }
    assert values(found[500])["scones.model_version"] == "tiny-1"


def test_a_caller_that_does_not_sample_gets_no_span(
    collector: Collector, classifier: Classifier, send: Send, png_bytes: Png
) -> None:
    with traced(classifier) as url:
        assert send(url, "/invocations", png_bytes(), {"traceparent": f"00-{TRACE}-{CALLER}-00"}).status == 200
    assert collector.spans == []


def test_what_is_no_traceparent_does_no_harm_and_fills_no_log(
    collector: Collector, classifier: Classifier, send: Send, png_bytes: Png, caplog: pytest.LogCaptureFixture
) -> None:
    bad = ["", "x", "\xff" * 60, "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "0" * 600]
    with traced(classifier) as url:
        for given in bad * 3:
            told = {"traceparent": given, "tracestate": "," * 600}
            assert send(url, "/invocations", png_bytes(), told).status == 200
    assert len([span for span in collector.spans if span.kind == span.SPAN_KIND_SERVER]) == 15
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) <= 1


def test_a_collector_that_is_away_costs_no_answer_little_time_at_the_end_and_a_line_in_the_log(
    classifier: Classifier,
    send: Send,
    png_bytes: Png,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "8")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2")
    with traced(classifier, flush=0.2) as url:
        assert {send(url, "/invocations", png_bytes()).status for _ in range(30)} == {200}
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    [line] = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert line.startswith("traces: ")


def test_a_collector_that_takes_and_never_answers_holds_up_neither_answers_nor_the_end(
    classifier: Classifier, send: Send, png_bytes: Png, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
        with traced(classifier, flush=0.2) as url:
            begun = time.monotonic()
            assert send(url, "/invocations", png_bytes()).status == 200
            kept = silent.accept()[0]  # it is being sent
            assert {send(url, "/invocations", png_bytes()).status for _ in range(30)} == {200}
        assert time.monotonic() - begun < 2
        kept.close()


def test_each_worker_process_sends_its_own_and_the_last_before_it_ends(
    collector: Collector, tmp_path: Path, tiny_bundle: Bundle, send: Send, png_bytes: Png
) -> None:
    (tmp_path / "model.tar.gz").write_bytes(tiny_bundle())
    command = [sys.executable, "-m", "scones", "serve", "--port", "0", "--json", "--workers", "1", "--no-capture"]
    environment = os.environ | {"OTEL_SERVICE_NAME": "arrivals"}
    with (
        (tmp_path / "log").open("w+") as log,
        subprocess.Popen(
            [*command, "--model", "model.tar.gz"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log
        ) as process,
    ):
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            assert send(url, "/invocations", png_bytes()).status == 200
            [supervisor] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            assert len(list(Path(f"/proc/{supervisor}/task").iterdir())) == 1, "who forks has no threads"
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
        assert (tmp_path / "log").read_text() == ""
    assert [stage.name for stage in collector.below(collector.named("POST /invocations"))] == STAGES
    assert collector.resources[0]["service.name"] == "arrivals"


HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        (HERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:4318/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_TRACES_EXPORTER": "console, otlp"}, True),
        (HERE | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (HERE | {"OTEL_TRACES_EXPORTER": "console"}, False),
        (HERE | {"OTEL_SDK_DISABLED": "True"}, False),
        (HERE | {"OTEL_SDK_DISABLED": "false", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, True),
        (HERE | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_opentelemetrys_own_variables_say_whether_traces_are_made(environment: dict[str, str], wanted: bool) -> None:
    assert traces_wanted(environment) is wanted


def test_a_protocol_that_is_not_spoken_is_refused() -> None:
    with pytest.raises(SettingsError, match="OTLP as 'grpc' is not spoken: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="):
        traces_wanted(HERE | {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})


@pytest.mark.parametrize(
    "queue",
    [
        {"MAX_QUEUE_SIZE": "100"},
        {"MAX_QUEUE_SIZE": "-5"},
        {"MAX_QUEUE_SIZE": "100", "MAX_EXPORT_BATCH_SIZE": "abc"},
        {"MAX_EXPORT_BATCH_SIZE": "0"},
        {"SCHEDULE_DELAY": "0"},
    ],
)
def test_a_queue_that_opentelemetry_would_not_make_is_refused_before_anything_starts(queue: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="set OTEL_BSP_MAX_EXPORT_BATCH_SIZE to"):
        traces_wanted(HERE | {f"OTEL_BSP_{name}": value for name, value in queue.items()})


WITHOUT = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.startswith("opentelemetry"):
            raise ModuleNotFoundError(f"No module named {name!r}")
sys.meta_path.insert(0, Missing())
from scones.cli import main
main()
"""


def test_without_its_extra_the_endpoint_says_what_to_install_before_it_starts(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, "serve", "--port", "0"],
        cwd=tmp_path,
        env=os.environ | HERE,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (SettingsError.exit_code, "")
    assert "pip install 'scones[tracing]'" in done.stderr
    assert "Traceback" not in done.stderr


UNTRACED = """
import http.client, sys
from urllib.parse import urlsplit
from scones.bundle import read_bundle
from scones.classifier import Classifier
from scones.serving import VARIANT, Endpoint, Lineup, Slot, Terms, background_endpoint
import scones.serving.supervisor
bundle, picture = (open(path, "rb").read() for path in sys.argv[1:])
endpoint = Endpoint(Lineup(Slot(VARIANT, Classifier(*read_bundle(bundle)), 0.9)), Terms("bays"))
with background_endpoint(endpoint) as url:
    caller = http.client.HTTPConnection(urlsplit(url).netloc)
    caller.request("POST", "/invocations", picture, {"Content-Type": "image/png", "traceparent": "00-1-1-01"})
    print(caller.getresponse().status)
    caller.close()
print([name for name in sys.modules if name.startswith("opentelemetry")])
"""


def test_where_nothing_asks_for_traces_opentelemetry_is_not_imported(
    tmp_path: Path, tiny_bundle: Bundle, png_bytes: Png
) -> None:
    (tmp_path / "model").write_bytes(tiny_bundle())
    (tmp_path / "picture").write_bytes(png_bytes())
    command = [sys.executable, "-c", UNTRACED, "model", "picture"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split("\n")[:2] == ["200", "[]"]
