"""What callers of an endpoint may do, and what its processes have in common."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scones.errors import SettingsError

if TYPE_CHECKING:
    from scones.serving.capture_writer import CaptureWriter

__all__ = ["STOP_SECONDS", "CaptureAt", "Patience", "Setup", "Terms"]

_NAME: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")  # SageMaker's own rule for endpoints
STOP_SECONDS: Final = 28.0
"""The longest that stopping may take: SageMaker kills a container after 30."""


@dataclass(frozen=True)
class Patience:
    """How long a caller may take, in seconds.

    Attributes:
        head: from the connection, or from its request's first byte, to the end of the headers.
        body: for the body.
        idle: between two requests; longer than clients keep connections, or they would meet a closed one.
        send: to take an answer.
        linger: to close the connection, when it was told that it will be.
    """

    head: float = 10.0
    body: float = 30.0
    idle: float = 75.0
    send: float = 10.0
    linger: float = 5.0


@dataclass(frozen=True)
class Terms:
    """What callers may do.

    Attributes:
        endpoint: its name: letters, digits and ``-``, at most 63.
        max_queue: the most requests inside a process, being received, waiting or computed; one more gets a 503.
        max_bytes: the largest body taken; None: the largest picture that is read.
        queue_seconds: how long a picture may wait to be computed; then its caller has given up.
        patience: how long a caller may take for what it does.
        most_connections: to a process; for one more, those are closed that are due first.
        access_log: log each request as a line of JSON to the logger ``scones.serving.access``.

    Raises:
        SettingsError: a name or a number is not valid.
    """

    endpoint: str
    max_queue: int = 40
    max_bytes: int | None = None
    queue_seconds: float = 60.0
    patience: Patience = Patience()
    most_connections: int = 4096
    access_log: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.endpoint):
            raise SettingsError(f"endpoint {self.endpoint!r} is no name: use letters, digits and '-', at most 63")
        if self.max_queue < 1:
            raise SettingsError(f"max_queue {self.max_queue} must be at least 1")


@dataclass(frozen=True)
class CaptureAt:
    """Where answers are recorded, and how.

    Attributes:
        store, bucket: where.
        prefix: what the keys begin with.
        share, fsync: see :class:`~scones.serving.capture_writer.CaptureWriter`.
    """

    store: str
    bucket: str
    prefix: str
    share: float = 1.0
    fsync: bool = False

    def open(self, endpoint: str) -> dict[str, CaptureWriter]:
        """A writer for each variant, in the process that is to write; to be closed.

        Raises:
            SettingsError: the store is none.
        """
        from scones.capture import CANDIDATE_VARIANT
        from scones.serving.capture_writer import CaptureWriter
        from scones.serving.lineup import VARIANT
        from scones.store import open_bucket

        bucket = open_bucket(self.store, self.bucket)
        return {
            name: CaptureWriter(bucket, self.prefix, endpoint, name, share=self.share, fsync=self.fsync)
            for name in (VARIANT, CANDIDATE_VARIANT)
        }


@dataclass(frozen=True)
class Setup:
    """What all processes of an endpoint have in common.

    Attributes:
        terms: for callers.
        capture: where answers are recorded; None: nowhere.
        become_nobody: give up root before anybody is answered.
        traces: make spans of requests, as OpenTelemetry's variables say.
    """

    terms: Terms
    capture: CaptureAt | None = None
    become_nobody: bool = False
    traces: bool = False
