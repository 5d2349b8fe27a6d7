"""A baseline: the reference of a model, fitted anew on captured pictures that a person declares healthy.

A model's first reference is its dataset's, and what comes in is never quite that. All that needs labels stays the
dataset's, and so do the pictures that are shown: no captured one lies in the file of the model's health.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from scones.errors import MonitorError, ObjectExists, ObjectMissing
from scones.monitoring.drift.blocks import phases as phases_of
from scones.monitoring.drift.reference import fit_reference
from scones.monitoring.drift.sequential import Detector, WatchPlan
from scones.monitoring.watch.health import Health, health_of, save_health
from scones.monitoring.watch.latest import Reading
from scones.monitoring.watch.records import Baseline, ChannelEvidence
from scones.monitoring.watch.repeats import LatestPictures, content_number
from scones.monitoring.watch.resetting import begin_anew
from scones.monitoring.watch.scoring import DAY, Model, Scored, batches, score
from scones.monitoring.watch.showing import add_each
from scones.page.numbers import plural
from scones.registry import current_policy, load_model
from scones.staging.source import Progress, no_progress
from scones.store import Bucket, Layout

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.monitoring.drift.reference import Scores
    from scones.monitoring.watch.stream import Captured

__all__ = ["Declared", "declare_healthy", "fit_baseline"]

_LEAST: Final = 100
"""Pictures that a phase must have."""
_EMBEDDINGS: Final = 1_000


@dataclass(frozen=True)
class Declared:
    """What came of it.

    Attributes:
        health: the model's, with the new reference.
        repeats: records left out, as they are byte for byte one of the pictures.
        without: answers that were captured without their picture; ``unreadable``: lines and pictures of no use.
        changed: channels in which the later half of the pictures drifts from the earlier one, the strongest first, and
            since when: they go through a cycle, or something happened among them. None where they are alike.
        look: number of the look at which the watch began anew; None where it does so at its next look, or nobody
            watches yet.
    """

    health: Health
    repeats: int
    without: int
    unreadable: int
    changed: tuple[ChannelEvidence, ...] = ()
    look: int | None = None


def declare_healthy(bucket: Bucket, endpoint: str, declared: Declared, now: datetime) -> Declared:
    """Keep a new reference, and let the watch begin anew with it: an alarm that stands is taken down.

    Ended half-way, nothing has changed; or the reference has, and the next look begins with it.

    Raises:
        StoreError: the store does not answer, or is full.
    """
    base = declared.health.baseline
    assert base is not None
    save_health(bucket, declared.health)
    with suppress(ObjectMissing, ObjectExists):  # nobody watches yet, or a monitor looks: its next look begins with it
        number, _ = begin_anew(bucket, endpoint, who=base.who, why=base.why, now=now, health=declared.health)
        return replace(declared, look=number)
    return declared


def fit_baseline(
    bucket: Bucket,
    endpoint: str,
    task: str,
    *,
    who: str,
    why: str,
    now: datetime,
    last: int = 2_000,
    since: datetime | None = None,
    until: datetime | None = None,
    phases: int = 1,
    prefix: str | None = None,
    report: Progress = no_progress,
) -> Declared:
    """Fit the reference of the model in production on the latest pictures that it answered; nothing is kept yet.

    Of pictures that are the same byte for byte one counts. The capture is read from its newest day back, until there
    are enough, or until a day that has no picture for it.

    Args:
        bucket: where capture and models lie.
        endpoint: whose capture.
        task: the task's name.
        who, why: for the record.
        now: with time zone.
        last: pictures to take.
        since, until: take only those that were answered in that time, with time zone.
        phases: of the day, UTC, that the reference is to tell apart: then a picture is compared with those of its own.
        prefix: of the capture; default: that of the endpoint.
        report: told how it gets on.

    Raises:
        MonitorError: there are fewer than 100 pictures, or in a phase.
        BundleError: no model is in production, or it is damaged.
        TrainingError, ObjectMissing: what it looks like in health by its dataset cannot be told.
        StoreError: the store does not answer.
    """
    version = current_policy(bucket, task).version
    model = Model(load_model(bucket, task, version), health_of(bucket, task, version, report))
    reading = Reading(bucket, prefix or f"{Layout.CAPTURE}/{endpoint}", model.health, last, since, until)
    parts: list[Scored] = []
    shown: list[int] = []
    done = 0
    for batch in batches(reading.pictures(), reading.problems, LatestPictures(np.zeros(0, np.uint64))):
        if batch.records:
            parts.append(score(model, batch))
            shown += map(_number, batch.records)
        done += batch.taken
        report("captured pictures", done, last)
    times = np.array([reading.times[number] for number in shown])
    phase = phases_of(times, DAY, phases)
    _check(reading, endpoint, version, np.bincount(phase, minlength=phases))
    scores = {name: np.concatenate([part.scores[name] for part in parts]) for name in parts[0].scores}
    embeddings = np.concatenate([part.embeddings for part in parts])
    chosen = np.random.default_rng(0).permutation(len(embeddings))[:_EMBEDDINGS]
    first, end = (datetime.fromtimestamp(time, UTC) for time in (times.min(), times.max()))
    health = replace(
        model.health,
        reference=fit_reference(scores, phase=phase),
        embeddings=embeddings[chosen],
        baseline=Baseline(who=who, why=why, at=now, first=first, last=end, pictures=len(times), phases=phases),
    )
    changed = _changed(scores, times, phase, phases)
    return Declared(health, reading.repeats, reading.without, reading.problems.lines, changed)


def _changed(
    scores: Scores, times: NDArray[np.float64], phase: NDArray[np.int64], phases: int
) -> tuple[ChannelEvidence, ...]:
    """Watch the later half of pictures as if the earlier one was the reference; nothing where that is too small."""
    order = np.argsort(times, kind="stable")
    earlier, later = np.split(order, [len(order) // 2])
    if np.bincount(phase[earlier], minlength=phases).min() < _LEAST:
        return ()
    reference = fit_reference({name: values[earlier] for name, values in scores.items()}, phase=phase[earlier])
    detector = Detector(reference, WatchPlan(horizon=len(later)))
    places = detector.places({name: values[later] for name, values in scores.items()}, phase[later])
    return tuple(
        ChannelEvidence(
            channel=one.channel,
            evidence=one.evidence,
            began=datetime.fromtimestamp(times[later[one.since]], UTC),
        )
        for one in add_each(detector, places)
    )


def _number(one: Captured) -> int:
    assert one.record.picture is not None
    return content_number(one.record.picture)


def _check(reading: Reading, endpoint: str, version: str, counts: NDArray[np.int64]) -> None:
    """Refuse a reference on too few pictures, and say what is to be done."""
    few = int(counts.argmin())
    if counts[few] >= _LEAST:
        return
    total, hours = int(counts.sum()), 24 / len(counts)
    told = f"{plural(total, 'picture')} that model {version} answered"
    if len(counts) > 1 and total >= _LEAST:
        day = datetime(2000, 1, 1, tzinfo=UTC)
        span = " to ".join(f"{day + timedelta(hours=hours * edge):%H:%M}" for edge in (few, few + 1))
        raise MonitorError(
            f"of the {told} only {counts[few]} came from {span} UTC, and a phase of the day needs {_LEAST}: take more "
            f"with --last, or tell fewer phases apart than {len(counts)}"
        )
    left = ""
    if reading.without:
        left += f"{plural(reading.without, 'answer')} came without a picture: let it capture what it is sent, too; "
    if reading.repeats:
        left += f"{plural(reading.repeats, 'repeat')} do not count; "
    raise MonitorError(
        f"endpoint {endpoint} captured {told}{reading.span}, and a reference needs {_LEAST} that differ: {left}"
        "wait for more, or take more in with --last, --since and --until"
    )
