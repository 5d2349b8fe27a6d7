"""How close the endpoint is to what the machine can do, and how far ahead of other servers.

All answer the same pictures with the same model and the same decoding, one after the other in each round, so that what
slows the machine down slows all. The floor decodes, resizes and infers in as many processes without HTTP. The load
generator (benchmarks/serving_load.py) runs on the same cores. `--rounds` and `--seconds` say how long; `--model` names
a model.tar.gz, else one is trained on synthetic pictures.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from harness import Claim, emit, progress
from serving_endpoint import Endpoint, cpu_seconds, model_for
from serving_peers import NAMES, reason

from scones.classifier import Classifier
from scones.machine import available_cores
from scones.picture import encode_png, model_input

HERE = Path(__file__).parent
CONNECTIONS = 64
Found = dict[str, list[dict[str, float]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement  [4]")
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    started = time.monotonic()
    with ExitStack() as stack:
        model = stack.enter_context(model_for(given.model))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        draw(folder)
        endpoint = stack.enter_context(Endpoint(model, "--max-queue", "128"))
        urls = {"endpoint": (f"{endpoint.url}/invocations", endpoint.pid)}
        missing = {name: reason(name) for name in NAMES}
        for name in NAMES:
            if not missing[name]:
                urls[name] = stack.enter_context(peer(name, model))
        time.sleep(1)  # the endpoint sees how many pictures at once are best
        found = measure(given.rounds, given.seconds, model, folder, urls)
        memory = endpoint.resident_mb() if available_cores() == 2 else two_workers_mb(model)
        cold = [cold_start(model, folder) for _ in range(2 * given.rounds + 1)][1:]
        large = twelve_megapixels(endpoint, model, given.rounds)
    floor = max(middle(found, name, "a_second") for name in ("floor_1", "floor_8"))
    ours = middle(found, "endpoint", "a_second")
    worked = min(middle(found, name, "cpu_us") for name in ("floor_1", "floor_8"))
    alone = middle(found, "endpoint_alone", "p50_ms") - middle(found, "floor_alone", "p50_ms")
    spread = statistics.median(told["p99_ms"] / told["p50_ms"] for told in found["endpoint"])
    claims = [
        Claim(f"vs_{name}", round(ours / middle(found, name, "a_second"), 2) if name in urls else None, "times", target,
              missing.get(name, ""))
        for name, target in (("litserve", ">= 3"), ("bentoml", ">= 3"), ("starlette", ">= 1.2"))
    ]  # fmt: skip
    claims += [
        Claim("vs_torchserve", None, "times", ">= 2.5", "TorchServe needs Java: it is not among the peers"),
        Claim("of_floor", round(ours / floor, 3), "", ">= 0.9"),
        Claim("of_floor_cpu", round(worked / middle(found, "endpoint", "cpu_us"), 3), "", ">= 0.9"),
        Claim("p50_over_floor_ms", round(alone, 3), "ms", "<= 0.25"),
        Claim("p99_over_p50", round(spread, 2), "times", "<= 2"),
        Claim("memory_mb", round(memory, 1), "MB", "<= 120"),
        Claim("cold_start_seconds", round(statistics.median(cold), 3), "s", "<= 0.5"),
        Claim("jpeg_12mp_over_decode", round(large, 3), "times", "<= 1.3"),
    ]  # fmt: skip
    names = {name: {key: round(middle(found, name, key), 3) for key in found[name][0]} for name in found}
    emit("serving", started, claims, {"medians": names, "cold_starts": [round(each, 3) for each in sorted(cold)]})


def draw(folder: Path) -> None:
    """Pictures as a camera near the bays gives them, 32 pixels a side: shapes with some noise."""
    rng = np.random.default_rng(0)
    for number in range(200):
        across, down = np.meshgrid(np.linspace(0, 3, 32), np.linspace(0, 3, 32))
        waves = np.stack(
            [np.sin(across * rng.uniform(1, 4) + down * rng.uniform(1, 4) + shift) for shift in range(3)], 2
        )
        pixels = 127 + 90 * waves + rng.normal(0, 12, (32, 32, 3))
        (folder / f"{number:03d}.png").write_bytes(
            encode_png(PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8)))
        )


def measure(rounds: int, seconds: float, model: Path, folder: Path, urls: dict[str, tuple[str, int]]) -> Found:
    """All in turn, several times."""
    found: Found = {}
    cores = available_cores()

    def note(name: str, told: dict[str, float]) -> None:
        found.setdefault(name, []).append(told)
        progress(f"{name}: {told}")

    for _ in range(rounds):
        for batch in (1, 8):
            note(f"floor_{batch}", run("serving_floor.py", model, folder, cores, seconds, batch))
        for name, (url, pid) in urls.items():
            before = cpu_seconds(pid)
            told = run("serving_load.py", url, folder, CONNECTIONS, seconds)
            assert not told["wrong"], f"{name} answers wrong"
            worked = 1e6 * (cpu_seconds(pid) - before) / told["requests"]
            note(name, told | {"cpu_us": worked + told["client_us"]})
        note("floor_alone", run("serving_floor.py", model, folder, 1, seconds / 2, 1))
        note("endpoint_alone", run("serving_load.py", urls["endpoint"][0], folder, 1, seconds / 2))
    return found


def run(script: str, *arguments: object) -> dict[str, float]:
    """A script of this folder, and the JSON that it prints."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    told: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return told


def middle(found: Found, name: str, key: str) -> float:
    return statistics.median(told[key] for told in found[name])


@contextmanager
def peer(name: str, model: Path) -> Iterator[tuple[str, int]]:
    """Another server, once it answers."""
    port = free_port()
    command = [sys.executable, str(HERE / "serving_peers.py"), name, str(port), str(model)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        until = time.monotonic() + 60
        while not answers(port):
            assert time.monotonic() < until, f"{name} does not answer"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/invocations", process.pid
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        picture = encode_png(PIL.Image.new("RGB", (32, 32)))
        connection.request("POST", "/invocations", picture, {"Content-Type": "image/png"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def two_workers_mb(model: Path) -> float:
    """Memory of an endpoint of two workers, after some work."""
    with Endpoint(model, workers=2) as endpoint:
        for number in range(200):
            endpoint.status(encode_png(PIL.Image.new("RGB", (32, 32), (number, 0, 0))))
        return endpoint.resident_mb()


def cold_start(model: Path, folder: Path) -> float:
    """Seconds from the start of the process to its first answer; Python's byte code is kept, as it is by default."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    picture, port = sorted(folder.iterdir())[0].read_bytes(), free_port()
    command = [sys.executable, "-m", "scones", "serve", "--model", str(model), "--port", str(port), "--json"]
    request = (
        f"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n"
    )
    with tempfile.TemporaryDirectory() as home:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=home, env=environment, stdout=subprocess.DEVNULL)
        while True:
            try:
                wire = socket.create_connection(("127.0.0.1", port))
                break
            except ConnectionRefusedError:
                time.sleep(0.002)
        with wire:
            wire.sendall(request.encode() + picture)
            assert wire.recv(4096).startswith(b"HTTP/1.1 200")
            took = time.perf_counter() - begun
        process.send_signal(signal.SIGTERM)
        process.wait()
    return took


def twelve_megapixels(endpoint: Endpoint, model: Path, rounds: int) -> float:
    """How much longer a large photograph takes through the endpoint than its decoding does, in turn."""
    size = Classifier.load(model).info.input_size
    small = np.random.default_rng(1).integers(0, 256, (75, 100, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    PIL.Image.fromarray(small).resize((4000, 3000), PIL.Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    photograph = buffer.getvalue()
    times: dict[str, list[float]] = {"decoded": [], "answered": []}
    work: dict[str, Callable[[], Any]] = {
        "decoded": lambda: model_input(photograph, size),
        "answered": lambda: endpoint.status(photograph),
    }
    for _ in range(4 * rounds):
        for name, ask in work.items():
            begun = time.perf_counter()
            ask()
            times[name].append(time.perf_counter() - begun)
    decoded, answered = (statistics.median(times[name]) for name in ("decoded", "answered"))
    progress(f"12 megapixels, {len(photograph):,} bytes: decoded in {decoded:.4f} s, answered in {answered:.4f} s")
    return answered / decoded


if __name__ == "__main__":
    main()
