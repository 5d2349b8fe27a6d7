"""What runs in each worker process: an endpoint of its own, and a thread that does as the supervisor says."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from scones.errors import SconesError
from scones.serving.channel import Channel
from scones.serving.endpoint import Endpoint
from scones.serving.figures import Figures
from scones.serving.golden import golden_answers
from scones.serving.lineup import Lineup
from scones.serving.plan import Models, Plan
from scones.serving.terms import STOP_SECONDS, Setup
from scones.serving.tracing import Tracing

if TYPE_CHECKING:
    import socket

__all__ = ["golden_of", "run_worker"]

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Options of mallopt, see malloc.h."""
_LARGE: Final = 128 * 1024
_LAST_SPANS: Final = 3.0
"""Seconds that sending them may keep a process from its end."""


def golden_of(lineup: Lineup) -> list[bytes]:
    """What the models of a lineup answer to fixed pictures; the same in every process.

    Raises:
        BundleError: one does not answer well.
    """
    return [golden_answers(slot.classifier).tobytes() for slot in lineup.slots]


def run_worker(
    setup: Setup, figures: Figures, number: int, listener: socket.socket, channel: Channel, models: Models, plan: Plan
) -> None:
    """Serve until told to stop, or until the supervisor is gone.

    Args:
        setup, figures: as of all workers.
        number: this one's, from 0.
        listener: its own.
        channel: to the supervisor.
        models: those that are loaded.
        plan: which of them answer.
    """
    _hand_memory_back()
    captures = {} if setup.capture is None else setup.capture.open(setup.terms.endpoint)
    tracing = Tracing(setup.terms.endpoint) if setup.traces else None
    endpoint = Endpoint(
        models.lineup(plan), setup.terms, figures=figures, row=number, captures=captures, tracing=tracing
    )
    orders = _Orders(endpoint, channel, models)

    def on_ready() -> None:
        threading.Thread(target=orders.obey, name="orders", daemon=True).start()
        channel.send(("ready",))

    endpoint.serve(listener, on_ready)
    for capture in captures.values():
        capture.close(orders.seconds_left)
    if tracing is not None:
        tracing.close(min(orders.seconds_left, _LAST_SPANS))


def _hand_memory_back() -> None:
    """Pictures of all sizes make GNU's C library keep ever more memory: let large pieces go back at once."""
    import ctypes

    with suppress(OSError, AttributeError):  # another C library
        for option in (_MMAP_THRESHOLD, _TRIM_THRESHOLD):
            ctypes.CDLL(None).mallopt(option, _LARGE)


class _Orders:
    """Does what the supervisor says: load models beside those that answer, switch to them, stop."""

    def __init__(self, endpoint: Endpoint, channel: Channel, models: Models) -> None:
        self._endpoint = endpoint
        self._channel = channel
        self._models = models
        self._stop_by = float("inf")

    @property
    def seconds_left(self) -> float:
        """To stop."""
        return max(0.0, self._stop_by - time.monotonic())

    def obey(self) -> None:
        """Do what comes, until it is time to stop."""
        seconds = STOP_SECONDS
        while (order := self._channel.receive()) is not None:
            if order[0] == "stop":
                seconds = order[1]
                break
            if order[0] == "prepare":
                self._channel.send(self._prepare(order[1]))
            else:
                self._serve(*order[1:])
        self._stop_by = time.monotonic() + seconds
        self._endpoint.stop(seconds * 0.8)  # the rest is for the capture

    def _prepare(self, plan: Plan) -> tuple[str, Any]:
        try:
            return "prepared", golden_of(self._models.lineup(plan))
        except SconesError as error:
            return "failed", str(error)

    def _serve(self, plan: Plan, batches: dict[str, int]) -> None:
        """Let models answer that are loaded, from the next batch on."""
        self._models.batches = batches
        self._endpoint.lineup = self._models.lineup(plan)
        self._models.keep(plan)
