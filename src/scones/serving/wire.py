"""HTTP/1.1 as it comes in, one connection's: bytes become requests, and what is not quite HTTP is refused.

httptools, which is Node's llhttp, does the reading; it refuses what two servers in a row could read differently
(both lengths, two lengths, folded headers, bad chunk sizes, bare line ends). Here are the limits, and the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

from scones.serving.message import Head

__all__ = ["Fault", "Limits", "Wire"]


class Fault(NamedTuple):
    """Why there is no request: the status that says so, and what is wrong in words."""

    status: int
    message: str


@dataclass(frozen=True)
class Limits:
    """What a request may be.

    Attributes:
        head_bytes: of its first line and headers together; ``target_bytes`` of the path and query alone.
        headers: their number.
        framing_bytes: what chunks may take beside what is in them; small chunks may take eight times it.
    """

    head_bytes: int = 32 * 1024
    target_bytes: int = 8 * 1024
    headers: int = 100
    framing_bytes: int = 64 * 1024


class Wire:
    """The requests of a connection, one at a time.

    Give :meth:`receive` what comes in, then look: ``head`` is there as soon as all headers are; ``complete`` is
    true when the body is whole; ``fault`` says why there can be no further request. When the request is answered,
    :meth:`next` makes room for the one after it.

    A caller that sends its next request before that is told by ``behind``: what it sent early is thrown away, and
    it has to be told so by closing the connection. So requests are never answered out of order, nor kept waiting
    in memory.

    Attributes:
        begun: something of a request is there.
        size: of the body so far, in bytes.
        most: bytes that the body may have, once it is known; what goes beyond is thrown away, and ``size`` tells.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._parser = HttpRequestParser(self)
        self.fault: Fault | None = None
        self.behind = False
        self.next()

    def next(self) -> None:
        """Forget the request, to read the next one."""
        self.head: Head | None = None
        self.begun = self.complete = False
        self.size = 0
        self.most: int | None = None
        self._target = b""
        self._headers: dict[str, str] = {}
        self._lines = self._hosts = self._head_bytes = 0
        self._received = 0
        self._body = BytesIO()

    @property
    def body(self) -> bytes:
        """What came of the body."""
        return self._body.getvalue()

    def receive(self, data: bytes | memoryview) -> None:
        """Take what came in."""
        if self.fault is not None:
            return
        if self.complete:
            self.behind = True
            return
        if self.head is not None and self.head.length is not None:
            self._receive_rest(data, self.head.length - self.size)
            return
        self._received += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:  # to be ignored, but the parser has thrown the body away
            if self.head is None or self.head.length != 0:
                self._refuse(400, "the connection cannot be turned into another: send plain HTTP/1.1")
            self.behind = True
        except HttpParserError as error:
            if not self.complete:  # else it is what came after, and the caller is answered first
                self._refuse(400, f"the request is not proper HTTP/1.1 ({error}): correct it")
            self.behind = True
        if self.head is None:
            if self._received > self._limits.head_bytes and self.fault is None:
                self.fault = self._too_long
        elif self._received > self._head_bytes + self._limits.framing_bytes + 9 * self.size:
            self._refuse(400, "the body's chunks are mostly wrapping: send larger ones")

    def _receive_rest(self, data: bytes | memoryview, left: int) -> None:
        """Of a body whose length is known nothing is to be read but how much there is: without the parser's copy."""
        self.on_body(data[:left])
        if len(data) < left:
            return
        self.complete = True
        self.behind = bytes(data[left:]).strip(b"\r\n") != b""  # the parser skips these before a request, too
        self._parser = HttpRequestParser(self)  # the other one still waits for the body

    def on_message_begin(self) -> None:
        """Called by the parser."""
        if self.complete:
            self.behind = True
        self.begun = True

    def on_url(self, part: bytes) -> None:
        """Called by the parser, perhaps several times a request."""
        if not self.complete:
            self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for trailers too: they are nothing to us."""
        if self.head is not None or self.complete:
            return
        key = name.lower().decode("latin-1")
        self._headers.setdefault(key, value.decode("latin-1"))
        self._lines += 1
        self._hosts += key == "host"
        self._head_bytes += len(name) + len(value) + 4

    def on_headers_complete(self) -> None:
        """Called by the parser: nothing of the body has come yet."""
        if self.complete or self.fault is not None:
            return
        headers, version = self._headers, self._parser.get_http_version()
        self._head_bytes += len(self._target)
        self.fault = next(self._faults_of_head(headers, version), None)
        if self.fault is None:
            self.head = Head(
                method=self._parser.get_method().decode("latin-1"),
                path=_path(self._target),
                headers=headers,
                version=version,
                keep_alive=version == "1.1" and self._parser.should_keep_alive(),
                length=None if "transfer-encoding" in headers else int(headers.get("content-length", "0")),
                expects="expect" in headers and version == "1.1",
            )

    def _faults_of_head(self, headers: dict[str, str], version: str) -> Iterator[Fault]:
        limits = self._limits
        if self._lines > limits.headers or self._head_bytes > limits.head_bytes:
            yield self._too_long
        if len(self._target) > limits.target_bytes:
            yield Fault(414, f"the path has more than {limits.target_bytes} bytes: shorten it")
        if version not in ("1.0", "1.1"):
            yield Fault(400, f"HTTP/{version} is not spoken here: use HTTP/1.1")
        if version == "1.1" and self._hosts == 0:
            yield Fault(400, "there is no Host header: send one")
        if self._hosts > 1:
            yield Fault(400, "there are two Host headers: send one")
        coding = headers.get("transfer-encoding")
        if coding is not None and (coding := coding.strip().lower()) != "chunked":
            yield Fault(400, f"transfer encoding {coding[:40]!r} is not taken: send a Content-Length, or plain chunks")
        if coding is not None and version == "1.0":
            yield Fault(400, "HTTP/1.0 has no chunks: send a Content-Length")
        expected = headers.get("expect")
        if expected is not None and expected.strip().lower() != "100-continue":
            yield Fault(417, f"expectation {expected[:40]!r} cannot be met: leave it out")

    def on_body(self, part: bytes | memoryview) -> None:
        """Called by the parser, with a part of it."""
        if self.complete or self.head is None:
            return
        self.size += len(part)
        if self.most is None or self.size <= self.most:
            self._body.write(part)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self.fault is None and self.head is not None:
            self.complete = True

    @property
    def _too_long(self) -> Fault:
        return Fault(431, f"the headers have more than {self._limits.head_bytes} bytes: send fewer and shorter ones")

    def _refuse(self, status: int, message: str) -> None:
        if self.fault is None:
            self.fault = Fault(status, message)


def _path(target: bytes) -> str:
    text = target.decode("latin-1")
    if text == "/invocations":
        return text
    if not text.startswith("/"):  # as a proxy is asked: http://host/path
        try:
            text = urlsplit(text).path or "/"
        except ValueError:
            return text
    return unquote(text.partition("?")[0])
