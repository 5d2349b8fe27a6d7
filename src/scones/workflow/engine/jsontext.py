"""JSON as text: what passes between states, and what is measured against the limit of 262,144 bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

__all__ = ["Json", "digest", "dump", "dump_ascii", "dump_bytes", "load"]

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_ASCII_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
_SORTED_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False, sort_keys=True)

Json: TypeAlias = Any
"""None, bool, int, float, str, list[Json] or dict[str, Json]. Never changed in place, so it may be shared."""


def dump(value: Json) -> str:
    """The compact JSON text of a value.

    Raises:
        TypeError: something in it is not JSON, such as bytes.
        ValueError: a number is NaN or infinite, or the value contains itself.
        RecursionError: it is nested too deeply.
    """
    return _ENCODER.encode(value)


def dump_ascii(value: Json) -> str:
    """The same text with escapes in the place of all that is not ASCII, such as half a surrogate pair."""
    return _ASCII_ENCODER.encode(value)


def dump_bytes(value: Json) -> bytes:
    """The same text in UTF-8. Half a surrogate pair, which JSON can escape, is kept as three bytes."""
    return dump(value).encode("utf-8", "surrogatepass")


def load(text: str, pairs: Callable[[list[tuple[str, Json]]], Json] | None = None) -> Json:
    """The value of a JSON text.

    Args:
        text: the text.
        pairs: makes an object of its members; None for a dict.

    Raises:
        ValueError: it is no JSON; NaN and Infinity, which Python would read, are none.
        RecursionError: it is nested too deeply.
    """
    decoder = _DECODER if pairs is None else json.JSONDecoder(parse_constant=_refuse, object_pairs_hook=pairs)
    return decoder.decode(text)


def digest(value: Json) -> str:
    """The SHA-256 of a value, whatever the order of its keys."""
    return hashlib.sha256(_SORTED_ENCODER.encode(value).encode()).hexdigest()


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
