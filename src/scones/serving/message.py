"""What goes over the wire: a request's head, and a reply as the bytes of HTTP/1.1."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import NamedTuple

__all__ = ["CONTINUE", "Head", "Reply"]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What a caller waits for that said ``Expect: 100-continue``; any caller of HTTP/1.1 skips it."""

_PHRASES = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Head:
    """A request without its body.

    Attributes:
        method: in capitals.
        path: with its escapes undone, without query.
        headers: by name in lower case; of one that came several times, the first.
        version: of HTTP, as "1.1".
        keep_alive: whether the caller means to send another request.
        length: of the body in bytes, as announced; None when it comes in chunks.
        expects: the caller waits for :data:`CONTINUE` before it sends the body.
    """

    method: str
    path: str
    headers: dict[str, str]
    version: str
    keep_alive: bool
    length: int | None
    expects: bool


class Reply(NamedTuple):
    """An answer.

    Attributes:
        status: of HTTP.
        body: its bytes.
        headers: further ones, each name with its value.
        content_type: of the body.
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"

    def encode(self, *, close: bool, with_body: bool = True) -> bytes:
        """The bytes to send.

        Args:
            close: tell the caller that the connection ends with it.
            with_body: a caller that asked with HEAD gets the length alone.

        Example:
            >>> Reply(200, b"[0.5,0.5]").encode(close=True).decode().splitlines()[0]
            'HTTP/1.1 200 OK'
        """
        more = "".join([f"{name}: {value}\r\n" for name, value in self.headers])
        kind = f"content-type: {self.content_type}\r\n" if self.body else ""
        head = (
            f"HTTP/1.1 {self.status} {_PHRASES.get(self.status, '')}\r\ndate: {_date()}\r\n"
            f"content-length: {len(self.body)}\r\n{kind}{more}{'connection: close' if close else ''}"
        )
        ended = head.encode("latin-1") + (b"\r\n\r\n" if close else b"\r\n")
        return ended + self.body if with_body else ended


_dated = (0, "")


def _date() -> str:
    """Now, as HTTP writes it; made once a second."""
    global _dated  # noqa: PLW0603 - a cache: two threads at once make the same
    now, (second, text) = int(time.time()), _dated
    if now != second:
        text = formatdate(now, usegmt=True)
        _dated = now, text
    return text
