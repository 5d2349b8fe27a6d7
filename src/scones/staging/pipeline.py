"""Open a source by its kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scones.errors import SettingsError
from scones.staging.source import Progress, Source, no_progress

if TYPE_CHECKING:
    from scones.staging.download import Transfer
    from scones.task import Task

__all__ = ["CACHE", "SOURCES", "SourceKind", "choose_source", "download_cifar100", "open_source"]

SourceKind = Literal["cifar100", "folder", "synthetic"]
SOURCES: tuple[SourceKind, ...] = ("cifar100", "folder", "synthetic")
CACHE = Path(".scones/cache")
"""Where downloads are kept."""


def choose_source(kind: str | None, *, archive: Path | None = None, folder: Path | None = None) -> SourceKind:
    """Say which source is meant: as named, or else the one that an archive or folder implies, or else CIFAR-100.

    Raises:
        SettingsError: there is no such source, or what was given contradicts itself.

    Example:
        >>> choose_source(None), choose_source(None, folder=Path("pictures"))
        ('cifar100', 'folder')
    """
    implied: SourceKind | None = "folder" if folder else "cifar100" if archive else None
    if folder and archive:
        raise SettingsError(f"both an archive ({archive}) and a folder ({folder}) are given: give one of them")
    if kind is None:
        return implied or "cifar100"
    for source in SOURCES:
        if source == kind:
            if implied and implied != kind:
                raise SettingsError(f"source {kind!r} does not go with {archive or folder}: leave one of them out")
            return source
    raise SettingsError(f"unknown source {kind!r}: use one of {', '.join(SOURCES)}")


def open_source(
    kind: SourceKind,
    task: Task,
    *,
    archive: Path | None = None,
    folder: Path | None = None,
    seed: int = 0,
    cache: Path = CACHE,
    progress: Progress = no_progress,
) -> Source:
    """Make a source ready for :func:`scones.staging.write_dataset`.

    Args:
        kind: which source, see :func:`choose_source`.
        task: names the labels.
        archive: the CIFAR-100 archive, if you have it; else it is fetched from its official address.
        folder: for the folder source: it holds a sub-folder a label.
        seed: for the synthetic source.
        cache: where a fetched archive is kept.
        progress: called during a download.

    Raises:
        SettingsError: the folder source without a folder.
        SourceError: as the source says, see :mod:`scones.errors`.
        TaskError: the task's labels do not fit the source.
    """
    if kind == "cifar100":
        return _open_cifar100(task, archive, cache, progress)
    if kind == "synthetic":
        from scones.staging.synthetic import synthetic_pictures

        return Source({"kind": kind, "seed": seed}, synthetic_pictures(seed, labels=task.labels))
    from scones.staging.folder import folder_pictures

    if folder is None:
        raise SettingsError("the folder source needs a folder: name it with --folder")
    return Source({"kind": kind, "folder": str(folder.absolute())}, folder_pictures(folder, task))


def download_cifar100(to: Path, *, timeout: float = 30.0, progress: Transfer | None = None) -> Path:
    """Fetch the CIFAR-100 archive from its official address and check it, unless it is there already.

    Args:
        to: where to keep it.
        timeout: seconds to wait for a connection, and for each next byte.
        progress: called as bytes come in.

    Returns:
        ``to``.

    Raises:
        DownloadFailed: as :func:`scones.staging.download`.
    """
    from scones.staging.cifar100 import CIFAR100_MD5, CIFAR100_URL
    from scones.staging.download import download

    return download(CIFAR100_URL, to, md5=CIFAR100_MD5, timeout=timeout, progress=progress)


def _open_cifar100(task: Task, archive: Path | None, cache: Path, progress: Progress) -> Source:
    from scones.staging.cifar100 import CIFAR100_MD5, CIFAR100_URL, cifar100_pictures
    from scones.staging.download import file_md5

    record: dict[str, Any] = {"kind": "cifar100"}
    if archive is None:
        record["url"] = CIFAR100_URL
        archive = download_cifar100(
            cache / CIFAR100_URL.rsplit("/", 1)[1], progress=lambda done, total: progress("downloading", done, total)
        )
    pictures = cifar100_pictures(archive, task)
    md5 = file_md5(archive)
    record |= {"archive": str(archive.absolute()), "md5": md5, "official": md5 == CIFAR100_MD5}
    return Source(record, pictures)
