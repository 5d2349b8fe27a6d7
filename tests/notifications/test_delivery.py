"""Trying again: how often, how long apart, and when not."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from scones.errors import NotificationError, NotificationRefused
from scones.notifications import Message, Notification
from scones.notifications.delivery import deliver


class Moody:
    """A channel that fails as it is told, then works."""

    def __init__(self, *failures: NotificationError) -> None:
        self.failures = list(failures)
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message)


@pytest.fixture
def message(news: Callable[..., Notification], message_of: Callable[..., Message]) -> Message:
    return message_of(news())


def attempt(channel: Moody, message: Message, *, going_on: bool = True) -> list[float]:
    """Deliver, and answer the pauses."""
    pauses: list[float] = []

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        return going_on

    deliver(channel, message, pause=pause, random=Random(1), attempts=5)
    return pauses


def test_a_failure_is_tried_again_after_pauses_that_double_less_up_to_a_half(message: Message) -> None:
    channel = Moody(*(NotificationError("busy") for _ in range(4)))
    pauses = attempt(channel, message)
    assert channel.sent == [message]
    assert all(2**number / 2 <= pause <= 2**number for number, pause in enumerate(pauses))
    assert len({pause / 2**number for number, pause in enumerate(pauses)}) == 4, "by chance"


def test_what_never_works_is_given_up(message: Message) -> None:
    channel = Moody(*(NotificationError(f"busy {number}") for number in range(9)))
    with pytest.raises(NotificationError, match="busy 4"):
        attempt(channel, message)


def test_a_refusal_is_not_tried_again(message: Message) -> None:
    channel = Moody(NotificationRefused("no"))
    with pytest.raises(NotificationRefused):
        attempt(channel, message)
    assert channel.sent == []


def test_the_receiver_says_how_long_to_stay_away_within_an_hour(message: Message) -> None:
    channel = Moody(NotificationError("busy", retry_after=17.0), NotificationError("busy", retry_after=1e9))
    assert attempt(channel, message) == [17.0, 3600.0]


def test_a_pause_that_is_broken_off_ends_it(message: Message) -> None:
    channel = Moody(NotificationError("busy"))
    with pytest.raises(NotificationError):
        attempt(channel, message, going_on=False)
    assert channel.sent == []
