"""One caller: a connection that is kept, with one request on it at a time."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

import httptools

from scones.loadtest.target import Target

__all__ = ["Answer", "Caller", "CallerError"]

_CHUNK = 65536
_BEGUN = (0, errno.EINPROGRESS, errno.EWOULDBLOCK)


class CallerError(Exception):
    """A request got no answer. The text is one word: ``refused``, ``closed``, ``malformed``, or ``broken``."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        sample: the place of the request among those that are sent in turn.
        status: of HTTP.
        headers: pairs of name and value, as they came.
        body: all of it.
        seconds: since it was sent, or was due.
    """

    sample: int
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes
    seconds: float

    def header(self, name: str) -> str | None:
        """The first value of a header; the name in lower case."""
        found = (value for key, value in self.headers if key.decode("latin-1").lower() == name)
        return next((value.decode("latin-1") for value in found), None)


class Caller:
    """A connection, as the loop drives it: :meth:`ask`, then :meth:`writable` and :meth:`readable` when they are.

    Args:
        target: whom to ask.

    Attributes:
        since: when what is asked was sent, or was due, seconds of the monotonic clock.
        asked: when it was sent.
        sample: which request it is.
        connected: whether there is a connection.
        spent: whether the connection is of no more use.
    """

    __slots__ = (
        "_body", "_complete", "_headers", "_kept", "_parser", "_rest", "_sock", "_target", "asked", "connected",
        "sample", "since", "spent",
    )  # fmt: skip

    def __init__(self, target: Target) -> None:
        self._target = target
        self._sock: socket.socket | None = None
        self._rest = memoryview(b"")
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._complete = self._kept = self.connected = self.spent = False
        self.since = self.asked = 0.0
        self.sample = 0

    def fileno(self) -> int:
        """For the selector."""
        assert self._sock is not None
        return self._sock.fileno()

    @property
    def unsent(self) -> bool:
        """Whether some of the request waits for room, or for the connection."""
        return len(self._rest) > 0

    def connect(self) -> None:
        """Begin to connect; it is done when there is room to send.

        Raises:
            CallerError: nobody listens there, or this machine has no more connections.
        """
        self.close()
        self._sock = socket.socket(self._target.family, socket.SOCK_STREAM)
        self._sock.settimeout(0)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._parser = httptools.HttpResponseParser(self)
        if self._sock.connect_ex(self._target.address) not in _BEGUN:
            raise CallerError("refused")
        self.connected = True

    def ask(self, sample: int, request: bytes, since: float, now: float) -> None:
        """Send a request, or begin to.

        Raises:
            CallerError: the connection is gone.
        """
        self.sample, self.since, self.asked = sample, since, now
        self._rest = memoryview(request)
        self.writable()

    def writable(self) -> None:
        """There may be room to send more.

        Raises:
            CallerError: the connection is gone, or never came to be.
        """
        assert self._sock is not None
        try:
            self._rest = self._rest[self._sock.send(self._rest) :]
        except (BlockingIOError, InterruptedError):
            return
        except ConnectionRefusedError as error:
            raise CallerError("refused") from error
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # it is still being made
                raise CallerError("closed") from error

    def readable(self, now: float) -> Answer | None:
        """Something came in; the answer, once all of it is there.

        Raises:
            CallerError: the connection is gone, or what came is no answer.
        """
        assert self._sock is not None
        try:
            data = self._sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return None
        except ConnectionRefusedError as error:
            raise CallerError("refused") from error
        except OSError as error:
            raise CallerError("closed") from error
        if not data:
            raise CallerError("closed")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise CallerError("malformed") from error
        return self._answer(now) if self._complete else None

    def _answer(self, now: float) -> Answer:
        status = self._parser.get_status_code()
        answer = Answer(self.sample, status, self._headers, b"".join(self._body), now - self.since)
        self._headers, self._body, self._complete = [], [], False
        # answered before all was sent: what is left of the request would be taken for the next one
        self.spent = self.unsent or not self._kept
        return answer

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._sock is not None:
            self._sock.close()
        self._sock = None
        self._complete = self.connected = self.spent = False
        self._rest = memoryview(b"")
        self._headers, self._body = [], []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self._headers.append((name, value))

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Called by the parser; 100 Continue is no answer yet."""
        if self._parser.get_status_code() < 200:
            self._headers.clear()
        else:
            self._complete = True
            self._kept = self._parser.should_keep_alive()  # the parser forgets it with the next byte
