"""The pictures of a training container's channels, as a dataset."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from scones.errors import SourceEmpty, SourceError
from scones.staging import Dataset, DatasetRecord, SourcePicture, folder_pictures, load_dataset, write_dataset
from scones.store import Layout, open_bucket

if TYPE_CHECKING:
    from scones.staging.inspection import Split
    from scones.task import Task

__all__ = ["channel_dataset"]

_SPLITS: dict[str, Split | None] = {"test": "test", "calibration": "calibration", "validation": "calibration"}


def channel_dataset(data: Path, task: Task, scratch: Path) -> Dataset:
    """Open the channels' pictures.

    The channel ``train`` is either a version of a dataset as `scones stage` wrote it (``manifest.jsonl`` and
    ``pictures/``), whose splits stand, or a folder with a sub-folder a label. Of the latter there may be ``test``
    and ``calibration`` (or ``validation``) too; without ``test`` some of the pictures become test pictures, and some
    always calibrate: their content decides which.

    Args:
        data: the folder that holds the channels.
        task: names the labels.
        scratch: an empty folder, which must stay as long as the dataset is used.

    Raises:
        SourceError: there is no channel ``train``, or not what is expected in it.
    """
    train = data / "train"
    if not train.is_dir():
        raise SourceEmpty(f"there is no channel train in {data}: give the job an input channel of that name")
    if (train / "manifest.jsonl").is_file():
        return _staged(train, scratch)
    bucket = open_bucket(str(scratch), "channels")
    channels = [name for name in ("train", *_SPLITS) if (data / name).is_dir()]
    return write_dataset(
        bucket, task, _pictures(data, channels, task), source={"kind": "channels", "channels": channels}
    )


def _pictures(data: Path, channels: list[str], task: Task) -> Iterator[SourcePicture]:
    for channel in channels:
        split = _SPLITS.get(channel, "train" if "test" in channels else None)
        for picture in folder_pictures(data / channel, task):
            group = task.group_of(picture.origin)  # as staging finds it, which knows no channels
            yield replace(picture, origin=f"{channel}/{picture.origin}", split=split, group=group)


def _staged(folder: Path, scratch: Path) -> Dataset:
    """Give a dataset the place in a bucket that it was staged in; nothing is copied."""
    try:
        record = DatasetRecord.model_validate_json((folder / "dataset.json").read_bytes())
    except (OSError, ValidationError) as error:
        raise SourceError(
            f"{folder} holds manifest.jsonl but no dataset.json that can be read: give the channel the whole "
            "folder datasets/TASK/VERSION that `scones stage` wrote"
        ) from error
    bucket = open_bucket(str(scratch), "channels")
    place = scratch / "channels" / Layout.dataset(record.task, record.version)
    place.parent.mkdir(parents=True)
    place.symlink_to(folder.absolute(), target_is_directory=True)
    dataset = load_dataset(bucket, record.task, record.version)
    # a manifest that was written to S3 names its pictures by full addresses
    lines = (line.model_copy(update={"source_ref": _relative(line.source_ref)}) for line in dataset.lines)
    return replace(dataset, lines=tuple(lines))


def _relative(ref: str) -> str:
    return ref[ref.index("/pictures/") + 1 :] if ref.startswith("s3://") and "/pictures/" in ref else ref
