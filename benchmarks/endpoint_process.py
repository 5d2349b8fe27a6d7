"""Servers in processes of their own, for the benchmarks of the endpoint: started, waited for, looked at, ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["SCONES", "Served", "free_port", "running", "serve", "train"]

SCONES = str(Path(sys.executable).with_name("scones"))
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Served:
    """A server that runs.

    Attributes:
        url: where it is asked.
        pid: of its first process.
    """

    url: str
    pid: int

    def tree(self) -> list[int]:
        """The ids of its processes, the first one's first."""
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    found += map(int, children.read_text().split())
                except OSError:  # it has ended
                    continue
        return found

    def cpu_seconds(self) -> float:
        """What the processor has worked for its processes that live."""
        total = 0
        for pid in self.tree():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += int(fields[11]) + int(fields[12])
        return total / _TICKS

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop all its processes as long as the block runs: some servers work hard when nobody asks them."""
        os.killpg(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.pid, signal.SIGCONT)

    def memory_mb(self) -> float:
        """The memory that its processes hold; a page that several share counts once (PSS)."""
        total = 0
        for pid in self.tree():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    ready: Callable[[], object],
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float = 90.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; then end it and all that it started.

    Args:
        command: starts it.
        log: gets what it writes.
        ready: is called until it answers something true.
        cwd: its working directory.
        environment: its variables; by default ours.
        seconds: how long it may take to be ready.

    Raises:
        RuntimeError: it ended, or is not ready by then.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            _wait(process, ready, log, seconds)
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session, and what is left of the session."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], object], log: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            state = (
                f"ended with {process.returncode}" if process.poll() is not None else f"was not ready in {seconds:g} s"
            )
            said = " | ".join(log.read_text(errors="replace").split("\n")[-6:])[-600:]
            raise RuntimeError(f"the server {state}: {said}")
        time.sleep(0.1)


@contextmanager
def serve(
    folder: Path,
    *arguments: str,
    seconds: float = 60.0,
    scones: Sequence[str] = ("-m", "scones"),
    variables: Mapping[str, str] | None = None,
) -> Iterator[tuple[Served, dict[str, Any]]]:
    """Run ``scones serve`` in a folder until the block ends; also what it says when it is ready.

    Args:
        folder: its working directory, so that ``.scones/store`` in it is its store.
        *arguments: as on the command line.
        seconds: how long it may take to be ready.
        scones: what Python is to run.
        variables: of the environment, besides ours.
    """
    handle, name = tempfile.mkstemp(prefix="serve-", suffix=".log", dir=folder)
    os.close(handle)
    log, out = Path(name), Path(name).with_suffix(".out")
    command = [sys.executable, *scones, "serve", "--port", "0", "--json", *arguments]
    environment = os.environ | dict(variables or {})
    with out.open("wb") as told, log.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=told, stderr=errors, start_new_session=True
        )
    try:
        _wait(process, lambda: out.read_text().endswith("\n"), log, seconds)
        said = json.loads(out.read_text())
        yield Served(f"{said['url']}/invocations", process.pid), said
    finally:
        end(process)
    lines = log.read_text(errors="replace").splitlines(keepends=True)
    trouble = "".join(line for line in lines if not line.startswith("{"))  # those are the access log
    if trouble:
        print(trouble, file=sys.stderr, end="")


def train(folder: Path, backbone: str = "nano") -> Path:
    """Draw pictures, train a model on a backbone that Scones ships; returns its bundle, which is in production."""
    subprocess.run([SCONES, "stage", "--source", "synthetic"], cwd=folder, check=True, stdout=sys.stderr)
    command = [SCONES, "train", "--backbone", backbone, "--json"]
    trained = subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
    return Path(json.loads(trained.stdout)["bundle"])
