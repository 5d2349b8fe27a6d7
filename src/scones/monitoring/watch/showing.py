"""Show captured pictures to the detector, in the order in which they were answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import PIL.Image

from scones.errors import PictureError
from scones.functions.serialize_image import MAX_PICTURE_BYTES, MAX_SIDE
from scones.monitoring.drift.channels import answer_scores
from scones.monitoring.watch.records import Alarm, ChannelEvidence
from scones.monitoring.watch.why import explain
from scones.monitoring.watch.window import Window
from scones.picture import decode, shrink_to_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scones.capture import CaptureProblems
    from scones.classifier import Classifier
    from scones.monitoring.drift.sequential import ChannelAlarm, Detector
    from scones.monitoring.watch.health import Health
    from scones.monitoring.watch.state import WatchState
    from scones.monitoring.watch.stream import Captured

__all__ = ["Model", "show"]

_BATCH: Final = 64
_BATCH_PIXELS: Final = 32_000_000
"""Pixels of decoded pictures that are held together, about."""
_SAME: Final = 1e-3
"""How far an answer may be from the recomputed one and still be the same: some endpoints round what they capture."""
_RESPONSIBLE: Final = 24


@dataclass(frozen=True)
class Model:
    """The model that is watched, and what it looks like in health."""

    classifier: Classifier
    health: Health


def show(
    state: WatchState,
    model: Model,
    records: Sequence[Captured],
    problems: CaptureProblems,
    report: Callable[[int, int], None],
) -> WatchState:
    """Show records to the state's detector; those whose picture was not captured with what their answers tell.

    The answers are those that callers got; embeddings are computed again.

    Args:
        state: to go on from. Its detector is changed.
        model: whose answers they are.
        records: in order of time; pictures that were captured must have been read.
        problems: told of pictures that cannot be read: they are not shown.
        report: told how many records are done, and of how many.

    Returns:
        The state after them, with the alarm that there is.
    """
    done = 0
    for taken, batch in _batches(records, problems):
        if batch:
            shown = _measured(state, model, batch)
            telling = _add(state.detector, shown.places.astype(np.int64))
            state = state.shown(shown)
            if telling:
                state = replace(state, alarm=_alarm(state, telling))
        done += taken
        report(done, len(records))
    if state.alarm is not None and records:
        state = replace(state, alarm=_kept_up(state, model.health, state.alarm))
    return state


def _add(detector: Detector, places: NDArray[np.int64]) -> list[ChannelAlarm]:
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


def _batches(
    records: Sequence[Captured], problems: CaptureProblems
) -> Iterator[tuple[int, list[tuple[Captured, NDArray[np.uint8] | None]]]]:
    """Records with their pictures as pixels, a few at a time, after how many were taken for it."""
    batch: list[tuple[Captured, NDArray[np.uint8] | None]] = []
    taken = size = 0
    for one in records:
        taken += 1
        if one.record.picture is None:
            batch.append((one, None))
        else:
            try:
                image = np.asarray(_as_sent(one.record.picture))
            except PictureError as error:
                problems.add(f"{one.file} event {one.record.event_id}", str(error))
                continue
            batch.append((one, image))
            size += image.shape[0] * image.shape[1]
        if len(batch) >= _BATCH or size >= _BATCH_PIXELS:
            yield taken, batch
            batch, taken, size = [], 0, 0
    yield taken, batch


def _as_sent(data: bytes) -> PIL.Image.Image:
    """A picture as the workflow would have sent it: the reference pictures were made so, too."""
    image = decode(data, at_least=MAX_SIDE)
    if max(image.size) > MAX_SIDE or len(data) > MAX_PICTURE_BYTES:
        image = decode(shrink_to_bytes(image, max_side=MAX_SIDE, max_bytes=MAX_PICTURE_BYTES))
    return image


def _measured(state: WatchState, model: Model, batch: Sequence[tuple[Captured, NDArray[np.uint8] | None]]) -> Window:
    n = len(batch)
    rows = np.array([k for k, (_, image) in enumerate(batch) if image is not None], np.int64)
    measured = model.health.measure(model.classifier, [image for _, image in batch if image is not None])
    told = np.array([one.record.probabilities for one, _ in batch], np.float32)
    close = np.abs(told[rows] - measured.probabilities).max(1, initial=0) <= _SAME
    exact = told.copy()
    exact[rows[close]] = measured.probabilities[close]
    scores = {name: _among(n, rows, values) for name, values in measured.scores.items()} | answer_scores(exact)
    embeddings = np.full((n, measured.embeddings.shape[1]), np.nan, np.float16)
    embeddings[rows] = measured.embeddings
    outside = np.zeros(n, np.bool_)
    outside[rows] = measured.outside
    return Window(
        first=state.detector.seen,
        times=np.array([one.record.time.timestamp() for one, _ in batch]),
        events=tuple(one.record.event_id for one, _ in batch),
        inferences=tuple(one.record.inference_id for one, _ in batch),
        files=tuple(one.file for one, _ in batch),
        places=state.detector.places(scores).astype(np.int16),
        probabilities=told,
        embeddings=embeddings,
        outside=outside,
    )


def _among(n: int, rows: NDArray[np.int64], values: NDArray[Any]) -> NDArray[Any]:
    """Scores of some of n records; of the others they are not known."""
    unknown = -1 if np.issubdtype(values.dtype, np.integer) else np.nan
    found = np.full((n, *values.shape[1:]), unknown, values.dtype)
    found[rows] = values
    return found


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
