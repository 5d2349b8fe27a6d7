"""The servers that the endpoint is held against, each with the same model, the same decoder and the same answer.

Each runs in an environment of its own, which pip makes when it is first asked for and which is kept under
``.scones/peers`` (set SCONES_BENCH_PEERS for another place). Each is set as its own documentation has it for throughput
on a CPU: a worker a core, ONNX Runtime on one core in each, no log of every request. FastAPI alone is left as people
write it.

Alone it starts each of them, asks it for a while, and prints what it did: a check of the peers, not a comparison.
"""

from __future__ import annotations

import argparse
import http.client
import importlib.metadata
import json
import os
import shutil
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from endpoint_process import Served, free_port, running, train
from harness import Claim, emit, progress
from peer_environments import install

from scones.loadtest import Load, Sample, drawn_samples, encode_request, find_target, send_load, step_of
from scones.machine import available_cores

__all__ = ["Peer", "peers"]

SCRIPTS = (Path(__file__).parent / "peers").absolute()
HOME = Path(os.environ.get("SCONES_BENCH_PEERS", ".scones/peers"))
SHARED = ("numpy", "onnxruntime", "pillow")
"""What every peer has in the version that Scones has: the model runs and the picture is decoded alike."""

Started = tuple[list[str], dict[str, str]]
"""A command, and the variables that it needs besides ours."""


@dataclass(frozen=True)
class Peer:
    """A server to be held against.

    Attributes:
        name: as ``vs_{name}`` has it.
        setting: how it is set, in a few words.
        version: of the server.
        path: of its requests.
        reason: why it cannot run here; empty where it can.
        start: makes its command, of a folder of its own and a port.
    """

    name: str
    setting: str
    version: str
    path: str
    reason: str
    start: Callable[[Path, int], Started]

    @contextmanager
    def serve(self) -> Iterator[Served]:
        """Run it until the block ends; what is yielded answers pictures.

        Raises:
            RuntimeError: it does not start.
        """
        with tempfile.TemporaryDirectory(prefix=f"{self.name}-") as scratch:
            folder, port = Path(scratch), free_port()
            command, more = self.start(folder, port)
            url, sample = f"http://127.0.0.1:{port}{self.path}", drawn_samples()[0]
            with running(
                command, log=folder / "log", ready=lambda: answers(url, sample), cwd=folder, environment=_plain() | more
            ) as process:
                yield Served(url, process.pid)


def peers(model: Path, *, workers: int | None = None, home: Path = HOME) -> list[Peer]:
    """The servers, installed; those that cannot be say why.

    Args:
        model: the ``model.onnx`` of a bundle.
        workers: processes each; by default one a core.
        home: where their environments are kept.
    """
    count = workers or available_cores()
    shared = {"SCONES_PEER_MODEL": str(model.absolute()), "PYTHONPATH": str(SCRIPTS), "SCONES_PEER_WORKERS": f"{count}"}

    def python(name: str) -> str:
        return str((home / name).absolute() / "bin/python")

    def asgi(name: str) -> Callable[[Path, int], Started]:
        quiet = ["--log-level", "warning", "--no-access-log"]
        return lambda _, port: (
            [python("asgi"), "-m", "uvicorn", f"{name}_app:app", "--port", f"{port}", "--workers", f"{count}", *quiet],
            shared,
        )

    def litserve(_: Path, port: int) -> Started:
        return [python("litserve"), str(SCRIPTS / "litserve_server.py"), f"{port}"], shared

    def bentoml(folder: Path, port: int) -> Started:
        command = [python("bentoml"), "-m", "bentoml", "serve", "bentoml_service:Service", "--host", "127.0.0.1"]
        return [*command, "--port", f"{port}"], shared | {"BENTOML_HOME": str(folder), "BENTOML_DO_NOT_TRACK": "True"}

    def torchserve(batch: int) -> Callable[[Path, int], Started]:
        return lambda folder, port: _torchserve(python("torchserve"), folder, port, count, batch, shared)

    reasons = {name: _install(home, name) for name in ("asgi", "litserve", "bentoml", "torchserve")}
    if not reasons["torchserve"] and shutil.which("java") is None:
        reasons["torchserve"] = "it needs Java, and there is none: install a Java runtime, 11 or later"
    each = f"{count} workers"
    made = [
        ("starlette", f"uvicorn, {each}", "asgi", "/invocations", asgi("starlette")),
        ("fastapi", f"uvicorn, {each}, ONNX Runtime's own threads", "asgi", "/invocations", asgi("fastapi")),
        ("litserve", f"{each}, {count} API servers, batches of 8", "litserve", "/invocations", litserve),
        ("bentoml", each, "bentoml", "/invocations", bentoml),
        ("torchserve", f"{each}, batches of 8", "torchserve", "/predictions/m", torchserve(8)),
        ("torchserve_single", f"{each}, its default of single pictures", "torchserve", "/predictions/m", torchserve(1)),
    ]
    return [
        Peer(name, setting, _version(home / where, name.partition("_")[0]), path, reasons[where], start)
        for name, setting, where, path, start in made
    ]


def answers(url: str, sample: Sample) -> bool:
    """Whether a server answers a picture with probabilities."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5)
    try:
        connection.request("POST", parts.path, sample.data, {"Content-Type": sample.content_type})
        answer = connection.getresponse()
        return answer.status == 200 and abs(sum(json.loads(answer.read())) - 1) < 0.01
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return False
    finally:
        connection.close()


def _torchserve(python: str, folder: Path, port: int, workers: int, batch: int, shared: dict[str, str]) -> Started:
    """TorchServe takes all that it needs from files; all its ports are free ones, as others may run beside it."""
    handler = {"modelName": "m", "modelVersion": "1.0", "handler": "torchserve_handler.py"}
    manifest = {"model": handler, "archiverVersion": "0.12.0", "createdOn": "01/11/2026 00:00:00"}
    with zipfile.ZipFile(folder / "m.mar", "w") as archive:
        archive.writestr("MAR-INF/MANIFEST.json", json.dumps(manifest))
        for name in ("torchserve_handler.py", "classify.py"):
            archive.write(SCRIPTS / name, name)
    model = {
        "defaultVersion": True, "marName": "m.mar", "minWorkers": workers, "maxWorkers": workers,
        "batchSize": batch, "maxBatchDelay": 2, "responseTimeout": 60,
    }  # fmt: skip
    lines = [
        f"inference_address=http://127.0.0.1:{port}",
        f"management_address=http://127.0.0.1:{free_port()}",
        f"metrics_address=http://127.0.0.1:{free_port()}",
        f"grpc_inference_port={free_port()}",
        f"grpc_management_port={free_port()}",
        f"model_store={folder}",
        "load_models=m=m.mar",
        f'models={{"m": {{"1.0": {json.dumps(model)}}}}}',
        "job_queue_size=1000",
        "disable_system_metrics=true",
    ]
    (folder / "config.properties").write_text("\n".join(lines))
    (folder / "log4j2.xml").write_text('<Configuration><Loggers><Root level="error"/></Loggers></Configuration>')
    command = [str(Path(python).with_name("torchserve")), "--start", "--foreground", "--ncs", "--disable-token-auth"]
    files = ["--ts-config", str(folder / "config.properties"), "--log-config", str(folder / "log4j2.xml")]
    path = f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    # its mark that it runs lies in the folder for temporary files, and is left there by one that was killed
    return [*command, *files], shared | {"PATH": path, "TMPDIR": str(folder), "TEMP": str(folder)}


def _plain() -> dict[str, str]:
    """Our variables, without what would make a peer's threads and modules others than its own."""
    left_out = ("OMP_NUM_THREADS", "PYTHONPATH", "PYTHONWARNINGS", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if name not in left_out}


def _install(home: Path, name: str) -> str:
    """Make a peer's environment, unless it is there; answers why it cannot be, or nothing."""
    place = (home / name).absolute()
    wanted = (SCRIPTS / f"{name}.txt").read_text()
    wanted += "".join(f"{package}=={importlib.metadata.version(package)}\n" for package in SHARED)
    return install(name, place, wanted)


def _version(place: Path, name: str) -> str:
    packages = [str(path) for path in place.glob("lib/*/site-packages")]
    return next((one.version for one in importlib.metadata.distributions(name=name, path=packages)), "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0, help="asking each, twice  [3]")
    parser.add_argument("--only", default="", help="those whose name begins so")
    arguments = parser.parse_args()
    started = time.monotonic()
    told: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with tarfile.open(train(folder)) as bundle:
            bundle.extract("model.onnx", folder, filter="data")
        for peer in peers(folder / "model.onnx"):
            if peer.name.startswith(arguments.only):
                told.append(checked(peer, arguments.seconds))
                progress(json.dumps(told[-1]))
    run = sum(not one["reason"] for one in told)
    emit("peer_servers", started, [Claim("peers_run", run, "servers", ">= 4")], {"peers": told})


def checked(peer: Peer, seconds: float) -> dict[str, Any]:
    """What a peer does when it is asked by one caller, and by 64."""
    told: dict[str, Any] = {"name": peer.name, "setting": peer.setting, "version": peer.version, "reason": peer.reason}
    if peer.reason:
        return told
    with peer.serve() as served:
        target = find_target(served.url)
        requests = [encode_request(target, sample) for sample in drawn_samples()]
        for connections in (1, 64):
            load, before = Load(seconds, connections), served.cpu_seconds()
            step = step_of(load, send_load(target, requests, load))
            told[f"{connections}"] = {
                "a_second": round(step.throughput),
                "p50_ms": round(step.latency.p50, 2) if step.latency else None,
                "cpu_ms": round(1000 * (served.cpu_seconds() - before) / max(1, sum(step.statuses.values())), 3),
                "failed": step.failed,
            }
        told["memory_mb"] = round(served.memory_mb())
    return told


if __name__ == "__main__":
    main()
