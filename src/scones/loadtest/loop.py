"""Send a load from this process, and count what comes back.

One thread, one selector: a core of it asks several times as fast as two cores can answer, and leaves them the rest.
"""

from __future__ import annotations

import heapq
import select
import selectors
import time
from collections import deque
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from random import Random
from typing import Final

from scones.loadtest.caller import Answer, Caller, CallerError
from scones.loadtest.counts import Counts, Load
from scones.loadtest.target import Target

__all__ = ["send_load"]

_LOOK: Final = 0.25
"""Seconds between two looks for callers that have waited too long."""
_REST: Final = 0.1
"""Seconds that a caller in the closed loop rests when it got no answer."""
_RETRY: Final = 1.0
"""The same, when it got a 503 that does not say for how long."""


def send_load(
    target: Target,
    requests: Sequence[bytes],
    load: Load,
    *,
    begin: float | None = None,
    watch: Callable[[Answer], object] | None = None,
) -> Counts:
    """Send a load, and wait until all of it is answered, or has waited too long.

    Args:
        target: whom to ask.
        requests: sent in turn; as :func:`scones.loadtest.requests.encode_request` makes them.
        load: how much, and how long.
        begin: when, seconds of the monotonic clock; by default now.
        watch: called with each answer.
    """
    loop = _Loop(target, requests, load, time.monotonic() if begin is None else begin, watch)
    try:
        return loop.run()
    finally:
        loop.close()


class _Loop:
    def __init__(
        self,
        target: Target,
        requests: Sequence[bytes],
        load: Load,
        begin: float,
        watch: Callable[[Answer], object] | None,
    ) -> None:
        self._target, self._requests, self._load, self._watch = target, requests, load, watch
        self._counts = Counts()
        self._selector = selectors.DefaultSelector()
        self._begin, self._from, self._end = begin, begin + load.settle, begin + load.seconds
        self._sample = 0
        self._busy: set[Caller] = set()
        self._events: dict[Caller, int] = {}
        # closed loop: callers that rest, and until when
        self._resting: list[tuple[float, int, Caller]] = []
        # open loop: callers with nothing to do, how many there are, requests that wait for one, and the next one's time
        self._idle: list[Caller] = []
        self._callers = 0
        self._backlog: deque[float] = deque()
        self._random = Random(load.seed)
        self._due = begin if load.rate is None else begin + self._random.expovariate(load.rate)

    def run(self) -> Counts:
        for _ in range(self._load.connections if self._load.rate is None else 0):
            self._rest(Caller(self._target), self._begin)
        cpu = look = 0.0
        while True:
            now = time.monotonic()
            if now >= self._from and not cpu:
                cpu = time.process_time()
            if now >= self._end:
                self._counts.cpu = self._counts.cpu or time.process_time() - cpu
                if not (self._busy or self._backlog) or now >= self._end + self._load.timeout:
                    break
            if now >= look:
                self._give_up(now)
                look = now + _LOOK
            self._start(now)
            for key, events in self._wait(time.monotonic()):
                self._advance(key.data, events)
        self._counts.unanswered += len(self._busy) + len(self._backlog)
        return self._counts

    def close(self) -> None:
        for caller in list(self._events):
            self._drop(caller)
        self._selector.close()

    def _start(self, now: float) -> None:
        """Ask what is due by now."""
        if self._load.rate is not None:
            while self._due <= min(now, self._end):
                self._arrive(self._due)
                self._due += self._random.expovariate(self._load.rate)
        while self._resting and self._resting[0][0] <= now < self._end:
            caller = heapq.heappop(self._resting)[2]
            self._ask(caller, time.monotonic())

    def _arrive(self, due: float) -> None:
        if not self._idle and self._callers < self._load.connections:
            self._callers += 1
            self._idle.append(Caller(self._target))
        if not self._idle:
            self._backlog.append(due)
            return
        self._ask(self._idle.pop(), due)
        if due >= self._from:
            self._counts.late.append(max(0.0, time.monotonic() - due))

    def _wait(self, now: float) -> list[tuple[selectors.SelectorKey, int]]:
        if self._load.rate is None:
            until = self._resting[0][0] if self._resting else now + _LOOK
            return self._selector.select(max(0.0, min(until - now, _LOOK)))
        until = self._due if now < self._end else now + _LOOK
        # epoll waits for whole milliseconds, longer than an answer may take; select is finer, and takes an epoll
        select.select([self._selector.fileno()], [], [], max(0.0, min(until - now, _LOOK)))
        return self._selector.select(0)

    def _ask(self, caller: Caller, since: float) -> None:
        self._busy.add(caller)
        self._sample = (self._sample + 1) % len(self._requests)
        try:
            if not caller.connected:
                caller.connect()
            caller.ask(self._sample, self._requests[self._sample], since, time.monotonic())
        except CallerError as error:
            self._failed(caller, str(error))
            return
        self._listen(caller)

    def _listen(self, caller: Caller) -> None:
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if caller.unsent else 0)
        known = self._events.get(caller)
        if known is None:
            self._selector.register(caller, wanted, caller)
        elif known != wanted:
            self._selector.modify(caller, wanted, caller)
        self._events[caller] = wanted

    def _advance(self, caller: Caller, events: int) -> None:
        try:
            if events & selectors.EVENT_WRITE:
                caller.writable()
                self._listen(caller)
            answer = caller.readable(time.monotonic()) if events & selectors.EVENT_READ else None
        except CallerError as error:
            if caller in self._busy:
                self._failed(caller, str(error))
            else:  # a server may close a connection on which nothing is asked
                self._drop(caller)
            return
        if answer is not None:
            self._answered(caller, answer)

    def _answered(self, caller: Caller, answer: Answer) -> None:
        now, counts = time.monotonic(), self._counts
        self._busy.discard(caller)
        if caller.spent:
            self._drop(caller)
        if answer.status == 200 and self._from <= now <= self._end:
            counts.inside += 1
        if caller.since >= self._from or answer.status != 200:
            counts.statuses[answer.status] += 1
            if answer.status == 200:
                counts.latencies.append(answer.seconds)
            elif answer.status == 503:
                counts.refusals.append(answer.seconds)
        if self._watch is not None:
            self._watch(answer)
        if self._load.rate is None and answer.status == 503 and self._load.heed:
            self._rest(caller, now + _retry_after(answer))
        else:
            self._next(caller, now)

    def _failed(self, caller: Caller, why: str) -> None:
        self._counts.errors[why] += 1
        self._busy.discard(caller)
        self._drop(caller)
        now = time.monotonic()
        if self._load.rate is None:
            self._rest(caller, now + _REST)
        else:
            self._idle.append(caller)

    def _next(self, caller: Caller, now: float) -> None:
        """A caller has nothing to do any more."""
        if self._load.rate is None:
            if now < self._end:
                self._ask(caller, now)
        elif self._backlog:
            self._ask(caller, self._backlog.popleft())
        else:
            self._idle.append(caller)

    def _rest(self, caller: Caller, until: float) -> None:
        heapq.heappush(self._resting, (until, id(caller), caller))

    def _give_up(self, now: float) -> None:
        for caller in [one for one in self._busy if now - one.asked > self._load.timeout]:
            self._failed(caller, "timeout")
        # those that failed left the backlog to nobody
        while self._backlog and self._idle:
            self._ask(self._idle.pop(), self._backlog.popleft())

    def _drop(self, caller: Caller) -> None:
        if self._events.pop(caller, None) is not None:
            self._selector.unregister(caller)
        caller.close()


def _retry_after(answer: Answer) -> float:
    """Seconds that a 503 asks to be left alone."""
    said = answer.header("retry-after") or ""
    if said.isascii() and said.isdecimal():
        return float(said)
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return _RETRY
