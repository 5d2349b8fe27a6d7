"""Writes the journal: every state change is on the disk before it takes effect.

SQLite in WAL mode with ``synchronous=FULL``: a transaction that has been committed survives a killed
process and a power cut. One process at a time writes; others may read meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scones.errors import JournalError
from scones.workflow.engine.failure import StartRefused
from scones.workflow.engine.jsontext import Json, digest
from scones.workflow.engine.machine import StateMachine
from scones.workflow.engine.reader import APPLICATION, VERSION, JournalReader, pack, translated
from scones.workflow.engine.records import Delayed, Ended, Entered, Event, NewEvent, Pending

__all__ = ["Journal"]

_SCHEMA = f"""
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
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
_BUSY_SECONDS = 5.0


class Journal(JournalReader):
    """The journal of one engine.

    Args:
        path: the file; it and its folder are made where they are missing. Beside it lie SQLite's own
            files and ``<path>.lock``.

    Raises:
        JournalError: another engine uses it, or it cannot be written, or the file is no journal.
    """

    def __init__(self, path: Path) -> None:
        self._lock_file = _take_lock(path)
        try:
            super().__init__(path, _connect(path, "rwc", _prepare))
        except BaseException:
            os.close(self._lock_file)
            raise

    @staticmethod
    def open_readonly(path: Path | str) -> JournalReader:
        """Open a journal to look at it, whether or not an engine uses it.

        Raises:
            JournalError: there is none at that path, or it cannot be read.
        """
        path = Path(path)
        if not path.is_file():
            raise JournalError(f"there is no journal {path}: nothing has run yet, or the path is another one")
        return JournalReader(path, _connect(path, "ro", _check_version))

    def close(self) -> None:
        """Close the file and let another engine have it."""
        with self._lock:
            if self._lock_file >= 0:
                super().close()
                os.close(self._lock_file)
                self._lock_file = -1

    def begin(
        self,
        machine: str,
        name: str,
        definition: StateMachine,
        entered: Entered,
        events: Sequence[NewEvent],
    ) -> tuple[Pending | None, list[Event]]:
        """Journal a new execution, which begins with the input of ``entered`` at its time.

        Answers it and its first events; or None and no events where the machine has had one of that
        name with the same input.

        Raises:
            StartRefused: ``ExecutionAlreadyExists``, where the input was another one.
            JournalError: it could not be written; then nothing has changed.
        """
        fingerprint = digest(entered.input)
        with self._transaction():
            known = self._all("SELECT input_digest FROM executions WHERE machine = ? AND name = ?", machine, name)
            if known and known[0]["input_digest"] == fingerprint:
                return None, []
            if known:
                raise StartRefused(
                    "ExecutionAlreadyExists",
                    f"machine {machine} has had an execution {name!r} with another input; choose another name",
                )
            self._connection.execute(
                "INSERT OR IGNORE INTO definitions VALUES (?, ?)",
                (definition.hash, definition.text.encode("utf-8", "surrogatepass")),
            )
            packed, texts = pack(entered.input)
            values = (machine, name, definition.hash, entered.time, packed, fingerprint)
            where = (entered.state, packed, entered.time, entered.due)
            key = self._connection.execute(
                "INSERT INTO executions (machine, name, definition, started, input, input_digest,"
                " state, state_input, entered, due, attempts, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '{}', 'RUNNING')",
                values + where,
            ).lastrowid
            assert key is not None
            self._keep(key, texts)
            written = self._append(key, machine, name, events, entered.time)
        pending = Pending(
            key,
            machine,
            name,
            definition.hash,
            entered.time,
            entered.state,
            entered.time,
            {},
            entered.due,
            len(written),
        )
        return pending, written

    def record(
        self, of: Pending, events: Sequence[NewEvent], change: Entered | Delayed | Ended, time: float
    ) -> list[Event]:
        """Journal a change of an execution together with the events that tell of it.

        Raises:
            JournalError: it could not be written; then nothing has changed.
        """
        with self._transaction():
            if isinstance(change, Entered):
                update = "state = ?, state_input = ?, entered = ?, due = ?, attempts = '{}'"
                packed = self._keep_packed(of.id, change.input)
                values: tuple[Any, ...] = (change.state, packed, change.time, change.due)
            elif isinstance(change, Delayed):
                update = "attempts = ?, due = ?"
                values = (json.dumps(change.attempts), change.due)
            else:
                update = "status = ?, output = ?, error = ?, cause = ?, stopped = ?, due = NULL"
                packed = self._keep_packed(of.id, change.output)
                values = (change.status, packed, _safe(change.error), _safe(change.cause), time)
            self._connection.execute(f"UPDATE executions SET {update} WHERE id = ?", (*values, of.id))  # noqa: S608
            return self._append(of.id, of.machine, of.name, events, time)

    def pending(self) -> list[Pending]:
        """Every execution that runs, oldest first."""
        query = (
            "SELECT *, (SELECT max(id) FROM events WHERE execution = executions.id) AS last_event"
            " FROM executions WHERE status = 'RUNNING' ORDER BY id"
        )
        with self._lock, translated(self.path, "read"):
            rows = self._all(query)
        return [
            Pending(
                row["id"],
                row["machine"],
                row["name"],
                row["definition"],
                row["started"],
                row["state"],
                row["entered"],
                {int(index): count for index, count in json.loads(row["attempts"]).items()},
                row["due"],
                row["last_event"],
            )
            for row in rows
        ]

    def inputs(self, key: int) -> tuple[Json, Json]:
        """The input of an execution, and of the state that it is in."""
        with self._lock, translated(self.path, "read"):
            row = self._one("SELECT input, state_input FROM executions WHERE id = ?", key)
            return self._load(key, row["input"]), self._load(key, row["state_input"])

    def definition(self, fingerprint: str) -> str:
        """The text of a definition by its hash."""
        with self._lock, translated(self.path, "read"):
            text: bytes = self._one("SELECT text FROM definitions WHERE hash = ?", fingerprint)["text"]
        return text.decode("utf-8", "surrogatepass")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, translated(self.path, "write"):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                # SQLite has already rolled back after some errors, such as a full disk.
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    def _keep(self, key: int, texts: Mapping[bytes, str]) -> None:
        for fingerprint, text in texts.items():
            # Looked up first: an INSERT OR IGNORE would bind the whole picture again to throw it away.
            if not self._all("SELECT 1 FROM texts WHERE execution = ? AND hash = ?", key, fingerprint):
                encoded = text.encode("utf-8", "surrogatepass")
                self._connection.execute("INSERT INTO texts VALUES (?, ?, ?)", (key, fingerprint, encoded))

    def _keep_packed(self, key: int, value: Json) -> str:
        packed, texts = pack(value)
        self._keep(key, texts)
        return packed

    def _append(self, key: int, machine: str, name: str, events: Sequence[NewEvent], time: float) -> list[Event]:
        last = self._one("SELECT ifnull(max(id), 0) AS id FROM events WHERE execution = ?", key)["id"]
        moment = datetime.fromtimestamp(time, UTC)
        written = []
        for number, event in enumerate(events, last + 1):
            values = (key, number, event.type, time, event.state, self._keep_packed(key, event.details))
            self._connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", values)
            written.append(Event(machine, name, number, event.type, moment, event.state, event.details))
        return written


def _connect(path: Path, mode: str, prepare: Callable[[Path, sqlite3.Connection], None]) -> sqlite3.Connection:
    with translated(path, "open"):
        # Every use is under the journal's own lock, hence from any thread.
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=_BUSY_SECONDS,
        )
        connection.row_factory = sqlite3.Row
        try:
            prepare(path, connection)
        except BaseException:
            connection.close()
            raise
    return connection


def _prepare(path: Path, connection: sqlite3.Connection) -> None:
    """Make the tables where there are none; nothing is written to a file that is not a journal of ours."""
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        _check_version(path, connection)
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise JournalError(f"cannot open the journal {path}: its disk has no shared memory; use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (application, version) != (APPLICATION, VERSION):
        raise JournalError(
            f"cannot open {path}: it is another program's database, or a journal of another version of scones;"
            " choose another path, or move the file away"
        )


def _safe(text: str | None) -> str | None:
    """A text that SQLite takes: half surrogate pairs, which JSON may hold, become question marks."""
    return None if text is None else text.encode("utf-8", "replace").decode("utf-8")


def _take_lock(path: Path) -> int:
    """Lock the journal for this process; the system lets go of the lock when the process ends, however it ends."""
    lock = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise JournalError(
            f"cannot open the journal {path}: {error.strerror}; choose a path in a folder that can be written"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise JournalError(
            f"the journal {path} is in use by another engine; end that process, or choose another path"
        ) from error
    return descriptor
