"""Runs an intake until it ends or the process is told to."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scones.workflow.intake.working import Intake

__all__ = ["work"]

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def work(intake: Intake, *, grace: float = 5.0) -> bool:
    """Run an intake in a thread until it ends, or until SIGTERM or Ctrl+C; a second one is heeded as usual.

    To be called from the main thread, which is the one that gets signals, and which nothing holds up meanwhile.

    Args:
        intake: what to run.
        grace: seconds to wait for it when it was told to stop: it may hang in a store that does not answer, and is
            left behind then.

    Returns:
        Whether it was told to stop.

    Raises:
        SconesError: as :meth:`Intake.run`.
    """
    news: SimpleQueue[BaseException | None] = SimpleQueue()

    def run() -> None:
        try:
            intake.run()
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            news.put(error)
        else:
            news.put(None)

    thread = threading.Thread(target=run, name="intake", daemon=True)
    with _signals(news):
        thread.start()
        first = news.get()
    intake.stop()
    thread.join(grace)
    if first is not None and not isinstance(first, KeyboardInterrupt):
        raise first
    return first is not None


@contextmanager
def _signals(news: SimpleQueue[BaseException | None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # a SimpleQueue may be written to in a signal handler, a lock or an Event may not be touched there
    before = {number: signal.signal(number, lambda *_: news.put(KeyboardInterrupt())) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
