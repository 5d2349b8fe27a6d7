"""What lies under ``arrivals/``: a look costs little where nearly all of it is known."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scones.contracts import picture_type
from scones.errors import StoreError
from scones.store import Bucket, Entry, Layout, disk_error, is_key

__all__ = ["Lister", "Listing"]

_PASSING: Final = re.compile(r"^\.|~$|#\d+$|\.(?:tmp|temp|part|partial|filepart|download|crdownload|swp)$", re.I)
"""Names that a file has while it is written, or that hide it."""
_COARSE_NS: Final = 2_500_000_000
"""Nanoseconds: some disks tell times to two seconds, and a folder may change twice in them."""
_TRUST: Final = 30.0
"""Seconds for which a folder's time is believed: some network disks do not move it when a file is added."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One look.

    Attributes:
        keys: of all pictures, known or not.
        fresh: the pictures that were not known.
        odd: what is no picture, in words fit for a message.
    """

    keys: set[str] = field(default_factory=set)
    fresh: list[Entry] = field(default_factory=list)
    odd: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder in which nothing was new: when it was changed last, its pictures and its folders."""

    changed: int
    keys: tuple[str, ...]
    folders: tuple[str, ...]


class Lister:
    """Lists what lies under ``arrivals/``; hidden and temporary names, and links to folders, are passed over.

    A folder is read here and not by obstore, which refuses all of it because of one name that no key can have, or of
    one folder that may not be read, and asks for the size of every file each time. A sub-folder of which all was known
    is not read again until its time changes.

    Args:
        bucket: the arrivals' bucket.
        now: POSIX seconds.
        clock: seconds, monotonic.
    """

    def __init__(self, bucket: Bucket, *, now: Callable[[], float], clock: Callable[[], float]) -> None:
        self._bucket, self._now, self._clock = bucket, now, clock
        self._folders: dict[str, _Folder] = {}
        self._believed_until = clock() + _TRUST

    def look(self, known: Collection[str]) -> Listing:
        """Look once.

        Args:
            known: keys whose size and time nobody wants to know.

        Raises:
            StoreError: it cannot be listed.
        """
        return self._objects(known) if self._bucket.folder is None else self._files(self._bucket.folder, known)

    def _objects(self, known: Collection[str]) -> Listing:
        found = Listing()
        for entry in self._entries():
            if entry.key in known:
                found.keys.add(entry.key)
            elif any(map(_PASSING.search, entry.key.split("/"))):
                continue
            elif picture_type(entry.key) is not None:
                found.keys.add(entry.key)
                found.fresh.append(entry)
            elif entry.size or "." in entry.key:  # else a mark that S3's console leaves for a folder
                found.odd.append(_shown(entry.key))
        return found

    def _entries(self) -> Iterator[Entry]:
        try:
            yield from self._bucket.entries(f"{Layout.ARRIVALS}/")
        except StoreError as error:
            if "invalid path" not in str(error):
                raise
            reason = str(error).split("invalid path: ", 1)[-1].split("; choose", 1)[0]
            raise StoreError(
                f"bucket {self._bucket.name} cannot be listed because of a key that none should have ({reason}): "
                "remove that object; until then only what is posted is worked"
            ) from error

    def _files(self, root: Path, known: Collection[str]) -> Listing:
        if not root.is_dir():
            where = f"{Layout.ARRIVALS} in bucket {self._bucket.name}"
            raise StoreError(f"cannot list {where}: there is no folder {root} any more; put it back")
        if self._clock() >= self._believed_until:
            self._folders.clear()
            self._believed_until = self._clock() + _TRUST
        found, before, waiting = Listing(), self._folders, [Layout.ARRIVALS]
        self._folders = {}
        while waiting:
            prefix = waiting.pop()
            try:
                changed = os.stat(f"{root}/{prefix}").st_mtime_ns  # noqa: PTH116 - a hundred thousand times a look
                folder = before.get(prefix)
                if folder is None or folder.changed != changed or not all(key in known for key in folder.keys):
                    folder = self._read(root, prefix, changed, known, found)
                else:
                    found.keys.update(folder.keys)
                    self._folders[prefix] = folder
                waiting.extend(folder.folders)
            except FileNotFoundError:  # gone meanwhile; or nothing has ever arrived
                continue
            except OSError as error:
                if prefix == Layout.ARRIVALS or not isinstance(error, PermissionError):
                    raise disk_error(f"cannot list {root / prefix}", error) from error
                found.odd.append(f"{_shown(prefix)} (a folder that may not be read)")
        return found

    def _read(self, root: Path, prefix: str, changed: int, known: Collection[str], found: Listing) -> _Folder:
        """Read a folder, and remember it where there was nothing new in it."""
        keys, folders, news = [], [], len(found.fresh) + len(found.odd)
        with os.scandir(f"{root}/{prefix}") as files:
            for file in files:
                key = f"{prefix}/{file.name}"
                if key in known:
                    keys.append(key)
                elif _PASSING.search(file.name):
                    continue
                elif file.is_dir(follow_symlinks=False):
                    folders.append(key)
                else:
                    _look_at(file, key, found)
        found.keys.update(keys)
        folder = _Folder(changed, tuple(keys), tuple(folders))
        if len(found.fresh) + len(found.odd) == news and self._now() * 1e9 - changed > _COARSE_NS:
            self._folders[prefix] = folder
        return folder


def _shown(name: str) -> str:
    """A name as it can be printed: what cannot is escaped.

    Example:
        >>> _shown("a\\nb\\udcff.png")
        'a\\\\nb\\\\udcff.png'
    """
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name)


def _look_at(file: os.DirEntry[str], key: str, found: Listing) -> None:
    """Say what a file is that nobody knows."""
    try:
        about = file.stat()
    except OSError:  # gone meanwhile, or a link to nothing
        return
    # reading what is no file might never end
    if picture_type(key) is not None and is_key(key) and stat.S_ISREG(about.st_mode):
        found.keys.add(key)
        found.fresh.append(Entry(key, about.st_size, about.st_mtime, ""))
    elif not stat.S_ISDIR(about.st_mode):  # else a link to a folder
        found.odd.append(_shown(key))
