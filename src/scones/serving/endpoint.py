"""The endpoint of one process: a loop for its connections, and a worker that answers."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from scones.listening import bind, listening_url
from scones.serving.contract import Contract
from scones.serving.figures import Figures
from scones.serving.golden import golden_answers
from scones.serving.lineup import Lineup
from scones.serving.logbook import Logbook
from scones.serving.loop import Loop
from scones.serving.terms import Terms
from scones.serving.worker import Worker

if TYPE_CHECKING:
    from scones.serving.capture_writer import CaptureWriter
    from scones.serving.tracing import Tracing

__all__ = ["Endpoint", "background_endpoint"]

_LAST_LINES: Final = 1.0
"""Seconds that writing them may keep an endpoint from its end."""


class Endpoint:
    """Models behind HTTP. They have answered before this returns, so an endpoint that can be reached is ready.

    Args:
        lineup: who answers.
        terms: for callers.
        figures: what is counted; default: of this process alone.
        row: the place of this process among them.
        captures: by variant, where answers are recorded; the caller closes them when the endpoint has ended.
        tracing: makes spans of requests; the caller closes it when the endpoint has ended. None: nobody does.
        clock: tells the time, with time zone.
        new_id: makes ids of requests.

    Raises:
        BundleError: a model does not answer as its bundle says.
    """

    def __init__(
        self,
        lineup: Lineup,
        terms: Terms,
        *,
        figures: Figures | None = None,
        row: int = 0,
        captures: Mapping[str, CaptureWriter] | None = None,
        tracing: Tracing | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
    ) -> None:
        for slot in lineup.slots:
            golden_answers(slot.classifier)
        figures = figures or Figures(1)
        self.row = figures.row(row)
        self._worker = Worker(lineup, self.row, captures=captures, seconds=terms.queue_seconds, clock=clock)
        self._logbook: Logbook | None = None
        if terms.access_log or tracing is not None:
            self._logbook = Logbook(access_log=terms.access_log, tracing=tracing)
        self._contract = Contract(self._worker, terms, figures, self.row, new_id, self._logbook)
        self._terms = terms
        self._loop: Loop | None = None
        self._stop_by = float("inf")

    @property
    def lineup(self) -> Lineup:
        """Who answers. Another lineup may be put there at any time: the next batch is answered by it."""
        return self._worker.lineup

    @lineup.setter
    def lineup(self, lineup: Lineup) -> None:
        self._worker.lineup = lineup

    def serve(self, listener: socket.socket, on_ready: Callable[[], None] = lambda: None) -> None:
        """Answer, until :meth:`stop` was called and all that was inside is answered.

        Args:
            listener: it is closed at the end.
            on_ready: called once requests are answered.
        """
        terms = self._terms
        self._loop = Loop(self._contract, listener, patience=terms.patience, most_connections=terms.most_connections)
        self._worker.start()
        if self._logbook is not None:
            self._logbook.start()
        self._loop.run(on_ready)
        self._worker.close(max(0.0, self._stop_by - time.monotonic()))
        if self._logbook is not None:
            self._logbook.close(_LAST_LINES)

    def stop(self, seconds: float) -> None:
        """Take nothing new, answer what is inside, and end; any thread may ask.

        Args:
            seconds: what is not answered by then is told to come back.
        """
        assert self._loop is not None
        self._stop_by = time.monotonic() + seconds
        self._loop.drain(seconds)


@contextmanager
def background_endpoint(
    endpoint: Endpoint, listener: socket.socket | None = None, *, stop_seconds: float = 28.0
) -> Iterator[str]:
    """Serve in threads of this process as long as the ``with`` block runs; then answer what is inside.

    Args:
        endpoint: serves.
        listener: from :func:`scones.http_server.bind`; by default a free port of this machine.
        stop_seconds: the longest that answering what is inside may take.

    Yields:
        The endpoint's address, as ``http://127.0.0.1:43121``.
    """
    ready = threading.Event()

    def serve() -> None:
        try:
            endpoint.serve(at, ready.set)
        finally:
            ready.set()

    with bind("127.0.0.1", 0) if listener is None else nullcontext(listener) as at:
        url = listening_url(at)
        thread = threading.Thread(target=serve, name="endpoint", daemon=True)
        thread.start()
        ready.wait()
        try:
            yield url
        finally:
            endpoint.stop(stop_seconds)
            thread.join()
