"""Tells notifications through channels, off the path of whoever has them."""

from __future__ import annotations

import logging
import random as random_module
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from random import Random
from types import TracebackType

from scones.errors import NotificationError, NotificationRefused
from scones.notifications.delivery import Channel, deliver
from scones.notifications.grouping import Grouping
from scones.notifications.message import Digest, Message
from scones.notifications.notification import Notification

__all__ = ["Notifier"]

_LOGGER = logging.getLogger(__name__)

Wait = Callable[[threading.Condition, float | None], object]


class Notifier:
    """Takes notifications from any thread and tells them, grouped and at a limited rate.

    Each channel has a thread and a grouping of its own, so that a dead one holds up no other. What does not get
    through goes back and is told with what came since: nothing is lost while a receiver is away, and what is kept
    does not grow. Only what a receiver refuses for good, and what is left at the end, is lost: counted, and logged.

    Args:
        channels: where to tell, by name.
        window: seconds between two messages about one group.
        rate: messages a minute through one channel.
        source: who tells, such as the machine's name.
        attempts: how often a message is tried before it is put back for a window.
        grace: seconds to wait for all channels together at the end.
        monotonic: a steady clock in seconds.
        wait: waits on a condition that is held, for these seconds (None: for ever) or until it is notified.
        random: for the pauses between attempts.

    Example:
        >>> class Paper:
        ...     def send(self, message):
        ...         print(message.title)
        >>> with Notifier({"paper": Paper()}) as notifier:
        ...     notifier.add(Notification("failure", "classify EndpointBusy", "classify fails", 1.8e9))
        failure: classify fails
        >>> notifier.lost
        {'paper': 0}
    """

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        window: float = 60.0,
        rate: float = 20.0,
        source: str = "",
        attempts: int = 5,
        grace: float = 5.0,
        monotonic: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
        random: Random | None = None,
    ) -> None:
        self._grace = grace
        self._workers = [
            _Worker(
                name,
                channel,
                Grouping(window=window, rate=rate),
                window=window,
                attempts=attempts,
                monotonic=monotonic,
                wait=wait,
                random=random or random_module.SystemRandom(),
                new_message=lambda digests: Message(f"msg_{uuid.uuid4().hex}", source, digests),
            )
            for name, channel in channels.items()
        ]

    @property
    def lost(self) -> dict[str, int]:
        """How many notifications each channel could not deliver for good."""
        return {worker.name: worker.lost for worker in self._workers}

    def add(self, notification: Notification) -> None:
        """Hand a notification over. Returns at once and never fails."""
        for worker in self._workers:
            worker.add(notification)

    def close(self) -> None:
        """Tell what waits, then end.

        Each channel is tried once more. What is not told when the grace is over counts as lost. Closing again does
        nothing.
        """
        for worker in self._workers:
            worker.finish()
        deadline = time.monotonic() + self._grace  # joining a thread knows no other clock
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Notifier:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Worker:
    """One channel and the thread that serves it."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        grouping: Grouping,
        *,
        window: float,
        attempts: int,
        monotonic: Callable[[], float],
        wait: Wait,
        random: Random,
        new_message: Callable[[tuple[Digest, ...]], Message],
    ) -> None:
        self.name = name
        self.lost = 0
        self._channel = channel
        self._grouping = grouping
        self._window = window
        self._attempts = attempts
        self._monotonic = monotonic
        self._wait = wait
        self._random = random
        self._new_message = new_message
        self._changed = threading.Condition()
        self._in_hand = 0
        self._closing = False
        self._last_try = False
        self._given_up = False
        self._complained: float | None = None  # when it was last said that the channel fails
        self._thread = threading.Thread(target=self._run, name=f"notify-{name}", daemon=True)
        self._thread.start()

    def add(self, notification: Notification) -> None:
        with self._changed:
            if self._closing:
                self.lost += 1
                return
            self._grouping.add(notification, self._monotonic())
            self._changed.notify()

    def finish(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)
        with self._changed:
            left = self._in_hand + self._grouping.pending
            if self._given_up or not left:
                return
            self._given_up = True
            self.lost += left
        _LOGGER.warning("the channel %s did not tell all before the end; lost: %d", self.name, left)

    def _run(self) -> None:
        while digests := self._next():
            if not self._tell(digests) and self._last_try:
                return  # what is pending is counted by join

    def _next(self) -> tuple[Digest, ...]:
        """Wait for something to be told; nothing at the end."""
        with self._changed:
            while True:
                now = self._monotonic()
                if digests := self._grouping.take(now, everything=self._closing):
                    self._in_hand = sum(digest.count for digest in digests)
                    self._last_try = self._closing
                    return digests
                if self._closing:
                    return ()
                self._wait(self._changed, self._grouping.wait(now))

    def _tell(self, digests: tuple[Digest, ...]) -> bool:
        """Tell it; False where it did not get through and is pending again."""
        message = self._new_message(digests)
        try:
            deliver(self._channel, message, pause=self._pause, random=self._random, attempts=self._attempts)
        except NotificationRefused as error:
            self._drop(message)
            self._complain(f"dropped so far: {self.lost}", error)
        except NotificationError as error:
            with self._changed:
                self._grouping.restore(digests)
                self._in_hand = 0
                waiting = self._grouping.pending
            self._complain(f"waiting: {waiting}", error)
            return False
        except Exception:
            self._drop(message)
            _LOGGER.exception("the channel %s cannot send a message; it was dropped", self.name)
        else:
            with self._changed:
                self._in_hand = 0
            if self._complained is not None:
                self._complained = None
                _LOGGER.warning("the channel %s works again", self.name)
        return True

    def _pause(self, seconds: float) -> bool:
        """Let seconds pass; False as soon as the end has come."""
        until = self._monotonic() + seconds
        with self._changed:
            while not self._closing and (left := until - self._monotonic()) > 0:
                self._wait(self._changed, left)
            return not self._closing

    def _drop(self, message: Message) -> None:
        with self._changed:
            self._in_hand = 0
            if not self._given_up:  # else it was counted then
                self.lost += message.count

    def _complain(self, what: str, error: Exception) -> None:
        now = self._monotonic()
        if self._complained is None or now - self._complained >= self._window:  # not once a message
            self._complained = now
            _LOGGER.warning("the channel %s fails (%s): %s", self.name, what, error)
