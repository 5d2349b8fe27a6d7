"""Channels that stay on this machine: the log, and the terminal."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scones.notifications.message import Message
from scones.notifications.notification import Kind

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ConsoleChannel", "LogChannel"]

_LEVELS: Final[dict[Kind, int]] = {
    "failure": logging.ERROR,
    "drift": logging.WARNING,
    "review": logging.INFO,
    "test": logging.WARNING,
}
_STYLES: Final[dict[Kind, str]] = {"failure": "red", "drift": "yellow", "review": "cyan", "test": "green"}


class LogChannel:
    """Writes to Python's logging: a record for each group, at a level of its kind.

    A record's ``notification`` holds all of it, for a handler that writes JSON.

    Args:
        logger: where to; default: ``scones.notifications``.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("scones.notifications")

    def send(self, message: Message) -> None:
        """Write a message."""
        for digest in message.digests:
            extra = {"notification": {"id": message.id, "source": message.source, **digest.as_json()}}
            self._logger.log(_LEVELS[digest.kind], "%s: %s", digest.headline, digest.example, extra=extra)


class ConsoleChannel:
    """Prints to the terminal.

    Args:
        console: where to; default: stderr.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.console import Console

        self._console = console or Console(stderr=True, highlight=False)

    def send(self, message: Message) -> None:
        """Print a message."""
        from rich.text import Text

        for digest in message.digests:
            headline, *lines = digest.lines()
            text = Text(headline, style=_STYLES[digest.kind])
            text.append("".join(f"\n{line}" for line in lines), style="not bold dim")
            self._console.print(text, soft_wrap=True)
