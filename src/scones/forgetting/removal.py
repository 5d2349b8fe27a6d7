"""Removes what is known of a person, in such an order that a run which is killed can be done again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from scones.errors import WorkflowError
from scones.forgetting.found import Found
from scones.forgetting.lines import take_out
from scones.forgetting.search import AUDITS, BATCHES, RECORDS, REPORTS, WATCH_STATES, Progress, captured_by
from scones.forgetting.staged import dataset_files, unstage
from scones.layout import Layout

if TYPE_CHECKING:
    from scones.forgetting.eraser import Eraser
    from scones.store import Bucket
    from scones.workflow.engine import Journal

__all__ = ["remove"]


def remove(
    found: Found, bucket: Bucket, eraser: Eraser, journal: Journal | None, *, report: Progress = lambda *_: None
) -> None:
    """Remove it. Nothing gets it back.

    The pictures go first, so that none is worked anew; then what is found by their keys or by their inferences; the
    claims, which name both, are the last.

    Args:
        found: from :func:`scones.forgetting.search`, by this bucket and journal.
        bucket: where objects lie.
        eraser: of that bucket.
        journal: of the engine, which must not run; None: there is none.
        report: told how it goes on.

    Raises:
        WorkflowError: something must end first; nothing was removed.
        StoreError, AwsError, JournalError: something cannot be removed; do it again.
    """
    if found.obstacles:
        raise WorkflowError(
            f"{found.person} cannot be forgotten yet: {'; '.join(found.obstacles)}; nothing was removed"
        )

    def tell(what: str, total: int) -> Callable[[int], object]:
        return lambda done: report(what, done, total)

    staged = [key for one in found.staged for key in one.pictures]
    pictures = [*found.objects.get(Layout.ARRIVALS, ()), *staged]
    eraser.erase(pictures, tell("pictures", len(pictures)))

    captures, is_captured = found.lines[Layout.CAPTURE], captured_by(found.inferences)
    _take_out(captures, bucket, eraser, is_captured, tell("captured answers", len(captures)))
    eraser.erase_old(f"{found.capture}/")
    for kind in (REPORTS, WATCH_STATES, AUDITS):
        eraser.erase(found.objects.get(kind, ()))
        eraser.erase_old(f"{kind}/")

    # what names an inference goes before the batches that tell whose it is, what names a picture after those of it
    for one in found.staged:
        unstage(bucket, one, found.names_inference)
    batches = found.lines[BATCHES]
    _take_out(batches, bucket, eraser, found.names, tell("answers of batches", len(batches)))
    eraser.erase_old(f"{BATCHES}/")

    if journal is not None:
        told = tell("executions", len(found.executions))
        told(0)
        journal.forget(found.executions)
        told(len(found.executions))

    told = tell("datasets", len(found.staged))
    for number, one in enumerate(found.staged, 1):
        unstage(bucket, one, found.names)
        told(number)
    eraser.erase_old(dataset_files(eraser))

    for kind in RECORDS:
        if keys := found.objects.get(kind):
            eraser.erase(keys, tell(kind, len(keys)))


def _take_out(
    keys: Iterable[str],
    bucket: Bucket,
    eraser: Eraser,
    mine: Callable[[Any], bool],
    report: Callable[[int], object],
) -> None:
    for number, key in enumerate(keys, 1):
        take_out(bucket, eraser, key, mine)
        report(number)
