"""Reads a journal: SQLite, one row an execution, one row an event, long texts kept once an execution."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from scones.errors import ExecutionMissing, JournalError, WorkflowError
from scones.workflow.engine.jsontext import Json, dump_ascii
from scones.workflow.engine.records import Event, Execution, ExecutionDetail, Status
from scones.workflow.engine.resources import ARN_PREFIX

__all__ = ["APPLICATION", "MARK_IN_JSON", "VERSION", "JournalReader", "execution_arn", "pack", "translated"]

APPLICATION: Final = 0x53434E53
"""SQLite's application_id of a journal: SCNS."""
VERSION: Final = 2
"""SQLite's user_version of a journal: the layout of its tables."""

_LONG = 1024
"""Characters from which a text is kept in its own table, so that a picture is stored once, not once a state."""
_MARK = "\0"
"""Begins the reference to a long text; a text that itself begins so gets one more."""
MARK_IN_JSON: Final = r"\u0000"
"""How that stands in JSON text."""

_LISTED = (
    "SELECT * FROM executions WHERE (?2 IS NULL OR status = ?2)"
    " AND iif(?1 IS NULL, machine NOT LIKE '%/%', machine = ?1) ORDER BY started DESC, id DESC LIMIT ?3"
)
# What runs has an index of its own, small beside all that has ended; it serves these very words alone.
_RUNNING = _LISTED.replace(
    "executions WHERE (?2 IS NULL OR status = ?2)", "executions INDEXED BY running WHERE status = 'RUNNING'"
)
_PAGE = 1000
_ITEMS = "SELECT execution, text FROM items JOIN branches ON items.waits IN (branches.id, branches.waits)"
_MAPPED = (
    "SELECT EXISTS (SELECT 1 FROM branches WHERE waits > 0 AND execution = ?1)"
    " OR EXISTS (SELECT 1 FROM branches WHERE waits > 0 AND waits = ?2) AS mapped"
)

_CURES = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and start again; nothing that was journaled is lost"),
    sqlite3.SQLITE_READONLY: ("the place is read-only", "give this user the right to write, or choose another path"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check that the path is a file in a folder that can be written"),
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", "restore it from a copy, or move it away to begin a new journal"),
    sqlite3.SQLITE_NOTADB: ("the file is no journal", "choose another path, or move the file away"),
    sqlite3.SQLITE_BUSY: ("another process holds it", "end the process that uses it, or choose another path"),
    sqlite3.SQLITE_IOERR: ("the disk does not answer", "check the disk, then start again"),
}


@contextmanager
def translated(path: Path, doing: str) -> Iterator[None]:
    """Turn what SQLite raises into one clear JournalError: what failed, which file, why, and what to do."""
    try:
        yield
    except sqlite3.Error as error:
        # The low byte of an extended code is the kind of error.
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        why, cure = _CURES.get(code, (str(error), "start again; if it stays, move the file away and report this"))
        raise JournalError(f"cannot {doing} the journal {path}: {why}; {cure}") from error


def execution_arn(machine: str, name: str) -> str:
    """The ARN of an execution."""
    return f"arn:aws:states:{ARN_PREFIX}:execution:{machine}:{name}"


def pack(value: Json) -> tuple[str, dict[bytes, str]]:
    """JSON text in ASCII in which a reference stands for each long text, and the long texts by their hash.

    In ASCII, since SQLite takes no half surrogate pairs, which JSON may hold.
    """
    texts: dict[bytes, str] = {}
    plain = dump_ascii(value)
    if len(plain) < _LONG and MARK_IN_JSON not in plain:
        return plain, texts

    def outline(part: Json) -> Json:
        if isinstance(part, dict):
            return {key: outline(item) for key, item in part.items()}
        if isinstance(part, list):
            return [outline(item) for item in part]
        if isinstance(part, str) and len(part) >= _LONG:
            digest = hashlib.sha256(part.encode("utf-8", "surrogatepass")).digest()
            texts[digest] = part
            return _MARK + digest.hex()
        if isinstance(part, str) and part.startswith(_MARK):
            return _MARK + part
        return part

    return dump_ascii(outline(value)), texts


class JournalReader:
    """Answers what a journal knows; safe to use from many threads, and beside the process that writes it.

    Made by :meth:`scones.workflow.engine.Journal.open_readonly`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def status(self, name: str, machine: str | None = None) -> Status:
        """An execution's status, without loading what it carries; raises as :meth:`describe`."""
        with self._lock, translated(self.path, "read"):
            row = self._one("SELECT status FROM executions WHERE id = ?", self.find(name, machine))
            status: Status = row["status"]
            return status

    def describe(self, name: str, machine: str | None = None) -> ExecutionDetail:
        """An execution by its name or its ARN, with its input and output.

        Raises:
            ExecutionMissing: there is none of that name.
            WorkflowError: several machines have one of that name, and ``machine`` does not say which.
            JournalError: the journal cannot be read.
        """
        with self._lock, translated(self.path, "read"):
            key = self.find(name, machine)
            return self._detail(self._one("SELECT * FROM executions WHERE id = ?", key))

    def history(self, name: str, machine: str | None = None) -> list[Event]:
        """The events of an execution, oldest first; raises as :meth:`describe`."""
        with self._lock, translated(self.path, "read"):
            key = self.find(name, machine)
            owner = self._one("SELECT machine, name FROM executions WHERE id = ?", key)
            rows = self._all("SELECT * FROM events WHERE execution = ? ORDER BY id", key)
            return [
                Event(
                    owner["machine"],
                    owner["name"],
                    row["id"],
                    row["type"],
                    datetime.fromtimestamp(row["time"], UTC),
                    row["state"],
                    self._load(key, row["details"]),
                )
                for row in rows
            ]

    def executions(self, machine: str | None = None, status: Status | None = None, limit: int = 100) -> list[Execution]:
        """The newest executions, newest first; the children of a distributed Map only where their machine is named.

        Args:
            machine: only those of this machine.
            status: only those with this status.
            limit: at most so many.

        Raises:
            JournalError: the journal cannot be read.
        """
        query = _RUNNING if status == "RUNNING" else _LISTED
        with self._lock, translated(self.path, "read"):
            return [Execution(**_summary(row)) for row in self._all(query, machine, status, limit)]

    def find(self, name: str, machine: str | None = None) -> int:
        """The key of an execution in the journal; raises as :meth:`describe`."""
        if name.startswith("arn:"):
            machine, name = name.rsplit(":", 2)[-2:]
        with self._lock, translated(self.path, "read"):
            rows = self._all(
                "SELECT id, machine FROM executions WHERE name = ?1 AND machine = ifnull(?2, machine)", name, machine
            )
        if not rows:
            where = f" of machine {machine}" if machine else ""
            raise ExecutionMissing(
                f"no execution {name!r}{where} in the journal {self.path}; list them to see the names"
            )
        if len(rows) > 1:
            machines = ", ".join(row["machine"] for row in rows)
            raise WorkflowError(f"{name!r} is an execution of several machines ({machines}); say which machine")
        return int(rows[0]["id"])

    def concerning(self, concerns: Callable[[Json], bool]) -> list[tuple[ExecutionDetail, bool]]:
        """Every execution whose input says something, or the items that its Map has still to work.

        Args:
            concerns: whether a value does.

        Returns:
            Each, with whether it is of a distributed Map that has not ended: its own, or that which began it.
        """
        found: list[tuple[ExecutionDetail, bool]] = []
        last = 0
        with self._lock, translated(self.path, "read"):
            items = self._connection.execute(_ITEMS)
            queued = {row["execution"] for row in items if concerns(json.loads(row["text"]))}
            while rows := self._all("SELECT * FROM executions WHERE id > ? ORDER BY id LIMIT ?", last, _PAGE):
                last = rows[-1]["id"]
                for row in rows:
                    if row["id"] in queued or concerns(self._load(row["id"], row["input"])):
                        mapped = self._one(_MAPPED, row["id"], row["parent"])["mapped"]
                        found.append((self._detail(row), bool(mapped)))
        return found

    def _detail(self, row: sqlite3.Row) -> ExecutionDetail:
        key = row["id"]
        at = self._all("SELECT state FROM branches WHERE execution = ? AND parent IS NULL", key)
        given, output = self._load(key, row["input"]), self._load(key, row["output"])
        return ExecutionDetail(**_summary(row), state=at[0]["state"] if at else "", input=given, output=output)

    def _all(self, query: str, *values: Any) -> Sequence[sqlite3.Row]:
        return self._connection.execute(query, values).fetchall()

    def _one(self, query: str, *values: Any) -> sqlite3.Row:
        row: sqlite3.Row = self._all(query, *values)[0]
        return row

    def _load(self, key: int, packed: str | None) -> Json:
        """The value that :func:`pack` packed."""
        if packed is None:
            return None
        texts: dict[str, str] = {}

        def restore(part: Json) -> Json:
            if isinstance(part, dict):
                return {name: restore(item) for name, item in part.items()}
            if isinstance(part, list):
                return [restore(item) for item in part]
            if not isinstance(part, str) or not part.startswith(_MARK):
                return part
            reference = part[1:]
            if reference.startswith(_MARK):
                return reference
            if reference not in texts:
                row = self._one(
                    "SELECT text FROM texts WHERE execution = ? AND hash = ?", key, bytes.fromhex(reference)
                )
                texts[reference] = row["text"].decode("utf-8", "surrogatepass")
            return texts[reference]

        return restore(json.loads(packed))


def _summary(row: sqlite3.Row) -> dict[str, Any]:
    stopped = row["stopped"]
    return {
        "machine": row["machine"],
        "name": row["name"],
        "arn": execution_arn(row["machine"], row["name"]),
        "status": row["status"],
        "started": datetime.fromtimestamp(row["started"], UTC),
        "stopped": None if stopped is None else datetime.fromtimestamp(stopped, UTC),
        "error": row["error"],
        "cause": row["cause"],
    }
