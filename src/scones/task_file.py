"""Write the file of a new task: commented, and ready to be staged."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

from scones.errors import SourceMissing, TaskError

__all__ = ["LARGE", "called", "labels_of_folder", "task_file", "write_new"]

LARGE = 96
"""Pictures of at least this many pixels on their shorter side are looked at tile by tile."""
_LOOKED_AT = 20


def called(name: str) -> str:
    """The name that a task or label has in keys: lower case letters a to z, digits, ``-`` and ``_``.

    Raises:
        TaskError: nothing is left of it.

    Example:
        >>> called("Delivery Van"), called("Café (new)")
        ('delivery-van', 'cafe-new')
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:63].rstrip("-_")
    if not found:
        raise TaskError(f"{name!r} holds no letter a to z and no digit: choose a name that does")
    return found


def labels_of_folder(folder: Path) -> tuple[list[str], bool]:
    """The names of a folder's sub-folders, and whether the pictures in them are large.

    Raises:
        SourceMissing: there is no such folder.
    """
    import PIL.Image

    if not folder.is_dir():
        raise SourceMissing(f"no folder at {folder}: give the path of your pictures with --folder")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    shorter = []
    for name in names:
        for path in sorted((folder / name).rglob("*"))[:_LOOKED_AT]:
            try:
                with PIL.Image.open(path) as image:
                    shorter.append(min(image.size))
            except (OSError, ValueError, PIL.Image.DecompressionBombError):  # no picture: staging will tell of it
                continue
    return names, bool(shorter) and sorted(shorter)[len(shorter) // 2] >= LARGE


def task_file(name: str, labels: Sequence[str], *, large: bool = False) -> str:
    """Write a task as TOML.

    Args:
        name: of the task, see :func:`called`.
        labels: as people and folders call them; a folder may keep a name that is no label's.
        large: look at the pictures tile by tile.

    Raises:
        TaskError: fewer than two labels, or two that would be called the same.
    """
    sources: dict[str, str] = {}
    for label in labels:
        if (other := sources.setdefault(called(label), label)) != label:
            raise TaskError(f"labels {other!r} and {label!r} would both be called {called(label)}: rename one of them")
    if len(sources) < 2:
        raise TaskError(
            f"a task needs two labels or more, not {len(sources)} ({', '.join(labels)}): name what else there is"
        )
    short = called(name)
    return _FILE.format(
        stage=f"scones stage --task {short}.toml --folder pictures",
        name=short,
        title=_text(" or ".join(sources.values())),
        labels=", ".join(map(_text, sources)),
        classes="\n".join(_classes(sources)),
        off="" if large else "# ",
    )


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        TaskError: it is, it is not named .toml, or it cannot be written.
    """
    if path.suffix != ".toml":
        raise TaskError(f"{path} is not named .toml, by which a task's file is known: choose another name with --out")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise TaskError(f"{path} is there already: remove it, or choose another file with --out") from error
    except OSError as error:
        raise TaskError(f"cannot write {path} ({error.strerror}): choose another file with --out") from error


def _classes(sources: Mapping[str, str]) -> list[str]:
    lines = [f"{label} = [{_text(source)}]" for label, source in sources.items() if label != source]
    return lines or [f"# {label} = [{_text(label)}]" for label in sources]


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)  # what JSON escapes, TOML does the same


_FILE = """\
# A task: a question that pictures answer. Put pictures of each label into a sub-folder of its name; then:
#
#     {stage}
#     scones train --task {name}.toml
#     scones evaluate --task {name}.toml
name = "{name}"
title = {title}
labels = [{labels}]

# Do several pictures show the same thing, and do their names tell which? Then a regular expression says how: what
# it finds in its parentheses is the thing's name, and the thing is never both learned from and tested with.
# group_by = 'item-(\\d+)'

[policy]
target_risk = 0.05        # at most this share of the pictures that the model decides alone may be wrong …
confidence = 0.95         # … and we want to be this sure of it
default_threshold = 0.9   # so sure must it be of a picture, while there are too few pictures to know better

[classes]                 # sub-folders that are not called as their label is; several may be one label
{classes}

# For photographs: see tiles of them too, not only the whole, which is shrunk to 32x32.
{off}[view]
{off}size = 192                # pixels a side of what the model is given; every picture is squeezed to this square
{off}grids = [1, 2, 3]         # the whole, 2x2 and 3x3 tiles
{off}pool = ["mean", "max"]    # what the tiles show on the whole, and what any of them shows: a small thing
# crop = [0, 0.1, 1, 0.9]   # left, top, right, bottom of what counts, as shares: cut off what betrays the answer
"""
