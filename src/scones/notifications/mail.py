"""Messages by e-mail, through an SMTP server."""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final, Literal, TypeAlias

from scones.errors import NotificationError, NotificationRefused, SettingsError
from scones.notifications.message import Message
from scones.notifications.notification import one_line

__all__ = ["MailChannel", "Security"]

Security: TypeAlias = Literal["starttls", "tls", "none"]
"""``starttls``: as soon as the server has greeted; ``tls``: from the first byte."""

_Answers: TypeAlias = Mapping[str, tuple[int, bytes | str]]  # code and text, to each receiver
_PORTS: Final[dict[Security, int]] = {"starttls": 587, "tls": 465, "none": 25}


class MailChannel:
    """Sends messages by e-mail.

    Args:
        host: the mail server.
        port: its port; default: the usual one for ``security``.
        security: never falls back to less.
        user: whom to log in as; None: not at all.
        password: for it; never told.
        sender: the address that it comes from.
        receivers: the addresses that it goes to.
        timeout: seconds to wait for each of the server's answers.
        clock: POSIX seconds.
        trust: whom to trust; default: what the machine trusts.

    Raises:
        SettingsError: the password would be sent in the clear, or cannot be sent.
    """

    def __init__(
        self,
        host: str,
        *,
        sender: str,
        receivers: Sequence[str],
        port: int | None = None,
        security: Security = "starttls",
        user: str | None = None,
        password: str = "",
        timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        if user is not None and security == "none":
            raise SettingsError(
                "notify_email_security=none would send the password in the clear: use starttls or tls, or give no user"
            )
        if not f"{user or ''}{password}".isascii():
            raise SettingsError("notify_email_user and notify_email_password may hold ASCII only, as SMTP has it")
        self._host = host
        self._port = port or _PORTS[security]
        self._security = security
        self._user = user
        self._password = password
        self._sender = sender
        self._receivers = list(receivers)
        self._timeout = timeout
        self._clock = clock
        self._trust = trust
        self._place = f"the mail server at {host}:{self._port}"

    def send(self, message: Message) -> None:
        """Send a message once; raises as :meth:`scones.notifications.Channel.send`."""
        letter = self._letter(message)
        try:
            server = self._connect()
            try:
                refused = server.send_message(letter, self._sender, self._receivers)
            finally:
                with suppress(OSError):  # whatever it says to that: the message is with it, or is not
                    server.quit()
        except smtplib.SMTPRecipientsRefused as error:
            raise self._failure(error.recipients) from error
        except smtplib.SMTPResponseException as error:
            raise self._failure({"": (error.smtp_code, error.smtp_error)}) from error
        except smtplib.SMTPServerDisconnected as error:
            raise NotificationError(f"{self._place} hung up ({one_line(str(error))})") from error
        except smtplib.SMTPException as error:  # such as one that knows no STARTTLS
            raise NotificationRefused(f"{self._place} cannot do what is asked of it: {one_line(str(error))}") from error
        except OSError as error:
            raise NotificationError(f"{self._place} cannot be reached ({one_line(str(error))})") from error
        if refused:
            raise NotificationRefused(f"{self._place} answers {_told(refused)}; the other receivers have it")

    def _connect(self) -> smtplib.SMTP:
        trust = None if self._security == "none" else self._trust or ssl.create_default_context()
        if self._security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, timeout=self._timeout, context=trust)
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=self._timeout)
        try:
            if self._security == "starttls":
                server.starttls(context=trust)
            if self._user is not None:
                server.login(self._user, self._password)
        except BaseException:
            server.close()
            raise
        return server

    def _letter(self, message: Message) -> EmailMessage:
        letter = EmailMessage()
        letter["From"] = self._sender
        letter["To"] = ", ".join(self._receivers)
        letter["Subject"] = one_line(f"[scones] {message.title}", 160)
        letter["Date"] = formatdate(self._clock())
        letter["Message-ID"] = f"<{message.id}@{self._sender.rpartition('@')[2]}>"  # the same when it is sent again
        letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note comes back
        origin = f"\n\n-- \nscones on {one_line(message.source)}" if message.source else ""
        letter.set_content(f"{message.text}{origin}\n")
        return letter

    def _failure(self, answers: _Answers) -> NotificationError:
        """What the server's answers mean: those from 500 on are final (RFC 5321, 4.2.1)."""
        final = all(code >= 500 for code, _ in answers.values())
        kind = NotificationRefused if final else NotificationError
        return kind(f"{self._place} answers {_told(answers)}")


def _told(answers: _Answers) -> str:
    texts = {
        key: text.decode(errors="replace") if isinstance(text, bytes) else text for key, (_, text) in answers.items()
    }
    return one_line("; ".join(f"{answers[key][0]} {text}{f' to {key}' if key else ''}" for key, text in texts.items()))
