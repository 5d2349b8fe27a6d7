"""Messages between a parent process and a child of its own: any Python value, whole and in order."""

from __future__ import annotations

import pickle
import socket
import struct
import threading
from typing import Any

__all__ = ["Channel"]

_LENGTH = struct.Struct("<Q")


class Channel:
    """One end of a pair. Both ends are this program's own, so what comes is as good as what was sent.

    Example:
        >>> here, there = Channel.pair()
        >>> here.send(("stop", 28.0))
        True
        >>> there.receive()
        ('stop', 28.0)
        >>> here.close()
        >>> there.receive() is None
        True
        >>> there.close()
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._lock = threading.Lock()

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Two ends, to be made before a fork; each process closes the one that is not its own."""
        here, there = socket.socketpair()
        return cls(here), cls(there)

    def send(self, message: Any) -> bool:
        """Send a message; False where nobody is there to receive it."""
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        try:
            with self._lock:
                self._sock.sendall(_LENGTH.pack(len(data)) + data)
        except OSError:
            return False
        return True

    def receive(self) -> Any:
        """Wait for a message; None when the other end is closed."""
        head = self._read(_LENGTH.size)
        data = None if head is None else self._read(*_LENGTH.unpack(head))
        return None if data is None else pickle.loads(data)  # noqa: S301 - of a process of our own

    def _read(self, size: int) -> bytes | None:
        parts = []
        while size:
            try:
                part = self._sock.recv(min(size, 2**20))
            except OSError:
                part = b""
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def fileno(self) -> int:
        """For a selector."""
        return self._sock.fileno()

    def close(self) -> None:
        """The other end receives None from now on."""
        self._sock.close()
