"""SageMaker's container contract and its runtime path: what may be asked, and what is refused before it is computed."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from scones.errors import EndpointBusy, EndpointError, EndpointRejected, PictureError, PictureTooLarge
from scones.picture import MAX_BYTES
from scones.serving.exchange import Exchange
from scones.serving.figures import EXPOSITION, Figures, Row
from scones.serving.intake import content_type, inference_id
from scones.serving.job import Desk, Job
from scones.serving.message import Head, Reply
from scones.serving.refusal import VALIDATION_ERROR, Refusal, container_reply, runtime_reply
from scones.serving.tracing import Trace

if TYPE_CHECKING:
    from scones.serving.logbook import Logbook
    from scones.serving.terms import Terms
    from scones.serving.worker import Worker

__all__ = ["Contract"]

_log = logging.getLogger(__name__)
_RUNTIME = re.compile(r"/endpoints/([^/]+)/invocations")
_HELD: Final = 8
"""So many of the largest bodies fit in memory at once."""
_GET: Final = (("allow", "GET, HEAD"),)
_POST: Final = (("allow", "POST"),)
_NAMES: Final = {413: PictureTooLarge.__name__, 503: EndpointBusy.__name__}


class Contract:
    """What callers may ask: ``GET /ping`` and ``/metrics``, ``POST /invocations`` and the runtime's path.

    Args:
        worker: answers pictures.
        terms: what callers may do.
        figures, row: what is counted: by all processes, and by this one.
        new_id: makes ids of requests.
        logbook: writes down who was answered; None: nobody does.
    """

    def __init__(
        self,
        worker: Worker,
        terms: Terms,
        figures: Figures,
        row: Row,
        new_id: Callable[[], str],
        logbook: Logbook | None = None,
    ) -> None:
        self._worker = worker
        self._figures = figures
        self._row = row
        self._desk = Desk(row, logbook)
        self._endpoint = terms.endpoint
        self._max_queue = terms.max_queue
        self._max_bytes = MAX_BYTES if terms.max_bytes is None else terms.max_bytes
        self._new_id = new_id
        self._traced = logbook is not None and logbook.traces

    def judge(self, exchange: Exchange) -> Reply | int:
        """Answer what needs no picture; of a picture say how many bytes it may have."""
        head = exchange.head
        if head.path in ("/ping", "/metrics"):
            if head.method not in ("GET", "HEAD"):
                return self._refused(_no_such_thing(head, 405, _GET))
            return Reply(200) if head.path == "/ping" else self._metrics()
        name, face = self._endpoint, container_reply
        if head.path != "/invocations":
            found = _RUNTIME.fullmatch(head.path)
            if found is None:
                return self._refused(_no_such_thing(head, 404))
            name, face = found[1], runtime_reply
        job = exchange.call = Job(exchange, self._desk, face, self._new_id())
        if self._traced:
            job.trace = Trace()
        try:
            job.inference_id = inference_id(head.headers)
            if head.method != "POST":
                job.face = container_reply
                raise _no_such_thing(head, 405, _POST)
            self._admit(job, name)
        except Refusal as refusal:
            return job.refusal(refusal)
        return self._max_bytes

    def _admit(self, job: Job, name: str) -> None:
        head = job.exchange.head
        job.variant = self._check_target(head, name)
        job.kind = content_type(head.headers)
        # how long a body in chunks will be, nobody knows
        size = self._max_bytes if head.length is None else head.length
        if size > self._max_bytes:
            message = f"the body has more than the {self._max_bytes:,} bytes allowed: send a smaller one"
            raise Refusal.of(PictureTooLarge(message))
        desk = self._desk
        if desk.inside >= self._max_queue or (desk.held and desk.held + size > _HELD * self._max_bytes):
            message = f"endpoint {self._endpoint} is busy with {desk.inside} requests: try again in a second"
            raise Refusal.of(EndpointBusy(message))
        desk.enter(job, size)

    def _check_target(self, head: Head, name: str) -> str | None:
        if name != self._endpoint:
            message = f"Endpoint {name} not found: this one is named {self._endpoint}"
            raise Refusal(400, VALIDATION_ERROR, message)
        variant = head.headers.get("x-amzn-sagemaker-target-variant")
        if variant is not None and variant not in (known := self._worker.lineup.variants):
            has = f"{known[0]} alone" if len(known) == 1 else " and ".join(known)
            raise Refusal(400, VALIDATION_ERROR, f"Variant {variant[:63]} not found: endpoint {name} has {has}")
        return variant

    def take(self, exchange: Exchange, body: bytes) -> Reply | None:
        """Let a picture wait for its answer."""
        job: Job = exchange.call
        if not body:
            message = "the body is empty (0 bytes): send the bytes of a PNG, JPEG or WebP file"
            return job.refusal(Refusal.of(PictureError(message)))
        if len(body) != job.held:
            self._desk.hold(job, len(body))
        job.picture = body
        job.queued = time.perf_counter()
        self._worker.put(job)
        return None

    def refuse(self, exchange: Exchange | None, status: int, message: str) -> Reply:
        """Say what is wrong with a request, or with what is none."""
        name = _NAMES.get(status, EndpointRejected.__name__)
        refusal = Refusal(status, name, message)
        if exchange is None or exchange.call is None:
            return self._refused(refusal)
        job: Job = exchange.call
        return job.refusal(refusal)

    def lost(self, exchange: Exchange) -> None:
        """The caller has gone: what waits is not computed."""
        job, exchange.call = exchange.call, None  # they hold each other, and it the picture
        if job is not None:
            job.lost()

    def tick(self, connections: int) -> None:
        """Tell how many there are."""
        self._worker.count_captures()
        self._row.turned(time.monotonic())
        self._row.set("inside", self._desk.inside)
        self._row.set("connections", connections)

    def _metrics(self) -> Reply:
        text = self._figures.exposition(self._endpoint, self._worker.lineup.thresholds)
        return Reply(200, text.encode(), (), EXPOSITION)

    def _refused(self, refusal: Refusal) -> Reply:
        """What is no request to classify is refused."""
        self._desk.count(refusal.status)
        return container_reply(refusal)


def _no_such_thing(head: Head, status: int, headers: tuple[tuple[str, str], ...] = ()) -> Refusal:
    what = "Not Found" if status == 404 else "Method Not Allowed"
    message = f"{head.method} {head.path[:200]}: {what}; use GET /ping or POST /invocations"
    return Refusal(status, EndpointError.__name__, message, headers=headers)
