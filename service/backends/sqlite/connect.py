"""Connections to the database file, and what its errors mean."""

import sqlite3
from pathlib import Path

from service.errors import StoreUnavailable

_WRITER_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",  # a committed event survives a power cut
    "foreign_keys = ON",
    "secure_delete = ON",  # withdrawn text is overwritten with zeros
    "journal_size_limit = 0",  # nor does it stay in the write-ahead log once that starts anew
)


def connect_writer(path: Path, busy_timeout_seconds: float) -> sqlite3.Connection:
    """The connection that writes; the file must exist. Raises sqlite3.Error."""
    connection = connect(path, "mode=rw", busy_timeout_seconds)
    try:
        for pragma in _WRITER_PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect(path: Path, parameters: str, busy_timeout_seconds: float) -> sqlite3.Connection:
    """A connection without implicit transactions that may go from thread to thread, one at a time."""
    return sqlite3.connect(
        f"{path.as_uri()}?{parameters}",
        timeout=busy_timeout_seconds,
        isolation_level=None,
        check_same_thread=False,
        uri=True,
    )


def error_name(error: sqlite3.Error) -> str:
    """SQLite's name for the error, for a log: it holds no SQL and no data."""
    return getattr(error, "sqlite_errorname", None) or type(error).__name__


def unavailable(error: Exception) -> StoreUnavailable:
    """What a caller is told of an error from below."""
    unavailable = StoreUnavailable("The data store can't be read or written at the moment: try again.")
    unavailable.__cause__ = error
    return unavailable
