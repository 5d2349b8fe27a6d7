"""Pictures of a person that were taken into datasets, to learn from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scones.forgetting.lines import parsed, read
from scones.layout import Layout

if TYPE_CHECKING:
    from scones.forgetting.eraser import Eraser
    from scones.store import Bucket

__all__ = ["Staged", "dataset_files", "find_staged", "unstage"]

_DATASETS = Layout.dataset("").rstrip("/")
_PARTS = 4
"""Parts of a picture's path within its dataset: ``pictures/{split}/{label}/{name}``."""


@dataclass(frozen=True)
class Staged:
    """A version of a task's dataset.

    Attributes:
        task, version: which.
        pictures: the keys of the person's pictures in it.
        finished: it has a manifest; else nobody can tell what is in it.
        models: versions of models that learned from it.
    """

    task: str
    version: str
    pictures: tuple[str, ...] = ()
    finished: bool = True
    models: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """Where it lies."""
        return Layout.dataset(self.task, self.version)

    @property
    def files(self) -> list[str]:
        """What lies in it beside pictures; the manifest, which names these, is the last."""
        return [f"{self.prefix}/{name}" for name in ("train.lst", "test.lst", "checks.json", "dataset.json", _MANIFEST)]


_MANIFEST = "manifest.jsonl"


def find_staged(bucket: Bucket, eraser: Eraser, mine: Callable[[Any], bool]) -> list[Staged]:
    """The versions that hold pictures of a person, and those that are not finished.

    Args:
        bucket: where they lie.
        eraser: of that bucket.
        mine: whether a line of a manifest is of the person.
    """
    found = []
    for one in _versions(eraser):
        text = read(bucket, f"{one.prefix}/{_MANIFEST}")
        if not text and eraser.keys(f"{one.prefix}/{_MANIFEST}"):  # removed, with old versions
            continue
        pictures = tuple(key for line in text.splitlines() if (key := _picture(one, parsed(line), mine)))
        if pictures or not text:
            models = _learned(bucket, eraser, one) if pictures else ()
            found.append(Staged(one.task, one.version, pictures, bool(text), models))
    return found


def dataset_files(eraser: Eraser) -> list[str]:
    """The keys of what lies in all datasets beside pictures."""
    return [key for one in _versions(eraser) for key in one.files]


def unstage(bucket: Bucket, one: Staged, mine: Callable[[Any], bool]) -> None:
    """Take a person out of what a dataset says of its pictures: lists, checks, counts, and at last the manifest.

    The dataset keeps its name, although it now has fewer pictures than it was named after.

    Args:
        bucket: where it lies.
        one: from :func:`find_staged`; its pictures are gone.
        mine: as there.
    """
    train, test, checks, record, manifest = one.files
    gone = {picture.removeprefix(f"{one.prefix}/").encode() for picture in one.pictures}
    lines = read(bucket, manifest).splitlines(keepends=True)
    kept = [line for line in lines if not mine(parsed(line))]
    counts = Counter((row["split"], row["label"]) for line in kept if (row := parsed(line)))
    for key in (train, test):
        rows = read(bucket, key).splitlines(keepends=True)
        if rows:
            bucket.put(key, b"".join(row for row in rows if row.rstrip().rpartition(b"\t")[2] not in gone))
    for key in (checks, record):
        if isinstance(value := parsed(read(bucket, key)), dict):
            splits = value.get("counts", {})
            recounted = {split: {label: counts[split, label] for label in labels} for split, labels in splits.items()}
            bucket.put_json(key, _without(value, mine) | {"counts": recounted})
    bucket.put(manifest, b"".join(kept))


def _versions(eraser: Eraser) -> list[Staged]:
    return [
        Staged(task, version)
        for task in eraser.folders(f"{_DATASETS}/")
        for version in eraser.folders(f"{Layout.dataset(task)}/")
    ]


def _picture(one: Staged, line: Any, mine: Callable[[Any], bool]) -> str:
    """The key of the picture that a line of a manifest names, where it is the person's."""
    if not isinstance(line, dict) or not mine(line):
        return ""
    # an s3:// address may name the bucket that this one was copied from
    return f"{one.prefix}/{'/'.join(str(line.get('source-ref')).split('/')[-_PARTS:])}"


def _learned(bucket: Bucket, eraser: Eraser, one: Staged) -> tuple[str, ...]:
    versions = eraser.folders(f"{Layout.model(one.task)}/")
    told = ((version, parsed(read(bucket, f"{Layout.model(one.task, version)}/bundle.json"))) for version in versions)
    return tuple(name for name, info in told if isinstance(info, dict) and info.get("dataset") == one.version)


def _without(value: Any, mine: Callable[[Any], bool]) -> Any:
    """The same, without the entries of lists that are about the person."""
    if isinstance(value, list):
        return [_without(one, mine) for one in value if not mine(one)]
    if isinstance(value, dict):
        return {name: _without(one, mine) for name, one in value.items()}
    return value
