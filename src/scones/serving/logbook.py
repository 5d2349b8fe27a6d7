"""Who was answered, for the access log and for traces: noted at once, written a moment later, many in a row.

On a request's way each line and span would cost several times as much, and who reads the log could hold up answers.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from scones.serving.job import Job
    from scones.serving.lineup import Slot
    from scones.serving.message import Head
    from scones.serving.tracing import Tracing

__all__ = ["Answered", "Logbook"]

_log = logging.getLogger(__name__)
_access_log = logging.getLogger("scones.serving.access")
_PAUSE: Final = 0.02
"""Seconds between two looks at what is to be written."""
_MOST: Final = 10_000
"""Requests that wait to be written; then the oldest go."""


class Answered(NamedTuple):
    """A request that has ended.

    Attributes:
        head: of the request.
        event_id, inference_id: the endpoint's id of it; the caller's, else the endpoint's.
        status, told: of the container, and what the caller was told; 499: its caller had gone.
        took: seconds since its headers were there.
        wall, clock: when it ended, by ``time.time_ns`` and by ``time.perf_counter``.
        slot, batch: who answered it, and the number of pictures inferred at once, where somebody noted it.
        stages: by name, when each began and ended, by ``time.perf_counter``; None: it had not.
    """

    head: Head
    event_id: str
    inference_id: str
    status: int
    told: int
    took: float
    wall: int
    clock: float
    slot: Slot | None
    batch: int | None
    stages: dict[str, tuple[float, float | None]]


class Logbook:
    """Writes who was answered, in a thread of its own.

    Args:
        access_log: log each as a line of JSON to the logger ``scones.serving.access``.
        tracing: makes spans of them; None: nobody does.
    """

    def __init__(self, *, access_log: bool = False, tracing: Tracing | None = None) -> None:
        self._access_log = access_log
        self._tracing = tracing
        self._answered: deque[Answered] = deque(maxlen=_MOST)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="logbook", daemon=True)

    @property
    def traces(self) -> bool:
        """Whether spans are made, for which is noted what happens to a request on its way."""
        return self._tracing is not None

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self, seconds: float) -> None:
        """Write what was noted, then end; what takes longer than so many seconds is left out."""
        self._closed.set()
        self._thread.join(seconds)

    def note(self, job: Job, status: int, told: int) -> None:
        """A request has ended; any thread may say so. Nothing of its picture is kept."""
        exchange, trace = job.exchange, job.trace
        self._answered.append(
            Answered(
                head=exchange.head,
                event_id=job.event_id,
                inference_id=job.inference_id or job.event_id,
                status=status,
                told=told,
                took=time.monotonic() - exchange.started,
                wall=time.time_ns(),
                clock=time.perf_counter(),
                slot=None if trace is None else trace.slot,
                batch=None if trace is None else trace.batch,
                # where its caller has gone, the worker may go on to note
                stages={} if trace is None else trace.stages.copy(),
            )
        )

    def _run(self) -> None:
        while not self._closed.wait(_PAUSE):
            self._write()
        self._write()

    def _write(self) -> None:
        while self._answered:
            answered = self._answered.popleft()
            try:
                if self._access_log:
                    _access_log.info(_line(answered))
                if self._tracing is not None:
                    self._tracing.tell(answered)
            except Exception:  # noqa: BLE001 - a sampler of the operator's, perhaps; the others are written all the same
                _log.exception("request %s was not written down", answered.event_id)


def _line(answered: Answered) -> str:
    line = {
        "time": datetime.fromtimestamp(answered.wall / 1e9, UTC).isoformat(timespec="milliseconds"),
        "event_id": answered.event_id,
        "inference_id": answered.inference_id,
        "path": answered.head.path[:200],
        "status": answered.told,
        "ms": round(1000 * answered.took, 3),
    }
    return json.dumps(line)
