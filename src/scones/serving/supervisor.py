"""The process that keeps the workers: it loads the models, forks, replaces who dies, and lets all switch together.

It has one thread, so that it may fork at any time: it never uses the store, and onnxruntime has one core. Workers are
forked with the models loaded, and share their memory. Each listens on a socket of its place, which stays open when it
dies: a caller who is not accepted yet only waits for the next one.
"""

from __future__ import annotations

import gc
import logging
import os
import selectors
import signal
import socket
import time
from dataclasses import replace
from typing import Final

from scones.errors import BundleError, EndpointError, SconesError
from scones.machine import stay_on_core
from scones.onnx_runtime import onnx_runtime
from scones.serving.channel import Channel
from scones.serving.figures import Figures
from scones.serving.forking import fork
from scones.serving.golden import best_batch
from scones.serving.place import Place
from scones.serving.plan import Models, Plan
from scones.serving.root import give_up_root
from scones.serving.terms import STOP_SECONDS, Setup
from scones.serving.worker_process import golden_of, run_worker

__all__ = ["supervise"]

_log = logging.getLogger(__name__)
_PAUSE: Final = 1.0
"""Seconds between two looks at who is stuck or to be forked."""
_STUCK: Final = 60.0
"""Seconds after which a worker that does not move is ended."""
_EARLY: Final = 3
"""Workers that may die before all are ready; then the endpoint does not start."""


def supervise(figures: Figures, listeners: list[socket.socket], parent: Channel) -> None:
    """Keep the workers of an endpoint, until told to stop or until the parent is gone.

    The parent sends ``("setup", setup)`` first, then ``("serve", plan)`` and ``("stop", seconds)``. It is told
    ``("serving", plan)``, or ``("failed", plan, error)``: then what was served before goes on.

    Args:
        figures: a row for each worker, and one for this process behind them.
        listeners: one for each worker.
        parent: to the process that says what to do.
    """
    _bring_in_what_workers_need()
    _Supervisor(figures, listeners, parent).run()


def _bring_in_what_workers_need() -> None:
    """Once, for all: they are forked from here."""
    import warnings

    import PIL.Image

    import scones.serving.capture_writer
    import scones.store  # noqa: F401 - to be there; who uses it has threads, and must not fork any more

    onnx_runtime()
    PIL.Image.preinit()
    # of damaged pictures Pillow warns with their numbers in the text, and Python keeps each text for ever
    warnings.filterwarnings("ignore", module=r"PIL\.")


class _Supervisor:
    def __init__(self, figures: Figures, listeners: list[socket.socket], parent: Channel) -> None:
        self._figures = figures
        self._row = figures.row(len(listeners))
        self._places = [Place(number, listener) for number, listener in enumerate(listeners)]
        self._parent = parent
        self._setup: Setup | None = None
        self._models = Models()
        self._plan: Plan | None = None
        self._wanted: Plan | None = None
        self._preparing: tuple[Plan, list[bytes]] | None = None
        self._measuring: tuple[int, Channel] | None = None
        self._begun = False
        self._died_early = 0
        self._stop_seconds: float | None = None
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):  # a terminal sends them to all; the parent tells us in order
            signal.signal(number, signal.SIG_IGN)
        self._selector.register(self._parent, selectors.EVENT_READ, self._parent_says)
        while self._stop_seconds is None:
            for key, _ in self._selector.select(_PAUSE):
                key.data()
            self._end_stuck()
            self._fork_missing()
            self._prepare()
            self._switch()
        self._stop(self._stop_seconds)

    def _parent_says(self) -> None:
        order = self._parent.receive()
        if order is None:
            self._stop_seconds = STOP_SECONDS
        elif order[0] == "stop":
            self._stop_seconds = order[1]
        elif order[0] == "setup":
            self._setup = order[1]
        else:
            self._wanted = order[1]

    def _prepare(self) -> None:
        """Load the models that are wanted beside the others, and let all workers do so."""
        plan = self._wanted
        if plan is None or self._preparing or not all(place.ready for place in self._places if place.pid):
            return
        self._wanted = None
        try:
            golden = golden_of(self._models.lineup(plan))
        except SconesError as error:
            self._refuse(plan, error)
            return
        if self._plan is None:
            self._begin(plan)
            return
        self._preparing = plan, golden
        for place in self._places:
            place.told = None
            place.send(("prepare", plan))

    def _begin(self, plan: Plan) -> None:
        assert self._setup is not None
        self._plan = plan
        if self._setup.become_nobody:
            give_up_root()
        if self._setup.traces:
            # once, for all; it starts no thread
            import opentelemetry.exporter.otlp.proto.http.trace_exporter  # noqa: F401
        gc.collect()
        gc.freeze()  # so that the workers' collectors leave the pages alone that they share
        self._fork_missing()

    def _measure(self) -> None:
        """See how many pictures at once are best for the models that answer, in a process aside."""
        if self._plan is None or self._measuring or self._plan.versions <= self._models.batches.keys():
            return
        slots = self._models.lineup(self._plan).slots
        here, there = Channel.pair()

        def work() -> None:
            here.close()
            there.send({slot.version: best_batch(slot.classifier) for slot in slots})

        pid = fork(work)
        there.close()
        self._measuring = pid, here
        self._selector.register(here, selectors.EVENT_READ, self._measured)

    def _measured(self) -> None:
        assert self._measuring
        pid, channel = self._measuring
        found = channel.receive()
        self._measuring = None
        self._selector.unregister(channel)
        channel.close()
        os.waitpid(pid, 0)
        if found is None:  # it died: a picture at a time will do
            found = dict.fromkeys(self._plan.versions if self._plan else (), 1)
        self._models.batches |= found
        if self._preparing is None:  # else models would go that are about to answer; the switch tells the batches, too
            self._serve_plan()

    def _switch(self) -> None:
        """Let all workers answer with what they prepared, when all have, and answer the same."""
        if self._preparing is None:
            return
        plan, golden = self._preparing
        told = [place.told for place in self._places if place.pid]
        if None in told:
            return
        self._preparing = None
        faults = [found for found in told if isinstance(found, str)]
        if faults or any(found != golden for found in told):
            fault = faults[0] if faults else "the processes do not answer the same to the same pictures"
            self._refuse(plan, BundleError(f"model {plan.production.version} is not switched to: {fault}"))
            return
        self._plan = plan
        self._serve_plan()
        self._parent.send(("serving", plan))
        self._measure()

    def _refuse(self, plan: Plan, error: SconesError) -> None:
        if self._plan is not None:
            self._row.add("switch_failures_total")
            self._serve_plan()
        self._parent.send(("failed", plan, error))

    def _serve_plan(self) -> None:
        """Let all answer by the plan in force, and forget other models."""
        assert self._plan is not None
        self._plan = replace(self._plan, bundles={})
        self._models.keep(self._plan)
        for place in self._places:
            place.send(("serve", self._plan, self._models.batches))

    def _fork_missing(self) -> None:
        if self._plan is None or self._preparing:
            return
        for place in self._places:
            if place.pid == 0 and place.fork_at <= time.monotonic():
                self._fork(place, self._plan)

    def _fork(self, place: Place, plan: Plan) -> None:
        assert self._setup is not None
        setup = self._setup

        def work(channel: Channel) -> None:
            self._selector.close()
            self._parent.close()
            for other in self._places:
                if other is not place:
                    other.listener.close()
                    if other.channel is not None:
                        other.channel.close()
            stay_on_core(place.number, len(self._places))
            run_worker(setup, self._figures, place.number, place.listener, channel, self._models, plan)

        self._figures.row(place.number).begin(time.monotonic())
        self._selector.register(place.fork(work), selectors.EVENT_READ, lambda: self._worker_says(place))

    def _worker_says(self, place: Place) -> None:
        assert place.channel is not None
        message = place.channel.receive()
        if message is None:
            self._died(place)
        elif message[0] == "ready":
            self._one_is_ready(place)
        else:
            place.told = message[1]

    def _one_is_ready(self, place: Place) -> None:
        """When all are, tell the parent, once; then see how many pictures at once are best."""
        place.ready = True
        self._row.set("workers", sum(place.ready for place in self._places))
        if not self._begun and all(place.ready for place in self._places):
            self._begun = True
            assert self._plan is not None
            self._parent.send(("serving", self._plan))
            self._measure()

    def _died(self, place: Place) -> None:
        """A worker is gone, or about to: see to another one."""
        self._forget(place)
        how = place.bury()
        self._row.add("worker_restarts_total")
        self._row.set("workers", sum(other.ready for other in self._places))
        _log.warning("worker %d %s and is replaced; the others go on", place.number, how)
        if not self._begun:
            self._died_early += 1
            if self._died_early > _EARLY:
                message = "a worker process dies again and again before it can answer: the log says why"
                self._parent.send(("failed", self._plan, EndpointError(message)))

    def _forget(self, place: Place) -> None:
        assert place.channel is not None
        self._selector.unregister(place.channel)
        place.channel.close()
        place.channel = None

    def _end_stuck(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.ready and self._figures.row(place.number).stuck_for(now) > _STUCK:
                _log.error("worker %d has not moved for %g seconds and is ended", place.number, _STUCK)
                os.kill(place.pid, signal.SIGKILL)

    def _stop(self, seconds: float) -> None:
        """Let all answer what is inside, and wait for them."""
        stop_by = time.monotonic() + seconds + 1
        self._selector.unregister(self._parent)
        if self._measuring:
            pid, channel = self._measuring
            self._selector.unregister(channel)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for place in self._places:
            place.listener.close()  # the worker's own is the last
            place.send(("stop", seconds))
        while (open_ones := [place for place in self._places if place.channel]) and time.monotonic() < stop_by:
            for key, _ in self._selector.select(stop_by - time.monotonic()):
                for place in open_ones:
                    if key.fileobj is place.channel and place.channel.receive() is None:
                        self._forget(place)
        for place in self._places:
            if place.pid:
                place.bury()
