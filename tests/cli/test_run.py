"""``scones run`` as it is run: watched, killed, told to end, called over HTTP; and its dead letters."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pytest

from scones import errors
from scones.workflow.engine import Journal

Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
Start: TypeAlias = Callable[..., subprocess.Popen[str]]
Wait: TypeAlias = Callable[[Callable[[], object]], None]
RED = (220, 20, 20)


class Shop:
    """A folder with a store in which pictures arrive."""

    def __init__(self, folder: Path, picture: bytes) -> None:
        self.folder, self.picture = folder, picture
        self.store = folder / ".scones/store/scones"
        self.journal = folder / ".scones/journal.sqlite"

    def drop(self, name: str, data: bytes | None = None) -> Path:
        path = self.store / f"arrivals/vehicles/main/driver-{name}/{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{name}")
        hidden.write_bytes(self.picture if data is None else data)
        os.utime(hidden, (1_700_000_000,) * 2)
        return hidden.replace(path)

    def files(self, kind: str) -> list[Path]:
        return sorted((self.store / kind).rglob("*.json"))

    def executions(self) -> list[tuple[str, str]]:
        with Journal.open_readonly(self.journal) as reader:
            return sorted((one.name, one.status) for one in reader.executions("classify", limit=10_000))


@pytest.fixture
def shop(tmp_path: Path, png_bytes: Callable[..., bytes]) -> Shop:
    return Shop(tmp_path, png_bytes(RED))


@pytest.fixture
def watch(start_scones: Start, shop: Shop, endpoint_url: str) -> Start:
    def start(*words: str) -> subprocess.Popen[str]:
        return start_scones("run", "--watch", "--every", "0.1", "--endpoint-url", endpoint_url, *words, cwd=shop.folder)

    return start


def listening(child: subprocess.Popen[str]) -> str:
    """The address at which a run takes arrivals, as it says."""
    assert child.stderr
    for line in child.stderr:
        if "arrivals are taken at " in line:
            return line.split("arrivals are taken at ")[1].strip().removesuffix("/arrivals")
    raise AssertionError("it never said where")


def ask(url: str, method: str, path: str, body: bytes | None = None, kind: str = "image/png") -> tuple[int, Any]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": kind})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_a_watching_run_that_is_killed_again_and_again_works_each_arrival_once(
    scones: Run, watch: Start, shop: Shop, wait_until: Wait
) -> None:
    assert scones("orders", "--sample", "100", cwd=shop.folder).returncode == 0
    for round_ in range(3):
        for number in range(20):
            shop.drop(f"a{round_}-{number}")
        child = watch()
        wanted = 20 * round_ + 7
        wait_until(lambda: len(shop.files("routes")) >= wanted or child.poll() is not None)  # noqa: B023 - it waits here
        child.kill()
        child.communicate()
        assert child.returncode == -signal.SIGKILL
    shop.drop("last")  # all others may have been worked: then only it shows that the run has begun
    child = watch("--json")
    wait_until(lambda: len(shop.files("routes")) == 61 or child.poll() is not None)
    child.terminate()
    figures = json.loads(child.communicate(timeout=60)[0])
    assert child.returncode == 0
    assert (figures["waiting"], figures["outcomes"].get("failed", 0)) == (0, 0)
    found = shop.executions()
    assert len(found) == 61, "an execution an arrival"
    orders = [json.loads(path.read_text())["order"] for path in shop.files("routes")]
    taken = [order["order_id"] for order in orders if order]
    assert len(taken) == len(set(taken)) == len(shop.files("order-claims")), "and no order twice"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_watching_run_cleanly(watch: Start, shop: Shop, wait_until: Wait, number: int) -> None:
    shop.drop("a1")
    shop.drop("bad", b"hello")
    child = watch("--json")
    wait_until(lambda: shop.files("routes") and shop.files("dead-letters"))
    child.send_signal(number)
    output, said = child.communicate(timeout=60)
    assert child.returncode == 0, said
    assert "Traceback" not in said
    assert "stopped; what was interrupted goes on" in said
    figures = json.loads(output)
    assert figures["outcomes"]["failed"] == figures["dead_letters"] == 1
    assert figures["running"] == figures["waiting"] == 0


def test_arrivals_come_over_http_and_in_the_folder_at_once_and_are_worked_once(
    watch: Start, shop: Shop, wait_until: Wait
) -> None:
    child = watch("--listen", "127.0.0.1:0", "--json")
    url = listening(child)
    answers: list[int] = []

    def post(number: int) -> None:
        path = f"/arrivals?driver_id=driver-p{number}&arrival_id=p{number}"
        answers.append(ask(url, "POST", path, shop.picture)[0])
        shop.drop(f"p{number}")  # the same picture, as if it had come by the folder too
        key = json.dumps({"s3_key": f"arrivals/vehicles/main/driver-p{number}/p{number}.png"}).encode()
        answers.append(ask(url, "POST", "/arrivals", key, "application/json")[0])

    threads = [threading.Thread(target=post, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [202] * 16
    wait_until(lambda: {status for _, status in shop.executions()} == {"SUCCEEDED"})
    status, told = ask(url, "GET", "/arrivals/vehicles/main/driver-p1/p1")
    assert (status, told["status"], told["outcome"]) == (200, "SUCCEEDED", told["route"]["outcome"])
    child.terminate()
    figures = json.loads(child.communicate(timeout=60)[0])
    assert child.returncode == 0
    assert figures["executions"] == len(shop.executions()) == 8
    assert figures["worked_before"] == 0


def test_an_arrival_that_was_accepted_survives_a_kill(
    scones: Run, watch: Start, shop: Shop, endpoint_url: str, wait_until: Wait
) -> None:
    child = watch("--listen", "0")
    url = listening(child)
    receipts = [ask(url, "POST", f"/arrivals?arrival_id=a{number}", shop.picture)[1] for number in range(10)]
    child.kill()
    child.communicate()
    shown = scones("run", "--json", "--endpoint-url", endpoint_url, cwd=shop.folder)
    assert shown.returncode == 0, shown.stderr
    assert {name for name, _ in shop.executions()} == {receipt["execution"] for receipt in receipts}
    assert {status for _, status in shop.executions()} == {"SUCCEEDED"}


def test_while_the_endpoint_is_down_nothing_is_lost(
    scones: Run,
    start_scones: Start,
    shop: Shop,
    start_endpoint: Callable[..., str],
    endpoint_url: str,
    wait_until: Wait,
) -> None:
    from scones.listening import bind

    listener = bind("127.0.0.1", 0)
    shop.drop("a1")
    answered = threading.Event()

    def ping_only() -> None:  # it answers a ping, and no picture
        while not answered.is_set():
            connection, _ = listener.accept()
            with connection:
                asked = connection.recv(65536)
                if asked.startswith(b"GET /ping"):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    thread = threading.Thread(target=ping_only, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    child = start_scones("run", "--watch", "--json", "--endpoint-url", url, cwd=shop.folder)
    wait_until(lambda: shop.files("claims"))
    child.terminate()
    child.communicate(timeout=60)
    answered.set()
    assert child.returncode == 0
    assert [status for _, status in shop.executions()] == ["RUNNING"]
    listener.close()
    shown = scones("run", "--json", "--endpoint-url", endpoint_url, cwd=shop.folder)
    assert shown.returncode == 0, shown.stderr
    assert [status for _, status in shop.executions()] == ["SUCCEEDED"]


def test_dead_letters_are_listed_and_sent_again(scones: Run, shop: Shop, endpoint_url: str) -> None:
    bad, worse = shop.drop("bad", b"hello"), shop.drop("worse", b"")
    shop.drop("good")
    words = ("run", "--endpoint-url", endpoint_url)
    shown = scones(*words, cwd=shop.folder)
    assert shown.returncode == errors.WorkflowError.exit_code
    assert "dead letters, which cannot be worked as they are: 2, 2 of them new: `scones dead-letters`" in shown.stderr
    listed = json.loads(scones("dead-letters", "--json", cwd=shop.folder).stdout)
    assert {one["arrival"] for one in listed} == {
        "vehicles/main/driver-bad/bad.png",
        "vehicles/main/driver-worse/worse.png",
    }
    assert {one["error"] for one in listed} == {"PictureError"}
    table = scones("dead-letters", cwd=shop.folder)
    assert "it is no picture that can be read" in table.stdout
    assert "PictureError: put a good picture under the same key, then `scones dead-letters --retry" in table.stderr

    assert scones(*words, cwd=shop.folder).returncode == 0, "they are not tried again by themselves"
    none = scones("dead-letters", "--retry", "nobody", cwd=shop.folder)
    assert none.returncode == errors.ObjectMissing.exit_code
    bad.write_bytes(shop.picture)
    asked = scones("dead-letters", "--retry", "vehicles/main/driver-bad/bad", "--json", cwd=shop.folder)
    assert [one["key"] for one in json.loads(asked.stdout)] == ["arrivals/vehicles/main/driver-bad/bad.png"]
    assert "`scones run` works it anew" in scones("dead-letters", cwd=shop.folder).stdout
    again = json.loads(scones(*words, "--json", cwd=shop.folder).stdout)
    assert (again["executions"], again["worked_before"]) == (1, 2)
    assert [one["key"] for one in json.loads(scones("dead-letters", "--json", cwd=shop.folder).stdout)] == [
        f"arrivals/vehicles/main/driver-worse/{worse.name}"
    ]

    worse.write_bytes(shop.picture)
    assert "next: 1" in scones("dead-letters", "--retry", "all", cwd=shop.folder).stderr
    assert scones(*words, cwd=shop.folder).returncode == 0
    assert json.loads(scones("dead-letters", "--json", cwd=shop.folder).stdout) == []
    assert len(shop.files("routes")) == 3


def test_an_address_in_use_is_one_line(scones: Run, shop: Shop, endpoint_url: str) -> None:
    from scones.listening import bind

    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        shown = scones("run", "--listen", str(port), "--endpoint-url", endpoint_url, cwd=shop.folder)
    assert shown.returncode == errors.PortInUse.exit_code
    assert f"port {port} on 127.0.0.1 is in use" in shown.stderr
    assert "Traceback" not in shown.stderr
    assert not shop.journal.exists(), "nothing was begun"


def test_an_address_that_is_none_is_told_before_the_endpoint_is_asked_and_anything_is_begun(
    scones: Run, shop: Shop
) -> None:
    shop.drop("a1")
    shown = scones("run", "--listen", "127.0.0.1", "--endpoint-url", "http://127.0.0.1:9", cwd=shop.folder)
    assert shown.returncode == errors.SettingsError.exit_code
    assert "--listen '127.0.0.1' is no address" in shown.stderr
    assert not shop.journal.exists()
