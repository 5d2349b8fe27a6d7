"""The process that `crash.py` kills: an engine that works through executions, and writes down what it does.

It keeps three logs beside its journal, a line a fact, each written at once: `accepted` (executions whose start was
answered), `calls` (of handlers, when they begin) and `tokens` (asked for, and answered).
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

from crash_machines import MACHINES, Items, given, machine_of

from scones.errors import WorkflowError
from scones.workflow.engine import Engine, Event, TaskTimedOut
from scones.workflow.engine.reader import execution_arn

__all__ = ["Call", "FlakyError", "Log", "call_of", "live"]

MOST_RUNNING = 60
"""Executions at the same time: enough for every turn to hold many, and few enough for each to be killed seldom."""
LAST_SECONDS = 60.0

Call = tuple[str, str, int, int]
"""A handler's call: ARN of the execution, state, item (-1 outside a Map), attempt."""


class FlakyError(Exception):
    """What a handler raises the first time."""


class Log:
    """Lines that are in the file as soon as they are written."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            os.write(self._file, b"\n")  # the kill cut the last line short

    def write(self, *fields: object, sync: bool = False) -> None:
        os.write(self._file, f"{json.dumps(fields)}\n".encode())
        if sync:
            os.fsync(self._file)

    @staticmethod
    def read(path: Path) -> list[list[Any]]:
        """What was written; a line that a kill cut short is as good as not written."""
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.endswith("]")]


class Life:
    """One process's time between two kills.

    Args:
        folder: with the journal and the logs.
        number: which life it is, from 0.
    """

    def __init__(self, folder: Path, number: int) -> None:
        self.folder = folder
        self.number = number
        self.calls = Log(folder / "calls")
        self.tokens = Log(folder / "tokens")
        self.asked: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self.random = Random(number)
        self._journaled: set[Call] = set()
        self._ended: set[str] = set()

    def run(self, *, last: bool) -> None:
        """Start executions until the kill; in the last life, only end those that there are."""
        accepted = Log(self.folder / "accepted")
        begun = len(Log.read(self.folder / "accepted"))
        open_tokens: dict[str, str] = {}
        for kind, execution, token, *_ in Log.read(self.folder / "tokens"):
            if kind == "asked":
                open_tokens[token] = execution
            else:
                open_tokens.pop(token, None)
        functions = {"work": self.work, "ask": self.ask}
        engine = Engine(self.folder / "journal.db", MACHINES, functions, Items(), on_event=self.told)
        for token, execution in open_tokens.items():
            self.asked.put((execution, token))
        threading.Thread(target=self.answer, args=(engine,), daemon=True).start()
        while not last:
            if engine.running < MOST_RUNNING:
                engine.start(machine_of(begun), given(begun), name=f"e{begun}")
                accepted.write(begun, sync=True)
                begun += 1
            else:
                time.sleep(0.002)
        with suppress(WorkflowError):  # what still runs then counts as lost
            engine.join(LAST_SECONDS)
        engine.check()
        engine.stop()

    def told(self, event: Event) -> None:
        """An event was journaled: what it ends must not begin again in this life either."""
        if event.type == "TaskSucceeded":
            key = call_of(event.details["output"])
            if key is not None:
                self._journaled.add(key)
        elif event.type == "ExecutionSucceeded":
            self._ended.add(execution_arn(event.machine, event.execution))

    def work(self, event: Any, _: object) -> Any:
        """The handler: one more, and sometimes not at once."""
        key = call_of(event)
        assert key is not None
        known = "journaled" if key in self._journaled else "ended" if key[0] in self._ended else ""
        self.calls.write(self.number, *key, known)
        time.sleep(self.random.uniform(0.0, 0.004))
        if event["number"] % 7 == 3 and event["attempt"] == 0:
            raise FlakyError(json.dumps(key))
        return {**event, "number": event["number"] + 1}

    def ask(self, event: Any, _: object) -> None:
        """The handler whose result is sent by token."""
        key = call_of(event)
        assert key is not None
        # A token of an earlier life may be answered while this call is on its way, so it is not checked by `told`.
        self.calls.write(self.number, *key, "")
        self.tokens.write("asked", key[0], event["token"], event)
        self.asked.put((key[0], event["token"]))
        time.sleep(self.random.uniform(0.0, 0.004))

    def answer(self, engine: Engine) -> None:
        """Answer tokens, each a little later."""
        random = Random(-self.number)
        while True:
            execution, token = self.asked.get()
            time.sleep(random.uniform(0.0, 0.01))
            number = int(execution.rsplit(":e", 1)[1])
            key = {"execution": execution, "state": "Ask", "item": -1, "attempt": 0}
            try:
                engine.send_task_success(token, {**key, "number": number + 1, "life": self.number})
                self.tokens.write("answered", execution, token, self.number)
            except TaskTimedOut:
                # Answered before, by a life that was killed before it could write that down; or twice in this life.
                self.tokens.write("known", execution, token)
            except WorkflowError:
                return


def call_of(result: Any) -> Call | None:
    """The call that an event or a result tells of; None where it is not of a handler."""
    if not isinstance(result, Mapping) or "attempt" not in result:
        return None
    return result["execution"], result["state"], result["item"], result["attempt"]


def live(folder: Path, number: int, *, last: bool) -> None:
    """Live until killed, or until all has ended."""
    Life(folder, number).run(last=last)
