from __future__ import annotations

import hashlib
import itertools
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import urllib3

from scones.errors import DownloadFailed
from scones.staging.download import download

DATA = bytes(range(256)) * 4000
MD5 = hashlib.md5(DATA).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``DATA`` on the loopback, as well or as badly as ``way`` says."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.way = "good"
        self.ranges: list[str | None] = []
        self.ended = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        way, wanted = self.server.way, self.headers["Range"]
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and way != "no ranges" else 0
        if way == "gone":
            self.send_error(404)
            return
        if way == "silent" or (way == "stalls" and start):
            self.server.ended.wait(10)
            return
        if start >= len(DATA):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(DATA)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = DATA[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if way == "breaks":  # after 300,000 bytes, each time
            body = body[:300_000]
        elif way == "breaks at once":
            body = b""
        elif way == "stalls":
            self.wfile.write(body[:300_000])
            self.wfile.flush()
            self.server.ended.wait(10)
            return
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager() as http:
        yield http


def fetch(server: Server, to: Path, http: urllib3.PoolManager, **changes: Any) -> Path:
    options: dict[str, Any] = {"md5": MD5, "timeout": 5.0, **changes}
    return download(server.url, to, http=http, **options)


def test_a_file_is_fetched_whole_checked_and_cached(server: Server, tmp_path: Path, http: urllib3.PoolManager) -> None:
    seen: list[tuple[int, int]] = []
    to = tmp_path / "cache" / "file"
    assert fetch(server, to, http, progress=lambda done, total: seen.append((done, total))) == to
    assert to.read_bytes() == DATA
    assert seen[-1] == (len(DATA), len(DATA))
    assert fetch(server, to, http) == to
    assert server.ranges == [None]
    assert [path.name for path in to.parent.iterdir()] == ["file"]


def test_a_broken_connection_is_taken_up_where_it_broke(
    server: Server, tmp_path: Path, http: urllib3.PoolManager
) -> None:
    server.way = "breaks"
    assert fetch(server, tmp_path / "file", http).read_bytes() == DATA
    starts = [int(wanted.removeprefix("bytes=").rstrip("-")) for wanted in server.ranges[1:] if wanted]
    assert len(starts) == len(server.ranges) - 1 == 3
    assert all(later - earlier >= 300_000 - (1 << 16) for earlier, later in itertools.pairwise([0, *starts]))


def test_a_part_left_by_a_killed_process_is_gone_on_with(
    server: Server, tmp_path: Path, http: urllib3.PoolManager
) -> None:
    (tmp_path / "file.part").write_bytes(DATA[:1000])
    assert fetch(server, tmp_path / "file", http).read_bytes() == DATA
    assert server.ranges == ["bytes=1000-"]


def test_a_part_that_is_whole_already_only_gets_its_name(
    server: Server, tmp_path: Path, http: urllib3.PoolManager
) -> None:
    (tmp_path / "file.part").write_bytes(DATA)
    assert fetch(server, tmp_path / "file", http).read_bytes() == DATA


def test_a_part_longer_than_the_file_is_begun_again(server: Server, tmp_path: Path, http: urllib3.PoolManager) -> None:
    (tmp_path / "file.part").write_bytes(DATA + b"more")
    assert fetch(server, tmp_path / "file", http).read_bytes() == DATA


def test_a_server_without_ranges_sends_the_whole_again(
    server: Server, tmp_path: Path, http: urllib3.PoolManager
) -> None:
    server.way = "no ranges"
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    assert fetch(server, tmp_path / "file", http).read_bytes() == DATA


def test_a_wrong_checksum_puts_the_file_aside(server: Server, tmp_path: Path, http: urllib3.PoolManager) -> None:
    with pytest.raises(DownloadFailed, match=r"not the published 00: it was put aside as .*file\.bad"):
        fetch(server, tmp_path / "file", http, md5="00")
    assert [path.name for path in tmp_path.iterdir()] == ["file.bad"]


def test_a_cached_file_that_was_damaged_is_fetched_again(
    server: Server, tmp_path: Path, http: urllib3.PoolManager
) -> None:
    (tmp_path / "file").write_bytes(b"damaged")
    assert fetch(server, tmp_path / "file", http).read_bytes() == DATA
    assert (tmp_path / "file.bad").read_bytes() == b"damaged"


@pytest.mark.parametrize("way", ["silent", "stalls"])
def test_a_slow_server_is_given_up_after_the_time_out(
    server: Server, tmp_path: Path, http: urllib3.PoolManager, way: str
) -> None:
    server.way = way
    with pytest.raises(DownloadFailed, match=r"does not answer \(.*timed out.*\): try again"):
        fetch(server, tmp_path / "file", http, timeout=0.2)
    assert not (tmp_path / "file").exists()
    if way == "stalls":
        assert (tmp_path / "file.part").stat().st_size >= 300_000 - (1 << 16)


def test_a_server_that_always_breaks_at_once_is_given_up(
    server: Server, tmp_path: Path, http: urllib3.PoolManager
) -> None:
    server.way = "breaks at once"
    with pytest.raises(DownloadFailed, match=r"does not answer \(Connection [^()]*(\([^()]*\))?\): try again"):
        fetch(server, tmp_path / "file", http)


def test_an_error_answer_is_told(server: Server, tmp_path: Path, http: urllib3.PoolManager) -> None:
    server.way = "gone"
    with pytest.raises(DownloadFailed, match=r"answers 404 Not Found: give the file with --archive"):
        fetch(server, tmp_path / "file", http)


def test_nobody_listening_is_told_with_the_ways_out(tmp_path: Path, http: urllib3.PoolManager) -> None:
    with pytest.raises(DownloadFailed) as caught:
        download("http://127.0.0.1:9/file", tmp_path / "file", md5=MD5, timeout=2, http=http)
    assert str(caught.value) == (
        "http://127.0.0.1:9/file does not answer "
        "(Failed to establish a new connection: [Errno 111] Connection refused): "
        "try again, or give the file with --archive"
    )


def test_an_unknown_host_is_told_with_its_name_and_balanced_brackets(
    tmp_path: Path, http: urllib3.PoolManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DownloadFailed) as caught:
        download("http://nowhere.invalid/file", tmp_path / "file", md5=MD5, http=http)
    assert str(caught.value) == (
        "http://nowhere.invalid/file does not answer "
        "(Failed to resolve 'nowhere.invalid' ([Errno -2] Name or service not known)): "
        "try again, or give the file with --archive"
    )


def test_a_place_that_cannot_be_written_is_told(server: Server, tmp_path: Path, http: urllib3.PoolManager) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(DownloadFailed, match="cannot write"):
        fetch(server, tmp_path / "taken" / "file", http)
