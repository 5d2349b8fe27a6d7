"""The thread that answers pictures: it takes what waits, up to a batch, and never waits for more to come."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

import numpy as np

from scones.capture import CaptureRecord
from scones.errors import EndpointBusy, EndpointError, PictureError
from scones.picture import model_input
from scones.serving.figures import Row
from scones.serving.job import Job
from scones.serving.lineup import Lineup, Slot
from scones.serving.message import Reply
from scones.serving.refusal import VALIDATION_ERROR, Refusal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scones.serving.capture_writer import CaptureWriter

__all__ = ["Worker"]

_log = logging.getLogger(__name__)
_ENCODE: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
_UNSEEN: Final = (64, 2**20)
"""Pictures that wait for the candidate in the shadow, at most, and the bytes that each may have."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True, eq=False)
class _Ready:
    """A picture that is decoded, and who answers it."""

    job: Job
    slot: Slot
    pixels: NDArray[np.uint8]


class Worker:
    """Answers pictures one batch after the other.

    Args:
        lineup: who answers; it may be replaced at any time, as a whole.
        row: where it is counted.
        captures: by variant, where answers are recorded; the caller closes them after :meth:`close`.
        seconds: a picture that has waited longer is not computed: its caller has given up.
        clock: tells the time, with time zone.
    """

    def __init__(
        self,
        lineup: Lineup,
        row: Row,
        *,
        captures: Mapping[str, CaptureWriter] | None = None,
        seconds: float = 60.0,
        clock: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.lineup = lineup
        self._row = row
        self._captures = captures or {}
        self._seconds = seconds
        self._clock = clock
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._captured = 0, 0
        self._unseen: deque[tuple[bytes, int]] = deque()
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Let a picture wait for its answer. Returns at once."""
        self._queue.put(job)

    def close(self, seconds: float) -> bool:
        """Answer what waits, then end; False where that takes longer than so many seconds."""
        self._queue.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def count_captures(self) -> None:
        """Count what was captured since the last time."""
        written = sum(capture.written for capture in self._captures.values())
        dropped = sum(capture.dropped for capture in self._captures.values())
        self._row.add("captured_total", amount=written - self._captured[0])
        self._row.add("capture_dropped_total", amount=dropped - self._captured[1])
        self._captured = written, dropped

    def _run(self) -> None:
        while self._step():
            pass  # and nothing of the last batch is kept while the next one is waited for

    def _step(self) -> bool:
        """Answer a batch; False where there will be no more."""
        try:
            job = self._queue.get(block=not self._unseen)
        except Empty:
            self._answer_unseen()
            return True
        jobs: list[Job] = []
        while job is not None:
            jobs.append(job)
            if len(jobs) >= self.lineup.production.batch or self._queue.empty():
                break
            job = self._queue.get()
        self._row.busy(time.monotonic())
        try:
            self._answer_all(jobs)
        except Exception:  # noqa: BLE001 - whatever it is, the next ones are answered
            self._failed([each for each in jobs if not each.left])
        self._row.busy(0)
        return job is not None

    def _answer_all(self, jobs: list[Job]) -> None:
        lineup = self.lineup
        ready = [found for job in jobs if (found := self._prepare(job, lineup)) is not None]
        for slot in dict.fromkeys(one.slot for one in ready):
            mine = [one for one in ready if one.slot is slot]
            for start in range(0, len(mine), slot.batch):
                self._answer(mine[start : start + slot.batch], lineup)

    def _prepare(self, job: Job, lineup: Lineup) -> _Ready | None:
        """Decode a picture; None where it is refused, or nobody waits for it any more."""
        if job.exchange.gone:
            return None
        begun = time.perf_counter()
        waited = begun - job.queued
        self._row.observe("stage_seconds", waited, "wait")
        if job.trace is not None:
            job.trace.stages["wait"] = job.queued, begun
        if waited > self._seconds:
            job.refuse(EndpointBusy(f"the picture waited for more than {self._seconds:g} seconds: try again later"))
            return None
        slot = lineup.choose(job.inference_id or job.event_id, job.variant)
        if job.variant not in (None, slot.variant):
            job.refuse(Refusal(400, VALIDATION_ERROR, f"Variant {job.variant} not found: it has just ended"))
            return None
        if job.trace is not None:
            job.trace.slot = slot
            job.trace.stages["decode"] = begun, None
        try:
            pixels = model_input(job.picture, slot.classifier.info.input_size)
        except PictureError as error:
            job.refuse(error)
            return None
        except Exception:  # noqa: BLE001 - the others in the batch are answered all the same
            self._failed([job])
            return None
        decoded = time.perf_counter()
        self._row.observe("stage_seconds", decoded - begun, "decode")
        if job.trace is not None:
            job.trace.stages["decode"] = begun, decoded
        return _Ready(job, slot, pixels)

    def _answer(self, ready: list[_Ready], lineup: Lineup) -> None:
        slot = ready[0].slot
        begun = time.perf_counter()
        rows = slot.classifier.predict(np.array([one.pixels for one in ready]))[0].tolist()
        inferred = time.perf_counter()
        for one, row in zip(ready, rows, strict=True):
            if one.job.trace is not None:
                one.job.trace.batch = len(ready)
                one.job.trace.stages |= {"infer": (begun, inferred), "encode": (time.perf_counter(), None)}
            self._tell(one.job, slot, row)
            if lineup.shadow is not None:
                self._keep_for_the_shadow(one.job, row)
        told = time.perf_counter()
        self._row.observe("stage_seconds", inferred - begun, "infer")
        self._row.observe("batch_pictures", len(ready))
        self._row.add("answers_total", "production" if slot is lineup.production else "candidate", len(ready))
        for _ in ready:
            self._row.observe("stage_seconds", (told - inferred) / len(ready), "encode")

    def _tell(self, job: Job, slot: Slot, probabilities: list[float]) -> None:
        inference_id = job.inference_id or job.event_id
        try:
            body = _ENCODE(probabilities).encode("ascii")
        except ValueError:  # what is no number is no answer
            self._failed([job])
            return
        capture = self._captures.get(slot.variant)
        if capture is not None:
            record = CaptureRecord(
                event_id=job.event_id,
                inference_id=inference_id,
                time=self._clock(),
                probabilities=tuple(probabilities),
                content_type=job.kind,
                picture=job.picture,
                attributes=slot.captured,
            )
            capture.add(record)
        headers = (
            ("x-amzn-sagemaker-custom-attributes", slot.attributes(inference_id)),
            ("x-amzn-invoked-production-variant", slot.variant),
        )
        job.answer(Reply(200, body, headers))

    def _failed(self, jobs: list[Job]) -> None:
        """A fault of ours: the callers get an answer of the agreed shape, the operator the traceback."""
        for job in jobs:
            _log.exception("request %s failed", job.event_id)
            message = f"request {job.event_id} failed: see the endpoint's log"
            job.refuse(Refusal(500, EndpointError.__name__, message))

    def _keep_for_the_shadow(self, job: Job, probabilities: list[float]) -> None:
        most, size = _UNSEEN
        if len(self._unseen) < most and len(job.picture) <= size:
            self._unseen.append((job.picture, int(np.argmax(probabilities))))
        else:
            self._row.add("shadow_total", "skipped")

    def _answer_unseen(self) -> None:
        """Let the candidate answer a picture that production has answered, as nobody waits."""
        picture, label = self._unseen.popleft()
        slot = self.lineup.shadow
        if slot is None:
            self._unseen.clear()
            return
        try:
            pixels = model_input(picture, slot.classifier.info.input_size)
            found = int(slot.classifier.predict(pixels[None])[0][0].argmax())
        except Exception:  # noqa: BLE001 - nobody sees it
            _log.exception("the candidate %s failed in the shadow", slot.version)
            self._row.add("shadow_total", "skipped")
        else:
            self._row.add("shadow_total", "same" if found == label else "different")
