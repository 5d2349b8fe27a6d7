"""Take pictures from a folder: a sub-folder a label, files of any name, size and mode in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from scones.errors import SourceEmpty, SourceError, SourceMissing
from scones.picture import MAX_BYTES
from scones.staging.source import SourcePicture

if TYPE_CHECKING:
    from scones.task import Task

__all__ = ["folder_pictures"]

_LOOSE = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def folder_pictures(folder: Path, task: Task) -> Iterator[SourcePicture]:
    """Take the pictures of a folder whose sub-folders are named after the task's labels.

    Hidden files are left out; whatever else cannot be read is handed on with its fault, so that the
    checks report lists it. The files' bytes are not changed.

    Args:
        folder: it holds one sub-folder a label; sub-folders of these are searched too.
        task: names the labels.

    Returns:
        The pictures in the order of their paths, without a split: their content decides.

    Raises:
        SourceMissing: there is no such folder.
        SourceEmpty: it holds no sub-folder, or none (or no file) for one of the labels.
        SourceError: a sub-folder is named after no label, or cannot be listed.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError as error:
        raise SourceMissing(f"no folder at {folder}: give the path of your pictures with --folder") from error
    except OSError as error:
        raise SourceError(f"cannot list {folder} ({error.strerror}): give a folder that you may read") from error
    labels = ", ".join(task.labels)
    found = [entry.name for entry in entries if entry.is_dir()]
    if not found:
        raise SourceEmpty(f"{folder} holds no sub-folder: put the pictures into sub-folders named {labels}")
    if strange := [name for name in found if name not in task.labels]:
        raise SourceError(
            f"{folder} holds sub-folders {', '.join(found)}, but the labels of task {task.name} are {labels}: "
            f"rename or move {', '.join(strange)}"
        )
    files = {label: list(_files(folder / label)) for label in task.labels}
    for label in task.labels:
        if not files[label]:
            raise SourceEmpty(f"no picture of label {label!r}: put some into {folder / label}")
    loose = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in _LOOSE]
    return _pictures(folder, files, loose)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(place) / name


def _pictures(folder: Path, files: dict[str, list[Path]], loose: list[Path]) -> Iterator[SourcePicture]:
    for path in loose:
        yield SourcePicture(path.name, "", b"", fault="lies in no label's sub-folder: move it into one")
    for label, paths in files.items():
        for path in paths:
            data, fault = _read(path)
            yield SourcePicture(path.relative_to(folder).as_posix(), label, data, fault=fault)


def _read(path: Path) -> tuple[bytes, str]:
    try:
        if not path.is_file():  # a broken link; a pipe or device, which must not even be opened
            return b"", "is no plain file"
        if path.stat().st_size > MAX_BYTES:
            return b"", f"has more than {MAX_BYTES:,} bytes"
        return path.read_bytes(), ""
    except OSError as error:
        return b"", f"cannot be read ({error.strerror})"
