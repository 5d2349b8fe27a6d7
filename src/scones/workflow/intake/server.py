"""Serves an application in a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import uvicorn

from scones.errors import EndpointError, PortInUse, SettingsError
from scones.serving import bind

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["listen", "serving"]

_STOP_SECONDS: Final = 5
_MOST_CONNECTIONS: Final = 512


def listen(address: str) -> socket.socket:
    """Listen on an address.

    Args:
        address: ``127.0.0.1:8090``, ``[::1]:8090``, or a port alone, of this machine. Port 0 takes a free one.

    Raises:
        SettingsError: it is no address.
        PortInUse: another process listens there.
        EndpointError: it is none of this machine's, or may not be used.
    """
    try:
        parts = urlsplit(f"//127.0.0.1:{address}" if address.isdecimal() else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None or parts.path or parts.username:
        raise SettingsError(f"--listen {address!r} is no address: use 127.0.0.1:8090, [::1]:8090 or a port alone")
    try:
        return bind(host, port)
    except PortInUse as error:
        raise PortInUse(
            f"port {port} on {host} is in use by another process: stop that one, or choose another with --listen "
            f"({host}:0 takes a free one)"
        ) from error
    except EndpointError as error:
        reason = str(error).split(": choose", 1)[0]
        raise EndpointError(f"{reason}: choose another with --listen") from error


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve as long as the ``with`` block runs; then answer what is inside, for some seconds at most.

    Raises:
        EndpointError: the server ended before it could answer.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_STOP_SECONDS,
    )
    server, begun = _Server(config), threading.Event()
    server.begun = begun

    def serve() -> None:
        try:
            with suppress(SystemExit):  # uvicorn's way to end when it cannot start
                server.run(sockets=[listener])
        finally:
            begun.set()

    # a daemon: a call that hangs in a store that does not answer must not keep the process from ending
    thread = threading.Thread(target=serve, name="arrivals over HTTP", daemon=True)
    thread.start()
    begun.wait()
    if not server.started:
        raise EndpointError("the server for --listen ended before it could answer: its log says why")
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(_STOP_SECONDS + 1)


class _Server(uvicorn.Server):
    begun: threading.Event

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.begun.set()
