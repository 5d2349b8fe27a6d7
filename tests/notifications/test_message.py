"""A message as people and programs read it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from scones.notifications import Digest, Message, Notification
from scones.notifications.notification import one_line

News = Callable[..., Notification]


def test_the_json_of_a_message_is_this(news: News) -> None:
    one = news(
        "failure",
        "classify PictureError",
        1_800_000_000.5,
        title="classify fails with PictureError",
        detail="bad.png is no picture",
        subject="a1-77",
        fields={"machine": "classify", "share": float("nan")},
    )
    digest = Digest("failure", one.group, one.title, 12, one.time, one.time + 60, (one,), told=1)
    assert json.loads(json.dumps(Message("msg_1", "depot-7", (digest,)).as_json(), allow_nan=False)) == {
        "type": "scones.notification",
        "timestamp": "2027-01-15T08:01:00.500Z",
        "data": {
            "id": "msg_1",
            "source": "depot-7",
            "title": "failure: classify fails with PictureError (12 more)",
            "text": "failure: classify fails with PictureError (12 more)\n"
            "  first 2027-01-15 08:00:00 UTC, last 2027-01-15 08:01:00 UTC, such as\n"
            "  2027-01-15 08:00:00 UTC  a1-77: bad.png is no picture",
            "digests": [
                {
                    "kind": "failure",
                    "group": "classify PictureError",
                    "title": "classify fails with PictureError",
                    "count": 12,
                    "told_before": 1,
                    "first": "2027-01-15T08:00:00.500Z",
                    "last": "2027-01-15T08:01:00.500Z",
                    "examples": [
                        {
                            "time": "2027-01-15T08:00:00.500Z",
                            "subject": "a1-77",
                            "detail": "bad.png is no picture",
                            "fields": {"machine": "classify", "share": None},
                        }
                    ],
                }
            ],
        },
    }


def test_failures_come_first_and_the_title_counts_the_others(news: News, message_of: Callable[..., Message]) -> None:
    message = message_of(news("review", "vehicles"), news("failure"), news("drift", "brightness"))
    assert message.title == "failure: classify EndpointBusy happens, and 2 others"
    assert [line.split(":")[0] for line in message.text.splitlines()[::2]] == ["failure", "drift", "review"]


def test_a_message_of_very_many_groups_stays_short(news: News, message_of: Callable[..., Message]) -> None:
    message = message_of(*(news("failure", f"{number} " + 5000 * "x", detail=5000 * "y") for number in range(60)))
    assert message.text.endswith("\nand 50 other groups of 50 in all")
    assert len(message.text) < 20_000
    assert len(message.title) < 256


@pytest.mark.parametrize("text", ["a\r\nBcc: b@c.d", "a\x1b]0;title\x07", "a\u2028b", "a\ud800b", "a\u202eb", "a\x00b"])
def test_no_text_brings_a_line_a_terminal_code_or_what_cannot_be_encoded(
    news: News, message_of: Callable[..., Message], text: str
) -> None:
    message = message_of(news("failure", text, title=text, detail=text, subject=text, fields={text: text}))
    assert len(message.title.splitlines()) == 1
    assert len(message.text.splitlines()) == 2
    everything = message.title + message.text + json.dumps(message.as_json()["data"]["digests"], ensure_ascii=False)
    assert everything.replace("\n", "").isprintable()
    everything.encode()


def test_a_long_line_is_cut_and_says_so() -> None:
    assert one_line("word " * 100, 10) == "word word…"
    assert one_line("just right", 10) == "just right"
