"""A picture that waits for its answer, and the desk that counts how many there are."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from scones.errors import SconesError
from scones.serving.exchange import Exchange
from scones.serving.figures import Row
from scones.serving.message import Reply
from scones.serving.refusal import Refusal

if TYPE_CHECKING:
    from scones.serving.logbook import Logbook
    from scones.serving.tracing import Trace

__all__ = ["Desk", "Job"]


class Desk:
    """Who is inside: counted when they come, and once when they leave, whichever way.

    Args:
        row: where it is counted.
        logbook: where each that leaves is written down; None: nowhere.

    Attributes:
        inside: requests being received, waiting or computed.
        held: bytes of their bodies, as announced or as they came.
    """

    def __init__(self, row: Row, logbook: Logbook | None = None) -> None:
        self._row = row
        self._logbook = logbook
        self._lock = threading.Lock()  # they leave from two threads
        self.inside = 0
        self.held = 0

    def enter(self, job: Job, size: int) -> None:
        """One more is inside, with a body of so many bytes."""
        with self._lock:
            self.inside += 1
            self.held += size
            job.inside = True
            job.held = size

    def hold(self, job: Job, size: int) -> None:
        """Its body turned out to have so many bytes."""
        with self._lock:
            self.held += size - job.held
            job.held = size

    def leave(self, job: Job, status: int) -> bool:
        """It is answered, or its caller has gone: a status of the container; another time it says False."""
        with self._lock:
            if job.left:
                return False
            job.left = True
            self.inside -= job.inside
            self.held -= job.held
            self._row.add("requests_total", str(status))
        return True

    def note(self, job: Job, status: int, told: int) -> None:
        """Write down who has left, with its status and what its caller was told, which may be another."""
        if self._logbook is not None:
            self._logbook.note(job, status, told)

    def count(self, status: int) -> None:
        """Count what is no request to classify, or none at all."""
        with self._lock:
            self._row.add("requests_total", str(status))


@dataclass(slots=True, eq=False)
class Job:
    """A request to classify.

    Attributes:
        exchange: the way back to the caller.
        desk: where it is counted.
        face: how its caller is told of a refusal.
        event_id: the endpoint's own id of it.
        inference_id: the caller's; None when there is none.
        variant: the one that the caller asks for; None leaves it to the endpoint.
        kind: the body's content type.
        picture: the body.
        queued: when it began to wait, by ``time.perf_counter``.
        trace: where its way is noted; None: nowhere.
        inside, held, left: the desk's own.
    """

    exchange: Exchange
    desk: Desk
    face: Callable[[Refusal], Reply]
    event_id: str
    inference_id: str | None = None
    variant: str | None = None
    kind: str = ""
    picture: bytes = b""
    queued: float = 0.0
    trace: Trace | None = None
    inside: bool = field(default=False, repr=False)
    held: int = 0
    left: bool = False

    def refusal(self, refusal: Refusal) -> Reply:
        """It leaves with a refusal; what its caller is to be told."""
        reply = self.face(refusal)
        if self.desk.leave(self, refusal.status):
            self.desk.note(self, refusal.status, reply.status)
        return reply

    def refuse(self, error: SconesError | Refusal) -> None:
        """Tell the caller why there is no answer."""
        refusal = error if isinstance(error, Refusal) else Refusal.of(error)
        self.exchange.reply(self.refusal(refusal))

    def answer(self, reply: Reply) -> None:
        """Tell the caller the answer. It leaves first, so that its caller's next request finds its place free."""
        left = self.desk.leave(self, reply.status)
        self.exchange.reply(reply)
        if left:
            self.desk.note(self, reply.status, reply.status)

    def lost(self) -> None:
        """Its caller has gone: nobody reads the status; the number is what access logs are used to."""
        if self.desk.leave(self, 499):
            self.desk.note(self, 499, 499)
