"""Read tables out of a gzipped tar of pickles that nobody vouches for.

A pickle can run code when it is loaded, so only the names that a numpy array needs are let through;
nothing of the tar is ever written to disk, and no more than ``MAX_ARCHIVE_BYTES`` of it are unpacked.
"""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, cast

import numpy as np
from numpy._core import multiarray

from scones.errors import ArchiveCorrupt, ArchiveUnsafe, SourceMissing

__all__ = ["MAX_ARCHIVE_BYTES", "read_tables"]

MAX_ARCHIVE_BYTES = 400 * 1024 * 1024
"""Most bytes that are unpacked; CIFAR-100 has 187 million."""


def read_tables(archive: Path, members: Sequence[str]) -> list[dict[bytes, Any]]:
    """Read some members, each the pickle of a table, in one pass over the whole archive.

    Args:
        archive: path of a ``.tar.gz``.
        members: names of members.

    Returns:
        The tables, in the order asked for. Their contents are not checked.

    Raises:
        SourceMissing: there is no such file.
        ArchiveCorrupt: it is truncated, no gzipped tar, lacks a member, or a member is no table.
        ArchiveUnsafe: any member is a link, a device, or lies outside; the archive is oversized; a pickle
            asks for code.
    """
    if not archive.is_file():
        raise SourceMissing(f"no archive at {archive}: give the path of cifar-100-python.tar.gz with --archive")
    found: dict[str, dict[bytes, Any]] = {}
    try:
        # "r|" is a forward-only stream: tarfile cannot skip bytes without the bound seeing them.
        with (
            gzip.open(archive) as unpacked,
            tarfile.open(fileobj=cast("IO[bytes]", _Bounded(unpacked, archive)), mode="r|", bufsize=1 << 20) as tar,
        ):
            for info in tar:
                name = tarfile.data_filter(info, "/nowhere").name
                if not (info.isfile() or info.isdir()) or info.size > MAX_ARCHIVE_BYTES or name != info.name:
                    raise ArchiveUnsafe(
                        f"{archive}: {info.name} is no plain file of a sane name and size: do not use this archive"
                    )
                if info.isfile() and name in members:
                    stream = tar.extractfile(info)
                    assert stream is not None  # a plain file, checked above
                    found[name] = _unpickle(stream.read(), f"{archive}: {name}")
    except tarfile.FilterError as error:
        raise ArchiveUnsafe(f"{archive}: {error}: do not use this archive") from error
    except (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, MemoryError) as error:
        raise ArchiveCorrupt(f"{archive} is damaged or no gzipped tar ({error}): get it again") from error
    if missing := [name for name in members if name not in found]:
        raise ArchiveCorrupt(f"{archive} holds no {missing[0]}: this is not the archive that is needed")
    return [found[name] for name in members]


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles numpy arrays and plain values; anything else is refused."""

    _allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "dtype"): np.dtype,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy.core.multiarray", "_reconstruct"): multiarray._reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): multiarray._reconstruct,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise ArchiveUnsafe(
                f"the archive's pickle asks for {module}.{name}, which no picture needs: "
                "do not use this file; download CIFAR-100 from its official address"
            ) from None


class _Bounded:
    """A stream that ends with an error before a small file can unpack into all of the memory."""

    def __init__(self, stream: gzip.GzipFile, archive: Path) -> None:
        self._stream = stream
        self._archive = archive
        self._left = MAX_ARCHIVE_BYTES

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveUnsafe(
                f"{self._archive} unpacks to more than {MAX_ARCHIVE_BYTES:,} bytes: do not use this archive"
            )
        return data


def _unpickle(data: bytes, name: str) -> dict[bytes, Any]:
    try:
        content = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
    except ArchiveUnsafe:
        raise
    except Exception as error:  # as pickle's documentation says, a damaged one may raise anything
        raise ArchiveCorrupt(f"{name} is a damaged pickle ({error}): get it again") from error
    if not isinstance(content, dict):
        raise ArchiveCorrupt(f"{name} holds a {type(content).__name__}, not a table: get it again")
    return content
