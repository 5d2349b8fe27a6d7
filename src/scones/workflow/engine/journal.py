"""Writes the journal: every state change is on the disk before it takes effect.

SQLite in WAL mode with ``synchronous=FULL``: a transaction that has been committed survives a killed
process and a power cut. One process at a time writes; others may read meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scones.errors import JournalError
from scones.workflow.engine.batch import Batch
from scones.workflow.engine.items import CHUNK, SETTINGS
from scones.workflow.engine.jsontext import Json
from scones.workflow.engine.machine import StateMachine
from scones.workflow.engine.reader import APPLICATION, VERSION, JournalReader, translated
from scones.workflow.engine.records import Execution, ExecutionDetail, Status
from scones.workflow.engine.run import PARKED, Branch, Phase, Run
from scones.workflow.engine.schema import SCHEMA, upgrade

__all__ = ["Journal"]

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
            self._defined: set[str] = set()
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

    def commit(self, batch: Batch) -> None:
        """Journal a batch: all of it or nothing.

        Raises:
            JournalError: it could not be written; then nothing has changed.
        """
        begun = [
            (run.id, run.machine_name, run.name, run.machine.hash, run.parent, run.item, run.started,
             batch.pack(run, run.input), run.digest)
            for run in batch.begun
        ]  # fmt: skip
        definitions = {run.machine.hash: run.machine for run in batch.begun if run.machine.hash not in self._defined}
        endings = [
            (one.status, batch.now, one.output, _safe(one.error), _safe(one.cause), one.run.id) for one in batch.endings
        ]
        with self._transaction():
            many = self._connection.executemany
            if definitions:
                texts = ((key, one.text.encode("utf-8", "surrogatepass")) for key, one in definitions.items())
                many("INSERT OR IGNORE INTO definitions VALUES (?, ?)", texts)
            many(_BEGIN, begun)
            many("INSERT OR IGNORE INTO texts VALUES (?, ?, ?)", batch.texts)
            many("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", batch.events)
            many("DELETE FROM branches WHERE id = ?", ((key,) for key in batch.dropped))
            many("DELETE FROM items WHERE waits = ?", ((key,) for key in batch.groups))
            many(_UPSERT, map(_row, batch.branches.values()))
            many("INSERT INTO items VALUES (?, ?, ?)", batch.items)
            many(_END, endings)
        self._defined.update(definitions)

    def last_ids(self) -> tuple[int, int]:
        """The highest number of an execution and of a branch."""
        with self._lock, translated(self.path, "read"):
            row = self._one(
                "SELECT (SELECT ifnull(max(id), 0) FROM executions) AS execution,"
                " max((SELECT ifnull(max(id), 0) FROM branches), (SELECT ifnull(max(waits), 0) FROM branches),"
                " (SELECT ifnull(max(parent), 0) FROM executions WHERE parent IS NOT NULL)) AS branch"
            )
            return row["execution"], row["branch"]

    def running(self, load: Callable[[str], StateMachine]) -> list[Run]:
        """Every execution that runs, oldest first, with its branches.

        Args:
            load: gives the machine of a definition's hash.
        """
        with self._lock, translated(self.path, "read"):
            runs = {}
            for row in self._all(
                "SELECT id, name, machine, definition, started, input_digest, parent, item,"
                " (SELECT max(id) FROM events WHERE execution = executions.id) AS last_event"
                " FROM executions WHERE status = 'RUNNING' ORDER BY id"
            ):
                runs[row["id"]] = Run(
                    row["id"], row["name"], row["machine"], load(row["definition"]), row["started"], PARKED,
                    row["input_digest"], row["parent"], row["item"], row["last_event"], assigned=math.inf,
                )  # fmt: skip
            branches: dict[int, Branch] = {}
            # A parent is always older than its children.
            for row in self._all(
                "SELECT id, execution, parent, item, state, phase, entered, variables, attempts, due, deadline, token,"
                " begun, waits FROM branches ORDER BY id"
            ):
                run, parent = runs[row["execution"]], branches.get(row["parent"])
                branch = branches[row["id"]] = Branch(
                    row["id"], run, parent, row["item"], row["state"], Phase(row["phase"]), row["entered"],
                    due=row["due"], deadline=row["deadline"], token=row["token"],
                    begun=row["begun"], group=row["waits"],
                    attempts={int(index): count for index, count in json.loads(row["attempts"]).items()},
                    variables=self._load(run.id, row["variables"]) or {},
                )  # fmt: skip
                if parent is None:
                    run.root = branch
                else:
                    if parent.children is None:
                        parent.children = {}
                    parent.children[branch.id] = branch
        return list(runs.values())

    def input(self, branch: Branch) -> Json:
        """The input of the state that a branch is in; of one that has ended, its output."""
        with self._lock, translated(self.path, "read"):
            return self._load(branch.run.id, self._one("SELECT input FROM branches WHERE id = ?", branch.id)["input"])

    def execution_input(self, run: Run) -> Json:
        """The input of an execution."""
        with self._lock, translated(self.path, "read"):
            return self._load(run.id, self._one("SELECT input FROM executions WHERE id = ?", run.id)["input"])

    def known(self, machine: str, name: str) -> tuple[str, float] | None:
        """Of an execution that there is or was the digest of its input and its start; None where there was none."""
        query = "SELECT input_digest, started FROM executions WHERE name = ? AND machine = ?"
        with self._lock, translated(self.path, "read"):
            rows = self._all(query, name, machine)
        return (rows[0]["input_digest"], rows[0]["started"]) if rows else None

    def children(self, group: int) -> Counter[Status]:
        """How many child executions a distributed Map has begun, by status."""
        query = "SELECT status, count(*) AS number FROM executions WHERE parent = ? GROUP BY status"
        with self._lock, translated(self.path, "read"):
            return Counter({row["status"]: row["number"] for row in self._all(query, group)})

    def children_of(self, group: int) -> Iterator[ExecutionDetail]:
        """The child executions of a distributed Map, in the order of their items."""
        query = "SELECT * FROM executions WHERE parent = ? AND item >= ? ORDER BY item LIMIT ?"
        first = 0
        while True:
            with self._lock, translated(self.path, "read"):
                page = [self._detail(row) for row in self._all(query, group, first, CHUNK)]
            yield from page
            first += CHUNK
            if len(page) < CHUNK:
                return

    def items(self, group: int, chunk: int) -> Json:
        """A chunk of the items that a distributed Map has read."""
        with self._lock, translated(self.path, "read"):
            return json.loads(self._one("SELECT text FROM items WHERE waits = ? AND chunk = ?", group, chunk)["text"])

    def settings(self, owner: int) -> Json:
        """What a Map's expressions gave as it began; None where nothing was kept."""
        with self._lock, translated(self.path, "read"):
            rows = self._all("SELECT text FROM items WHERE waits = ? AND chunk = ?", owner, SETTINGS)
            return json.loads(rows[0]["text"]) if rows else None

    def item_chunks(self, group: int) -> int:
        """How many chunks of items a distributed Map has read."""
        with self._lock, translated(self.path, "read"):
            counted = self._one("SELECT count(*) AS number FROM items WHERE waits = ? AND chunk >= 0", group)
            number: int = counted["number"]
        return number

    def definition(self, fingerprint: str) -> str:
        """The text of a definition by its hash."""
        with self._lock, translated(self.path, "read"):
            text: bytes = self._one("SELECT text FROM definitions WHERE hash = ?", fingerprint)["text"]
        return text.decode("utf-8", "surrogatepass")

    def prune(self, before: float, keep: int, most: int = 500) -> int:
        """Remove ended executions with their histories, the oldest first; answers how many, at most ``most``.

        A child is removed no sooner than its parent has ended.

        Args:
            before: those that ended before this time (POSIX seconds) ...
            keep: ... and those beyond the newest so many.
            most: how many at once, so that the engine is not held up.
        """
        with self._transaction():
            total = self._one("SELECT count(*) AS n FROM executions WHERE stopped IS NOT NULL")["n"]
            oldest = self._all(
                "SELECT id, stopped FROM executions WHERE stopped < ? AND (parent IS NULL OR NOT EXISTS"
                " (SELECT 1 FROM branches WHERE branches.waits > 0 AND branches.waits = executions.parent))"
                " ORDER BY stopped, id LIMIT ?",
                before if total <= keep else math.inf,
                most,
            )
            surplus = total - keep
            keys = [(row["id"],) for number, row in enumerate(oldest) if row["stopped"] < before or number < surplus]
            for table, column in (("events", "execution"), ("texts", "execution"), ("executions", "id")):
                self._connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", keys)  # noqa: S608
        return len(keys)

    def forget(self, executions: Iterable[Execution]) -> None:
        """Remove executions, whether or not they have ended, and every trace of them in the file.

        To be called where no engine runs on this journal. Traces of what was pruned before go with them.

        Args:
            executions: of :meth:`concerning`; none that is of a distributed Map which has not ended.

        Raises:
            JournalError: it cannot be written, or somebody reads it, so that the traces stay for now: try again.
        """
        keys = [(self.find(one.name, one.machine),) for one in executions]
        with self._lock, translated(self.path, "write"):
            self._connection.execute("PRAGMA secure_delete = ON")
        with self._transaction():
            for delete in _FORGET:
                self._connection.executemany(delete, keys)
        with self._lock, translated(self.path, "write"):
            self._connection.execute("VACUUM")  # else the file goes on to hold what was removed
            read = self._connection.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()[0]
        if read:
            raise JournalError(
                f"cannot write the journal {self.path} anew: another process reads it; end that, then do this again"
            )

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


_BEGIN = (
    "INSERT INTO executions (id, machine, name, definition, parent, item, started, input, input_digest, status)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'RUNNING')"
)
_UPSERT = (
    "INSERT INTO branches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
    " state = excluded.state, phase = excluded.phase, entered = excluded.entered,"
    " input = ifnull(excluded.input, input), variables = ifnull(excluded.variables, variables),"
    " attempts = excluded.attempts, due = excluded.due, deadline = excluded.deadline, token = excluded.token,"
    " begun = excluded.begun, waits = excluded.waits"
)
_FORGET = (
    "DELETE FROM items WHERE waits IN (SELECT id FROM branches WHERE execution = ?)",  # an inline Map's
    "DELETE FROM branches WHERE execution = ?",
    "DELETE FROM events WHERE execution = ?",
    "DELETE FROM texts WHERE execution = ?",
    "DELETE FROM executions WHERE id = ?",
)
_END = "UPDATE executions SET status = ?, stopped = ?, output = ?, error = ?, cause = ? WHERE id = ?"


def _row(branch: Branch) -> tuple[Any, ...]:
    return (
        branch.id, branch.run.id, branch.parent.id if branch.parent is not None else None, branch.item,
        branch.state, branch.phase, branch.entered, branch.packed,
        branch.assigned,
        json.dumps(branch.attempts) if branch.attempts else "{}",
        branch.due, branch.deadline, branch.token, branch.begun, branch.group,
    )  # fmt: skip


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
        upgrade(connection)
        _check_version(path, connection)
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise JournalError(f"cannot open the journal {path}: its disk has no shared memory; use a local disk")
    connection.execute("PRAGMA synchronous = FULL")
    if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        connection.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")


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
