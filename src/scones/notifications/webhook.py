"""Messages to a web address, signed as Standard Webhooks has it: https://www.standardwebhooks.com."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

import urllib3

from scones.errors import NotificationError, NotificationRefused, SettingsError
from scones.http_client import open_client, reason
from scones.notifications.message import Message
from scones.notifications.notification import one_line

__all__ = ["WebhookChannel", "signature", "signing_key"]

_PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """The key in a secret, which is ``whsec_`` and 24 to 64 bytes in base64.

    Raises:
        SettingsError: it is none; the message does not tell it.
    """
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise SettingsError(
            "notify_webhook_secret is not `whsec_` and 24 to 64 bytes in base64: "
            "make one with `echo whsec_$(openssl rand -base64 32)` and give it to the receiver too"
        )
    return key


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """What the header ``webhook-signature`` holds.

    Args:
        key: from :func:`signing_key`.
        message_id: the header ``webhook-id``.
        timestamp: the header ``webhook-timestamp``, POSIX seconds.
        body: the request's body.
    """
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


class WebhookChannel:
    """Posts messages as JSON.

    The headers ``webhook-id``, ``webhook-timestamp`` and ``webhook-signature`` let the receiver see who sent it,
    refuse an old request that somebody sends again, and know a message that it has already.

    Args:
        url: where to. It may hold a secret, and is never told.
        secret: see :func:`signing_key`.
        timeout: seconds to wait for a connection, and for the answer.
        clock: POSIX seconds.

    Raises:
        SettingsError: the address or the secret is none.
    """

    def __init__(self, url: str, secret: str, *, timeout: float = 10.0, clock: Callable[[], float] = time.time) -> None:
        try:
            parts = urllib3.util.parse_url(url)
        except urllib3.exceptions.HTTPError:
            parts = urllib3.util.Url()
        if parts.scheme not in ("http", "https") or not parts.host:
            raise SettingsError("notify_webhook_url is no address: it starts with https:// and the host's name")
        if parts.auth:
            raise SettingsError("notify_webhook_url holds a user or password: leave it out, messages are signed")
        self._url = url
        self._place = f"the webhook at {parts.netloc}"
        self._key = signing_key(secret)
        self._timeout = urllib3.Timeout(connect=timeout, read=timeout)
        self._clock = clock

    def send(self, message: Message) -> None:
        """Post a message once; raises as :meth:`scones.notifications.Channel.send`."""
        body = json.dumps(message.as_json(), ensure_ascii=False, allow_nan=False).encode()
        sent = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "scones",
            "webhook-id": message.id,
            "webhook-timestamp": str(sent),
            "webhook-signature": signature(self._key, message.id, sent, body),
        }
        try:
            with open_client(self._url) as http:
                response = http.request(
                    "POST", self._url, body=body, headers=headers, timeout=self._timeout, retries=False,
                    preload_content=False,
                )  # fmt: skip
                response.close()  # what it says beside its status is not waited for
        except urllib3.exceptions.HTTPError as error:
            raise NotificationError(f"{self._place} cannot be reached ({one_line(reason(error))})") from error
        if 200 <= response.status < 300:
            return
        answer = f"{self._place} answers {response.status} {one_line(response.reason or '')}".rstrip()
        if response.status == 429 or response.status >= 500:
            raise NotificationError(answer, retry_after=self._retry_after(response.headers.get("Retry-After")))
        hint = ": give the address that it leads to" if response.status < 400 else ""
        raise NotificationRefused(f"{answer}{hint}")

    def _retry_after(self, header: str | None) -> float | None:
        """Seconds, of a number or of a date (RFC 9110, 10.2.3)."""
        if header is None:
            return None
        try:
            if header.strip().isdecimal():
                return float(header)
            return max(0.0, parsedate_to_datetime(header).timestamp() - self._clock())
        except ValueError:
            return None
