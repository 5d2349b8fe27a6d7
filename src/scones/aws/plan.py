"""The plan of a deployment: what would become of both stacks. It leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from scones.aws.account import Account
from scones.aws.cargo import Cargo
from scones.aws.change_sets import discard, make_change_set
from scones.aws.changes import ChangeSet
from scones.aws.names import TAG, Names
from scones.aws.stack_events import StackEvent
from scones.aws.stance import overruled
from scones.errors import AwsError
from scones.staging.source import Progress, no_progress

__all__ = ["Plan", "Telling", "planned"]


def _nobody(_: object) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Telling:
    """Who is told how a deployment gets on.

    Attributes:
        say: called with a line of what goes on.
        event: called with each event of a stack.
        progress: called with what is being done, how much of it is done, and of how much.
    """

    say: Callable[[str], None] = _nobody
    event: Callable[[StackEvent], None] = _nobody
    progress: Progress = no_progress


@dataclass(frozen=True)
class Plan:
    """What a deployment would change.

    Attributes:
        bootstrap: in the stack that must be there first.
        app: in the application's.
        open: the change sets that are thrown away in the end; take one out before it is executed.
    """

    bootstrap: ChangeSet
    app: ChangeSet
    open: list[ChangeSet]

    @property
    def empty(self) -> bool:
        """There is nothing to change."""
        return self.bootstrap.empty and self.app.empty


@contextmanager
def planned(
    account: Account,
    names: Names,
    cargo: Cargo,
    *,
    clear: bool = False,
    tell: Telling,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[Plan]:
    """Find out what a deployment would change; what is not executed by then is thrown away at the end.

    The application can be planned before the bootstrap stack is there: what it names is known by its content.

    Args:
        account, names: whose stacks, and what they are called.
        cargo: what would be deployed.
        clear: take away what an attempt that failed or was killed has left.
        tell: who is told.
        pause: waits for a number of seconds.

    Raises:
        StackFailed: AWS finds a fault in a template or its parameters.
        AwsError: as AWS answers.
    """
    stacks = (
        (names.bootstrap, cargo.templates.bootstrap, cargo.bootstrap),
        (names.stack, cargo.templates.app, cargo.app),
    )
    if cargo.slow_start:
        tell.say(cargo.slow_start)
    made: list[ChangeSet] = []
    try:
        for name, text, given in stacks:
            tell.say(f"planning stack {name}")
            tags = {TAG: names.stack}
            made.append(
                make_change_set(
                    account, name, text, given, tags, clear=clear, say=tell.say, report=tell.event, pause=pause
                )
            )
        if said := overruled(account, names, made[1]):
            tell.say(said)
        yield Plan(made[0], made[1], open=made)
    finally:
        for change_set in reversed(made):
            try:
                discard(account, change_set, pause)
            except AwsError as error:  # what went on before counts
                tell.say(f"a change set of stack {change_set.stack} stays, until the next deploy: {error}")
