"""Bring a message to a channel, again and again if need be."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, Protocol

from scones.errors import NotificationError, NotificationRefused
from scones.notifications.message import Message

__all__ = ["Channel", "deliver"]

_BACKOFF: Final = 1.0  # seconds; the longest first pause
_LONGEST_PAUSE: Final = 3600.0  # seconds; a receiver cannot send us away for longer


class Channel(Protocol):
    """A way to reach people."""

    def send(self, message: Message) -> None:
        """Try once to send a message, in bounded time.

        Raises:
            NotificationRefused: this message will never get through.
            NotificationError: it did not get through, and may later.
        """
        ...


def deliver(
    channel: Channel,
    message: Message,
    *,
    pause: Callable[[float], bool],
    random: Random,
    attempts: int = 5,
) -> None:
    """Send a message, and try again while that may help.

    The pause before each new attempt is twice as long as the one before, less up to a half, by chance, so that many
    senders don't come back at the same moment; it is at least as long as the receiver asked for, an hour at most.

    Args:
        channel: where to.
        message: what.
        pause: waits these seconds; False says not to go on.
        random: for the pauses.
        attempts: how often to try in all.

    Raises:
        NotificationRefused: the channel refuses the message for good.
        NotificationError: it did not get through.
    """
    for attempt in range(attempts):
        try:
            channel.send(message)
        except NotificationRefused:
            raise
        except NotificationError as error:
            wanted = min(error.retry_after or 0.0, _LONGEST_PAUSE)
            last = attempt == attempts - 1
            if last or not pause(max(wanted, _BACKOFF * 2**attempt * random.uniform(0.5, 1.0))):
                raise
        else:
            return
