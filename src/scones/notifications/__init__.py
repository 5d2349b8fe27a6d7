"""Events out: failures, review requests and drift alarms, told through the channels that the settings name.

The names are loaded on first use; each brings only what it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scones._lazy import lazily

_HOMES = {
    "Channel": "scones.notifications.delivery",
    "ConsoleChannel": "scones.notifications.local",
    "Digest": "scones.notifications.message",
    "LogChannel": "scones.notifications.local",
    "MailChannel": "scones.notifications.mail",
    "Message": "scones.notifications.message",
    "Notification": "scones.notifications.notification",
    "Notifier": "scones.notifications.notifier",
    "SnsChannel": "scones.notifications.sns",
    "WebhookChannel": "scones.notifications.webhook",
    "drift_alarm": "scones.notifications.events",
    "from_event": "scones.notifications.events",
    "open_channels": "scones.notifications.configured",
    "open_notifier": "scones.notifications.configured",
}

__all__ = [
    "Channel",
    "ConsoleChannel",
    "Digest",
    "LogChannel",
    "MailChannel",
    "Message",
    "Notification",
    "Notifier",
    "SnsChannel",
    "WebhookChannel",
    "drift_alarm",
    "from_event",
    "open_channels",
    "open_notifier",
]

if TYPE_CHECKING:
    from scones.notifications.configured import open_channels, open_notifier
    from scones.notifications.delivery import Channel
    from scones.notifications.events import drift_alarm, from_event
    from scones.notifications.local import ConsoleChannel, LogChannel
    from scones.notifications.mail import MailChannel
    from scones.notifications.message import Digest, Message
    from scones.notifications.notification import Notification
    from scones.notifications.notifier import Notifier
    from scones.notifications.sns import SnsChannel
    from scones.notifications.webhook import WebhookChannel


if not TYPE_CHECKING:  # else every name that is asked for would be right
    __getattr__ = lazily(__name__, _HOMES)
