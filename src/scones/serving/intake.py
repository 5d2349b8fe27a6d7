"""What a request must bring: a known content type, a proper inference id, and a body within limits."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from scones.errors import EndpointRejected, PictureTooLarge, SconesError
from scones.serving.refusal import VALIDATION_ERROR, Refusal

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["CONTENT_TYPES", "content_type", "inference_id", "read_body"]

CONTENT_TYPES = ("image/png", "image/jpeg", "image/webp", "application/x-image", "application/octet-stream")
_MAX_ID = 64


def content_type(
    headers: Mapping[str, str],
    taken: Sequence[str] = CONTENT_TYPES,
    *,
    error: type[SconesError] = EndpointRejected,
) -> str:
    """The body's content type, without parameters.

    Args:
        headers: of the request.
        taken: the types that may come.
        error: names the refusal.

    Raises:
        Refusal: 415, it is missing or none of ``taken``.
    """
    declared = headers.get("content-type", "")
    plain = declared.split(";", 1)[0].strip().lower()
    if plain not in taken:
        raise Refusal(
            415, error.__name__, f"content type {declared[:80]!r} is not taken: send one of {', '.join(taken)}"
        )
    return plain


def inference_id(headers: Mapping[str, str]) -> str | None:
    """The caller's inference id; None when there is none.

    Raises:
        Refusal: 400 ``ValidationError``, it is empty, too long, or has other than printable ASCII characters.
            A semicolon is refused as well: in the answer's header it would start another attribute.
    """
    given = headers.get("x-amzn-sagemaker-inference-id")
    if given is None:
        return None
    if not 0 < len(given) <= _MAX_ID or not given.isascii() or not given.isprintable() or ";" in given:
        raise Refusal(
            400,
            VALIDATION_ERROR,
            f"inference id {given[: _MAX_ID + 1]!r} is not valid: use 1 to {_MAX_ID} printable ASCII "
            "characters other than ';'",
        )
    return given


async def read_body(
    request: Request, *, max_bytes: int, seconds: float, error: type[SconesError] = EndpointRejected
) -> bytes:
    """Read a request's body, announced or chunked, and stop as soon as it is too large.

    Args:
        request: its body must not have been read yet.
        max_bytes: the most bytes allowed.
        seconds: how long the caller may take to send it.
        error: names the refusal of one that is too slow.

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
        raise Refusal(
            408, error.__name__, f"the body did not arrive within {seconds:g} seconds: send it faster"
        ) from None
    return b"".join(chunks)
