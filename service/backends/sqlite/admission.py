"""What a file must be before Fabula writes to it. Nothing here changes a file that exists."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from service.backends.sqlite.connect import connect, error_name
from service.backends.sqlite.schema import APPLICATION_ID, VERSION
from service.errors import ConfigError

_MAGIC = b"SQLite format 3\0"
_CHECKED_BYTES = 256 * 1024 * 1024
"""Files up to this size are read in full at the start; larger ones would hold it up for seconds."""


def make_directories(path: Path) -> None:
    """Makes those of the path's directories that are missing, for the owner alone. Raises OSError."""
    missing = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(mode=0o700, exist_ok=True)


def make_file(path: Path) -> None:
    """Makes the file, for the owner alone, if it is missing. Raises OSError."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def admit(path: Path, busy_timeout_seconds: float) -> None:
    """Raises ConfigError unless the file is new, or one of Fabula's that is whole and not from a newer version."""
    with path.open("rb") as file:
        magic = file.read(len(_MAGIC))
    if not magic:
        return
    if magic != _MAGIC:
        raise _damaged(path)
    with closing(connect(path, _reading(path), busy_timeout_seconds)) as connection:
        _inspect(connection, path)


def refusal(path: Path, error: sqlite3.Error) -> ConfigError:
    """Why the file can't be opened, in plain words."""
    name = error_name(error)
    if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        return _damaged(path)
    if name.startswith("SQLITE_BUSY"):
        return ConfigError([f"{path} is locked by another program: close that program or set FABULA_DATA_DIR"])
    return ConfigError([f"{path} can't be opened ({name}): check its permissions and its disk"])


def _reading(path: Path) -> str:
    # Without a write-ahead log the file alone is all there is: read so, SQLite leaves nothing beside it.
    return "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"


def _inspect(connection: sqlite3.Connection, path: Path) -> None:
    version = int(_pragma(connection, "user_version"))
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if int(_pragma(connection, "application_id")) != APPLICATION_ID and (tables or version):
        raise ConfigError([f"{path} is a database of another program: move it away or set FABULA_DATA_DIR"])
    if version > VERSION:
        raise ConfigError(
            [f"{path} is of version {version}, from a newer Fabula; this one knows versions up to {VERSION}: update it"]
        )
    if path.stat().st_size <= _CHECKED_BYTES and _pragma(connection, "quick_check(1)") != "ok":
        raise _damaged(path)


def _pragma(connection: sqlite3.Connection, name: str) -> str:
    return str(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _damaged(path: Path) -> ConfigError:
    return ConfigError([f"{path} is no Fabula database, or it is damaged: move it away or set FABULA_DATA_DIR"])
