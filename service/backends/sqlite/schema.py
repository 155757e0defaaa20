"""The tables, and how a file of an older version becomes one of this version."""

import sqlite3
from collections.abc import Callable, Sequence

from fabula.child.v1 import child_pb2

APPLICATION_ID = int.from_bytes(b"Fabu", "big")
"""Marks a file as Fabula's (PRAGMA application_id)."""


def _first(connection: sqlite3.Connection) -> None:
    # Events keep a rowid of their own on purpose: rows are only ever added at the end, so SQLite never moves one to
    # another page before it is rewritten. Keyed by (run_id, sequence) they move, and copies of withdrawn text stay
    # behind in unused parts of pages, which secure_delete does not clear.
    connection.execute(
        """CREATE TABLE events (
            event_id INTEGER PRIMARY KEY,
            run_id TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            terminal INTEGER NOT NULL,
            payload BLOB NOT NULL,
            UNIQUE (run_id, sequence))"""
    )
    connection.execute(
        """CREATE TABLE runs (
            run_id TEXT NOT NULL PRIMARY KEY,
            principal TEXT NOT NULL,
            request_id TEXT NOT NULL,
            fingerprint BLOB NOT NULL,
            child_id TEXT NOT NULL,
            story_id TEXT NOT NULL,
            state INTEGER NOT NULL,
            create_time_ns INTEGER NOT NULL,
            message BLOB NOT NULL)"""
    )
    connection.execute("CREATE UNIQUE INDEX runs_by_request ON runs (principal, request_id) WHERE request_id <> ''")
    connection.execute("CREATE INDEX runs_by_principal ON runs (principal, create_time_ns, run_id)")
    connection.execute("CREATE INDEX runs_by_child ON runs (principal, child_id, create_time_ns, run_id)")
    connection.execute("CREATE INDEX runs_by_story ON runs (principal, story_id, state)")
    # The end states of fabula.run.v1.RunState; a query must repeat the condition to use the index.
    connection.execute("CREATE INDEX runs_unfinished ON runs (create_time_ns) WHERE state NOT IN (4, 5, 6)")
    connection.execute("CREATE TABLE children (child_id TEXT NOT NULL PRIMARY KEY, message BLOB NOT NULL)")


MIGRATIONS: Sequence[Callable[[sqlite3.Connection], None]] = (_first,)
"""Migration i takes a file from version i to i + 1 (PRAGMA user_version). Never change one that was released."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, fresh_children: Sequence[child_pb2.Child]) -> None:
    """Brings the file to VERSION, all or nothing; a file that is made new gets the fresh children."""
    connection.execute("BEGIN IMMEDIATE")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    for migration in MIGRATIONS[version:]:
        migration(connection)
    if version == 0:
        _add_children(connection, fresh_children)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def _add_children(connection: sqlite3.Connection, children: Sequence[child_pb2.Child]) -> None:
    rows = [(child.child_id, child.SerializeToString()) for child in children]
    connection.executemany("INSERT INTO children (child_id, message) VALUES (?, ?)", rows)
