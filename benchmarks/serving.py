"""How close the endpoint is to what the machine can do, and how far ahead of other servers.

All answer the same pictures with the same model at 64 connections, one after the other in each round, so that what
slows the machine down slows all; while one is asked, the others are stopped. The floor decodes, resizes and infers in
as many processes, in batches of 1 and of 8, without HTTP. The load generator is wrk, one thread on the same cores,
where it is installed (`apt-get install wrk`), else `scones.loadtest`, which takes more of them. `of_floor_cpu`
holds what a picture takes of the processor in the server's processes against the floor, which what else runs here
changes less than the rate. `--rounds` and `--seconds` say how long; `--model` names a model.tar.gz, else it is a small
one with random weights (`light_model.py`); `--peers` names the peers, `none` for none.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from endpoint_process import Served, free_port, serve
from harness import Claim, emit, progress
from light_model import light_model
from peer_servers import Peer, peers

from scones.classifier import Classifier
from scones.loadtest import Generator, Load, drawn_samples, encode_request, find_target
from scones.machine import available_cores
from scones.picture import model_input

FLOOR = Path(__file__).with_name("serving_floor.py")
WRK, WRK_SCRIPT = shutil.which("wrk"), Path(__file__).with_name("wrk.lua")
CONNECTIONS = 64
TARGETS = {
    "litserve": ">= 3",
    "bentoml": ">= 3",
    "torchserve": ">= 2.5",
    "torchserve_single": ">= 2.5",
    "starlette": ">= 1.2",
    "fastapi": ">= 1.2",
}
Figures = dict[str, float]
Found = dict[str, list[Figures]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each measurement  [5]")
    parser.add_argument("--seconds", type=float, default=4.0, help="a measurement  [4]")
    parser.add_argument("--model", type=Path, help="a model.tar.gz  [one that is trained for it]")
    parser.add_argument("--peers", default=",".join(TARGETS), help=f"which of them  [{','.join(TARGETS)}]")
    given = parser.parse_args()
    started = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = given.model.absolute() if given.model else light_model(folder)
        with tarfile.open(model) as bundle:
            bundle.extract("model.onnx", folder, filter="data")
        known = [] if given.peers == "none" else peers(folder / "model.onnx")
        wanted = [one for one in known if one.name in given.peers.split(",")]
        arguments = ("--model", str(model), "--no-capture", "--max-queue", "128")
        served, _ = stack.enter_context(serve(folder, *arguments))
        with ExitStack() as others:
            found = measure(given.rounds, given.seconds, model, served, wanted, others)
        memory = two_workers_mb(folder, model)
        cold = [cold_start(model, folder) for _ in range(2 * given.rounds + 1)][1:]  # the first one compiles
        large = twelve_megapixels(served, model, given.rounds)
    missing = {one.name: one.reason for one in wanted} | {
        name: "it was not asked for" for name in TARGETS if name not in given.peers.split(",")
    }
    claims = [*versus(found, missing), *(Claim("memory_mb", round(memory, 1), "MB", "<= 120"),)]
    claims += [
        Claim("cold_start_seconds", round(statistics.median(cold), 3), "s", "<= 0.5"),
        Claim("jpeg_12mp_over_decode", round(large, 3), "ratio", "<= 1.3"),
    ]
    names = {name: {key: round(middle(told, key), 3) for key in told[0]} for name, told in found.items()}
    settings = {one.name: {"setting": one.setting, "version": one.version, "reason": one.reason} for one in wanted}
    detail = {"generator": "wrk" if WRK else "scones.loadtest", "medians": names, "peers": settings}
    emit("serving", started, claims, {**detail, "cold_starts": sorted(cold)})


def versus(found: Found, missing: dict[str, str]) -> list[Claim]:
    """The endpoint held against the others."""
    ours, alone = found["endpoint"], found["endpoint_alone"]
    best = max((found["floor_1"], found["floor_8"]), key=lambda told: middle(told, "a_second"))
    claims = []
    for name, target in TARGETS.items():
        times = round(middle(ours, "a_second") / middle(found[name], "a_second"), 2) if name in found else None
        claims.append(Claim(f"vs_{name}", times, "ratio", target, missing.get(name, "")))
    over = middle(alone, "p50_ms") - middle(found["floor_alone"], "p50_ms")
    spread = statistics.median(told["p99_ms"] / told["p50_ms"] for told in ours)
    return [
        *claims,
        Claim("of_floor", round(middle(ours, "a_second") / middle(best, "a_second"), 3), "ratio", ">= 0.9"),
        Claim("of_floor_cpu", round(middle(best, "cpu_us") / middle(ours, "cpu_us"), 3), "ratio", ">= 0.9"),
        Claim("p50_over_floor_ms", round(over, 3), "ms", "<= 0.25"),
        Claim("p99_over_p50", round(spread, 2), "ratio", "<= 2"),
    ]


def middle(told: list[Figures], key: str) -> float:
    """The median of all rounds."""
    return statistics.median(each[key] for each in told)


def measure(rounds: int, seconds: float, model: Path, endpoint: Served, wanted: list[Peer], stack: ExitStack) -> Found:
    """All in turn, several times."""
    servers = {"endpoint": endpoint}
    for one in wanted:
        if not one.reason:
            servers[one.name] = stack.enter_context(one.serve())
    generators = {}
    for name, served in servers.items():
        target = find_target(served.url)
        requests = [encode_request(target, sample) for sample in drawn_samples()]
        generators[name] = stack.enter_context(Generator(target, requests))
    asked(endpoint, generators["endpoint"], CONNECTIONS, 2.0)  # it sees how many pictures at once are best
    found: Found = {}

    def note(name: str, told: Figures) -> None:
        found.setdefault(name, []).append(told)
        progress(f"{name}: {told}")

    for _ in range(rounds):
        with ExitStack() as paused:
            for served in servers.values():
                paused.enter_context(served.paused())
            for batch in (1, 8):
                note(f"floor_{batch}", floor(model, available_cores(), seconds, batch))
            note("floor_alone", floor(model, 1, seconds / 2, 1))
        for name, served in servers.items():
            with ExitStack() as paused:
                for other in servers.values():
                    paused.enter_context(nullcontext() if other is served else other.paused())
                note(name, asked(served, generators[name], CONNECTIONS, seconds))
                if name == "endpoint":
                    note("endpoint_alone", asked(served, generators[name], 1, seconds / 2))
    return found


def floor(model: Path, processes: int, seconds: float, batch: int) -> Figures:
    """The same work without HTTP."""
    command = [sys.executable, str(FLOOR), str(model), str(processes), str(seconds), str(batch)]
    told: Figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def asked(served: Served, generator: Generator, connections: int, seconds: float) -> Figures:
    """What a server does when so many callers ask it."""
    before = served.cpu_seconds()
    told = asked_by_wrk(served.url, connections, seconds) if WRK else asked_by_us(generator, connections, seconds)
    told["cpu_us"] = round(1e6 * (served.cpu_seconds() - before) / told.pop("requests"), 1)
    return told


def asked_by_us(generator: Generator, connections: int, seconds: float) -> Figures:
    """Asked by the load generator that Scones ships."""
    step = generator.send(Load(seconds, connections, settle=seconds / 4))
    assert step.latency is not None, step
    assert not step.failed, step
    return {
        "a_second": round(step.throughput, 1),
        "p50_ms": round(step.latency.p50, 3),
        "p99_ms": round(step.latency.p99, 3),
        "requests": sum(step.statuses.values()),
    }


def asked_by_wrk(url: str, connections: int, seconds: float) -> Figures:
    """Asked by wrk."""
    assert WRK is not None
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, sample in enumerate(drawn_samples()):
            files.append(Path(folder) / f"{number}.png")
            files[-1].write_bytes(sample.data)
        command = [WRK, "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(WRK_SCRIPT), url]
        command += ["--", "image/png", *map(str, files)]
        shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    told: Figures = json.loads(shown.splitlines()[-1])
    assert not told.pop("failed"), shown
    return told


def two_workers_mb(folder: Path, model: Path) -> float:
    """Memory of an endpoint of two workers with its capture, after some work."""
    with serve(folder, "--model", str(model), "--workers", "2") as (served, _):
        target = find_target(served.url)
        with Generator(target, [encode_request(target, sample) for sample in drawn_samples()]) as generator:
            asked(served, generator, 16, 2.0)
        return served.memory_mb()


def cold_start(model: Path, folder: Path) -> float:
    """Seconds from the start of the process to its first answer; Python's byte code is kept, as it is by default."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    port = free_port()
    target = find_target(f"http://127.0.0.1:{port}/invocations")
    request = encode_request(target, drawn_samples()[0])
    command = [sys.executable, "-m", "scones", "serve", "--model", str(model), "--port", str(port), "--json"]
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                wire = socket.create_connection(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                time.sleep(0.002)
        with wire:
            wire.sendall(request)
            assert wire.recv(4096).startswith(b"HTTP/1.1 200")
            return round(time.perf_counter() - begun, 3)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def twelve_megapixels(served: Served, model: Path, rounds: int) -> float:
    """How much longer a large photograph takes through the endpoint than its decoding does, in turn."""
    size = Classifier.load(model).info.input_size
    rng = np.random.default_rng(1)
    soft = PIL.Image.fromarray(rng.integers(0, 256, (75, 100, 3), dtype=np.uint8)).resize((4000, 3000))
    noisy = np.asarray(soft, np.int16) + rng.integers(-8, 9, (3000, 4000, 1), dtype=np.int16)
    buffer = io.BytesIO()
    PIL.Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    photograph = buffer.getvalue()

    def answer() -> None:
        request = urllib.request.Request(served.url, photograph, {"Content-Type": "image/jpeg"})
        with urllib.request.urlopen(request, timeout=30) as response:
            response.read()

    work: dict[str, Callable[[], Any]] = {"decoded": lambda: model_input(photograph, size), "answered": answer}
    times: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(4 * rounds):
        for name, do in work.items():
            begun = time.perf_counter()
            do()
            times[name].append(time.perf_counter() - begun)
    decoded, answered = (statistics.median(times[name]) for name in work)
    progress(f"12 megapixels, {len(photograph):,} bytes: decoded in {decoded:.4f} s, answered in {answered:.4f} s")
    return answered / decoded


if __name__ == "__main__":
    main()
