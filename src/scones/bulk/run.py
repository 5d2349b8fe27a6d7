"""A bulk run: find pictures, classify them, write their rows, count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from scones.bulk.classifying import classify_pictures
from scones.bulk.places import find_pictures, open_s3
from scones.bulk.summary import Summary
from scones.errors import PictureError, SettingsError, SourceEmpty

if TYPE_CHECKING:
    from scones.bulk.output import RowFile, RowStream
    from scones.classifier import Classifier
    from scones.store import Bucket

__all__ = ["check_summary", "classify_places"]

_READERS_OF_S3 = 32
"""It answers a reader in some hundredths of a second, which is long beside the classification."""


def classify_places(
    places: Sequence[str],
    classifier: Classifier,
    threshold: float,
    rows: RowFile | RowStream,
    *,
    cores: int,
    report: Callable[[int], None] = lambda _: None,
    bucket: Callable[[str], Bucket] = open_s3,
) -> Summary:
    """Classify the pictures of some places, and write a row for each that has none yet.

    Args:
        places: as :func:`scones.bulk.find_pictures` takes them.
        classifier: the model, of one thread a call.
        threshold: least confidence at which it decides alone, 0 to 1.
        rows: where they go; those of earlier runs stay, and what they tell of is not classified again.
        cores: how many pictures are worked on at the same time.
        report: called with the number of pictures done since its last call; first, with those of earlier runs.
        bucket: opens a bucket of S3 by name.

    Returns:
        What all rows come to, earlier ones included.

    Raises:
        SettingsError: earlier rows are of another model or threshold.
        StoreError: a store fails; the same call goes on when it works again.
    """
    summary = Summary()
    mine = {"model_version": classifier.info.version, "threshold": threshold}
    known = []
    for row in rows.earlier():
        if (theirs := {name: row[name] for name in mine}) != mine:
            raise SettingsError(
                f"the rows there are of model {theirs['model_version']} at threshold {theirs['threshold']}, and now it "
                f"is {classifier.info.version} at {threshold}: choose another file, or give --start-over"
            )
        known.append(row["source"])
        summary.add(row)
    summary.earlier = len(known)
    report(len(known))
    found = find_pictures(places, known=known, skipped=summary.skip, bucket=bucket)
    readers = _READERS_OF_S3 if any(place.startswith("s3://") for place in places) else cores
    with closing(classify_pictures(found, classifier, threshold, cores=cores, readers=readers)) as batches:
        for batch in batches:
            rows.add(batch)
            for row in batch:
                summary.add(row)
            report(len(batch))
    return summary


def check_summary(summary: Summary) -> None:
    """Make sure that at least one picture was read.

    Raises:
        SourceEmpty: there was none.
        PictureError: there were some, and none could be read.
    """
    if not summary.pictures:
        more = f"; {summary.skipped} files are no pictures by their names" if summary.skipped else ""
        raise SourceEmpty(f"no pictures there{more}: name files, or a folder that holds some")
    if summary.unreadable == summary.pictures:
        source, error = summary.faults[0]
        raise PictureError(f"none of {summary.pictures} could be read; the first, {source}: {error}")
