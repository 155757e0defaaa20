"""One process per database file."""

import fcntl
import os
from pathlib import Path
from typing import Self

from service.errors import ConfigError


class ProcessLock:
    """Holds `<database>.lock` until it is released or the process dies; the file stays, as removing it would race."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def acquire(cls, database: Path) -> Self:
        """Raises ConfigError when somebody holds it, also within this process; OSError when it can't be made."""
        descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise ConfigError([f"another Fabula process uses {database}: stop it or set FABULA_DATA_DIR"]) from None
        except OSError:
            os.close(descriptor)
            raise
        return cls(descriptor)

    def release(self) -> None:
        os.close(self._descriptor)
