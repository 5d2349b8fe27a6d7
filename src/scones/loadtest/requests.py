"""What is sent: pictures from a folder, or drawn here, each ready as the bytes of a whole request."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from scones.errors import SourceEmpty, SourceError, SourceMissing
from scones.loadtest.target import Target

__all__ = ["Sample", "drawn_samples", "encode_request", "folder_samples"]

_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
_MOST_FILES = 256
_MOST_BYTES = 64 * 2**20
_DRAWN = 32


@dataclass(frozen=True)
class Sample:
    """A picture to send: its name for people, its bytes and their content type."""

    name: str
    data: bytes
    content_type: str


def drawn_samples(seed: int = 0) -> list[Sample]:
    """Draw some pictures of 32x32 pixels, as the synthetic source does."""
    from scones.staging import synthetic_pictures

    drawn = synthetic_pictures(seed, train=0, test=_DRAWN // 2)
    return [Sample(one.origin, one.data, "image/png") for one in drawn]


def folder_samples(folder: Path) -> list[Sample]:
    """Read pictures of a folder and of those in it: at most 256, and 64 MiB.

    Of more than that every n-th is taken, so that those of one sub-folder are not all there is.

    Raises:
        SourceMissing: there is no such folder.
        SourceEmpty: it holds no PNG, JPEG or WebP.
        SourceError: one of them cannot be read.
    """
    if not folder.is_dir():
        raise SourceMissing(f"no folder at {folder}: give the path of your pictures with --pictures")
    paths = sorted(
        Path(place) / name
        for place, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".") and Path(name).suffix.lower() in _TYPES
    )
    if not paths:
        raise SourceEmpty(f"{folder} holds no file that ends in {', '.join(_TYPES)}: give another with --pictures")
    step = -(-len(paths) // _MOST_FILES)
    found: list[Sample] = []
    size = 0
    for path in paths[::step]:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise SourceError(f"cannot read {path} ({error.strerror}): give a folder that you may read") from error
        size += len(data)
        if found and size > _MOST_BYTES:
            break
        found.append(Sample(path.relative_to(folder).as_posix(), data, _TYPES[path.suffix.lower()]))
    return found


def encode_request(target: Target, sample: Sample) -> bytes:
    """The bytes of a request, on a connection that is kept.

    Example:
        >>> target = Target("127.0.0.1:8080", "/invocations", ("127.0.0.1", 8080))
        >>> encode_request(target, Sample("a", b"...", "image/png")).splitlines()[0]
        b'POST /invocations HTTP/1.1'
    """
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.host}\r\nContent-Type: {sample.content_type}\r\n"
        f"Content-Length: {len(sample.data)}\r\nAccept: application/json\r\n\r\n"
    )
    return head.encode("ascii") + sample.data
