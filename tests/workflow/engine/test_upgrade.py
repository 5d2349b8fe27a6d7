"""A journal of the first version of the engine is taken up where it was."""

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from scones.workflow.engine import Engine, load

from .conftest import FUNCTION

FIRST = """
CREATE TABLE definitions (hash TEXT PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE executions (
  id INTEGER PRIMARY KEY,
  machine TEXT NOT NULL, name TEXT NOT NULL, definition TEXT NOT NULL REFERENCES definitions(hash),
  status TEXT NOT NULL, started REAL NOT NULL, stopped REAL,
  input TEXT NOT NULL, input_digest TEXT NOT NULL, output TEXT, error TEXT, cause TEXT,
  state TEXT NOT NULL, state_input TEXT NOT NULL, entered REAL NOT NULL, attempts TEXT NOT NULL, due REAL,
  UNIQUE (name, machine)
);
CREATE INDEX running ON executions (id) WHERE status = 'RUNNING';
CREATE INDEX newest ON executions (started, id);
CREATE TABLE events (
  execution INTEGER NOT NULL REFERENCES executions(id), id INTEGER NOT NULL,
  type TEXT NOT NULL, time REAL NOT NULL, state TEXT, details TEXT NOT NULL,
  PRIMARY KEY (execution, id)
) WITHOUT ROWID;
CREATE TABLE texts (
  execution INTEGER NOT NULL REFERENCES executions(id), hash BLOB NOT NULL, text BLOB NOT NULL,
  PRIMARY KEY (execution, hash)
);
PRAGMA application_id = 1396919891;
PRAGMA user_version = 1;
"""
GIVEN = '{"n":1}'
WORK = {"Type": "Task", "Resource": FUNCTION + "f", "Retry": [{"ErrorEquals": ["States.ALL"]}], "Next": "W"}
MACHINE = {"StartAt": "T", "States": {"T": WORK, "W": {"Type": "Wait", "Seconds": 0, "End": True}}}


def test_what_ran_goes_on_and_what_had_ended_is_still_there(tmp_path: Path) -> None:
    machine, now = load(MACHINE), time.time()
    with sqlite3.connect(tmp_path / "j.db") as journal:
        journal.executescript(FIRST)
        journal.execute("INSERT INTO definitions VALUES (?, ?)", (machine.hash, machine.text.encode()))
        rows: list[tuple[Any, ...]] = [
            ("ended", "SUCCEEDED", now, '"before"', "W", "{}", None),
            ("at a task", "RUNNING", None, None, "T", "{}", None),
            ("waits", "RUNNING", None, None, "W", "{}", now - 1),
            ("to be tried again", "RUNNING", None, None, "T", '{"0": 2}', now - 1),
        ]
        marks = "?, 'm', ?, ?, ?, ?, ?, ?, 'digest', ?, NULL, NULL, ?, ?, ?, ?, ?"
        for number, (name, status, stopped, output, state, attempts, due) in enumerate(rows, 1):
            told = (number, name, machine.hash, status, now, stopped, GIVEN, output)
            journal.execute(f"INSERT INTO executions VALUES ({marks})", (*told, state, GIVEN, now, attempts, due))
            details = (number, "ExecutionStarted", now, json.dumps({"input": {"n": 1}}))
            journal.execute("INSERT INTO events VALUES (?, 1, ?, ?, NULL, ?)", details)
    journal.close()
    calls: list[Any] = []

    def work(event: Any, context: Any) -> str:
        calls.append(event)
        return "done"

    with Engine(tmp_path / "j.db", {"m": MACHINE}, {"f": work}) as engine:
        outputs = [one.output for one in engine.wait(*(row[0] for row in rows), timeout=20)]
        assert len(engine.history("ended")) == 1
        kinds = [event.type for event in engine.history("waits")]
    assert outputs == ["before", "done", {"n": 1}, "done"]
    assert calls == [{"n": 1}] * 2
    assert kinds == ["ExecutionStarted", "WaitStateExited", "ExecutionSucceeded"]


def test_opening_it_again_changes_nothing_more(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "j.db") as journal:
        journal.executescript(FIRST)
    journal.close()
    for _ in range(2):
        with Engine(tmp_path / "j.db", {"m": MACHINE}, {"f": lambda event, _: event}) as engine:
            engine.start("m", {}, name="e")
            engine.wait("e", timeout=20)
