"""Files of JSON lines in which some lines are about a person: find those, and write the file without them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from scones.errors import ObjectMissing

if TYPE_CHECKING:
    from scones.forgetting.eraser import Eraser
    from scones.store import Bucket

__all__ = ["Look", "parsed", "read", "scan", "take_out"]

Look: TypeAlias = Callable[[str, Any], str | None]
"""What a line says, by its file's key and its value, in a word of the caller's; None: nothing that matters."""
_THREADS: Final = 8


def read(bucket: Bucket, key: str) -> bytes:
    """An object's bytes; empty where it is gone."""
    try:
        return bucket.get(key)
    except ObjectMissing:
        return b""


def parsed(text: bytes) -> Any:
    """The JSON value in a text; None where there is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def scan(
    bucket: Bucket, keys: Sequence[str], look: Look, report: Callable[[int], object] = lambda _: None
) -> dict[str, list[str]]:
    """Look at every line of files.

    Args:
        bucket: where they lie.
        keys: theirs.
        look: says what a line is; of one that is no JSON its value is None.
        report: told how many files were looked at.

    Returns:
        What was said of the lines, by file; files of which nothing was said are left out.
    """

    def one(key: str) -> list[str]:
        found = (look(key, parsed(line)) for line in read(bucket, key).splitlines() if line.strip())
        return [said for said in found if said is not None]

    said = {}
    with ThreadPoolExecutor(_THREADS) as pool:
        for number, (key, found) in enumerate(zip(keys, pool.map(one, keys), strict=True), 1):
            if found:
                said[key] = found
            report(number)
    return said


def take_out(bucket: Bucket, eraser: Eraser, key: str, mine: Callable[[Any], bool]) -> None:
    """Write a file without the lines that are somebody's; a file of nothing else is removed."""
    lines = read(bucket, key).splitlines(keepends=True)
    kept = [line for line in lines if not (line.strip() and mine(parsed(line)))]
    if not any(line.strip() for line in kept):
        eraser.erase([key])
    elif len(kept) < len(lines):
        bucket.put(key, b"".join(kept))
