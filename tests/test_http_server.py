"""An ASGI application in a thread of this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette

from scones.errors import EndpointError
from scones.http_server import background_server


def test_a_server_that_dies_before_it_is_ready_is_an_error_and_no_wait_for_ever() -> None:
    @asynccontextmanager
    async def die(app: Starlette) -> AsyncIterator[None]:
        raise RuntimeError("no model")
        yield

    with (
        pytest.raises(EndpointError, match="the server ended before it could answer"),
        background_server(Starlette(lifespan=die)),
    ):
        pass
