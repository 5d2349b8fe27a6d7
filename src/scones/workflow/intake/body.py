"""A request's body, within limits."""

from __future__ import annotations

import asyncio

from starlette.requests import Request

from scones.errors import MessageError, PictureTooLarge
from scones.serving.refusal import Refusal

__all__ = ["read_body"]


async def read_body(request: Request, *, max_bytes: int, seconds: float) -> bytes:
    """Read a request's body, announced or chunked, and stop as soon as it is too large.

    Args:
        request: its body must not have been read yet.
        max_bytes: the most bytes allowed.
        seconds: how long the caller may take to send it.

    Raises:
        Refusal: 408 too slow, 413 too large.
        ClientDisconnect: the caller went away.
    """
    too_large = PictureTooLarge(f"the body has more than the {max_bytes:,} bytes allowed: send a smaller one")
    if int(request.headers.get("content-length", 0)) > max_bytes:  # the parser lets only digits pass
        raise Refusal.of(too_large)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > max_bytes:
                    raise Refusal.of(too_large)
                chunks.append(chunk)
    except TimeoutError:
        message = f"the body did not arrive within {seconds:g} seconds: send it faster"
        raise Refusal(408, MessageError.__name__, message) from None
    return b"".join(chunks)
