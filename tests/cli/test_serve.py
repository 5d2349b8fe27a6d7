"""``scones serve``: from the command line to an answer, and to a clean end."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from scones.bundle import read_bundle
from scones.capture import read_capture
from scones.cli import command_line
from scones.errors import BundleError, PortInUse, SettingsError
from scones.listening import bind
from scones.store import open_bucket


@pytest.fixture
def model(tmp_path: Path, tiny_bundle: Callable[..., bytes]) -> Path:
    path = tmp_path / "model.tar.gz"
    path.write_bytes(tiny_bundle())
    return path


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "scones", "serve", *arguments],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def _invoke(*arguments: str) -> Any:
    return CliRunner().invoke(command_line("serve"), ["serve", *arguments])


def test_it_says_when_it_is_ready_and_sigterm_loses_nothing_of_the_capture(
    start: Callable[..., subprocess.Popen[str]], model: Path, tmp_path: Path, png_bytes: Callable[..., bytes]
) -> None:
    named = ("--endpoint", "bays", "--capture-prefix", "seen", "--access-log")
    process = start("--model", str(model), "--port", "0", "--json", *named)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready.keys() == {"url", "endpoint", "model_version", "threshold", "pid"}
    assert (ready["endpoint"], ready["model_version"], ready["threshold"]) == ("bays", "tiny-1", 0.9)
    assert ready["pid"] == process.pid

    connection = http.client.HTTPConnection(urlsplit(ready["url"]).netloc, timeout=20)
    connection.request("GET", "/ping")
    assert connection.getresponse().read() == b""
    for _ in range(3):
        connection.request("POST", "/endpoints/bays/invocations", png_bytes(), {"Content-Type": "image/png"})
        assert len(json.loads(connection.getresponse().read())) == 2
    connection.close()

    process.send_signal(signal.SIGTERM)
    rest, errors = process.communicate(timeout=20)
    assert (process.returncode, rest) == (0, "")
    assert [json.loads(line)["status"] for line in errors.splitlines()] == [200] * 3, "the access log, as JSON alone"
    captured = read_capture(open_bucket(str(tmp_path / ".scones/store"), "scones"), "seen/bays")
    assert len(list(captured)) == 3


def test_a_port_in_use_is_one_line_and_its_own_exit_code(
    start: Callable[..., subprocess.Popen[str]], model: Path
) -> None:
    with bind("127.0.0.1", 0) as listener:
        port = str(listener.getsockname()[1])
        process = start("--model", str(model), "--port", port)
        output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (PortInUse.exit_code, "")
    [line] = errors.splitlines()
    assert line.startswith(f"scones: port {port} on 127.0.0.1 is in use")


def test_the_help_shows_how_to_ask_the_endpoint() -> None:
    result = _invoke("--help")
    assert result.exit_code == 0
    assert "curl" in result.stdout
    assert "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME" in result.stdout


def test_the_model_folder_of_the_container_works_as_a_flag_and_no_capture_leaves_the_store_alone(
    tmp_path: Path, model: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    folder = tmp_path / "opt/ml/model"
    folder.mkdir(parents=True)
    info, graph = read_bundle(model.read_bytes())
    (folder / "bundle.json").write_text(info.model_dump_json())
    (folder / "model.onnx").write_bytes(graph)
    process = start("--model-dir", str(folder), "--port", "0", "--no-capture")
    assert process.stderr is not None
    assert "answers at http://127.0.0.1:" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 0
    assert not (tmp_path / ".scones").exists()


def test_what_cannot_be_served_is_refused_before_anything_starts(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ("--store", str(tmp_path / "store"), "--port", "0")
    assert isinstance(_invoke(*store).exception, BundleError)
    assert isinstance(_invoke(*store, "--model", str(tmp_path / "none.tar.gz")).exception, BundleError)
    assert isinstance(_invoke(*store, "--model", str(model), "--model-dir", str(tmp_path)).exception, SettingsError)
    assert isinstance(_invoke(*store, "--model", str(model), "--endpoint", "no/name").exception, SettingsError)
    monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", "http")
    assert isinstance(_invoke("--model", str(model)).exception, SettingsError)


def test_the_port_comes_from_sagemakers_variable(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bind("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", str(port))
        error = _invoke("--model", str(model)).exception
    assert isinstance(error, PortInUse)
    assert f"port {port} " in str(error)
