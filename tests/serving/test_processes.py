"""An endpoint of several processes: they share a port, outlive each other, switch together, and all end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import onnx
import pytest

from scones.bundle import BundleInfo, read_bundle
from scones.errors import BundleError, PortInUse
from scones.registry.aliases import PRODUCTION, point
from scones.registry.models import save_model
from scones.serving.processes import bind_all
from scones.store import Bucket, open_bucket

from .conftest import post, replies

Send = Callable[..., Any]
Png = Callable[..., bytes]
Bundle = Callable[..., bytes]
Wait = Callable[..., None]


class Served:
    """A running ``scones serve``."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "scones", "serve", "--port", "0", "--json", "--workers", "2", *arguments]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True)

    def url(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        return str(json.loads(line)["url"])

    @property
    def supervisor(self) -> int:
        [found] = children(self.process.pid)
        return found

    @property
    def workers(self) -> list[int]:
        return children(self.supervisor)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


def children(pid: int) -> list[int]:
    shown = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in shown.stdout.split()]


def alive(pid: int) -> bool:
    with suppress(FileNotFoundError):
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    return False


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    started: list[Served] = []

    def serve(*arguments: str) -> Served:
        started.append(Served(tmp_path, *arguments))
        return started[-1]

    yield serve
    for served in started:
        served.process.kill()
        served.process.communicate()


@pytest.fixture
def model(tmp_path: Path, tiny_bundle: Bundle) -> str:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(tiny_bundle())
    return str(path)


def figure(send: Send, url: str, name: str) -> float:
    found = re.search(
        rf"^scones_endpoint_{name}{{[^}}]*}} (\S+)$", send(url, "/metrics", method="GET").body.decode(), re.M
    )
    assert found
    return float(found[1])


def test_a_port_that_several_processes_share_is_in_use_for_others() -> None:
    with ExitStack() as stack:
        listeners = [stack.enter_context(listener) for listener in bind_all("127.0.0.1", 0, 3)]
        port = listeners[0].getsockname()[1]
        assert {listener.getsockname()[1] for listener in listeners} == {port}
        with pytest.raises(PortInUse):
            bind_all("127.0.0.1", port, 3)


def test_a_worker_that_dies_is_replaced_and_the_others_go_on(
    serve: Callable[..., Served], model: str, send: Send, png_bytes: Png, wait_until: Wait
) -> None:
    served = serve("--model", model, "--no-capture")
    url = served.url()
    statuses: list[int] = []
    broken: list[OSError] = []
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            try:
                statuses.append(send(url, "/invocations", png_bytes()).status)
            except OSError as error:  # it was being answered by the one that died
                broken.append(error)

    with ThreadPoolExecutor() as callers:
        asking = [callers.submit(ask) for _ in range(4)]
        for round_ in range(3):
            before = served.workers
            os.kill(before[0], signal.SIGKILL)
            wait_until(lambda: before[0] not in served.workers and len(served.workers) == 2)  # noqa: B023 - called at once
            wait_until(lambda: figure(send, url, "worker_restarts_total") == round_ + 1)  # noqa: B023
            wait_until(lambda: figure(send, url, "workers") == 2)
        done.set()
        for future in asking:
            future.result()
    assert set(statuses) == {200}
    assert len(broken) <= 4 * 3, "at most those that were inside"
    assert figure(send, url, "answers_total") >= len(statuses) - 4 * 3
    assert served.end() == 0
    assert served.log.read_text().count("was ended by SIGKILL and is replaced; the others go on") == 3


@pytest.mark.parametrize("who", ["the one that was started", "the supervisor"])
def test_none_is_left_when_one_is_killed_that_the_others_need(
    serve: Callable[..., Served], model: str, wait_until: Wait, who: str
) -> None:
    served = serve("--model", model, "--no-capture")
    served.url()
    everyone = [served.process.pid, served.supervisor, *served.workers]
    os.kill(served.process.pid if who == "the one that was started" else served.supervisor, signal.SIGKILL)
    served.process.wait(30)
    wait_until(lambda: not any(map(alive, everyone)))


def test_sigterm_ends_all_of_them_also_while_they_start(
    serve: Callable[..., Served], model: str, wait_until: Wait
) -> None:
    served = serve("--model", model, "--no-capture")
    wait_until(lambda: children(served.process.pid))
    everyone = [served.process.pid, served.supervisor]
    assert served.end() == 0
    assert not any(map(alive, everyone))
    assert served.log.read_text() == ""


def test_a_model_that_does_not_answer_well_is_one_line_and_its_exit_code(
    serve: Callable[..., Served], tmp_path: Path, tiny_bundle: Bundle
) -> None:
    info, graph = read_bundle(tiny_bundle())
    (tmp_path / "model").mkdir()
    (tmp_path / "model/bundle.json").write_text(info.model_copy(update={"input_size": 64}).model_dump_json())
    (tmp_path / "model/model.onnx").write_bytes(graph)
    served = serve("--model-dir", str(tmp_path / "model"), "--no-capture")
    assert served.process.wait(30) == BundleError.exit_code
    [line] = served.log.read_text().splitlines()
    assert line.startswith("scones: model tiny-1 does not take a picture of (1, 64, 64, 3)")


def _spoilt(graph: bytes) -> bytes:
    """The same graph, which answers no numbers."""
    model = onnx.load_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.name == "white":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.array(np.nan, np.float32), "white"))
    return bytes(model.SerializeToString())


def test_models_change_under_load_and_no_request_is_lost(
    serve: Callable[..., Served], tmp_path: Path, tiny_bundle: Bundle, png_bytes: Png, send: Send, wait_until: Wait
) -> None:
    """Of version "right" red is of the first label, of "wrong" of the last: each answer shows whose it is."""
    bucket = open_bucket(str(tmp_path / ".scones/store"), "scones")
    bundles: dict[str, tuple[BundleInfo, bytes]] = {
        version: read_bundle(tiny_bundle(version=version, strength=strength))
        for version, strength in (("right", 8.0), ("wrong", -8.0), ("spoilt", 8.0))
    }
    bundles["spoilt"] = bundles["spoilt"][0], _spoilt(bundles["spoilt"][1])
    for bundle in bundles.values():
        save_model(bucket, *bundle)
    _promote(bucket, "right")
    served = serve("--no-capture")
    url = served.url()
    seen: list[str] = []
    done = threading.Event()

    def ask() -> list[Any]:
        mixed = []
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), timeout=20) as wire:
            while not done.is_set():
                wire.sendall(post(png_bytes()))
                [(status, headers, body)] = replies(wire)
                version = headers["x-amzn-sagemaker-custom-attributes"].partition(";")[0].partition("=")[2]
                seen.append(version)
                if status != 200 or (json.loads(body)[0] > 0.5) != (version == "right"):
                    mixed.append((status, version, body))
        return mixed

    with ThreadPoolExecutor() as callers:
        asking = [callers.submit(ask) for _ in range(6)]
        for number in range(4):
            version = ("wrong", "right")[number % 2]
            _promote(bucket, version)
            wait_until(lambda: set(seen[-50:]) == {version})  # noqa: B023 - called at once
        _promote(bucket, "spoilt")
        wait_until(lambda: figure(send, url, "switch_failures_total") == 1)
        assert set(seen[-50:]) == {"right"}
        done.set()
        assert [future.result() for future in asking] == [[]] * 6
    wait_until(lambda: "goes on with model right: model spoilt answers" in served.log.read_text())
    assert served.end() == 0


def _promote(bucket: Bucket, version: str) -> None:
    point(bucket, "vehicles", PRODUCTION, version, who="Ada", why="better", now=datetime(2026, 11, 20, tzinfo=UTC))
