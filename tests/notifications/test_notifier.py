"""The notifier: it takes all, blocks nobody, and tells what it cannot tell."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from scones.errors import NotificationError, NotificationRefused
from scones.notifications import Message, Notification, Notifier

News = Callable[..., Notification]


class Hands:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked: set[float | None] = set()

    def __call__(self) -> float:
        return self.now

    def wait(self, condition: threading.Condition, seconds: float | None) -> None:
        self.asked.add(seconds)
        condition.wait(0.001)  # then its owner looks at the clock again

    def move(self, seconds: float) -> None:
        self.now += seconds

    def waits(self, seconds: float) -> bool:
        """Whether somebody has looked at the clock and then waited so long."""
        return any(asked == pytest.approx(seconds) for asked in list(self.asked))


class Inbox:
    """A channel that keeps what comes; ``failure`` makes it fail."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.attempts: queue.Queue[Message] = queue.Queue()
        self.messages: queue.Queue[Message] = queue.Queue()

    def send(self, message: Message) -> None:
        failure = self.failure  # a test changes it as soon as it sees the attempt
        self.attempts.put(message)
        if failure is not None:
            raise failure
        self.messages.put(message)

    def next(self) -> Message:
        return self.messages.get(timeout=30)

    def tried(self, times: int = 1) -> Message:
        return [self.attempts.get(timeout=30) for _ in range(times)][-1]


class Stuck:
    """A channel that answers nothing until the test ends."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.released = threading.Event()

    def send(self, message: Message) -> None:
        self.entered.set()
        self.released.wait(30)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def make(hands: Hands) -> Callable[..., Notifier]:
    """Make a notifier whose clock is the test's: ``make(inbox=Inbox(), attempts=2)``."""

    def build(attempts: int = 2, rate: float = 20.0, grace: float = 30.0, **channels: Any) -> Notifier:
        return Notifier(
            channels,
            attempts=attempts,
            rate=rate,
            grace=grace,
            source="depot-7",
            monotonic=hands,
            wait=hands.wait,
        )

    return build


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_thousand_failures_in_a_second_are_one_message_and_one_digest(
    make: Callable[..., Notifier], hands: Hands, news: News
) -> None:
    inbox = Inbox()
    with make(inbox=inbox) as notifier:
        notifier.add(news(time=0.0))
        first = inbox.next()
        for number in range(1, 1000):
            hands.move(0.001)
            notifier.add(news(time=number / 1000))
        hands.move(60)
        digest = inbox.next()
    assert (first.count, digest.count) == (1, 999)
    assert digest.title == "failure: classify EndpointBusy happens (999 more)"
    assert digest.source == "depot-7"
    assert inbox.messages.empty()


def test_many_threads_add_at_once_and_all_is_told(make: Callable[..., Notifier], news: News) -> None:
    inbox = Inbox()
    with make(inbox=inbox) as notifier:

        def work() -> None:
            for number in range(500):
                notifier.add(news("failure", f"{number % 9}"))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = [inbox.messages.get() for _ in range(inbox.messages.qsize())]
    assert sum(message.count for message in told) == 4000
    assert len(told) <= 9 + 1, "a first message a group at most, and the digest at the end"
    assert len({message.id for message in told}) == len(told)


def test_a_channel_that_hangs_holds_up_neither_the_caller_nor_the_others_nor_the_end(
    make: Callable[..., Notifier], news: News, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, inbox = Stuck(), Inbox()
    notifier = make(grace=0.3, inbox=inbox, stuck=stuck)
    notifier.add(news())
    assert stuck.entered.wait(30)
    assert inbox.next().count == 1
    for number in range(10_000):
        notifier.add(news("failure", f"{number}"))
    notifier.close()
    assert notifier.lost == {"inbox": 0, "stuck": 10_001}
    assert caplog.messages == ["the channel stuck did not tell all before the end; lost: 10001"]
    notifier.close()
    assert notifier.lost["stuck"] == 10_001, "counted once"
    stuck.released.set()


def test_while_a_receiver_is_away_nothing_is_lost_and_it_is_said_once_a_window(
    make: Callable[..., Notifier], hands: Hands, news: News, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    inbox = Inbox()
    inbox.failure = NotificationError("no answer")
    with make(attempts=1, inbox=inbox) as notifier:
        for number in range(5):
            notifier.add(news("failure", f"{number}"))
            inbox.tried()
        eventually(lambda: len(caplog.messages) == 1)
        for number in range(100):
            notifier.add(news("failure", "0", time=float(number)))
        inbox.failure = None
        hands.move(60)
        back = inbox.next()
        assert back.count == 105
        assert notifier.lost == {"inbox": 0}
        eventually(lambda: len(caplog.messages) == 2)
    assert caplog.messages[0] == "the channel inbox fails (waiting: 1): no answer"
    assert caplog.messages[1] == "the channel inbox works again"


def test_a_failing_channel_is_tried_again_after_pauses(make: Callable[..., Notifier], hands: Hands, news: News) -> None:
    inbox = Inbox()
    inbox.failure = NotificationError("busy", retry_after=17.0)
    with make(attempts=3, inbox=inbox) as notifier:
        notifier.add(news())
        first = inbox.tried()
        eventually(lambda: hands.waits(17.0))
        hands.move(16.9)
        eventually(lambda: hands.waits(0.1))
        assert inbox.attempts.empty()
        inbox.failure = None
        hands.move(0.2)
        assert inbox.next() == first, "the same message, with the same id"


def test_what_a_receiver_refuses_is_dropped_counted_and_told(
    make: Callable[..., Notifier], hands: Hands, news: News, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    inbox.failure = NotificationRefused("answers 400")
    with make(inbox=inbox) as notifier:
        notifier.add(news())
        eventually(lambda: notifier.lost == {"inbox": 1})
        inbox.failure = None
        notifier.add(news("failure", "another"))
        assert inbox.next().count == 1
    assert inbox.attempts.qsize() == 2, "not tried again"
    assert caplog.messages[0] == "the channel inbox fails (dropped so far: 1): answers 400"


def test_a_channel_with_a_mistake_in_it_goes_on(
    make: Callable[..., Notifier], news: News, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    inbox.failure = ZeroDivisionError("oops")
    with make(inbox=inbox) as notifier:
        notifier.add(news())
        eventually(lambda: notifier.lost == {"inbox": 1})
        inbox.failure = None
        notifier.add(news("failure", "another"))
        assert inbox.next().count == 1
    assert "oops" in caplog.text


def test_at_the_end_a_pause_is_broken_off_for_one_last_try(make: Callable[..., Notifier], news: News) -> None:
    inbox = Inbox()
    inbox.failure = NotificationError("busy", retry_after=3600.0)
    notifier = make(attempts=5, inbox=inbox)
    notifier.add(news())
    inbox.tried()  # it waits for an hour now, of a clock that stands still
    notifier.add(news("failure", "another"))
    inbox.failure = None
    notifier.close()
    assert inbox.next().count == 2
    assert notifier.lost == {"inbox": 0}


def test_a_receiver_that_is_away_at_the_end_costs_one_try_and_is_counted(
    make: Callable[..., Notifier], news: News, caplog: pytest.LogCaptureFixture
) -> None:
    inbox = Inbox()
    inbox.failure = NotificationError("busy")
    notifier = make(attempts=5, inbox=inbox)
    for number in range(40):
        notifier.add(news("failure", f"{number}"))
    inbox.tried()
    notifier.close()
    assert notifier.lost == {"inbox": 40}
    assert inbox.attempts.qsize() <= 1, "all in one message"
    assert caplog.messages[-1] == "the channel inbox did not tell all before the end; lost: 40"


def test_beyond_the_rate_groups_share_a_message(make: Callable[..., Notifier], hands: Hands, news: News) -> None:
    inbox = Inbox()
    with make(rate=2, inbox=inbox) as notifier:
        for number in range(2):
            notifier.add(news("failure", f"{number}"))
            assert inbox.next().count == 1
        for number in range(2, 9):
            notifier.add(news("failure", f"{number}"))
        hands.move(29)
        eventually(lambda: hands.waits(1.0))
        assert inbox.messages.empty()
        hands.move(1.01)
        assert inbox.next().count == 7


def test_what_comes_after_the_end_is_counted(make: Callable[..., Notifier], news: News) -> None:
    notifier = make(inbox=Inbox())
    notifier.close()
    notifier.add(news())
    assert notifier.lost == {"inbox": 1}


def test_without_channels_nothing_happens(make: Callable[..., Notifier], news: News) -> None:
    with make() as notifier:
        notifier.add(news())
    assert notifier.lost == {}
