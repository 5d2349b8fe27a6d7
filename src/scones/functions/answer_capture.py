"""Capture answers where the endpoint captures none, as SageMaker's serverless inference."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread

from scones.capture import CaptureRecord, capture_key, encode_line
from scones.errors import SconesError
from scones.functions.runtime import Runtime
from scones.store import Layout

__all__ = ["VARIANT", "capture_answer"]

VARIANT = "serverless"
"""Stands in the key where SageMaker's own capture has the production variant."""
_log = logging.getLogger(__name__)


def capture_answer(runtime: Runtime, record: CaptureRecord, started: str, *, patience: float = 3.0) -> None:
    """Write an answer's record as an object of its own; where that fails, it is logged and no more.

    The key says when the execution started, so that a step that is repeated writes the same object.

    Args:
        runtime: settings and the home bucket.
        record: the answer.
        started: when the execution started, ISO 8601; where that says nothing, the record's own time counts.
        patience: how long to wait for the store, in seconds.
    """
    time = _started_at(started) or record.time
    key = capture_key(Layout.CAPTURE, runtime.settings.endpoint, VARIANT, time, record.inference_id)
    line = encode_line(record).encode() + b"\n"
    # the store tries again for minutes, longer than a function may take
    if not _within(patience, lambda: _write(runtime, key, line)):
        _log.warning("capture: the store did not take %s within %g s; the answer goes on", key, patience)


def _started_at(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _write(runtime: Runtime, key: str, line: bytes) -> None:
    try:
        runtime.home.put(key, line)
    except SconesError as error:
        _log.warning("capture: %s; the answer goes on", error)


def _within(seconds: float, do: Callable[[], None]) -> bool:
    thread = Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()
