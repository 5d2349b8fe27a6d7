"""What a source of pictures hands on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Progress", "Source", "SourcePicture", "no_progress"]

Progress = Callable[[str, int, int], None]
"""Called as a long job goes on: what is being done, how many are done, of how many (0: not known)."""


@dataclass(frozen=True)
class SourcePicture:
    """One labelled picture as its source has it.

    Attributes:
        origin: where it came from: a name in an archive, a path in a folder.
        label: one of the task's labels.
        data: the bytes of a picture file, not yet checked.
        split: the source's own split, or None to let the picture's content decide; it also decides which
            training pictures become calibration pictures.
        fault: why the bytes could not even be read; empty when they could.
        group: the thing that it shows; None to let the task tell it by the origin.
        only_train: its content has no say: what is of the training split stays there, and never calibrates.
    """

    origin: str
    label: str
    data: bytes
    split: Literal["train", "calibration", "test"] | None = None
    fault: str = ""
    group: str | None = None
    only_train: bool = False


@dataclass(frozen=True)
class Source:
    """A source that is ready to be staged.

    Attributes:
        record: what goes into the dataset's record: the kind of source, its place and its checksum.
        pictures: its pictures; they can be gone through once.
    """

    record: dict[str, Any]
    pictures: Iterable[SourcePicture]


def no_progress(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""
