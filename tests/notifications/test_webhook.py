"""Webhooks: signed so that any receiver can check it, and clear about what an answer means."""

from __future__ import annotations

import base64
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scones.errors import NotificationError, NotificationRefused, SettingsError
from scones.notifications import Message, Notification, WebhookChannel
from scones.notifications.delivery import deliver
from scones.notifications.webhook import signature, signing_key

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
NOW = 1_800_000_000.0
ROOT = Path(__file__).parents[2]


@pytest.fixture
def message(news: Callable[..., Notification], message_of: Callable[..., Message]) -> Message:
    return message_of(news(detail="Prüfung läuft"))


def channel(url: str, timeout: float = 5.0) -> WebhookChannel:
    return WebhookChannel(url, SECRET, timeout=timeout, clock=lambda: NOW)


def test_a_signature_is_that_of_standard_webhooks() -> None:
    # the example of the specification's own documentation
    key = signing_key("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    body = b'{"email":"test@example.com","username":"test_user"}'
    expected = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="
    assert signature(key, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553, body) == expected


def test_a_message_arrives_as_json_with_its_id_and_time(receiver: Any, message: Message) -> None:
    channel(receiver.url).send(message)
    [(headers, body)] = receiver.requests
    assert json.loads(body) == message.as_json()
    assert headers["content-type"] == "application/json"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("msg_1", "1800000000")


def test_the_receiver_in_the_documentation_takes_it_and_refuses_a_forged_or_an_old_one(
    receiver: Any, message: Message
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/notifications.md").read_text(), re.S)
    found: dict[str, Any] = {}
    exec(code, found)
    is_genuine = found["is_genuine"]
    channel(receiver.url).send(message)
    [(headers, body)] = receiver.requests
    assert is_genuine(headers, body, SECRET, now=NOW + 1)
    assert not is_genuine(headers, body + b" ", SECRET, now=NOW + 1)
    assert not is_genuine(headers, body, SECRET, now=NOW + 301), "sent again by somebody else"
    assert not is_genuine(headers | {"webhook-timestamp": str(int(NOW) + 300)}, body, SECRET, now=NOW + 301)
    assert not is_genuine(headers, body, "whsec_" + base64.b64encode(bytes(32)).decode(), now=NOW + 1)


def test_an_error_of_the_server_may_be_gone_later_and_the_id_stays(receiver: Any, message: Message) -> None:
    receiver.will_answer(500)
    receiver.will_answer(503)
    deliver(channel(receiver.url), message, pause=lambda _: True, random=Random(0))
    assert [headers["webhook-id"] for headers, _ in receiver.requests] == ["msg_1"] * 3


@pytest.mark.parametrize("status", [400, 401, 404, 410, 302, 308])
def test_another_refusal_is_final(receiver: Any, message: Message, status: int) -> None:
    receiver.will_answer(status, Location="/elsewhere")
    with pytest.raises(NotificationRefused, match=f"the webhook at 127.0.0.1:{receiver.server_port} answers {status}"):
        deliver(channel(receiver.url), message, pause=lambda _: True, random=Random(0))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("Fri, 15 Jan 2027 08:00:30 GMT", 30.0),
        ("Fri, 15 Jan 2021 08:00:30 GMT", 0.0),
        ("soon", None),
        ("9" * 400, float("inf")),
        ("-5", None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_read_as_seconds_or_as_a_date(
    receiver: Any, message: Message, status: int, header: str, seconds: float | None
) -> None:
    receiver.will_answer(status, Retry_After=header)
    with pytest.raises(NotificationError) as caught:
        channel(receiver.url).send(message)
    assert caught.value.retry_after == seconds


def test_a_server_that_does_not_answer_in_time_may_later(receiver: Any, message: Message) -> None:
    receiver.will_be_silent()
    with pytest.raises(NotificationError, match=r"cannot be reached .*timed out") as caught:
        channel(receiver.url, timeout=0.05).send(message)
    assert not isinstance(caught.value, NotificationRefused)


def test_a_server_that_is_down_may_be_up_later(message: Message) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(NotificationError, match=rf"127.0.0.1:{port} cannot be reached .*refused") as caught:
        channel(f"http://127.0.0.1:{port}/token-in-the-path").send(message)
    assert not isinstance(caught.value, NotificationRefused)


def test_a_server_that_hangs_up_may_not_later(message: Message) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            server.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(NotificationError, match="cannot be reached"):
            channel(f"http://127.0.0.1:{server.getsockname()[1]}/").send(message)
        thread.join()


def test_the_address_and_the_secret_are_never_told(receiver: Any, message: Message) -> None:
    receiver.will_answer(403)
    place = channel(receiver.url)
    with pytest.raises(NotificationRefused) as caught:
        place.send(message)
    for text in (str(caught.value), repr(caught.value), repr(place), repr(caught.value.__context__)):
        assert "token-in-the-path" not in text
        assert SECRET[10:] not in text


@pytest.mark.parametrize("url", ["hooks.example.com/x-token", "ftp://a/x-token", "https://", "http://[::1/x-token"])
def test_what_is_no_address_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(SettingsError, match="notify_webhook_url is no address") as caught:
        channel(url)
    assert "token" not in str(caught.value)


def test_a_password_in_the_address_is_refused_as_it_would_not_be_sent() -> None:
    with pytest.raises(SettingsError, match="leave it out"):
        channel("https://user:x-token@example.com/")


@pytest.mark.parametrize("secret", ["whsec_short", "whsec_" + "A" * 200, "no base 64, but long enough for it", ""])
def test_what_is_no_secret_is_refused_without_telling_it(secret: str) -> None:
    with pytest.raises(SettingsError, match="openssl rand -base64 32") as caught:
        WebhookChannel("https://example.com", secret)
    assert not secret or secret not in str(caught.value)


def test_only_a_certificate_that_the_machine_trusts_is_used(
    receiver: Any, message: Message, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(certificate)
    receiver.socket = trust.wrap_socket(receiver.socket, server_side=True)
    place = channel(receiver.url.replace("http:", "https:"))
    with pytest.raises(NotificationError, match="certificate verify failed"):
        place.send(message)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    place.send(message)
    assert len(receiver.requests) == 1


def test_a_proxy_is_heeded(receiver: Any, message: Message, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{receiver.server_port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    channel("http://hooks.example.com/x").send(message)
    assert receiver.requests[0][0]["host"] == "hooks.example.com"
