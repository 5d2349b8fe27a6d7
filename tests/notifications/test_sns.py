"""SNS with boto3's own client, against a server that speaks its protocol."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import parse_qs

import pytest

from scones.errors import NotificationError, NotificationRefused
from scones.notifications import Message, Notification, SnsChannel
from scones.notifications.delivery import deliver
from scones.notifications.sns import sns_client

TOPIC = "arn:aws:sns:eu-central-1:123456789012:scones"
TAKEN = b"<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>"


@pytest.fixture
def message(news: Callable[..., Notification], message_of: Callable[..., Message]) -> Message:
    return message_of(news("review", "vehicles", detail="Prüfung läuft"), news())


@pytest.fixture
def open_topic(receiver: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SnsChannel]:
    """Make the channel of a topic whose SNS is the receiver."""
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", receiver.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")

    def make(topic: str = TOPIC, timeout: float = 5.0) -> SnsChannel:
        return SnsChannel(topic, sns_client(topic, timeout))

    return make


def refusal(code: str) -> bytes:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>because</Message></Error>"
    return f"<ErrorResponse>{error}<RequestId>1</RequestId></ErrorResponse>".encode()


def published(receiver: Any) -> dict[str, str]:
    [(_, body)] = receiver.requests
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def test_a_message_is_published(receiver: Any, open_topic: Callable[..., SnsChannel], message: Message) -> None:
    receiver.will_answer(200, TAKEN)
    open_topic().send(message)
    given = published(receiver)
    assert given["TopicArn"] == TOPIC
    assert given["Subject"] == "failure: classify EndpointBusy happens, and 1 other"
    assert given["Message"] == message.text
    assert json.loads(given["MessageAttributes.entry.1.Value.StringValue"]) == ["failure", "review"]
    assert "eu-central-1/sns/aws4_request" in receiver.requests[0][0]["authorization"]


def test_a_subject_is_short_and_ascii_as_sns_wants_it(
    receiver: Any,
    open_topic: Callable[..., SnsChannel],
    news: Callable[..., Notification],
    message_of: Callable[..., Message],
) -> None:
    receiver.will_answer(200, TAKEN)
    open_topic().send(message_of(news(title="ü\r\n" * 300)))
    subject = published(receiver)["Subject"]
    assert subject.startswith("failure: ? ?")
    assert len(subject) == 100
    assert subject.isascii()
    assert subject.isprintable()


def test_a_fifo_topic_knows_a_message_that_it_has(
    receiver: Any, open_topic: Callable[..., SnsChannel], message: Message
) -> None:
    receiver.will_answer(200, TAKEN)
    open_topic(f"{TOPIC}.fifo").send(message)
    given = published(receiver)
    assert (given["MessageDeduplicationId"], given["MessageGroupId"]) == ("msg_1", "notifications")


@pytest.mark.parametrize(
    ("status", "code"), [(400, "Throttling"), (400, "ThrottledException"), (500, "InternalError"), (503, "Whatever")]
)
def test_a_busy_topic_gets_it_later(
    receiver: Any, open_topic: Callable[..., SnsChannel], message: Message, status: int, code: str
) -> None:
    receiver.will_answer(status, refusal(code))
    receiver.will_answer(200, TAKEN)
    deliver(open_topic(), message, pause=lambda _: True, random=Random(0))
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AuthorizationError"), (404, "NotFound"), (400, "InvalidParameter")]
)
def test_a_refusal_is_final(
    receiver: Any, open_topic: Callable[..., SnsChannel], message: Message, status: int, code: str
) -> None:
    receiver.will_answer(status, refusal(code))
    with pytest.raises(NotificationRefused, match=f"the topic scones answers {code}: because"):
        open_topic().send(message)
    assert len(receiver.requests) == 1


def test_a_silent_topic_may_answer_later(
    receiver: Any, open_topic: Callable[..., SnsChannel], message: Message
) -> None:
    receiver.will_be_silent()
    with pytest.raises(NotificationError, match="cannot be reached") as caught:
        open_topic(timeout=0.05).send(message)
    assert not isinstance(caught.value, NotificationRefused)


def test_a_topic_that_is_not_there_may_be_later(
    open_topic: Callable[..., SnsChannel], message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", f"http://127.0.0.1:{taken.getsockname()[1]}")
    with pytest.raises(NotificationError, match="cannot be reached") as caught:
        open_topic().send(message)
    assert not isinstance(caught.value, NotificationRefused)


def test_without_credentials_it_says_so(
    open_topic: Callable[..., SnsChannel], message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(NotificationRefused, match=r"the topic scones cannot be used: .*credentials"):
        open_topic().send(message)
