"""Receivers on the loopback that are as well or as badly as a test wants, and messages for them."""

from __future__ import annotations

import base64
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scones.notifications import Digest, Message, Notification


@pytest.fixture(scope="session")
def news() -> Callable[..., Notification]:
    """Make a notification: ``news("failure", "classify EndpointBusy", time=5.0, detail="…")``."""

    def make(kind: Any = "failure", group: str = "classify EndpointBusy", time: float = 0.0, **more: Any) -> Any:
        return Notification(kind, group, more.pop("title", f"{group} happens"), time, **more)

    return make


@pytest.fixture(scope="session")
def message_of() -> Callable[..., Message]:
    """Make a message of notifications, each a group of its own."""

    def make(*all_news: Notification) -> Message:
        return Message("msg_1", "depot-7", tuple(Digest.of(one) for one in all_news))

    return make


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class Receiver(ThreadingHTTPServer):
    """Takes POSTs. It gives its ``answers`` one after the other, then 200; None is silence until the test ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _ReceiverHandler)
        self.answers: list[Answer | None] = []
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.ended = threading.Event()

    def handle_error(self, *request: Any) -> None:
        pass  # a client that hung up: its test knows

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hooks/token-in-the-path"

    def will_answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.append(Answer(status, named, body))

    def will_be_silent(self) -> None:
        self.answers.append(None)


class _ReceiverHandler(BaseHTTPRequestHandler):
    server: Receiver

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(({name.lower(): value for name, value in self.headers.items()}, body))
        answer = self.server.answers.pop(0) if self.server.answers else Answer()
        if answer is None:
            self.server.ended.wait(30)
            return
        self.send_response(answer.status)
        for name, value in (answer.headers | {"Content-Length": str(len(answer.body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A web server that takes POSTs."""
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.ended.set()
        server.shutdown()
        thread.join()


class MailServer(socketserver.ThreadingTCPServer):
    """An SMTP server. ``answers`` replaces what it says to a command, once: ``{"RCPT": ["451 come back later"]}``."""

    daemon_threads = True

    def __init__(self, trust: ssl.SSLContext | None, *, at_once: bool) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.trust = trust
        self.at_once = at_once
        self.answers: dict[str, list[str]] = {}
        self.login: bytes | None = None
        self.encrypted = False
        self.letters: list[bytes] = []
        self.receivers: list[str] = []
        self.ended = threading.Event()

    def handle_error(self, *request: Any) -> None:
        pass  # a client that hung up: its test knows

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _MailHandler(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        if self.server.at_once:
            self._encrypt()
        if not self._say("CONNECT", "220 here"):
            return
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            command = getattr(self, f"on_{verb.lower()}", None)
            if command is None:
                self._say(verb.upper(), "250 fine")
            elif command(rest):
                return

    def on_ehlo(self, rest: str) -> None:
        offer = "STARTTLS" if self.server.trust and not self.server.encrypted else "AUTH PLAIN"
        self._say("EHLO", f"250-here\r\n250 {offer}")

    def on_starttls(self, rest: str) -> None:
        self._say("STARTTLS", "220 go on")
        self._encrypt()

    def on_auth(self, rest: str) -> None:
        self.server.login = base64.b64decode(rest.partition(" ")[2])
        self._say("AUTH", "235 welcome")

    def on_rcpt(self, rest: str) -> None:
        if self._say("RCPT", "250 fine"):
            self.server.receivers.append(rest)

    def on_data(self, rest: str) -> None:
        if not self._say("DATA", "354 go on"):
            return
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line)
        if self._say("LETTER", "250 fine"):
            self.server.letters.append(b"".join(lines))

    def on_quit(self, rest: str) -> bool:
        self._say("QUIT", "221 bye")
        return True

    def _say(self, verb: str, text: str) -> bool:
        """Say it, or what the test wants said instead; False where that is a refusal."""
        instead = self.server.answers.get(verb)
        said = instead.pop(0) if instead else text
        if said == "nothing":
            self.server.ended.wait(30)
            return False
        self.wfile.write(f"{said}\r\n".encode())
        return said < "4"

    def _encrypt(self) -> None:
        assert self.server.trust
        self.request = self.server.trust.wrap_socket(self.request, server_side=True)
        self.server.encrypted = True
        self.setup()

    def finish(self) -> None:
        super().finish()
        self.request.close()  # the encrypted one, of which the server does not know


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and its key, in one file, that nobody trusts by himself."""
    folder = tmp_path_factory.mktemp("certificate")
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext subjectAltName=IP:127.0.0.1"
    try:
        subprocess.run(
            [*command.split(), "-keyout", folder / "key", "-out", folder / "crt"], check=True, capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("making a certificate needs openssl")
    both = folder / "both.pem"
    both.write_bytes((folder / "key").read_bytes() + (folder / "crt").read_bytes())
    return both


@pytest.fixture
def start_mail_server() -> Iterator[Callable[..., MailServer]]:
    """Start an SMTP server: ``start_mail_server(certificate, at_once=True)``; without a certificate all is plain."""
    started: list[tuple[MailServer, threading.Thread]] = []

    def start(certificate: Path | None = None, *, at_once: bool = False) -> MailServer:
        trust = None
        if certificate is not None:
            trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trust.load_cert_chain(certificate)
        server = MailServer(trust, at_once=at_once)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        started.append((server, thread))
        return server

    yield start
    for server, thread in started:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
