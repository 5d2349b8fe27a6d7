"""Read the CIFAR-100 archive without trusting it.

The official archive is a gzipped tar with three Python 2 pickles (Krizhevsky 2009, "Learning multiple
layers of features from tiny images", https://www.cs.toronto.edu/~kriz/cifar.html). A pickle can run code
when it is loaded, so only the four names that a numpy array needs are let through; nothing of the tar
is ever written to disk.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from scones.errors import ArchiveCorrupt, ArchiveUnsafe, SourceMissing

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["CIFAR100_MD5", "CIFAR100_URL", "CifarSplit", "class_names", "read_split"]

CIFAR100_URL = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
CIFAR100_MD5 = "eb9058c3a382ffc7106e4002c42a8d85"
"""Checksum published beside the official archive."""

_FOLDER = "cifar-100-python"
_MAX_MEMBER_BYTES = 400 * 1024 * 1024


@dataclass(frozen=True)
class CifarSplit:
    """One split of CIFAR-100.

    Attributes:
        images: uint8 array of shape (N, 32, 32, 3), RGB.
        labels: int64 array of shape (N,), 0 to 99, in the order of ``class_names``.
        filenames: the N names in the archive; they are names, not labels.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    filenames: list[str]


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickles numpy arrays and plain values; anything else is refused."""

    _allowed: ClassVar[dict[tuple[str, str], Any]] = {
        ("numpy", "dtype"): np.dtype,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
    }

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise ArchiveUnsafe(
                f"the archive's pickle asks for {module}.{name}, which no picture needs: "
                "do not use this file; download CIFAR-100 from its official address"
            ) from None


def class_names(archive: Path) -> list[str]:
    """The 100 fine class names, in label order.

    Raises:
        SourceMissing, ArchiveCorrupt, ArchiveUnsafe: as :func:`read_split`.
    """
    names = _load(archive, "meta").get(b"fine_label_names")
    if not isinstance(names, list) or len(names) != 100 or not all(isinstance(name, bytes) for name in names):
        raise ArchiveCorrupt(f"{archive}: its meta file does not hold 100 class names: download it again")
    return [name.decode() for name in names]


def read_split(archive: Path, split: str) -> CifarSplit:
    """Read the ``train`` (50,000) or ``test`` (10,000) pictures.

    Raises:
        SourceMissing: there is no such file.
        ArchiveCorrupt: it is truncated, no gzipped tar, or of another layout.
        ArchiveUnsafe: it holds links, odd paths, oversized members or code.
    """
    content = _load(archive, split)
    try:
        data, labels = content[b"data"], content[b"fine_labels"]
        names = [name.decode("utf-8", "replace") for name in content[b"filenames"]]
        if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072 or not len(data) == len(labels) == len(names):
            raise ValueError(f"data of shape {data.shape} and type {data.dtype} with {len(labels)} labels")
        images = np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        label_array = np.asarray(labels, dtype=np.int64)
        if label_array.size and not (0 <= label_array.min() and label_array.max() < 100):
            raise ValueError("labels outside 0 to 99")
    except (KeyError, AttributeError, ValueError, TypeError, IndexError) as error:
        raise ArchiveCorrupt(f"{archive}: its {split} file is not CIFAR-100 ({error}): download it again") from error
    return CifarSplit(images, label_array, names)


def _load(archive: Path, member: str) -> dict[bytes, Any]:
    if not archive.is_file():
        raise SourceMissing(f"no archive at {archive}: give the path of cifar-100-python.tar.gz with --archive")
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for info in tar:
                if info.isdir():
                    continue
                name = tarfile.data_filter(info, "/nowhere").name
                if not info.isfile() or info.size > _MAX_MEMBER_BYTES:
                    raise ArchiveUnsafe(f"{archive}: {info.name} is no plain file of a sane size: do not use this archive")
                if name == f"{_FOLDER}/{member}":
                    stream = tar.extractfile(info)
                    assert stream is not None  # a plain file, checked above
                    content = _ArrayUnpickler(io.BytesIO(stream.read()), encoding="bytes").load()
                    if isinstance(content, dict):
                        return content
                    raise ArchiveCorrupt(f"{archive}: {info.name} holds a {type(content).__name__}, not a table")
    except tarfile.FilterError as error:
        raise ArchiveUnsafe(f"{archive}: {error}: do not use this archive") from error
    except (tarfile.TarError, OSError, EOFError, zlib.error, pickle.UnpicklingError, ValueError, TypeError) as error:
        raise ArchiveCorrupt(f"{archive} is damaged or no gzipped tar ({error}): download it again") from error
    raise ArchiveCorrupt(f"{archive} holds no {_FOLDER}/{member}: this is not the CIFAR-100 python archive")
