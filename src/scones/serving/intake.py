"""What a request must bring: a known content type, and a proper inference id or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scones.errors import EndpointRejected, SconesError
from scones.serving.refusal import VALIDATION_ERROR, Refusal

__all__ = ["CONTENT_TYPES", "content_type", "inference_id"]

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
