"""Removes objects for good: in a folder the folders that they leave empty go too, on S3 every version."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from scones.store import Bucket, disk_error

if TYPE_CHECKING:
    from scones.aws.account import Account

__all__ = ["Eraser", "open_eraser"]

_HALF: Final = re.compile(r"#\d+$")
"""How obstore names a file that it has not written to the end; nobody else sees it."""


class Eraser(Protocol):
    """Sees and removes all that there is in a bucket, old versions too."""

    def folders(self, prefix: str) -> list[str]:
        """The names of the folders right below a prefix, which ends with ``/``."""
        ...

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin so, sorted; also of what has been removed and has old versions."""
        ...

    def erase(self, keys: Sequence[str], report: Callable[[int], object] = ...) -> None:
        """Remove objects for good; ``report`` is told how many are gone."""
        ...

    def erase_old(self, keys_or_prefix: str | Iterable[str]) -> None:
        """Remove versions that others have taken the place of, and halves that a killed process left."""
        ...


def open_eraser(bucket: Bucket) -> Eraser:
    """Open the eraser that a bucket needs.

    Raises:
        AwsAccess: the bucket is on S3, and there is no region or no good credentials.
    """
    if bucket.folder is not None:
        return _FolderEraser(bucket.folder)
    from scones.aws.account import connect

    return _S3Eraser(connect(), bucket.name)


class _FolderEraser:
    """Works on files, whatever their names: half-written ones too, that no object can be."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def folders(self, prefix: str) -> list[str]:
        place = self._folder / prefix
        try:
            return sorted(path.name for path in place.iterdir() if path.is_dir()) if place.is_dir() else []
        except OSError as error:
            raise disk_error(f"cannot list {place}", error) from error

    def keys(self, prefix: str) -> list[str]:
        found = []
        for place, _, names in os.walk(self._folder / prefix.rpartition("/")[0]):
            found += [(Path(place) / name).relative_to(self._folder).as_posix() for name in names]
        return sorted(key for key in found if key.startswith(prefix))

    def erase(self, keys: Sequence[str], report: Callable[[int], object] = lambda _: None) -> None:
        for number, key in enumerate(keys, 1):
            path = self._folder / key
            try:
                path.unlink(missing_ok=True)
                # a folder may have the driver's name
                for parent in list(path.parents)[: key.count("/")]:
                    parent.rmdir()
            except FileNotFoundError:  # somebody else removed it
                pass
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:  # else something lies there, perhaps just now
                    raise disk_error(f"cannot remove {path}", error) from error
            report(number)

    def erase_old(self, keys_or_prefix: str | Iterable[str]) -> None:
        if isinstance(keys_or_prefix, str):
            self.erase([key for key in self.keys(keys_or_prefix) if _HALF.search(key)])


class _S3Eraser:
    def __init__(self, account: Account, bucket: str) -> None:
        self._account, self._bucket = account, bucket

    def folders(self, prefix: str) -> list[str]:
        from scones.aws.versions import list_folders

        return list_folders(self._account, self._bucket, prefix)

    def keys(self, prefix: str) -> list[str]:
        from scones.aws.versions import list_versions

        return sorted({found["Key"] for found in list_versions(self._account, self._bucket, prefix)})

    def erase(self, keys: Sequence[str], report: Callable[[int], object] = lambda _: None) -> None:
        from scones.aws.versions import delete_versions

        delete_versions(self._account, self._bucket, keys, lambda gone: report(min(gone, len(keys))))

    def erase_old(self, keys_or_prefix: str | Iterable[str]) -> None:
        from scones.aws.versions import delete_versions

        delete_versions(self._account, self._bucket, keys_or_prefix, only_old=True)
