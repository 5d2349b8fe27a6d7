"""Take pictures from a folder: a sub-folder a label, or patterns of paths; files of any name, size and mode."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
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
    """Take the pictures of a folder whose sub-folders are named after the task's labels, or their classes.

    Where the task's classes are patterns (``pictures/broken-*``), they are held against the paths below the
    folder, and files that none of them matches are left out.

    Hidden files are left out; whatever else cannot be read is handed on with its fault, so that the
    checks report lists it. The files' bytes are not changed.

    Args:
        folder: it holds one sub-folder or more a label; sub-folders of these are searched too.
        task: names the labels and their classes.

    Returns:
        The pictures in the order of their paths, without a split: their content decides.

    Raises:
        SourceMissing: there is no such folder.
        SourceEmpty: it holds no sub-folder, or none (or no file) for one of the labels.
        SourceError: a sub-folder is named after no label and no class, or cannot be listed.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except FileNotFoundError as error:
        raise SourceMissing(f"no folder at {folder}: give the path of your pictures with --folder") from error
    except OSError as error:
        raise SourceError(f"cannot list {folder} ({error.strerror}): give a folder that you may read") from error
    wanted = {label: [label, *task.source_classes(label)] for label in task.labels}
    names = list(dict.fromkeys(name for names in wanted.values() for name in names))
    by_path = any(map(_is_pattern, names))
    found = [entry.name for entry in entries if entry.is_dir()]
    if not found and not by_path:
        raise SourceEmpty(f"{folder} holds no sub-folder: put the pictures into sub-folders named {', '.join(names)}")
    if (strange := [name for name in found if name not in names]) and not by_path:
        raise SourceError(
            f"{folder} holds sub-folders {', '.join(found)}, but the labels of task {task.name} are "
            f"{', '.join(task.labels)}: rename or move {', '.join(strange)}, or name them under [classes] of the task"
        )
    files: dict[str, list[Path]] = {label: [] for label in task.labels}
    loose = []
    for path in (path for entry in entries for path in (_files(entry) if entry.is_dir() else [entry])):
        if label := _label(path.relative_to(folder).as_posix(), wanted):
            files[label].append(path)
        elif path.suffix.lower() in _LOOSE and not by_path:
            loose.append(path)
    for label in task.labels:
        if not files[label]:
            places = " or ".join(str(folder / name) for name in dict.fromkeys(wanted[label]))
            raise SourceEmpty(f"no picture of label {label!r}: put some into {places}")
    return _pictures(folder, files, loose)


def _is_pattern(name: str) -> bool:
    return not {"*", "?", "[", "/"}.isdisjoint(name)


def _label(path: str, wanted: dict[str, list[str]]) -> str | None:
    """The label of a file by its path: the first one of which a name is its sub-folder, or a pattern matches."""
    for label, names in wanted.items():
        if any(path.startswith(f"{name}/") or (_is_pattern(name) and fnmatchcase(path, name)) for name in names):
            return label
    return None


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
