"""Tiny servers that do as a test says, and targets for them."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from scones.http_server import background_server
from scones.loadtest import Target, find_target


class Asked:
    """What a server was asked: how often each body came."""

    def __init__(self) -> None:
        self.bodies: Counter[bytes] = Counter()


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def server(asked: Asked) -> Iterator[str]:
    """A server that answers ``/invocations``, refuses at ``/busy``, and closes the connection after ``/closing``."""

    async def answer(request: Request) -> Response:
        asked.bodies[await request.body()] += 1
        return JSONResponse([0.9, 0.1], headers={"X-Model": "m-1"})

    async def refuse(request: Request) -> Response:
        asked.bodies[await request.body()] += 1
        return JSONResponse({"error": "EndpointBusy"}, 503, headers={"Retry-After": "60"})

    async def close(request: Request) -> Response:
        asked.bodies[await request.body()] += 1
        return JSONResponse([0.9, 0.1], headers={"Connection": "close"})

    paths = {"/invocations": answer, "/busy": refuse, "/closing": close}
    app = Starlette(routes=[Route(path, called, methods=["POST"]) for path, called in paths.items()])
    with background_server(app) as url:
        yield url


@pytest.fixture
def scripted() -> Iterator[Callable[[Callable[[socket.socket], None]], Target]]:
    """Start a server that does what a function does with each connection: ``target = scripted(talk)``."""
    with ExitStack() as stack:

        def start(talk: Callable[[socket.socket], None]) -> Target:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:  # the test has ended
                        return
                    with connection:
                        talk(connection)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            stack.callback(thread.join, 10)
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
            return find_target(f"http://127.0.0.1:{listener.getsockname()[1]}")

        yield start
