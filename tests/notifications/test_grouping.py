"""Grouping: an outage is one message and a digest, whatever comes."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from scones.notifications import Notification
from scones.notifications.grouping import Grouping

News = Callable[..., Notification]


def test_the_first_of_a_group_is_told_at_once_and_the_rest_in_one_digest_a_window(news: News) -> None:
    grouping = Grouping(window=60, rate=20)
    grouping.add(news(time=100.0, detail="first"), 0.0)
    [first] = grouping.take(0.0)
    assert (first.count, first.told) == (1, 0)
    for number in range(999):
        grouping.add(news(time=101.0 + number, detail=f"{number}"), 0.5)
    assert grouping.take(59.0) == ()
    assert grouping.wait(59.0) == 1.0
    [digest] = grouping.take(60.0)
    assert (digest.count, digest.told, digest.first, digest.last) == (999, 1, 101.0, 1099.0)
    assert [example.detail for example in digest.examples] == ["0", "1", "2"]
    assert (grouping.take(1e9), grouping.wait(1e9), grouping.pending) == ((), None, 0)


def test_after_a_quiet_window_the_next_one_is_a_first_one_again(news: News) -> None:
    grouping = Grouping(window=60, rate=20)
    grouping.add(news(), 0.0)
    grouping.take(0.0)
    grouping.take(61.0)
    grouping.add(news(), 62.0)
    assert grouping.take(62.0)[0].told == 0


def test_other_groups_do_not_wait_and_the_same_name_of_another_kind_is_another_group(news: News) -> None:
    grouping = Grouping(window=60, rate=20)
    grouping.add(news("failure", "a"), 0.0)
    assert len(grouping.take(0.0)) == 1
    grouping.add(news("failure", "b"), 0.0)
    grouping.add(news("review", "a"), 0.0)
    grouping.add(news("failure", "a"), 0.0)
    assert [(one.kind, one.group) for one in grouping.take(0.0)] == [("failure", "b"), ("review", "a")]


def test_beyond_the_rate_what_waits_goes_into_one_message(news: News) -> None:
    grouping = Grouping(window=600, rate=3)
    messages = []
    for number in range(40):  # 40 different things in 40 seconds
        grouping.add(news("failure", f"{number}"), float(number))
        messages.append(grouping.take(float(number)))
    told = [len(message) for message in messages if message]
    assert told[:4] == [1, 1, 1, 18], "three at once; then what came in 20 seconds, a third of a minute"
    assert len(told) == 4
    assert sum(told) + grouping.pending == 40


def test_groups_beyond_the_most_are_told_as_others_of_their_kind(news: News) -> None:
    grouping = Grouping(window=60, rate=20, max_groups=5)
    for number in range(1000):
        grouping.add(news(("failure", "review")[number % 2], f"{number}"), 0.0)
    told = grouping.take(0.0)
    assert len(told) == 5 + 2
    assert sum(digest.count for digest in told) == 1000
    assert [(one.kind, one.title) for one in told if one.group == "others"] == [
        ("review", "reviews of many other groups"),
        ("failure", "failures of many other groups"),
    ]
    grouping.add(news("failure", "new"), 61.0)
    assert grouping.take(61.0)[0].group == "new", "old groups made room"


def test_what_could_not_be_told_is_told_with_what_came_since(news: News) -> None:
    grouping = Grouping(window=60, rate=20)
    grouping.add(news(time=1.0, detail="lost on the way"), 0.0)
    taken = grouping.take(0.0)
    grouping.add(news(time=2.0), 1.0)
    grouping.restore(taken)
    assert grouping.take(30.0) == (), "not before the window is over"
    [digest] = grouping.take(60.0)
    assert (digest.count, digest.told, digest.first) == (2, 0, 1.0)
    assert digest.examples[0].detail == "lost on the way"


def test_at_the_end_everything_is_told_whatever_window_and_rate_say(news: News) -> None:
    grouping = Grouping(window=60, rate=1)
    for _ in range(2):
        grouping.add(news("failure", "a"), 0.0)
        grouping.add(news("failure", "b"), 0.0)
        told = grouping.take(0.0, everything=True)
        assert [digest.count for digest in told] == [1, 1]


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.floats(0, 30), st.sampled_from(["lost", "told"])), max_size=80)
)
def test_every_notification_is_told_once_and_never_more_often_than_the_rate(
    steps: list[tuple[str, float, str]],
) -> None:
    grouping = Grouping(window=60, rate=6, max_groups=4)
    now, told, messages = 0.0, 0, 0
    for group, seconds, fate in steps:
        now += seconds
        grouping.add(Notification("failure", group, group, now), now)
        if taken := grouping.take(now):
            messages += 1
            if fate == "lost":
                grouping.restore(taken)
            else:
                told += sum(digest.count for digest in taken)
        assert all(digest.told >= 0 for digest in taken)
        wait = grouping.wait(now)
        assert wait is None or 0 <= wait <= 60 + 1e-6
    assert told + grouping.pending == len(steps)
    assert messages <= 6 + now / 10 + 1e-6
    assert sum(digest.count for digest in grouping.take(now, everything=True)) + told == len(steps)
