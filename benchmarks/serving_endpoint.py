"""An endpoint that benchmarks ask: a model for it, its process tree, and what it costs."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from harness import progress

__all__ = ["Endpoint", "children", "cpu_seconds", "model_for", "resident_mb"]


@contextmanager
def model_for(path: Path | None) -> Iterator[Path]:
    """A model.tar.gz: the one given, else one trained on pictures that Scones draws, with the smaller backbone."""
    if path is not None:
        yield path.absolute()
        return
    with tempfile.TemporaryDirectory() as folder:
        for verb in (["stage", "--source", "synthetic"], ["train", "--backbone", "nano"]):
            progress(f"scones {' '.join(verb)}")
            command = [sys.executable, "-m", "scones", *verb, "--json"]
            subprocess.run(command, check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        [found] = Path(folder).glob(".scones/store/scones/models/vehicles/*/model.tar.gz")
        yield found


def children(pid: int) -> list[int]:
    """A process and all below it."""
    shown = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [pid, *(each for line in shown.stdout.split() for each in children(int(line)))]


def cpu_seconds(pid: int) -> float:
    """What a process and all below it have worked, in seconds of the processor."""
    ticks = 0
    for each in children(pid):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int, kind: str = "Pss") -> float:
    """Memory of a process and all below it; pages that they share count once (``Pss``), in MB."""
    found = 0
    for each in children(pid):
        match = re.search(rf"^{kind}: +(\d+) kB", Path(f"/proc/{each}/smaps_rollup").read_text(), re.M)
        found += int(match[1]) if match else 0
    return found / 1024


class Endpoint:
    """``scones serve`` as a process of its own, as long as the ``with`` block runs.

    Args:
        model: a model.tar.gz.
        workers: processes; None: one for each core.
        arguments: further ones.
    """

    def __init__(self, model: Path, *arguments: str, workers: int | None = None, capture: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory()
        command = [sys.executable, "-m", "scones", "serve", "--model", str(model), "--port", "0", "--json", *arguments]
        command += [] if workers is None else ["--workers", str(workers)]
        command += [] if capture else ["--no-capture"]
        self._process = subprocess.Popen(command, cwd=self._folder.name, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.url = str(json.loads(self._process.stdout.readline())["url"])
        self._connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        return self._process.pid

    def status(self, picture: bytes) -> int:
        """Classify a picture, through one connection."""
        return self._ask("POST", "/invocations", picture)[0]

    def figure(self, name: str, labels: str = "") -> float:
        """A figure of ``/metrics``."""
        text = self._ask("GET", "/metrics", b"")[1].decode()
        found = re.search(rf"^scones_endpoint_{name}{{[^}}]*{labels}[^}}]*}} (\S+)$", text, re.M)
        assert found, name
        return float(found[1])

    def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self._connection.request(method, path, body, {"Content-Type": "application/octet-stream"})
        response = self._connection.getresponse()
        return response.status, response.read()

    def resident_mb(self) -> float:
        """Of all its processes."""
        return resident_mb(self.pid)

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.communicate()
        self._folder.cleanup()


Json = dict[str, Any]
