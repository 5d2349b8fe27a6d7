"""Works arrivals: looks for them, starts as many as there is room for, and sees to those that fail."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty
from typing import TYPE_CHECKING, Final

from scones.errors import EndpointBusy, SconesError
from scones.store import Entry
from scones.workflow.arrivals import MACHINE, newest_execution
from scones.workflow.intake.admission import Admission, Begun
from scones.workflow.intake.chores import Chores
from scones.workflow.intake.dead_letters import POISON
from scones.workflow.intake.ended import Ended
from scones.workflow.intake.questions import Questions
from scones.workflow.intake.watcher import Watcher
from scones.workflow.reviews import Answers

if TYPE_CHECKING:
    from scones.workflow.engine import Engine

__all__ = ["Intake"]

_PATIENCE: Final = 30.0
"""Seconds that a run that does not watch waits for pictures that are still being written, and for questions to people
that are still being asked."""
_MOST: Final = 200
"""Ends that are seen to before the next look."""
_LETTERS: Final = "dead letters"


class Intake:
    """Works the arrivals of a bucket, in a thread of its own.

    The oldest come first. Where as many executions run as may, the others wait where they are. What cannot be done
    now, since the store does not answer, is tried again after pauses that grow, and told once. While the endpoint does
    not answer, nothing new is begun.

    Args:
        engine: works them.
        admission: starts them.
        watcher: finds them.
        questions: to people, on their way.
        watch: go on with new ones until told to stop; else end when what lay there at the first look has ended, and
            raise what fails.
        retry_failed: begin those anew that ended without a result before.
        every: seconds from look to look.
        check_endpoint: raises EndpointBusy while the endpoint does not answer.
        say: tells a person.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        engine: Engine,
        admission: Admission,
        watcher: Watcher,
        questions: Questions,
        *,
        watch: bool,
        retry_failed: bool,
        every: float,
        check_endpoint: Callable[[], None],
        say: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.worked_before = 0
        """Arrivals that had ended before this process found them."""
        self.failed_before = 0
        """Of these, the ones that had failed."""
        self.dead = 0
        """Dead letters that were written."""
        self._engine, self._admission, self._letters = engine, admission, admission.letters
        self._watcher, self._questions = watcher, questions
        self._answers = Answers(engine, admission.bucket)
        self._watch, self._retry_failed, self._every = watch, retry_failed, every
        self._check_endpoint, self._say, self._clock = check_endpoint, say, clock
        self._chores = Chores(patient=watch, every=every, say=say, clock=clock)
        self._waiting: deque[Entry] = deque()
        self._again: set[str] = set()  # changed while they were worked
        self._unwritten: deque[Ended] = deque()
        self._scope: set[str] | None = None  # what lay there at the first look
        self._patient_until = clock() + _PATIENCE
        self._next_look = clock()
        self._held = False
        self._at_work = threading.Lock()

    @property
    def waiting(self) -> int:
        """Arrivals that lay there at the last look and were not begun."""
        return len(self._waiting) + len(self._watcher.unsettled)

    @property
    def odd(self) -> list[str]:
        """What lay there at the last look and is no picture."""
        return self._watcher.odd

    def run(self) -> None:
        """Work until told to stop; or, without ``watch``, until all that lay there has ended.

        Raises:
            JournalError: the engine cannot go on.
            SconesError: without ``watch``: what fails.
        """
        with self._at_work:
            while not self._admission.closed:
                self._engine.check()
                if self._clock() >= self._next_look:
                    self._look()
                self._feed()
                if self._is_over():
                    break
                self._follow(max(0.0, self._next_look - self._clock()))

    def stop(self) -> None:
        """Begin nothing more, from any thread."""
        self._admission.close()
        self._admission.wake()

    def finish(self) -> None:
        """See to what has ended since; to be called when the engine was stopped.

        Nothing is done where :meth:`run` still hangs in a store that does not answer. The next run sees to it.
        """
        if self._at_work.acquire(blocking=False):
            while not self._admission.ended.empty():
                with suppress(SconesError):  # the next run sees to it
                    self._follow(0.0)
            self._at_work.release()

    # Looking

    def _look(self) -> None:
        self._chores.do("dead letters to be worked anew", self._work_letters)
        self._chores.do("answers of people", self._answers.deliver)
        self._chores.do(_LETTERS, self._write_letters)
        self._chores.do("arrivals", self._find)
        self._next_look = self._clock() + self._every

    def _find(self) -> None:
        if self._held:
            self._check_hold()
        found = self._watcher.look()
        if not self._watch:
            if self._scope is None:
                self._scope = {entry.key for entry in found} | self._watcher.unsettled
            found = [entry for entry in found if entry.key in self._scope]
        self._waiting = deque(found)
        if news := self._watcher.odd_news():
            more = f" and {len(news) - 5:,} more" if len(news) > 5 else ""
            self._say(f"skipped, no pictures: {', '.join(news[:5])}{more}")

    def _check_hold(self) -> None:
        try:
            self._check_endpoint()
        except EndpointBusy:
            return
        self._held = False
        self._say("the endpoint answers again")

    # Beginning

    def _feed(self) -> None:
        while self._waiting and not self._held and not self._admission.closed:
            if not self._chores.do("beginning of arrivals", self._begin_first, now=True):
                self._waiting.clear()  # the next look finds them again
            elif self._admission.full:
                return

    def _begin_first(self) -> None:
        entry = self._waiting[0]
        if not self._watcher.is_taken(entry.key):
            begun = self._admission.begin(entry.key, retry=self._retry_failed or entry.key in self._again)
            if begun is None:
                return
            self._watcher.take(entry, at_work=begun.status == "RUNNING")
            self._again.discard(entry.key)
            if begun.status == "RUNNING" or not self._admission.to_be_seen_to(begun.name):
                self._tidy_letters(entry.key, begun)  # else a caller brought it, and it has ended just now
        self._waiting.popleft()

    def _tidy_letters(self, key: str, begun: Begun) -> None:
        """Have a dead letter for what failed for good, and none for what did not: the process may have been killed."""
        if begun.status not in ("RUNNING", "SUCCEEDED"):
            self.failed_before += 1
            if begun.status == "FAILED" and key not in self._letters:
                self._add_letter(Ended.of(self._engine.describe(begun.name, MACHINE)))
        elif key in self._letters:
            self._chores.do(_LETTERS, lambda: self._letters.remove(key), now=True)
        self.worked_before += begun.status != "RUNNING"

    def _work_letters(self) -> None:
        """Work those dead letters anew that a person wants to have worked; each wish counts once."""
        for letter in self._letters.wanted():
            newest = newest_execution(self._engine, self._admission.bucket, letter.key)
            if newest is None or newest[0] == letter.execution:
                begun = self._admission.begin(letter.key, retry=True)
                if begun is None:  # no room: the wish stays
                    return
                self._letters.remove(letter.key)
                self._say(f"worked anew: {letter.arrival}")
            self._letters.granted(letter)

    # Following

    def _follow(self, seconds: float) -> None:
        """Wait until something has ended, and see to what has; a flood of it must not keep from looking."""
        with suppress(Empty):
            for _ in range(_MOST):
                if (ended := self._admission.ended.get(timeout=seconds)) is not None:
                    self._see_to(ended)
                seconds = 0.0

    def _see_to(self, ended: Ended) -> None:
        self._admission.follow_up(ended)
        self._patient_until = self._clock() + _PATIENCE
        poison = ended.status == "FAILED" and ended.error in POISON
        if poison and not self._admission.closed and self._watcher.put_back_if_changed(ended.key):
            self._again.add(ended.key)
            return
        self._watcher.ended(ended.key)
        if poison:
            self._add_letter(ended)
        elif ended.error == EndpointBusy.__name__ and self._watch and not self._held:
            self._held = True
            self._say("the endpoint does not answer: arrivals wait where they are")

    def _add_letter(self, ended: Ended) -> None:
        self._unwritten.append(ended)
        self._chores.do(_LETTERS, self._write_letters, now=True)

    def _write_letters(self) -> None:
        while self._unwritten:
            ended = self._unwritten[0]
            if not ended.key:  # an earlier process began it
                ended = Ended.of(self._engine.describe(ended.name, MACHINE))
            self.dead += self._letters.write(ended)
            self._unwritten.popleft()

    def _is_over(self) -> bool:
        if self._watch or self._scope is None or self._waiting or self._admission.running:
            return False
        if not self._admission.ended.empty():
            return False
        unsettled = (self._watcher.unsettled & self._scope) | self._again
        return not (unsettled or self._questions.at_work) or self._clock() >= self._patient_until
