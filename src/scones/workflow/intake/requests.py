"""What a request to `POST /arrivals` says: a picture and who brings it, or the key of one that lies there already."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from scones.contracts import Arrival, execution_input, parse, picture_type
from scones.errors import MessageError, PictureError
from scones.store import Bucket, Layout, is_key

__all__ = ["arrival_named", "key_named", "kind_of_picture"]

_HEADERS: Final = {
    "task": "x-scones-task",
    "depot": "x-scones-depot",
    "driver_id": "x-scones-driver-id",
    "arrival_id": "x-scones-arrival-id",
}
"""What a request may say of an arrival: query parameters, and the headers that say the same."""
_SIGNATURES: Final = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"\xff\xd8\xff"), "jpg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp"),
)


def arrival_named(
    query: Iterable[tuple[str, str]], headers: Mapping[str, str], defaults: Mapping[str, str], new_id: str
) -> Arrival:
    """Who arrives, by a request's query parameters and headers.

    Args:
        query: the parameters.
        headers: the headers, by names in small letters.
        defaults: task, depot and driver_id where the request names none.
        new_id: the arrival's id where it names neither an ``arrival_id`` nor an ``Idempotency-Key``.

    Raises:
        MessageError: a parameter is unknown, said twice, or no name.
    """
    said: dict[str, str] = {}
    named = [(name, headers[header]) for name, header in _HEADERS.items() if header in headers]
    for name, value in [*query, *named]:
        if name not in _HEADERS:
            raise MessageError(f"unknown parameter {name[:40]!r}: use {', '.join(_HEADERS)}")
        if said.setdefault(name, value) != value:
            raise MessageError(f"{name} is said twice, {said[name][:40]!r} and {value[:40]!r}: say it once")
    if "arrival_id" not in said and "idempotency-key" in headers:
        digest = hashlib.sha256(headers["idempotency-key"].encode("utf-8", "surrogatepass")).hexdigest()
        new_id = f"key-{digest[:32]}"
    return parse(Arrival, {**defaults, "arrival_id": new_id, **said}, "the arrival")


def kind_of_picture(data: bytes) -> str:
    """The extension of a picture by its first bytes.

    Raises:
        PictureError: they are none of a picture that an arrival may be.
    """
    for signature, kind in _SIGNATURES:
        if signature.match(data):
            return kind
    what = f"begins with {data[:8].hex(' ')}" if data else "is empty"
    raise PictureError(f"the body {what}, and is no PNG, JPEG or WebP: send the bytes of a picture file")


def key_named(body: bytes, bucket: Bucket) -> str:
    """The key of an arrival, of ``{"s3_key": …}`` or of an EventBridge event of S3.

    Args:
        body: JSON text.
        bucket: the arrivals' bucket.

    Raises:
        MessageError: it is neither, or of another bucket, or names nothing that may be an arrival.
    """
    try:
        said: Any = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"the body is no JSON ({error}): correct the sender") from error
    if not isinstance(said, dict):
        raise MessageError(f'the body is a {type(said).__name__}, not an object: send {{"s3_key": …}} or an S3 event')
    if "detail" in said or "detail-type" in said:
        if said.get("detail-type") != "Object Created":
            raise MessageError(f"an event {str(said.get('detail-type'))[:60]!r} starts nothing: send 'Object Created'")
        said = execution_input(said)
    if unknown := said.keys() - {"s3_key", "s3_bucket", "image_data"}:
        raise MessageError(f'unknown field {min(unknown)[:40]!r}: the key says who arrived; send {{"s3_key": …}}')
    if (other := said.get("s3_bucket", bucket.name)) != bucket.name:
        raise MessageError(f"bucket {str(other)[:80]!r} is not worked here: this is {bucket.name}")
    return _checked(said.get("s3_key"))


def _checked(key: Any) -> str:
    if not isinstance(key, str):
        raise MessageError(f"field s3_key is a {type(key).__name__}: send the key of a picture as text")
    told = repr(key[:100])
    if not key.startswith(f"{Layout.ARRIVALS}/"):
        raise MessageError(f"key {told} does not lie under {Layout.ARRIVALS}/, and nothing else starts an execution")
    if not is_key(key):
        raise MessageError(
            f"key {told} is no key: use names of Unicode without '..' and control characters, parted by '/'"
        )
    if picture_type(key) is None:
        raise MessageError(f"key {told} is no picture by its name: use .png, .jpg, .jpeg or .webp")
    return key
