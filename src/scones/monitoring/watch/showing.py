"""Show captured pictures to the detector, in the order in which they were answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from scones.monitoring.watch.records import Alarm, ChannelEvidence
from scones.monitoring.watch.repeats import LatestPictures
from scones.monitoring.watch.scoring import Batch, Model, batches, phase_at, score
from scones.monitoring.watch.why import explain
from scones.monitoring.watch.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scones.capture import CaptureProblems
    from scones.monitoring.drift.sequential import ChannelAlarm, Detector
    from scones.monitoring.watch.health import Health
    from scones.monitoring.watch.state import WatchState
    from scones.monitoring.watch.stream import Captured

__all__ = ["add_each", "show"]

_RESPONSIBLE: Final = 24


def show(
    state: WatchState,
    model: Model,
    records: Sequence[Captured],
    problems: CaptureProblems,
    report: Callable[[int, int], None],
) -> tuple[WatchState, int]:
    """Show records to the state's detector; those whose picture was not captured with what their answers tell.

    The answers are those that callers got; embeddings are computed again. A picture that is byte for byte one of the
    latest 20,000 is not shown again.

    Args:
        state: to go on from. Its detector is changed.
        model: whose answers they are.
        records: in order of time; pictures that were captured must have been read.
        problems: told of pictures that cannot be read: they are not shown.
        report: told how many records are done, and of how many.

    Returns:
        The state after them, with the alarm that there is; and how many came before.
    """
    done = repeats = 0
    latest = LatestPictures(state.contents)
    for batch in batches(records, problems, latest):
        if batch.records:
            shown = _placed(state, model, batch)
            telling = add_each(state.detector, shown.places.astype(np.int64))
            state = state.shown(shown, latest.numbers)
            if telling:
                state = replace(state, alarm=_alarm(state, telling))
        repeats += batch.repeats
        done += batch.taken
        report(done, len(records))
    if state.alarm is not None and records:
        state = replace(state, alarm=_kept_up(state, model.health, state.alarm))
    return state, repeats


def add_each(detector: Detector, places: NDArray[np.int64]) -> list[ChannelAlarm]:
    """Show pictures to a detector; the channels that tell of a drift, where it raised its alarm just now.

    They are asked at that very picture: after many more, channels that hardly changed would tell of it as well.
    """
    telling: list[ChannelAlarm] = []
    for row in places:
        was_quiet = detector.alarmed is None
        if detector.add(row[None]) and was_quiet:
            telling = detector.telling()
    return telling


def _alarm(state: WatchState, telling: Sequence[ChannelAlarm]) -> Alarm:
    channels = tuple(
        ChannelEvidence(channel=one.channel, evidence=one.evidence, began=_utc(state.time_of(one.since)))
        for one in telling
    )
    picture = state.detector.alarmed
    assert picture is not None
    return Alarm(at=_utc(state.time_of(picture)), picture=picture, began=channels[0].began, channels=channels)


def _kept_up(state: WatchState, health: Health, alarm: Alarm) -> Alarm:
    """An alarm with what the latest pictures since its change point say of it."""
    window, detector = state.window, state.detector
    seen = ~np.isnan(window.embeddings).any(1)
    outside = window.outside[seen & (window.times >= alarm.began.timestamp())]
    update: dict[str, Any] = {"outside": float(outside.mean()) if len(outside) else 0.0}
    named = {one.channel for one in alarm.channels}
    telling = detector.telling()
    strongest = next((one for one in telling if one.channel in named), telling[0] if telling else None)
    if strongest is not None:
        found = explain(health, detector, strongest, window, _RESPONSIBLE)
        update["responsible"] = tuple(window.events[k] for k in found.tolist())
    return alarm.model_copy(update=update)


def _placed(state: WatchState, model: Model, batch: Batch) -> Window:
    scored = score(model, batch)
    times = np.array([one.record.time.timestamp() for one in batch.records])
    places = state.detector.places(scored.scores, phase_at(state.detector.reference, times))
    return Window(
        first=state.detector.seen,
        times=times,
        events=tuple(one.record.event_id for one in batch.records),
        inferences=tuple(one.record.inference_id for one in batch.records),
        files=tuple(one.file for one in batch.records),
        places=places.astype(np.int32),
        probabilities=scored.told,
        embeddings=scored.embeddings.astype(np.float16),
        outside=scored.outside,
    )


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
