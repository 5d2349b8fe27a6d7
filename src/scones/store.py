"""The object store.

``obstore`` speaks to a folder and to S3 behind one API. A bucket is a folder on one machine. The only
atomic write that both have is :meth:`Bucket.create`, so whatever must happen exactly once is a create,
and whatever changes over time is a series of numbered records of which the newest counts.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, PreconditionError
from obstore.store import LocalStore, S3Store

from scones.errors import (
    ObjectExists,
    ObjectMissing,
    ObjectTooLarge,
    SettingsError,
    StoreError,
    StoreFull,
    StoreReadOnly,
)
from scones.layout import Layout

if TYPE_CHECKING:
    from obstore.store import ObjectStore

__all__ = ["Bucket", "Entry", "Layout", "disk_error", "is_key", "open_bucket"]

_FAULTS = (BaseError, OSError, ValueError)  # a ValueError is a key that the store cannot have
_RECORD = re.compile(r"(\d{8})\.json")
_CHUNK = 8 * 2**20
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Entry:
    """An object in a list: its key, its size in bytes, when it was written (POSIX seconds), its ETag."""

    key: str
    size: int
    modified: float
    etag: str


class Bucket:
    """A bucket of the object store; errors come out as :class:`scones.errors.StoreError`.

    Example:
        >>> import tempfile
        >>> bucket = open_bucket(tempfile.mkdtemp(), "scones")
        >>> bucket.create("claims/1.json", b"mine")
        >>> bucket.create("claims/1.json", b"mine too")
        Traceback (most recent call last):
        ...
        scones.errors.ObjectExists: claims/1.json exists already in bucket scones
    """

    def __init__(self, name: str, store: ObjectStore, folder: Path | None = None) -> None:
        self.name = name
        self.folder = folder
        """The bucket's folder when it is one, else None."""
        self._store = store

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whatever was there.

        Raises:
            StoreFull, StoreReadOnly, StoreError: as the store answers.
        """
        self._write(key, data, "overwrite")

    def create(self, key: str, data: bytes) -> None:
        """Write an object if, and only if, there is none; of many callers exactly one succeeds.

        Raises:
            ObjectExists: someone was there before.
        """
        self._write(key, data, "create")

    def _write(self, key: str, data: bytes, mode: Any) -> None:
        try:
            obstore.put(self._store, key, data, mode=mode)
        except (AlreadyExistsError, PreconditionError) as error:
            raise ObjectExists(f"{key} exists already in bucket {self.name}") from error
        except _FAULTS as error:
            raise self._failure("write", key, error) from error

    def get(self, key: str, *, most: int | None = None) -> bytes:
        """Read an object whole.

        Args:
            key: of the object.
            most: bytes that it may have.

        Raises:
            ObjectMissing: there is none under that key.
            ObjectTooLarge: it has more bytes than ``most``.
        """
        try:
            found = obstore.get(self._store, key)
            if most is not None and found.meta["size"] > most:
                raise ObjectTooLarge(f"{key} in bucket {self.name} has {found.meta['size']:,} bytes; at most {most:,}")
            return bytes(found.bytes())
        except FileNotFoundError as error:
            raise ObjectMissing(f"no object {key!r} in bucket {self.name}: check the key, or write it first") from error
        except _FAULTS as error:
            raise self._failure("read", key, error) from error

    def chunks(self, key: str, *, most: int | None = None) -> Iterator[bytes]:
        """Read an object in pieces of about 8 MiB, so that it may be larger than memory; otherwise as :meth:`get`."""
        try:
            found = obstore.get(self._store, key)
            if most is not None and found.meta["size"] > most:
                raise ObjectTooLarge(f"{key} in bucket {self.name} has {found.meta['size']:,} bytes; at most {most:,}")
            if found.meta["size"] <= _CHUNK:
                yield bytes(found.bytes())
            else:
                yield from map(bytes, found.stream(min_chunk_size=_CHUNK))
        except FileNotFoundError as error:
            raise ObjectMissing(f"no object {key!r} in bucket {self.name}: check the key, or write it first") from error
        except _FAULTS as error:
            raise self._failure("read", key, error) from error

    def exists(self, key: str) -> bool:
        """Say whether there is an object under this key."""
        try:
            obstore.head(self._store, key)
        except FileNotFoundError:
            return False
        except _FAULTS as error:
            raise self._failure("look up", key, error) from error
        return True

    def list(self, prefix: str) -> Iterator[str]:
        """List the keys below a prefix (a folder's name, without a slash at its end), sorted by page."""
        try:
            for page in obstore.list(self._store, prefix):
                yield from sorted(entry["path"] for entry in page)
        except _FAULTS as error:
            raise self._failure("list", prefix, error) from error

    def entries(self, prefix: str) -> Iterator[Entry]:
        """List what has a key that begins so, as S3 does: the prefix may end in the midst of a name."""
        folder = prefix.rpartition("/")[0]
        try:
            for page in obstore.list(self._store, folder or None):
                for entry in sorted(page, key=lambda entry: entry["path"]):
                    if entry["path"].startswith(prefix):
                        modified = entry["last_modified"].timestamp()
                        yield Entry(entry["path"], entry["size"], modified, (entry["e_tag"] or "").strip('"'))
        except _FAULTS as error:
            raise self._failure("list", prefix, error) from error

    def folders(self, prefix: str) -> Sequence[str]:
        """The names of the folders just below a prefix (a folder's name), sorted; what lies deeper costs nothing."""
        try:
            found = obstore.list_with_delimiter(self._store, prefix)["common_prefixes"]
        except _FAULTS as error:
            raise self._failure("list", prefix, error) from error
        return sorted(folder.rpartition("/")[2] for folder in found)

    def delete(self, key: str) -> None:
        """Remove an object; that there is none is no error."""
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            pass
        except _FAULTS as error:
            raise self._failure("delete", key, error) from error

    def sync(self, key: str) -> None:
        """Wait until an object would outlive a power cut; on S3 it does as soon as it is written.

        Raises:
            StoreFull, StoreReadOnly, StoreError: it is not on the disk.
        """
        if self.folder is None:
            return
        path = self.folder / key
        try:
            for place in (path, path.parent):
                handle = os.open(place, os.O_RDONLY)
                try:
                    os.fsync(handle)
                finally:
                    os.close(handle)
        except OSError as error:
            raise self._failure("keep", key, error) from error

    def put_json(self, key: str, value: Any) -> None:
        """Write a value as JSON text, whatever was there."""
        self.put(key, _json_bytes(value))

    def create_json(self, key: str, value: Any) -> None:
        """Write a value as JSON text if there is no object under this key, as :meth:`create`."""
        self.create(key, _json_bytes(value))

    def get_json(self, key: str) -> Any:
        """Read an object that holds JSON text.

        Raises:
            ObjectMissing: there is none under that key.
            StoreError: what is there is no JSON.
        """
        try:
            return json.loads(self.get(key))
        except ValueError as error:
            raise StoreError(
                f"{key} in bucket {self.name} is no JSON ({error}): remove it or write it again"
            ) from error

    def append(self, series: str, value: Any, *, after: int | None = None) -> int:
        """Add a record to a series of numbered records; two writers never get the same number.

        Args:
            series: the prefix of the series.
            value: the record, written as JSON.
            after: the newest record's number (0: none) as the writer saw it when it decided what to write.

        Returns:
            The record's number, from 1.

        Raises:
            ObjectExists: a record came after ``after``.
        """
        if after is not None:
            self.create_json(Layout.record(series, after + 1), value)
            return after + 1
        number = self.latest_number(series)
        while True:
            number += 1
            try:
                self.create_json(Layout.record(series, number), value)
            except ObjectExists:
                continue
            return number

    def latest_number(self, series: str) -> int:
        """The number of a series' newest record; 0 when there is none."""
        return max(self.numbers(series), default=0)

    def numbers(self, series: str) -> Sequence[int]:
        """The numbers of a series' records, in order."""
        names = (_RECORD.fullmatch(key.rsplit("/", 1)[1]) for key in self.list(series))
        return sorted(int(name[1]) for name in names if name)

    def latest(self, series: str) -> Any | None:
        """The newest record of a series, or None."""
        number = self.latest_number(series)
        return self.get_json(Layout.record(series, number)) if number else None

    def url(self, key: str = "") -> str:
        """Where a person finds the object: a path on this machine, or an s3:// address."""
        return str(self.folder / key) if self.folder is not None else f"s3://{self.name}/{key}"

    def _failure(self, verb: str, key: str, error: Exception) -> StoreError:
        text = str(error).split("\n", 1)[0]
        where = f"cannot {verb} {key} in bucket {self.name} ({self.url()})"
        if "169.254.169.254" in text or "169.254.170.2" in text:  # where obstore looks when nothing else is set
            return StoreError(
                f"{where}: no AWS credentials were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY "
                '(of a profile: eval "$(aws configure export-credentials --format env)")'
            )
        if isinstance(error, ValueError) and not isinstance(error, BaseError):
            return StoreError(f"{where}: {text}; correct the key")
        code = re.search(r"os error (\d+)", text)
        number = int(code[1]) if code else errno.EACCES if isinstance(error, PermissionDeniedError) else 0
        return disk_error(where, OSError(number, text))


def disk_error(what: str, error: OSError) -> StoreError:
    """Say what kind of failure the disk had.

    Args:
        what: what could not be done, and where.
        error: the operating system's.
    """
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreFull(f"{what}: no space left; free some, or choose another place")
    if error.errno in (errno.EPERM, errno.EACCES, errno.EROFS):
        return StoreReadOnly(f"{what}: no permission; allow it, or choose another place")
    return StoreError(f"{what}: {error.strerror or error}; choose another place")


def open_bucket(store: str, name: str, *, make: bool = True) -> Bucket:
    """Open a bucket.

    Args:
        store: a folder or ``file://`` URL that holds buckets as folders, or ``s3://``.
        name: the bucket's name.
        make: make the bucket's folder when it is missing; a bucket of S3 must be there.

    Raises:
        SettingsError: the store is neither, or the name is no bucket name.
        StoreError: the folder cannot be made.
        ObjectMissing: there is no such folder, and none is to be made.
    """
    if not name or "/" in name or name.startswith("."):
        raise SettingsError(f"bucket {name!r} is no name: use letters, digits, '.' and '-'")
    parts = urlsplit(store)
    if parts.scheme == "s3" and not (parts.netloc or parts.path):
        # a plain DELETE is free, and every store that speaks S3 knows it; obstore would send a list of one
        return Bucket(name, S3Store(name, config={"disable_bulk_delete": True}))
    if parts.scheme not in ("", "file"):
        raise SettingsError(f"store {store!r}: use a folder, a file:// URL, or s3:// alone (--bucket names the bucket)")
    try:
        folder = (Path(unquote(parts.path)) if parts.scheme else Path(store)).expanduser().absolute() / name
        if make:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise ObjectMissing(f"no bucket {name!r}: there is no folder {folder}; make it, or correct the sender")
        return Bucket(name, LocalStore(folder), folder)
    except (OSError, BaseError) as error:
        cause = error if isinstance(error, OSError) else OSError(0, str(error).split("\n", 1)[0])
        raise disk_error(f"cannot make the folder of bucket {name} in {store}", cause) from error
    except (RuntimeError, ValueError) as error:  # ~nobody, or a zero byte
        raise SettingsError(f"store {store!r}, bucket {name!r}: {error}: use the path of a folder") from error


def is_key(name: str) -> bool:
    """Whether an object can have this key: 1,024 bytes of UTF-8, no control characters, no part '', '.' or '..'."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return size <= 1024 and not {"", ".", ".."} & {*name.split("/")} and not _CONTROL.search(name)


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"
