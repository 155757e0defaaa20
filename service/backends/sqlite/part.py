"""What the parts of the store in SQLite share."""

from service.backends.sqlite.database import Database


class Part:
    """A part of the store. A read sees every write that was answered before it."""

    def __init__(self, database: Database) -> None:
        self._database = database
