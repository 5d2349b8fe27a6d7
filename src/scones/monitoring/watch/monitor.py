"""The monitor: look, decide, do it, tell people. Each step can be repeated, so that it may die between any two."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from scones.errors import StoreError
from scones.monitoring.watch.acting import Reaction, react
from scones.monitoring.watch.history import newest_look
from scones.monitoring.watch.look import Looked, Watcher
from scones.monitoring.watch.records import Look
from scones.monitoring.watch.rules import Rules
from scones.monitoring.watch.telling import mark_told, news
from scones.notifications import Notification

__all__ = ["Monitor", "Turn"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Turn:
    """What came of a turn.

    Attributes:
        looked: what the look saw.
        reaction: what was decided and done on the newest look; None where nothing had changed since the turn before.
    """

    looked: Looked
    reaction: Reaction | None = None


class Monitor:
    """Watches an endpoint, and runs it otherwise where that helps.

    Args:
        watcher: looks.
        rules: from when on to act.
        acts: whether it does what it decides, or only says what it would do.
        tell: hands a notification on.
    """

    def __init__(self, watcher: Watcher, *, rules: Rules, acts: bool, tell: Callable[[Notification], None]) -> None:
        self.watcher, self.rules, self.acts = watcher, rules, acts
        self._tell = tell
        self._reacted = False

    def turn(self, now: datetime) -> Turn:
        """Look, and react to what is new; at the first turn to the newest look that there is, too.

        Args:
            now: the time, with time zone.

        Raises:
            SconesError: see :meth:`Watcher.look` and :func:`react`. What was done stays, the rest is done at the
                next turn.
        """
        looked = self.watcher.look(now)
        if looked.look is not None or looked.beaten:
            self._reacted = False
        if self._reacted:
            return Turn(looked)
        one = self.watcher
        reaction = react(
            one.bucket, one.endpoint, one.task, rules=self.rules, now=now, dry_run=not self.acts, report=one.report
        )
        look = looked.look or newest_look(one.bucket, one.endpoint)[1]
        if look is not None:
            self._tell_people(look, reaction)
        self._reacted = True
        return Turn(looked, reaction)

    def _tell_people(self, look: Look, reaction: Reaction) -> None:
        bucket, endpoint = self.watcher.bucket, self.watcher.endpoint
        found, told = news(bucket, endpoint, look, reaction.findings, reaction.standing, reaction.did)
        for one in found:
            self._tell(one)
        try:
            mark_told(bucket, endpoint, told)
        except StoreError as error:
            _log.warning("what people were told of %s may be told again: %s", endpoint, error)
