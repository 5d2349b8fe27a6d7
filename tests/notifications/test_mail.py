"""E-mail through a real SMTP conversation."""

from __future__ import annotations

import email
import email.policy
import socket
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scones.errors import NotificationError, NotificationRefused, SettingsError
from scones.notifications import MailChannel, Message, Notification
from scones.notifications.delivery import deliver

News = Callable[..., Notification]
Start = Callable[..., Any]
PASSWORD = "correct-horse"


@pytest.fixture
def message(news: News, message_of: Callable[..., Message]) -> Message:
    return message_of(news(detail="Prüfung läuft"))


def channel(server: Any, **more: Any) -> MailChannel:
    options = {"sender": "scones@example.com", "receivers": ["ops@example.com"], "security": "none", "timeout": 5.0}
    return MailChannel("127.0.0.1", port=server.port, clock=lambda: 1.8e9, **{**options, **more})


def letter(server: Any) -> EmailMessage:
    [data] = server.letters
    read = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(read, EmailMessage)
    return read


def test_a_message_arrives_as_a_letter(start_mail_server: Start, message: Message) -> None:
    server = start_mail_server()
    channel(server, receivers=["ops@example.com", "dispatch@example.com"]).send(message)
    read = letter(server)
    assert read["Subject"] == "[scones] failure: classify EndpointBusy happens"
    assert (read["From"], read["To"]) == ("scones@example.com", "ops@example.com, dispatch@example.com")
    assert (read["Message-ID"], read["Auto-Submitted"]) == ("<msg_1@example.com>", "auto-generated")
    assert read["Date"] == "Fri, 15 Jan 2027 08:00:00 -0000"
    assert "Prüfung läuft" in read.get_content()
    assert "scones on depot-7" in read.get_content()
    assert len(server.receivers) == 2


def test_no_text_adds_a_header_or_a_receiver(
    start_mail_server: Start, news: News, message_of: Callable[..., Message]
) -> None:
    server = start_mail_server()
    evil = "x\r\nBcc: victim@example.com\r\n\r\nhello\r\n.\r\nQUIT"
    channel(server).send(message_of(news(title=evil, group=evil, detail=evil, subject=evil)))
    read = letter(server)
    assert read["Bcc"] is None
    assert read["Subject"] == "[scones] failure: x Bcc: victim@example.com hello . QUIT"
    assert server.receivers == ["TO:<ops@example.com>"]


@pytest.mark.parametrize("at_once", [True, False])
def test_the_connection_is_secret_before_the_password_is_told(
    start_mail_server: Start, certificate: Path, message: Message, at_once: bool
) -> None:
    server = start_mail_server(certificate, at_once=at_once)
    trust = ssl.create_default_context(cafile=certificate)
    security = "tls" if at_once else "starttls"
    channel(server, security=security, user="robot", password=PASSWORD, trust=trust).send(message)
    assert server.encrypted
    assert server.login == f"\0robot\0{PASSWORD}".encode()
    assert len(server.letters) == 1


def test_a_certificate_that_is_not_trusted_is_not_used(
    start_mail_server: Start, certificate: Path, message: Message
) -> None:
    server = start_mail_server(certificate)
    with pytest.raises(NotificationError, match=r"cannot be reached .*certificate"):
        channel(server, security="starttls").send(message)
    assert server.letters == []


def test_a_server_without_starttls_gets_nothing_in_the_clear(start_mail_server: Start, message: Message) -> None:
    server = start_mail_server()
    with pytest.raises(NotificationRefused, match="STARTTLS"):
        channel(server, security="starttls", user="robot", password=PASSWORD).send(message)
    assert (server.login, server.letters) == (None, [])


def test_a_wrong_password_is_final_and_not_told(start_mail_server: Start, certificate: Path, message: Message) -> None:
    server = start_mail_server(certificate)
    server.answers["AUTH"] = ["535 no"] * 2
    trust = ssl.create_default_context(cafile=certificate)
    place = channel(server, security="starttls", user="robot", password=PASSWORD, trust=trust)
    with pytest.raises(NotificationRefused, match="answers 535 no") as caught:
        place.send(message)
    assert PASSWORD not in f"{caught.value!r} {place!r}"


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"CONNECT": ["554 go away"]}, "554 go away"),
        ({"MAIL": ["550 who are you"]}, "550 who are you"),
        ({"RCPT": ["550 no such user"]}, "550 no such user to ops@example.com"),
        ({"LETTER": ["552 too large"]}, "552 too large"),
    ],
)
def test_a_refusal_is_final(
    start_mail_server: Start, message: Message, answers: dict[str, list[str]], said: str
) -> None:
    server = start_mail_server()
    server.answers |= answers
    with pytest.raises(NotificationRefused, match=rf"the mail server at 127.0.0.1:{server.port} answers {said}"):
        channel(server).send(message)
    assert server.letters == []


@pytest.mark.parametrize("verb", ["CONNECT", "MAIL", "RCPT", "DATA", "LETTER"])
def test_a_server_that_asks_to_come_back_later_gets_it_then(
    start_mail_server: Start, message: Message, verb: str
) -> None:
    server = start_mail_server()
    server.answers[verb] = ["451 come back later"]
    deliver(channel(server), message, pause=lambda _: True, random=Random(0))
    assert letter(server)["Message-ID"] == "<msg_1@example.com>"


def test_who_is_refused_among_others_is_told(start_mail_server: Start, message: Message) -> None:
    server = start_mail_server()
    server.answers["RCPT"] = ["550 no such user"]
    with pytest.raises(NotificationRefused, match=r"550 no such user to gone@example.com; the other receivers have it"):
        channel(server, receivers=["gone@example.com", "ops@example.com"]).send(message)
    assert len(server.letters) == 1


@pytest.mark.parametrize("verb", ["CONNECT", "LETTER"])
def test_a_silent_server_may_answer_later(start_mail_server: Start, message: Message, verb: str) -> None:
    server = start_mail_server()
    server.answers[verb] = ["nothing"]
    with pytest.raises(NotificationError) as caught:
        channel(server, timeout=0.05).send(message)
    assert not isinstance(caught.value, NotificationRefused)


def test_a_bad_goodbye_does_not_send_the_letter_twice(start_mail_server: Start, message: Message) -> None:
    server = start_mail_server()
    server.answers["QUIT"] = ["421 I am gone"]
    deliver(channel(server), message, pause=lambda _: True, random=Random(0))
    assert len(server.letters) == 1


def test_a_server_that_is_down_may_be_up_later(message: Message) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    place = MailChannel("127.0.0.1", port=port, security="none", sender="a@b.c", receivers=["a@b.c"])
    with pytest.raises(NotificationError, match=r"cannot be reached .*refused") as caught:
        place.send(message)
    assert not isinstance(caught.value, NotificationRefused)


def test_a_password_in_the_clear_or_beyond_ascii_is_refused() -> None:
    options: dict[str, Any] = {"sender": "a@b.c", "receivers": ["a@b.c"], "user": "robot"}
    with pytest.raises(SettingsError, match="in the clear"):
        MailChannel("mail.example.com", security="none", password=PASSWORD, **options)
    with pytest.raises(SettingsError, match="ASCII") as caught:
        MailChannel("mail.example.com", password="größe", **options)
    assert "größe" not in str(caught.value)
