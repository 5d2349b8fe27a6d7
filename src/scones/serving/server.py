"""Run the endpoint: bind its port, serve until told to stop, and drain."""

from __future__ import annotations

import errno
import ipaddress
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from scones.errors import EndpointError, PortInUse

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from scones.serving.capture_writer import CaptureWriter

__all__ = ["background_server", "bind", "listening_url", "run_server"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def bind(host: str, port: int, *, choose: str = "choose others with --host and --port") -> socket.socket:
    """Listen on an address, before anything expensive is done.

    Args:
        host: a name or an IP address of this machine.
        port: 0 takes a free one.
        choose: what a person is to do where it cannot be.

    Raises:
        PortInUse: another process listens there.
        EndpointError: the address is not one of this machine's, or may not be used.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {host} is in use by another process: stop that one, or {choose} "
                "(port 0 takes a free one)"
            ) from error
        # Python's own text repeats the address; the numbers of names that are not known lie below 0
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise EndpointError(f"cannot listen on {host} port {port} ({reason}): {choose}") from error


def listening_url(listener: socket.socket) -> str:
    """The address at which a client on this machine reaches a listening socket, as ``http://127.0.0.1:8080``."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if address.is_unspecified:
        address = ipaddress.ip_address("127.0.0.1" if address.version == 4 else "::1")
    return f"http://{address}:{port}" if address.version == 4 else f"http://[{address}]:{port}"


class _Server(uvicorn.Server):
    def __init__(
        self, app: ASGIApp, on_ready: Callable[[], None], stop_seconds: int, most_connections: int | None = None
    ) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=most_connections,
            timeout_keep_alive=75,  # longer than clients keep idle connections, or they would meet a closed one
            timeout_graceful_shutdown=stop_seconds * 4 // 5,  # the rest is for the capture
        )
        super().__init__(config)
        self._on_ready = on_ready
        self._stop_seconds = stop_seconds
        self._stop_by: float | None = None

    @property
    def seconds_left(self) -> float:
        """How much of the time to stop is left."""
        return self._stop_seconds if self._stop_by is None else max(0.0, self._stop_by - time.monotonic())

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stop_by = time.monotonic() + self._stop_seconds
        await super().shutdown(sockets)


def run_server(
    app: ASGIApp,
    listener: socket.socket,
    *,
    capture: CaptureWriter | None = None,
    on_ready: Callable[[], None] = lambda: None,
    stop_seconds: int = 28,
) -> None:
    """Serve until SIGTERM or Ctrl+C, then answer what is inside, write the capture that waits, and return.

    Must run in the main thread, which is the one that gets signals.

    Args:
        app: the application.
        listener: from :func:`bind`; closed at the end.
        capture: closed when all is answered.
        on_ready: called once requests are answered.
        stop_seconds: the longest that answering what is inside (at most four fifths of it) and writing the
            capture (the rest) may take together; SageMaker kills a container after 30.
    """
    server = _Server(app, on_ready, stop_seconds)

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the shape of a signal handler
        server.should_exit = True

    # uvicorn sends itself each signal again when it has ended, to end as the signal would have ended it;
    # ours is there to receive it, and any further one, because capture is still to be written then
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        server.run(sockets=[listener])
    finally:
        if capture is not None:
            capture.close(server.seconds_left)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def background_server(
    app: ASGIApp,
    listener: socket.socket | None = None,
    *,
    stop_seconds: int = 28,
    most_connections: int | None = None,
) -> Iterator[str]:
    """Serve in a thread of this process as long as the ``with`` block runs; then answer what is inside.

    Args:
        app: the application.
        listener: from :func:`bind`; by default a free port of this machine.
        stop_seconds: the longest that answering what is inside may take.
        most_connections: one more gets a 503.

    Yields:
        The server's address, as ``http://127.0.0.1:43121``.

    Raises:
        EndpointError: the server ended before it could answer.
    """
    begun = threading.Event()

    def serve() -> None:
        try:
            with suppress(SystemExit):  # uvicorn's way to end when the application does not start
                server.run(sockets=[at])
        finally:
            begun.set()

    with bind("127.0.0.1", 0) if listener is None else nullcontext(listener) as at:
        url = listening_url(at)
        server = _Server(app, begun.set, stop_seconds, most_connections)
        # a daemon: a call that hangs in a store that does not answer must not keep the process from ending
        thread = threading.Thread(target=serve, name="server", daemon=True)
        thread.start()
        try:
            begun.wait()
            if not server.started:
                raise EndpointError("the server ended before it could answer: its log says why")
            yield url
        finally:
            server.should_exit = True
            thread.join(stop_seconds)
