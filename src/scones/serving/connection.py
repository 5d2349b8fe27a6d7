"""A caller's connection: what comes in is handed on as exchanges, what is answered goes out, and it always ends."""

from __future__ import annotations

import socket
import threading
from typing import Any, Protocol

from scones.serving.exchange import Exchange, Service
from scones.serving.message import CONTINUE, Reply
from scones.serving.terms import Patience
from scones.serving.wire import Limits, Wire

__all__ = ["Connection", "Host"]


class Host(Protocol):
    """The loop, as a connection sees it."""

    now: float
    draining: bool

    def later(self, work: Any) -> None:
        """Do it in the loop's thread, soon; any thread may ask."""

    def watch(self, connection: Connection, *, read: bool, write: bool) -> None:
        """Say what the connection waits for."""

    def forget(self, connection: Connection) -> None:
        """It is closed."""


class Connection:
    """One caller's connection.

    All happens in the loop's thread, but for :meth:`answer`. What both touch is guarded by a lock.

    A caller that ends its own side while it waits may still read: it gets its answer. Whether it does, or has gone
    altogether, only shows when something is sent to it, so it is sent a ``100 Continue``, which it is bound to skip:
    a closed connection answers that with a reset.
    """

    def __init__(
        self, sock: socket.socket, host: Host, service: Service, patience: Patience, limits: Limits | None = None
    ) -> None:
        self._sock = sock
        self._host = host
        self._service = service
        self._patience = patience
        self._wire = Wire(limits)
        self._lock = threading.RLock()
        self._exchange: Exchange | None = None
        self._rest = b""
        self._closing = self._closed = self._lingering = False
        self.half_closed = False
        self.deadline = host.now + patience.head

    def fileno(self) -> int:
        """For the selector."""
        return self._sock.fileno()

    @property
    def idle(self) -> bool:
        """Nothing is asked, nothing is being answered."""
        with self._lock:  # a caller may have an answer before the thread that sends it has done
            return self._exchange is None and not (self._wire.begun or self._rest or self._lingering)

    def readable(self, buffer: memoryview) -> None:
        """Something came in, or the caller's side has ended."""
        try:
            size = self._sock.recv_into(buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        if size == 0:
            self._caller_ended()
        elif not (self._lingering or self._closing):  # then what comes is thrown away
            with self._lock:
                self._wire.receive(buffer[:size])
                if self._exchange is None or not self._exchange.taken:
                    self._advance()

    def _advance(self) -> None:
        """Look what has become of the request. The lock is held."""
        wire, now = self._wire, self._host.now
        if self._closing or self._rest:
            return
        if self._exchange is None:
            if wire.fault is not None:
                self._refuse(*wire.fault)
                return
            if wire.head is None:
                if wire.begun:
                    self.deadline = min(self.deadline, now + self._patience.head)
                return
            self._exchange = Exchange(self, wire.head, now)
            verdict = self._service.judge(self._exchange)
            if isinstance(verdict, Reply):
                self._send(verdict)
                return
            wire.most = verdict
            self.deadline = now + self._patience.body
            if wire.head.expects and not wire.complete and not wire.size:
                self._send_continue()
        if wire.fault is not None:
            self._refuse(*wire.fault)
        elif wire.most is not None and wire.size > wire.most:
            self._refuse(413, f"the body has more than the {wire.most:,} bytes allowed: send a smaller one")
        elif wire.complete:
            self._exchange.taken = True
            self.deadline = float("inf")
            reply = self._service.take(self._exchange, wire.body)
            if reply is not None:
                self._send(reply)

    def _refuse(self, status: int, message: str) -> None:
        self._send(self._service.refuse(self._exchange, status, message), close=True)

    def answer(self, exchange: Exchange, reply: Reply) -> bool:
        """Send a reply, from any thread; False where nobody waits for it any more."""
        with self._lock:
            if self._exchange is not exchange:
                return False
            self._send(reply)
            return True

    def _send(self, reply: Reply, *, close: bool = False) -> None:
        """Send a reply, whole or begun. The lock is held."""
        wire, head = self._wire, self._wire.head
        close = (
            close
            or head is None
            or not head.keep_alive
            or not wire.complete
            or wire.behind
            or self.half_closed
            or self._host.draining
        )
        data = reply.encode(close=close, with_body=head is None or head.method != "HEAD")
        self._exchange = None
        self._closing = close
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._host.later(self.close)
            return
        if sent < len(data):
            self._rest = data[sent:]
            self.deadline = self._host.now + self._patience.send
            self._host.later(self._watch)
        else:
            self._answered()

    def writable(self) -> None:
        """There is room to send what is left of an answer."""
        with self._lock:
            try:
                self._rest = self._rest[self._sock.send(self._rest) :]
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.close()
                return
            if not self._rest:
                self._watch()
                self._answered()

    def _answered(self) -> None:
        if self._closing or self.half_closed or self._wire.behind or self._host.draining:
            self._closing = True
            self._host.later(self.linger)
        else:
            self._wire.next()
            self.deadline = self._host.now + self._patience.idle

    def _send_continue(self) -> None:
        try:
            self._sock.send(CONTINUE)  # it is short, and nothing was sent before it
        except OSError:
            self._host.later(self.close)

    def _caller_ended(self) -> None:
        with self._lock:
            exchange = self._exchange
            waits = exchange is not None and exchange.taken and exchange.head.version == "1.1"
            if self._lingering or not (waits or self._rest):
                self.close()
                return
            self.half_closed = True
            self._watch()
            if waits:
                self._send_continue()

    def has_gone(self) -> bool:
        """Whether a caller that ended its side has closed the connection altogether, and has reset it since."""
        try:
            return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
        except OSError:
            return True

    def overdue(self) -> None:
        """Its deadline has passed."""
        with self._lock:
            if self._closing or self._rest or not self._wire.begun:
                self.close()
                return
            what, seconds = (
                ("headers", self._patience.head) if self._exchange is None else ("body", self._patience.body)
            )
            self._refuse(408, f"the {what} did not arrive within {seconds:g} seconds: send faster")

    def linger(self) -> None:
        """Say that nothing more will come, and let the caller close: closing at once could destroy the answer."""
        with self._lock:
            if self._closed or self._lingering:
                return
            if self.half_closed:
                self.close()
                return
            try:
                self._sock.shutdown(socket.SHUT_WR)
            except OSError:
                self.close()
                return
            self._lingering = True
            self.deadline = self._host.now + self._patience.linger

    def stop(self) -> None:
        """There is no more time: say so where somebody waits, and close."""
        with self._lock:
            if self._exchange is not None:
                self._refuse(503, "the endpoint is stopping: try again in a second")
            self.close()

    def close(self) -> None:
        """End it, whatever it is doing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            exchange, self._exchange = self._exchange, None
            self._host.forget(self)
            self._sock.close()
            self._wire.next()  # the wire and its parser hold each other, and what came of the body
        if exchange is not None:
            exchange.gone = True
            self._service.lost(exchange)

    def _watch(self) -> None:
        if not self._closed:
            self._host.watch(self, read=not self.half_closed, write=bool(self._rest))
