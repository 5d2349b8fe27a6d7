"""Check pictures and write them to the object store as a new version of a dataset."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scones.contracts import ManifestLine
from scones.errors import PictureError, SourceEmpty
from scones.staging.checks import Checks, Unreadable, check
from scones.staging.dataset import Dataset, DatasetRecord, load_dataset
from scones.staging.inspection import Inspected, inspect_picture
from scones.staging.source import Progress, SourcePicture, no_progress
from scones.staging.splits import fill_gaps
from scones.staging.spool import Spool
from scones.store import Layout

if TYPE_CHECKING:
    from scones.store import Bucket
    from scones.task import Task

__all__ = ["write_dataset"]

_THREADS = 8


def _now() -> datetime:
    return datetime.now(UTC)


def write_dataset(
    bucket: Bucket,
    task: Task,
    pictures: Iterable[SourcePicture],
    *,
    source: dict[str, Any],
    progress: Progress = no_progress,
    clock: Callable[[], datetime] = _now,
) -> Dataset:
    """Check pictures, split them and write them as a version of a task's dataset.

    The manifest is written last: a version without one is not complete, and nobody reads it. Where
    the version is there already, nothing of it is written again, and its record goes on to tell of the
    first staging; it only becomes the newest. The series of stagings has a record of its own for each
    change of version or source: version, time and source.

    Args:
        bucket: where to write.
        task: names the labels and their order.
        pictures: gone through once; their bytes wait in a temporary file, not in memory.
        source: where they came from, for the record; JSON.
        progress: called as the work goes on.
        clock: tells the time for the record, UTC.

    Returns:
        The dataset, with the checks report of this staging.

    Raises:
        SourceEmpty: a label has no training picture. Fewer gaps than that are told as the checks' warnings.
        StoreFull, StoreReadOnly, StoreError: as the store answers; nothing then looks complete.
    """
    with Spool() as spool:
        readable, unreadable = _inspect(task, pictures, spool, progress)
        kept, checks = check(fill_gaps(readable), task.labels, unreadable, progress)
        _demand_training_pictures(task, readable, checks)
        record = DatasetRecord(
            task=task.name,
            labels=task.labels,
            version=_version(task.labels, kept),
            source=source,
            counts=checks.counts,
            created_at=clock().isoformat(timespec="seconds"),
        )
        prefix = Layout.dataset(task.name, record.version)
        if not bucket.exists(f"{prefix}/manifest.jsonl"):
            _write_pictures(bucket, prefix, kept, spool, progress)
            for split in ("train", "test"):
                bucket.put(f"{prefix}/{split}.lst", _list_file(kept, split, task.labels))
            bucket.put_json(f"{prefix}/checks.json", checks.model_dump(mode="json"))
            bucket.put_json(f"{prefix}/dataset.json", record.model_dump(mode="json"))
            bucket.put(f"{prefix}/manifest.jsonl", _manifest(bucket, prefix, kept, task.labels))
    series = Layout.dataset_series(task.name)
    staging = {"version": record.version, "source": source}
    newest = bucket.latest(series) or {}
    if any(newest.get(name) != value for name, value in staging.items()):
        bucket.append(series, staging | {"at": record.created_at})
    return replace(load_dataset(bucket, task.name, record.version), checks=checks)


def _inspect(
    task: Task, pictures: Iterable[SourcePicture], spool: Spool, progress: Progress
) -> tuple[list[Inspected], list[Unreadable]]:
    readable: list[Inspected] = []
    unreadable: list[Unreadable] = []
    for number, picture in enumerate(pictures, 1):
        try:
            group = task.group_of(picture.origin) if picture.group is None else picture.group
            inspected = inspect_picture(picture, group)
        except PictureError as error:
            unreadable.append(Unreadable(origin=picture.origin, label=picture.label, reason=str(error)))
        else:
            readable.append(replace(inspected, place=spool.add(picture.data)))
        progress("looking at pictures", number, 0)
    return readable, unreadable


def _demand_training_pictures(task: Task, readable: Sequence[Inspected], checks: Checks) -> None:
    for label, number in checks.counts["train"].items():
        if number:
            continue
        read = sum(one.label == label for one in readable)
        gone = sum(entry.picture.label == label for entry in checks.dropped)
        broken = [entry for entry in checks.unreadable if entry.label == label]
        parts = []
        if read:
            parts.append(
                f"of its {read} readable pictures {gone} were duplicates and {read - gone} went to calibration and test"
            )
        if broken:
            files = (
                f"{len(broken)} files could not be read" if read else f"none of its {len(broken)} files is a picture"
            )
            fault = broken[0].reason.removeprefix(broken[0].origin).lstrip(" :")
            parts.append(f"{files} ({broken[0].origin}: {fault})")
        raise SourceEmpty(
            f"label {label!r} of task {task.name} has no training picture: "
            f"{'; '.join(parts) or 'the source holds none of it'}: add more pictures"
        )


def _version(labels: Sequence[str], kept: Sequence[Inspected]) -> str:
    rows = sorted([one.split, one.label, one.hash, one.extension, *filter(None, [one.group])] for one in kept)
    content = [list(labels), rows]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _path(one: Inspected) -> str:
    return f"pictures/{one.split}/{one.label}/{one.hash[:16]}.{one.extension}"


def _write_pictures(bucket: Bucket, prefix: str, kept: Sequence[Inspected], spool: Spool, progress: Progress) -> None:
    def put(one: Inspected) -> None:
        bucket.put(f"{prefix}/{_path(one)}", spool.read(one.place))

    with ThreadPoolExecutor(_THREADS) as pool:
        for done, _ in enumerate(pool.map(put, kept), 1):
            progress("writing pictures", done, len(kept))


def _list_file(kept: Sequence[Inspected], split: str, labels: Sequence[str]) -> bytes:
    chosen = [one for one in kept if one.split == split]
    return "".join(f"{row}\t{labels.index(one.label)}\t{_path(one)}\n" for row, one in enumerate(chosen)).encode()


def _manifest(bucket: Bucket, prefix: str, kept: Sequence[Inspected], labels: Sequence[str]) -> bytes:
    # On S3 whoever reads a manifest (SageMaker, Distributed Map) needs full addresses; in a folder
    # relative ones let the folder be moved.
    base = "" if bucket.folder is not None else f"s3://{bucket.name}/{prefix}/"
    lines = (
        ManifestLine.model_validate(
            {
                "source-ref": base + _path(one),
                "label": one.label,
                "label_index": labels.index(one.label),
                "split": one.split,
                "hash": one.hash,
                "width": one.width,
                "height": one.height,
                "origin": one.origin,
                "group": one.group,
            }
        )
        for one in kept
    )
    return "".join(line.model_dump_json(by_alias=True) + "\n" for line in lines).encode()
