"""The channels and the notifier that the settings describe."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import TYPE_CHECKING

from scones.errors import SettingsError
from scones.notifications.local import ConsoleChannel, LogChannel
from scones.notifications.notifier import Notifier

if TYPE_CHECKING:
    from scones.notifications.delivery import Channel
    from scones.settings import Settings

__all__ = ["open_channels", "open_notifier"]


def open_channels(settings: Settings, names: Iterable[str] | None = None) -> dict[str, Channel]:
    """Make channels; nothing is sent yet, nobody is asked.

    Args:
        settings: the ``notify_`` ones.
        names: which; default: those that are switched on, ``notify_channels``.

    Raises:
        SettingsError: what a channel needs is missing or wrong.
    """
    return {name: _channel(name, settings) for name in (settings.notify_channels if names is None else names)}


def open_notifier(settings: Settings) -> Notifier:
    """Make a notifier for the channels that are switched on; raises as :func:`open_channels`."""
    return Notifier(
        open_channels(settings),
        window=settings.notify_window,
        rate=settings.notify_rate,
        grace=settings.notify_timeout,
        source=socket.gethostname(),
    )


def _channel(name: str, settings: Settings) -> Channel:
    if name == "log":
        return LogChannel()
    if name == "console":
        return ConsoleChannel()
    if name == "webhook":
        from scones.notifications.webhook import WebhookChannel

        _check(name, settings, "url", "secret")
        url, secret = settings.notify_webhook_url, settings.notify_webhook_secret
        assert url
        assert secret
        return WebhookChannel(url.get_secret_value(), secret.get_secret_value(), timeout=settings.notify_timeout)
    if name == "email":
        from scones.notifications.mail import MailChannel

        password = settings.notify_email_password
        _check(name, settings, "host", "from", "to", *(["password"] if settings.notify_email_user else []))
        assert settings.notify_email_host
        assert settings.notify_email_from
        return MailChannel(
            settings.notify_email_host,
            port=settings.notify_email_port,
            security=settings.notify_email_security,
            user=settings.notify_email_user,
            password=password.get_secret_value() if password else "",
            sender=settings.notify_email_from,
            receivers=settings.notify_email_to,
            timeout=settings.notify_timeout,
        )
    if name == "sns":
        from scones.notifications.sns import SnsChannel, sns_client

        _check(name, settings, "topic")
        assert settings.notify_sns_topic
        return SnsChannel(settings.notify_sns_topic, sns_client(settings.notify_sns_topic, settings.notify_timeout))
    raise SettingsError(f"unknown channel {name!r}: use log, console, webhook, email or sns")


def _check(channel: str, settings: Settings, *needed: str) -> None:
    for name in needed:
        if not getattr(settings, f"notify_{channel}_{name}"):
            variable = f"SCONES_NOTIFY_{channel}_{name}".upper()
            raise SettingsError(
                f"the channel {channel} needs notify_{channel}_{name}: set it in scones.toml, or as {variable}"
            )
