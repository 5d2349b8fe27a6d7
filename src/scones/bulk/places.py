"""Where pictures lie: files, folders, patterns and prefixes in S3, found one after the other."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from scones.errors import ObjectMissing, ObjectTooLarge, PictureError, PictureTooLarge, SettingsError, StoreReadOnly
from scones.picture import MAX_BYTES
from scones.store import Bucket, disk_error, open_bucket

__all__ = ["ENDINGS", "Picture", "absolute", "find_pictures", "open_s3"]

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""Which files of a folder or prefix are pictures, by the end of their names; capitals are as good."""
_ITS_OWN = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.EIO}
"""Why one file cannot be read; any other reason is the machine's, and will be the next file's too."""


class Picture(NamedTuple):
    """A picture to classify, not read yet.

    Attributes:
        source: its path as the user would write it, or its s3:// address.
        bucket: the bucket it lies in, under ``key``; None for a file of this machine.
        fault: why it cannot be read, where that is known already.
    """

    source: str
    bucket: Bucket | None = None
    key: str = ""
    fault: str = ""

    def read(self) -> bytes:
        """Read its file.

        Raises:
            PictureError: it cannot be read, for a reason that is its own and not the whole store's.
            StoreError: the store or the disk fails altogether.
        """
        if self.fault:
            raise PictureError(self.fault)
        if self.bucket is not None:
            try:
                return self.bucket.get(self.key, most=MAX_BYTES)
            except (ObjectMissing, ObjectTooLarge, StoreReadOnly) as error:
                raise PictureError(str(error)) from error
        try:
            status = os.stat(self.source)  # noqa: PTH116 - a Path for each of a million files takes longer than the file
            if not stat.S_ISREG(status.st_mode):  # a pipe or device must not even be opened
                raise PictureError("is no plain file")
            if status.st_size > MAX_BYTES:
                raise PictureTooLarge(f"has {status.st_size:,} bytes, more than the {MAX_BYTES:,} allowed")
            with open(self.source, "rb") as file:  # noqa: PTH123 - as above
                return file.read()
        except OSError as error:
            if error.errno not in _ITS_OWN:
                raise disk_error(f"cannot read {self.source}", error) from error
            raise PictureError(f"cannot be read ({error.strerror})") from error


def absolute(place: str) -> str:
    """A place that means the same wherever the next run is started.

    Example:
        >>> absolute("s3://bucket/trips"), absolute("/data/../pictures/*.png")
        ('s3://bucket/trips', '/pictures/*.png')
    """
    return place if "://" in place else os.path.abspath(place)  # noqa: PTH100 - a Path would keep ".."


def open_s3(name: str) -> Bucket:
    """Open a bucket of S3 by its name."""
    return open_bucket("s3://", name)


def find_pictures(
    places: Sequence[str],
    *,
    known: Collection[str] = (),
    skipped: Callable[[str], None] = lambda _: None,
    bucket: Callable[[str], Bucket] = open_s3,
) -> Iterator[Picture]:
    """Find pictures, each once, always in the same order.

    A folder or prefix is searched through. In it, hidden files and folders (their names start with a dot)
    are passed over, as are files that are no pictures by the end of their names, and links to folders, which
    may run in circles. A file that is named itself, or by a pattern, is taken whatever its name.

    Args:
        places: paths of files and folders, patterns such as ``trips/**/*.png``, ``file://`` URLs, and
            addresses of objects or prefixes as ``s3://bucket/prefix``.
        known: sources of pictures that are done with.
        skipped: called with each file that is passed over because of its name.
        bucket: opens a bucket of S3 by name.

    Returns:
        The pictures in the order of the places, and of their names in each. What does not exist or cannot be
        listed is among them, with its fault. They are not gathered in memory; where several places could
        name the same picture, their names are.

    Raises:
        SettingsError: an address of S3 is not understood.
        StoreError: S3 cannot be listed.
    """
    seen = {_identity(source) for source in known}
    several = len(places) > 1
    for place in places:
        for picture in (
            _from_bucket(place, skipped, bucket) if place.startswith("s3://") else _from_disk(place, skipped)
        ):
            if several or seen:
                identity = _identity(picture.source)
                if identity in seen:
                    continue
                if several:
                    seen.add(identity)
            yield picture


def _identity(source: str) -> str:
    return source if source.startswith("s3://") else os.path.abspath(source)  # noqa: PTH100 - a Path would keep ".."


def _is_picture(name: str) -> bool:
    return name.lower().endswith(ENDINGS)


def _from_disk(place: str, skipped: Callable[[str], None]) -> Iterator[Picture]:
    if place.startswith("file://"):
        place = unquote(urlsplit(place).path)
    if os.path.isdir(place):  # noqa: PTH112 - a Path raises where the folder above is not for us
        yield from _from_folder(place.rstrip("/") or "/", skipped)
    elif glob.has_magic(place) and not os.path.lexists(place):
        matches = sorted(glob.glob(place, recursive=True))  # noqa: PTH207 - it takes absolute patterns too
        seen = set()  # links to folders may run in circles
        for match in matches:
            folder, name = os.path.split(match)
            file = os.path.realpath(folder), name
            if file not in seen and not os.path.isdir(match):  # noqa: PTH112 - as above
                seen.add(file)
                yield Picture(match)
        if not matches:
            yield Picture(place, fault="matches nothing")
    else:
        yield Picture(place)


def _from_folder(folder: str, skipped: Callable[[str], None]) -> Iterator[Picture]:
    try:
        with os.scandir(folder) as entries:
            found = sorted((e.name, e.is_dir(follow_symlinks=False)) for e in entries if not e.name.startswith("."))
    except OSError as error:
        yield Picture(folder, fault=f"cannot be listed ({error.strerror})")
        return
    for name, is_folder in found:
        path = f"{folder.rstrip('/')}/{name}"
        if is_folder:
            yield from _from_folder(path, skipped)
        elif _is_picture(name):
            yield Picture(path)
        else:
            skipped(path)


def _from_bucket(place: str, skipped: Callable[[str], None], open_one: Callable[[str], Bucket]) -> Iterator[Picture]:
    name, _, prefix = place.removeprefix("s3://").partition("/")
    if glob.has_magic(prefix):
        raise SettingsError(f"{place}: patterns work for files only: give the prefix that the pictures lie under")
    bucket = open_one(name)
    if _is_picture(prefix) or (prefix and not prefix.endswith("/") and bucket.exists(prefix)):
        yield Picture(place, bucket, prefix)
        return
    found = False
    for key in bucket.list(prefix.rstrip("/")):
        found = True
        if any(part.startswith(".") for part in key.removeprefix(prefix).split("/")):
            continue
        if _is_picture(key):
            yield Picture(f"s3://{name}/{key}", bucket, key)
        else:
            skipped(f"s3://{name}/{key}")
    if not found:
        yield Picture(place, fault="holds no object")
