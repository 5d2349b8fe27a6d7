"""Send hostile talks to an endpoint, several at a time, and hold what comes back against what may."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httptools
from fuzz_requests import Talk

__all__ = ["Findings", "send_all"]

_MOMENT = 0.002
_PATIENCE = 20.0
_TOLD = 40
"""So many faults are told in full."""


@dataclass
class Findings:
    """What came of the talks.

    Attributes:
        cases: how many there were.
        statuses: of every answer; 0 stands for a connection that was closed without one.
        kinds: how often each mischief was tried.
        server_errors: answers of 500 and more.
        smuggled: answers to a request that should not have been seen.
        wrong: other answers than may come, and none where there must be one.
        stuck: connections on which nothing came in time.
        faults: the first of all these, in words.
    """

    cases: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    server_errors: int = 0
    smuggled: int = 0
    wrong: int = 0
    stuck: int = 0
    faults: list[str] = field(default_factory=list)

    def fault(self, talk: Talk, what: str) -> None:
        """Note a fault."""
        if len(self.faults) < _TOLD:
            shown = repr(b"".join(talk.parts)[:160])
            self.faults.append(f"{talk.kind}: {what}; sent {shown}")


class _Answers:
    """What comes back on a connection."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.bodies: list[bytes] = []
        self._body: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """Called by the parser."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        status = self._parser.get_status_code()
        if status >= 200:
            self.statuses.append(status)
            self.bodies.append(b"".join(self._body))
        self._body = []


async def send_all(host: str, port: int, talks: Iterator[Talk], *, at_once: int = 8) -> Findings:
    """Send talks, so many at once, each on a connection of its own."""
    found = Findings()

    async def sender() -> None:
        for talk in talks:
            await _send(host, port, talk, found)

    await asyncio.gather(*(sender() for _ in range(at_once)))
    return found


async def _send(host: str, port: int, talk: Talk, found: Findings) -> None:
    found.cases += 1
    found.kinds[talk.kind] += 1
    answers = _Answers()
    reader, writer = await asyncio.open_connection(host, port)
    try:
        await asyncio.wait_for(_say(reader, writer, talk, answers), _PATIENCE)
    except TimeoutError:
        found.stuck += 1
        found.fault(talk, f"nothing more came for {_PATIENCE:g} s after {answers.statuses}")
    except httptools.HttpParserError as error:
        found.wrong += 1
        found.fault(talk, f"what came back is no HTTP ({error})")
    except OSError:  # a reset is an end as well
        pass
    finally:
        writer.transport.abort()
    if talk.end != "close":
        _judge(talk, answers, found)


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, talk: Talk, answers: _Answers) -> None:
    for number, part in enumerate(talk.parts):
        if number:
            await asyncio.sleep(_MOMENT)
        writer.write(part)
        with suppress(ConnectionError):  # it was answered before all was sent, and that may still be read
            await writer.drain()
    if talk.end == "close":
        return
    if talk.end == "half":
        with suppress(OSError):
            writer.write_eof()
    while data := await reader.read(65_536):
        answers.feed(data)
        if talk.end == "wait" and answers.statuses:
            return


def _judge(talk: Talk, answers: _Answers, found: Findings) -> None:
    found.statuses.update(answers.statuses or [0])
    if not answers.statuses and not talk.silent:
        found.wrong += 1
        found.fault(talk, "no answer came")
    if len(answers.statuses) > talk.most:
        found.smuggled += 1
        found.fault(talk, f"{len(answers.statuses)} answers came: {answers.statuses}")
    for status, body in zip(answers.statuses, answers.bodies, strict=True):
        if status >= 500:
            found.server_errors += 1
            found.fault(talk, f"status {status}: {body[:200]!r}")
        elif status not in talk.allowed:
            found.wrong += 1
            found.fault(talk, f"status {status} is not one of {sorted(talk.allowed)[:5]}: {body[:200]!r}")
        elif status == 200 and talk.json and not _are_probabilities(body):
            found.wrong += 1
            found.fault(talk, f"no probabilities came: {body[:200]!r}")


def _are_probabilities(body: bytes) -> bool:
    try:
        value: Any = json.loads(body)
        return isinstance(value, list) and abs(sum(value) - 1) < 0.001
    except (ValueError, TypeError):
        return False
