"""The loop that every connection of a process lives in: it accepts, listens, and ends what takes too long."""

from __future__ import annotations

import logging
import resource
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from scones.serving.connection import Connection
from scones.serving.exchange import Service
from scones.serving.terms import Patience
from scones.serving.wire import Limits

__all__ = ["Loop"]

_log = logging.getLogger(__name__)
_BUFFER = 256 * 1024
_OTHER_FILES = 64
"""Descriptors that a process needs beside its connections."""


class Loop:
    """Serve connections until told to end.

    Args:
        service: answers.
        listener: accepts; it is closed when the loop drains.
        patience: how long callers may take.
        limits: what a request may be.
        most_connections: beyond it, those that keep us waiting longest are closed.

    Attributes:
        now: the time of this turn, in seconds; only differences mean something.
        draining: every answer is the last of its connection.
    """

    def __init__(
        self,
        service: Service,
        listener: socket.socket,
        *,
        patience: Patience | None = None,
        limits: Limits | None = None,
        most_connections: int = 4096,
    ) -> None:
        self._service = service
        self._listener: socket.socket | None = listener
        self._patience = patience or Patience()
        self._limits = limits or Limits()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = max(1, min(most_connections, files - _OTHER_FILES))
        self._selector = selectors.DefaultSelector()
        self._buffer = memoryview(bytearray(_BUFFER))
        self._connections: dict[Connection, None] = {}  # the oldest first
        self._half_closed: set[Connection] = set()
        self._work: deque[Callable[[], None]] = deque()
        self._wake, self._woken = socket.socketpair()
        self._thread: int | None = None
        self._stop_by = float("inf")
        self.draining = False
        self.now = time.monotonic()
        for end in (self._wake, self._woken, listener):
            end.settimeout(0)
        kept = vars(self._patience).values()
        self._pause = min(max(min(kept) / 4, 0.01), 0.25)

    def run(self, on_ready: Callable[[], None] = lambda: None) -> None:
        """Serve, until :meth:`drain` was called and all is answered."""
        self._thread = threading.get_ident()
        assert self._listener is not None
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._woken, selectors.EVENT_READ, self._woke_up)
        on_ready()
        sweep_at = 0.0
        while not (self.draining and not self._connections):
            self._turn(self._pause)
            if self.now >= sweep_at:
                self._sweep()
                sweep_at = self.now + self._pause
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def _turn(self, seconds: float) -> None:
        """Do what there is to do, or wait for it so long."""
        events = self._selector.select(seconds)
        self.now = time.monotonic()
        for key, mask in events:
            found = key.data
            if not isinstance(found, Connection):
                found()
                continue
            try:
                if mask & selectors.EVENT_WRITE:
                    found.writable()
                if mask & selectors.EVENT_READ:
                    found.readable(self._buffer)
            except Exception:  # noqa: BLE001 - a fault of ours costs this connection, no other
                _log.exception("a connection failed and is closed")
                found.close()
        while self._work:
            self._work.popleft()()

    def later(self, work: Callable[[], None]) -> None:
        """Do it in the loop's thread, soon; any thread may ask."""
        self._work.append(work)
        if threading.get_ident() != self._thread:
            with suppress(OSError):  # full: it wakes anyhow; closed: it has ended
                self._wake.send(b"!")

    def drain(self, seconds: float) -> None:
        """Take nothing new, answer what is there, and end; any thread may ask.

        Args:
            seconds: what is not answered then is told that the endpoint is stopping.
        """
        self.later(lambda: self._begin_to_drain(seconds))

    def _begin_to_drain(self, seconds: float) -> None:
        if self.draining:
            return
        if self._listener is not None:
            self._accept()  # who is connected already was not refused
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        self.draining = True
        self._stop_by = self.now + seconds
        self._turn(0)  # what has arrived already is still read
        for connection in [connection for connection in self._connections if connection.idle]:
            connection.close()  # its answers are out, and what would still come is not answered any more

    def watch(self, connection: Connection, *, read: bool, write: bool) -> None:
        """Say what the connection waits for."""
        events = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        known = connection in self._selector.get_map()
        if events and known:
            self._selector.modify(connection, events, connection)
        elif events:
            self._selector.register(connection, events, connection)
        elif known:
            self._selector.unregister(connection)
        if connection.half_closed:
            self._half_closed.add(connection)

    def forget(self, connection: Connection) -> None:
        """It is about to be closed."""
        self._connections.pop(connection, None)
        self._half_closed.discard(connection)
        if connection in self._selector.get_map():
            self._selector.unregister(connection)

    def _accept(self) -> None:
        while self._listener is not None:
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                _log.warning("a connection cannot be accepted (%s): old ones are closed", error)
                self._make_room()
                return
            if len(self._connections) >= self._most:
                self._make_room()
            sock.settimeout(0)
            with suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, self, self._service, self._patience, self._limits)
            self._connections[connection] = None
            self._selector.register(sock, selectors.EVENT_READ, connection)

    def _make_room(self) -> None:
        """Close some of the connections whose time is up first: those that begin a request and do not go on."""
        waiting = sorted(self._connections, key=lambda connection: connection.deadline)
        for connection in waiting[: max(1, self._most // 20)]:
            connection.close()

    def _woke_up(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(4096)

    def _sweep(self) -> None:
        self._service.tick(len(self._connections))
        for connection in [found for found in self._connections if found.deadline <= self.now]:
            connection.overdue()
        for connection in [found for found in self._half_closed if found.has_gone()]:
            connection.close()
        if self.now >= self._stop_by:
            for connection in list(self._connections):
                connection.stop()
