"""What it costs that the endpoint can be watched: metrics, a log of every request, and traces, in turn.

One endpoint, which is told again and again how it is to be watched: not at all (what counts does nothing), as it is by
default, with a line of JSON for every request, with OpenTelemetry's traces of one request in twenty, which the
documentation advises under load, and of every request. Nothing but this differs: two endpoints that are started alike
differ by more than it costs. A cost is what a picture takes of the processor more than it does in the way that it is
held against, as a share, the median of all rounds. The traces go to a collector that throws them away; it is not
counted. `--model` names a model.tar.gz, else the smallest that is shipped is trained.
"""

from __future__ import annotations

import argparse
import http.server
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from capture_cost import asked
from endpoint_process import serve, train
from harness import Claim, emit, progress

from scones.loadtest import Generator, drawn_samples, encode_request, find_target

WAYS = ("uncounted", "counted", "logged", "some_traced", "all_traced")
TOLD = 0.6
"""Seconds until all processes have seen what they are told: they look as often as their loops tick."""
WATCHED = """
import os
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from scones.cli import main
from scones.serving.contract import Contract
from scones.serving.figures import Row

tick, counting, kept = Contract.tick, (Row.add, Row.observe), {}

def watched(contract, connections):
    way, book = open(os.environ["WAY"]).read(), kept.setdefault("book", contract._desk._logbook)
    tracing = kept.setdefault("tracing", book._tracing)
    some = kept.setdefault("some", tracing._tracer.sampler)
    Row.add, Row.observe = [lambda *_, **__: None] * 2 if way == "uncounted" else counting
    tracing._tracer.sampler = ALWAYS_ON if way == "all_traced" else some
    contract._traced = "traced" in way
    book._access_log = way == "logged"
    book._tracing = tracing if contract._traced else None
    contract._desk._logbook = book if contract._traced or book._access_log else None
    tick(contract, connections)

Contract.tick = watched
main()
"""


class _Collector(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def collector() -> Iterator[str]:
    """Takes spans over OTLP, and throws them away."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="of all  [20]")
    parser.add_argument("--seconds", type=float, default=1.0, help="asking in each way  [1]")
    parser.add_argument("--model", type=Path, help="a model.tar.gz  [one that is trained for it]")
    given = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        model = given.model.absolute() if given.model else train(folder)
        way = folder / "way"
        way.write_text(WAYS[0])
        variables = {
            "WAY": str(way),
            "OTEL_EXPORTER_OTLP_ENDPOINT": stack.enter_context(collector()),
            "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
            "OTEL_TRACES_SAMPLER_ARG": "0.05",
        }
        arguments = ("--model", str(model), "--no-capture", "--max-queue", "128", "--access-log")
        how = stack.enter_context(serve(folder, *arguments, scones=("-c", WATCHED), variables=variables))
        served, target = how[0], find_target(how[0].url)
        generator = stack.enter_context(Generator(target, [encode_request(target, one) for one in drawn_samples()]))
        asked(served, generator, 3 * given.seconds)
        found: dict[str, list[float]] = {name: [] for name in WAYS}
        for number in range(given.rounds):
            for name in WAYS[:: 1 if number % 2 else -1]:
                way.write_text(name)
                time.sleep(TOLD)
                found[name].append(asked(served, generator, given.seconds)["cpu_ms"])
            progress(f"round {number + 1}: " + ", ".join(f"{name} {times[-1]}" for name, times in found.items()))

    def cost(name: str, without: str) -> float:
        pairs = zip(found[name], found[without], strict=True)
        return round(statistics.median(one / other - 1 for one, other in pairs), 4)

    claims = [
        Claim("metrics_cost", cost("counted", "uncounted"), "share", "<= 0.03"),
        Claim("access_log_cost", cost("logged", "counted"), "share", "<= 0.03"),
        Claim("sampled_traces_cost", cost("some_traced", "counted"), "share", "<= 0.03"),
    ]
    medians = {name: round(statistics.median(times), 4) for name, times in found.items()}
    emit("observability_cost", started, claims, {"all_traces_cost": cost("all_traced", "counted"), "cpu_ms": medians})


if __name__ == "__main__":
    main()
