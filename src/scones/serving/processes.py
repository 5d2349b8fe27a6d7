"""An endpoint of several processes, seen from the one that starts it."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from scones.errors import EndpointError, SconesError
from scones.listening import bind
from scones.serving.channel import Channel
from scones.serving.figures import Figures
from scones.serving.forking import fork
from scones.serving.terms import STOP_SECONDS, Setup

if TYPE_CHECKING:
    from scones.serving.plan import Plan

__all__ = ["Processes", "bind_all"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def bind_all(host: str, port: int, number: int) -> list[socket.socket]:
    """Listen on an address with several sockets, among which the system shares out those who connect.

    Args:
        host: a name or an IP address of this machine.
        port: 0 takes a free one.
        number: of sockets, of which each is another process's.

    Raises:
        PortInUse: another process listens there.
        EndpointError: the address is not one of this machine's, or may not be used.
    """
    if number == 1:
        return [bind(host, port)]
    # it says if another process is there, which those below could share a port with; who connected to it would be lost
    with bind(host, port, listen=False) as first:
        address, family = first.getsockname(), first.family
    return [socket.create_server(address[:2], family=family, backlog=2048, reuse_port=True) for _ in range(number)]


class Processes:
    """The processes of an endpoint: a supervisor, which is forked at once, and its workers.

    To be made before this process has other threads. The supervisor gets ready while this one finds the models.

    SIGTERM and SIGINT end them, not this process, which is to end when they have.

    Args:
        listeners: from :func:`bind_all`, one for each worker; this process gives them away.
        stop_seconds: the longest that stopping may take.

    Attributes:
        row: where this process counts.
    """

    def __init__(self, listeners: list[socket.socket], *, stop_seconds: float = STOP_SECONDS) -> None:
        self._channel, there = Channel.pair()
        figures = Figures(len(listeners) + 2)
        self.row = figures.row(len(listeners) + 1)

        def work() -> None:
            self._channel.close()
            # both before their first import: threads of theirs, which no fork takes along
            os.environ["ORT_DISABLE_TELEMETRY"] = "1"
            os.environ["OPENBLAS_NUM_THREADS"] = "1"
            from scones.serving.supervisor import supervise

            supervise(figures, listeners, there)

        self._pid = fork(work)
        there.close()
        for listener in listeners:
            listener.close()
        self._stopping = False
        self._stop_seconds = stop_seconds
        self._before = {number: signal.signal(number, self._told_to_stop) for number in _SIGNALS}

    def _told_to_stop(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's shape
        if not self._stopping:
            self._stopping = True
            self._channel.send(("stop", self._stop_seconds))

    def start(self, setup: Setup, plan: Plan) -> bool:
        """Let models answer, and wait until all workers are ready; False where it is told to stop before that.

        Raises:
            BundleError: they do not answer well.
            EndpointError: the processes ended.
        """
        self._channel.send(("setup", setup))
        self.serve(plan)
        told = self._channel.receive()
        if told is None and not self._stopping:
            raise EndpointError("the endpoint's processes ended before they could answer: the log says why")
        if told is not None and told[0] == "failed":
            raise told[2]
        return told is not None

    def serve(self, plan: Plan) -> None:
        """Let other models answer; any thread may ask. :meth:`run` tells what became of it."""
        self._channel.send(("serve", plan))

    def run(self, on_outcome: Callable[[Plan, SconesError | None], None]) -> None:
        """Wait until the endpoint was told to stop, by SIGTERM or SIGINT, and has stopped.

        Args:
            on_outcome: called when models answer that :meth:`serve` named, or with why they do not.

        Raises:
            EndpointError: the processes ended without that.
        """
        while (told := self._channel.receive()) is not None:
            on_outcome(told[1], told[2] if told[0] == "failed" else None)
        if not self._stopping:
            raise EndpointError("the endpoint's processes ended: the log says why")

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the processes to end; nobody needs them any more."""
        self._channel.close()
        os.waitpid(self._pid, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)
