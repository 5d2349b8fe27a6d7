"""Shows people how a deployment gets on: lines, events of stacks, bars."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scones.cli._common import progress_bar

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID
    from rich.text import Text

    from scones.aws.plan import Telling
    from scones.aws.stack_events import StackEvent

__all__ = ["telling"]


@contextmanager
def telling(quiet: bool = False) -> Iterator[tuple[Telling, Progress]]:
    """Tell people on stderr; nobody when ``quiet``. The display is to be stopped while a question is asked."""
    from scones.aws.plan import Telling

    if quiet:
        with progress_bar(quiet) as bar:
            yield Telling(), bar
        return
    with progress_bar() as bar:
        shown = _Shown(bar)
        yield Telling(shown.line, shown.event, shown.progress), bar


class _Shown:
    """What is on display."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._lines: dict[str, TaskID] = {}
        self._begun: set[str] = set()
        self._done: set[str] = set()

    def line(self, text: str) -> None:
        self._bar.console.print(text, markup=False, soft_wrap=True)

    def event(self, event: StackEvent) -> None:
        self._bar.console.print(_event_line(event), soft_wrap=True)
        if event.of_stack:
            return
        self._begun.add(event.logical_id)
        if event.status.endswith("_COMPLETE"):
            self._done.add(event.logical_id)
        elif event.status.endswith("_IN_PROGRESS"):
            self._done.discard(event.logical_id)
        self.progress("resources under way", len(self._done), len(self._begun))

    def progress(self, what: str, done: int, total: int) -> None:
        if what not in self._lines:
            self._lines[what] = self._bar.add_task(what, total=total or None)
        self._bar.update(self._lines[what], completed=done, total=total or None)


def _event_line(event: StackEvent) -> Text:
    from rich.text import Text

    colour = "red" if event.failed else "green" if event.status.endswith("_COMPLETE") else "dim"
    reason = f"  {event.reason}" if event.reason else ""
    return Text.assemble(
        (f"{event.time.astimezone():%H:%M:%S}  ", "dim"),
        (f"{event.status:<20}", colour),
        f" {event.logical_id}",
        reason,
    )
