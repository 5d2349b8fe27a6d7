"""What a run of the scheduled monitor sees in the store, and what it makes of that."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ConfigDict, ValidationError

from scones.bundle import BundleInfo
from scones.capture import CaptureProblems, read_capture_file
from scones.errors import ObjectMissing, ObjectTooLarge
from scones.functions.capture_window import Window, list_files, sampled
from scones.functions.drift import Action, Reference, Tally, decide, first_day, measure_drift, of_model
from scones.functions.runtime import Runtime
from scones.registry.aliases import newest
from scones.store import Bucket, Layout, is_key
from scones.task import Task, load_task

__all__ = ["Limits", "Watched", "look"]

_log = logging.getLogger(__name__)


class Watched(BaseModel):
    """A record of the series ``monitor/{endpoint}``: what a run saw, decided and did. Shares are 0 to 1.

    Attributes:
        at: when it ran.
        start, until: the hours that it looked at.
        skipped_hours: before them, left out after a pause of more than a day.
        files: how many it read, of ``files_there``; of these, so many are ``late_files`` of earlier hours.
        newest: when the newest file was written that it listed, POSIX seconds of the store.
        unreadable: files, lines and answers that could not be used.
        records: answers; ``judged`` by a threshold, and ``below`` it, so that a person decides.
        mean_confidence: None when there are no answers, as ``below_share`` when none is judged.
        labels: how often each label was the likeliest.
        threshold: the least in force among them; ``threshold_floor`` is its floor now.
        reference: what the mix of labels is compared with, once it is whole.
        distance, margin, drift: between the mixes; what of it may be luck; what is proven. None where nothing could
            be compared.
        in_a_row: runs that have now found the drift over ``drift_limit``.
        decision: see :class:`scones.functions.drift.Decision`.
        ordered, settled: when the stance was taken whose parameters were ordered last, and the one that needs no more
            doing: it is in force, or cannot be.
        did: in words.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    at: datetime
    start: datetime
    until: datetime
    skipped_hours: int
    files: int
    files_there: int
    late_files: int
    newest: float
    unreadable: int
    records: int
    judged: int
    below: int
    below_share: float | None
    mean_confidence: float | None
    labels: dict[str, int]
    threshold: float | None
    threshold_floor: float
    reference: Reference | None
    distance: float | None
    margin: float | None
    drift: float | None
    drift_limit: float
    in_a_row: int
    decision: Action
    ordered: datetime | None = None
    settled: datetime | None = None
    did: str = ""


@dataclass(frozen=True)
class Limits:
    """What a run reads at most; of more it takes a fair sample of the files.

    Attributes:
        files, size: how many files, and bytes in all.
        file_size: a file with more bytes than that is not read.
    """

    files: int = 2000
    size: int = 256 * 1024**2
    file_size: int = 64 * 1024**2


def look(
    runtime: Runtime, window: Window, last: Watched | None, now: datetime, limits: Limits | None = None
) -> Watched:
    """Read a window's capture and say what to do; nothing is done or written.

    Args:
        runtime: settings and the bucket.
        window: the hours to look at.
        last: the record of the run before.
        now: the time.
        limits: how much to read.

    Raises:
        StoreError: the store does not answer.
        TaskError: there is no task of the settings' name.
    """
    settings, limits = runtime.settings, limits or Limits()
    task = load_task(settings.task)
    known = _Known.of(runtime.home, task)
    there, late, seen = list_files(runtime.home, settings.endpoint, window, last.newest if last else 0.0)
    files = sampled(there, limits.files, limits.size)
    tally = Tally(known.labels, known.threshold, settings.threshold_floor)
    problems = CaptureProblems()
    for file in files:
        try:
            for record in read_capture_file(runtime.home, file.key, problems, most=limits.file_size, pictures=0):
                tally.add(record)
        except (ObjectMissing, ObjectTooLarge) as error:  # one may have been deleted meanwhile
            problems.add(file.key, str(error))
    before = last.reference if last else None
    reference = _reference(runtime.home, task, known, tally, before, window)
    # what is still gathered, or was up to now, is not compared with: it holds these very answers
    comparable = reference is not None and reference.whole and (reference.origin == "model" or reference == before)
    drift = measure_drift(tally.labels, reference.counts) if reference is not None and comparable else None
    decision = decide(
        drift,
        last.in_a_row if last else 0,
        limit=settings.drift_limit,
        strictness=tally.strictness,
        floor=settings.drift_floor,
    )
    if window.skipped or len(files) < len(there):
        _log.warning("the monitor lags: %d hours left out, %d of %d files read", window.skipped, len(files), len(there))
    return Watched(
        at=now,
        start=window.start,
        until=window.until,
        skipped_hours=window.skipped,
        files=len(files),
        files_there=len(there),
        late_files=late,
        newest=seen,
        unreadable=problems.lines + tally.unusable,
        records=tally.records,
        judged=tally.judged,
        below=tally.below,
        below_share=tally.below / tally.judged if tally.judged else None,
        mean_confidence=tally.confidence / tally.records if tally.records else None,
        labels=dict(tally.labels.most_common()),
        threshold=tally.strictness,
        threshold_floor=settings.threshold_floor,
        reference=reference,
        distance=drift.distance if drift else None,
        margin=drift.margin if drift else None,
        drift=drift.proven if drift else None,
        drift_limit=settings.drift_limit,
        in_a_row=decision.in_a_row,
        decision=decision.action,
        ordered=last.ordered if last else None,
        settled=last.settled if last else None,
    )


@dataclass(frozen=True)
class _Known:
    """What is known of the model in production, for answers that tell nothing: SageMaker's capture may lack it."""

    labels: tuple[str, ...]
    threshold: float
    version: str = ""

    @classmethod
    def of(cls, bucket: Bucket, task: Task) -> _Known:
        record = newest(bucket, task.name)
        policy = record.policy if record else None
        if policy is None:
            return cls(task.labels, task.policy.default_threshold)
        info = _bundle(bucket, task.name, policy.version)
        fitted = info.threshold.value if info else task.policy.default_threshold
        override = policy.threshold
        return cls(info.labels if info else task.labels, fitted if override is None else override, policy.version)


def _reference(
    bucket: Bucket, task: Task, known: _Known, tally: Tally, before: Reference | None, window: Window
) -> Reference | None:
    """The reference of the model that answered most, from its bundle where the bucket has it."""
    if not tally.records:
        return before
    version = tally.versions.most_common(1)[0][0] if tally.versions else known.version
    info = _bundle(bucket, task.name, version)
    return (info and of_model(info)) or first_day(before, version, tally.labels, window.start, window.until)


def _bundle(bucket: Bucket, task: str, version: str) -> BundleInfo | None:
    key = f"{Layout.model(task, version)}/bundle.json"
    if not version or not is_key(key):
        return None
    with suppress(ObjectMissing, ValidationError):  # a damaged one is as good as none
        return BundleInfo.model_validate_json(bucket.get(key))
    return None
