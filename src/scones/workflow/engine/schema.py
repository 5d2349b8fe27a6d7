"""The tables of a journal, and how one of an earlier version becomes one of this."""

from __future__ import annotations

import sqlite3

from scones.workflow.engine.reader import APPLICATION, VERSION

__all__ = ["SCHEMA", "upgrade"]

_BRANCHES = """
CREATE TABLE branches (
  id INTEGER PRIMARY KEY, execution INTEGER NOT NULL REFERENCES executions(id),
  parent INTEGER, item INTEGER NOT NULL, state TEXT NOT NULL, phase INTEGER NOT NULL, entered REAL NOT NULL,
  input TEXT, variables TEXT, attempts TEXT NOT NULL, due REAL, deadline REAL, token TEXT, begun INTEGER NOT NULL,
  waits INTEGER NOT NULL
);
CREATE INDEX branches_of ON branches (execution);
CREATE INDEX waiting ON branches (waits) WHERE waits > 0;
CREATE TABLE items (
  waits INTEGER NOT NULL, chunk INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (waits, chunk)
) WITHOUT ROWID;
"""
_INDEXES = """
CREATE INDEX ended ON executions (stopped, id) WHERE stopped IS NOT NULL;
CREATE INDEX children ON executions (parent, item) WHERE parent IS NOT NULL;
"""
SCHEMA = f"""
CREATE TABLE definitions (hash TEXT PRIMARY KEY, text BLOB NOT NULL);
CREATE TABLE executions (
  id INTEGER PRIMARY KEY,
  machine TEXT NOT NULL, name TEXT NOT NULL, definition TEXT NOT NULL REFERENCES definitions(hash),
  parent INTEGER, item INTEGER NOT NULL DEFAULT 0,
  status TEXT NOT NULL, started REAL NOT NULL, stopped REAL,
  input TEXT NOT NULL, input_digest TEXT NOT NULL, output TEXT, error TEXT, cause TEXT,
  UNIQUE (name, machine)
);
CREATE INDEX running ON executions (id) WHERE status = 'RUNNING';
CREATE INDEX newest ON executions (started, id);
{_INDEXES}
{_BRANCHES}
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
_TO_2 = f"""
BEGIN IMMEDIATE;
{_BRANCHES}
INSERT INTO branches
  SELECT id, id, NULL, 0, state, iif(attempts = '{{}}' AND due IS NOT NULL, 1, 0), entered, state_input, NULL, attempts,
    due, NULL, NULL, 0, 0
  FROM executions WHERE status = 'RUNNING';
ALTER TABLE executions DROP COLUMN state;
ALTER TABLE executions DROP COLUMN state_input;
ALTER TABLE executions DROP COLUMN entered;
ALTER TABLE executions DROP COLUMN attempts;
ALTER TABLE executions DROP COLUMN due;
ALTER TABLE executions ADD COLUMN parent INTEGER;
ALTER TABLE executions ADD COLUMN item INTEGER NOT NULL DEFAULT 0;
{_INDEXES}
PRAGMA user_version = 2;
COMMIT;
"""  # noqa: S608 - our own texts
"""Version 1 knew executions of one branch each, whose place was in the execution's own row."""


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a journal of version 1 up to date; what runs in it goes on. Any other file is left as it is."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if (application, version) == (APPLICATION, 1):
        connection.executescript(_TO_2)
