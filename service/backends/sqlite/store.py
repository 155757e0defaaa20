"""The store in SQLite, of its parts."""

from service.backends.sqlite.artifacts import SqliteArtifacts
from service.backends.sqlite.children import SqliteChildren
from service.backends.sqlite.erasures import SqliteErasures
from service.backends.sqlite.runs import SqliteRuns


class SqliteStore(SqliteRuns, SqliteChildren, SqliteArtifacts, SqliteErasures):
    """Implements Store. A read sees every write that was answered before it."""
