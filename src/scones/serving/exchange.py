"""A request on its way to an answer: who takes it, and how the answer gets back."""

from __future__ import annotations

from typing import Any, Protocol

from scones.serving.message import Head, Reply

__all__ = ["Exchange", "Service"]


class Service(Protocol):
    """What answers. It is called in the loop's thread, and must not wait."""

    def judge(self, exchange: Exchange) -> Reply | int:
        """All headers are there: answer at once, or say how many bytes the body may have."""

    def take(self, exchange: Exchange, body: bytes) -> Reply | None:
        """The body is there: answer at once, or later with :meth:`Exchange.reply`."""

    def refuse(self, exchange: Exchange | None, status: int, message: str) -> Reply:
        """There will be no more of a request, of which there may not even be the headers."""

    def lost(self, exchange: Exchange) -> None:
        """The caller went away before it was answered."""

    def tick(self, connections: int) -> None:
        """Some time has passed; so many connections are open."""


class _Way(Protocol):
    def answer(self, exchange: Exchange, reply: Reply) -> bool: ...


class Exchange:
    """A request on its way to an answer.

    Attributes:
        head: of the request.
        started: when its headers were there, in the loop's time.
        taken: the service has it; the connection waits for the answer.
        gone: nobody waits for the answer any more.
        call: the service's own.
    """

    __slots__ = ("_connection", "call", "gone", "head", "started", "taken")

    def __init__(self, connection: _Way, head: Head, started: float) -> None:
        self._connection = connection
        self.head = head
        self.started = started
        self.taken = self.gone = False
        self.call: Any = None

    def reply(self, reply: Reply) -> bool:
        """Answer, from any thread; False where nobody waits for it any more."""
        waited = self._connection.answer(self, reply)
        self.call = None  # what the service made of it holds the exchange, and its body may be large
        return waited
