"""Notifications from the command line: a test message, and what a run tells."""

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scones.errors import NotificationError, NotificationRefused, SettingsError, WorkflowError

Scones = Callable[..., subprocess.CompletedProcess[str]]
SECRET = "whsec_" + "QUJD" * 10


class Webhook(ThreadingHTTPServer):
    """Takes messages, or answers ``status``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 204
        self.bodies: list[dict[str, Any]] = []

    @property
    def environ(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{self.server_port}/s3cret-path"
        return {"SCONES_NOTIFY_WEBHOOK_URL": url, "SCONES_NOTIFY_WEBHOOK_SECRET": SECRET}


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        self.server.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_test_message_goes_through_each_channel(scones: Scones, webhook: Webhook, tmp_path: Path) -> None:
    (tmp_path / "scones.toml").write_text('notify_channels = ["log", "console", "webhook"]\n')
    shown = scones("notify", "test", "--json", cwd=tmp_path, **webhook.environ)
    assert shown.returncode == 0, shown.stderr
    assert [(one["channel"], one["ok"], one["error"]) for one in json.loads(shown.stdout)] == [
        ("log", True, None),
        ("console", True, None),
        ("webhook", True, None),
    ]
    assert shown.stderr.count("a test of the notifications") == 2, "the log and the console"
    [body] = webhook.bodies
    assert body["data"]["digests"][0]["kind"] == "test"


def test_a_channel_that_fails_is_named_with_the_reason_and_the_others_are_tried(
    scones: Scones, webhook: Webhook, tmp_path: Path
) -> None:
    webhook.status = 401
    environ = webhook.environ | {"SCONES_NOTIFY_CHANNELS": "webhook,console"}
    shown = scones("notify", "test", cwd=tmp_path, **environ)
    assert shown.returncode == NotificationRefused.exit_code
    assert "console: took it" in shown.stderr
    [line] = [line for line in shown.stderr.splitlines() if line.startswith("scones: ")]
    assert line.startswith("scones: 1 of 2 channels failed; the first, webhook: the webhook at 127.0.0.1:")
    assert "answers 401" in line
    assert "s3cret" not in shown.stderr


def test_one_channel_is_tried_alone_before_it_is_switched_on(scones: Scones, webhook: Webhook, tmp_path: Path) -> None:
    webhook.status = 500
    shown = scones("notify", "test", "--channel", "webhook", "--json", cwd=tmp_path, **webhook.environ)
    assert shown.returncode == NotificationError.exit_code
    [one] = json.loads(shown.stdout)
    assert (one["channel"], one["ok"]) == ("webhook", False)
    assert len(webhook.bodies) == 1, "a test says how it is now"
    assert scones("notify", "test", "--channel", "fax", cwd=tmp_path).returncode == SettingsError.exit_code
    (tmp_path / "scones.toml").write_text("notify_channels = []\n")
    assert "no channel is switched on" in scones("notify", "test", cwd=tmp_path).stderr


def test_a_run_tells_its_failures(
    scones: Scones, webhook: Webhook, endpoint_url: str, tmp_path: Path, png_bytes: Callable[..., bytes]
) -> None:
    for number in range(20):
        bad = tmp_path / f".scones/store/scones/arrivals/vehicles/main/driver-{number}/a{number}.png"
        bad.parent.mkdir(parents=True)
        bad.write_bytes(b"hello")
    unsure = tmp_path / ".scones/store/scones/arrivals/vehicles/main/driver-x/unsure.png"
    unsure.parent.mkdir()
    unsure.write_bytes(png_bytes((120, 20, 120)))
    environ = webhook.environ | {"SCONES_NOTIFY_CHANNELS": "log,webhook"}
    shown = scones("run", "--json", "--endpoint-url", endpoint_url, cwd=tmp_path, **environ)
    assert shown.returncode == WorkflowError.exit_code
    assert json.loads(shown.stdout)["executions"] == 21
    digests = [digest for body in webhook.bodies for digest in body["data"]["digests"]]
    failures = [digest for digest in digests if digest["kind"] == "failure"]
    assert sum(digest["count"] for digest in failures) == 20
    assert len(failures) <= 2
    assert {digest["group"] for digest in failures} == {"classify PictureError"}
    [review] = [digest for digest in digests if digest["kind"] == "review"]
    assert review["examples"][0]["subject"] == "arrivals/vehicles/main/driver-x/unsure.png"
    assert "failure: classify fails with PictureError" in shown.stderr
    assert len([line for line in shown.stderr.splitlines() if line.startswith("scones: ")]) == 1


def test_a_run_does_not_begin_with_a_channel_that_lacks_a_setting(
    scones: Scones, endpoint_url: str, tmp_path: Path
) -> None:
    environ = {"SCONES_NOTIFY_CHANNELS": "email"}
    shown = scones("run", "--endpoint-url", endpoint_url, cwd=tmp_path, **environ)
    assert shown.returncode == SettingsError.exit_code
    assert "the channel email needs notify_email_host" in shown.stderr
