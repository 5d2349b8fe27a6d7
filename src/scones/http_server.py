"""An ASGI application on a port, in a thread of this process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

import uvicorn

from scones.errors import EndpointError
from scones.listening import bind, listening_url

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["background_server"]


class _Server(uvicorn.Server):
    def __init__(
        self, app: ASGIApp, on_ready: Callable[[], None], stop_seconds: int, most_connections: int | None
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
            timeout_graceful_shutdown=stop_seconds,
        )
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()


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
