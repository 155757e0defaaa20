"""The tables, and how a file of an older version becomes one of this version."""

import sqlite3
from collections.abc import Callable, Sequence

from service.runtime.stores import ChildRecord

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


def _second(connection: sqlite3.Connection) -> None:
    # Made anew, as a column that is added keeps its default for ever.
    connection.execute("ALTER TABLE children RENAME TO children_1")
    connection.execute(
        """CREATE TABLE children (
            child_id TEXT NOT NULL PRIMARY KEY,
            principal TEXT NOT NULL,
            create_time_ns INTEGER NOT NULL,
            message BLOB NOT NULL)"""
    )
    connection.execute("INSERT INTO children SELECT child_id, 'local', 0, message FROM children_1")
    connection.execute("DROP TABLE children_1")
    connection.execute("CREATE INDEX children_by_principal ON children (principal, create_time_ns, child_id)")
    # Principal and child are the run's, repeated for the indexes. Of the state there is one truth, in runs.
    connection.execute(
        """CREATE TABLE artifacts (
            artifact_id INTEGER PRIMARY KEY,
            run_id TEXT NOT NULL UNIQUE REFERENCES runs (run_id),
            principal TEXT NOT NULL,
            child_id TEXT NOT NULL,
            series_id TEXT NOT NULL,
            first INTEGER NOT NULL,
            create_time_ns INTEGER NOT NULL,
            payload BLOB NOT NULL)"""
    )
    connection.execute("CREATE INDEX artifacts_by_series ON artifacts (principal, series_id, create_time_ns, run_id)")
    connection.execute("CREATE INDEX series_by_age ON artifacts (principal, create_time_ns, series_id) WHERE first = 1")
    connection.execute(
        "CREATE INDEX series_by_child ON artifacts (principal, child_id, create_time_ns, series_id) WHERE first = 1"
    )
    connection.execute("CREATE INDEX runs_by_age ON runs (create_time_ns, principal, story_id)")
    connection.execute(
        """CREATE TABLE erasures (
            erasure_id INTEGER PRIMARY KEY,
            principal TEXT NOT NULL,
            subject TEXT NOT NULL,
            id TEXT NOT NULL,
            begin_time_ns INTEGER NOT NULL,
            finish_time_ns INTEGER,
            UNIQUE (principal, subject, id))"""
    )
    connection.execute("CREATE INDEX erasures_unfinished ON erasures (erasure_id) WHERE finish_time_ns IS NULL")


MIGRATIONS: Sequence[Callable[[sqlite3.Connection], None]] = (_first, _second)
"""Migration i takes a file from version i to i + 1 (PRAGMA user_version). Never change one that was released."""

VERSION = len(MIGRATIONS)


def migrate(connection: sqlite3.Connection, fresh_children: Sequence[ChildRecord]) -> None:
    """Brings the file to VERSION, all or nothing; a file that is made new gets the fresh children."""
    connection.execute("BEGIN IMMEDIATE")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    for migration in MIGRATIONS[version:]:
        migration(connection)
    if version == 0:
        for record in fresh_children:
            insert_child(record, connection)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    connection.execute("COMMIT")


def insert_child(record: ChildRecord, connection: sqlite3.Connection) -> bool:
    """Adds the profile; False when its child_id is there already."""
    child = record.child
    row = (child.child_id, record.principal, child.create_time.ToNanoseconds(), child.SerializeToString())
    statement = (
        "INSERT INTO children (child_id, principal, create_time_ns, message) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (child_id) DO NOTHING"
    )
    return connection.execute(statement, row).rowcount == 1
