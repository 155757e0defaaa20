"""The service that is measured: `python -m service` in a process of its own, on SQLite in a directory of its own."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.bench.chapters import MODEL
from tests.harness import ServerProcess


class Service(ServerProcess):
    """Says why when it does not start."""

    async def start(self) -> None:
        """Returns once it serves."""
        try:
            await super().start()
        except TimeoutError:
            with suppress(ProcessLookupError):
                await self.kill()
            raise RuntimeError("the service did not start:\n" + "".join(self.lines[-20:])) from None


@asynccontextmanager
async def serving(base_url: str, **settings: Any) -> AsyncIterator[Service]:
    """Serves stories of the model server at this URL, with defaults where the settings are silent."""
    with tempfile.TemporaryDirectory() as directory:
        async with Service(Path(directory), model=f"ollama:{MODEL}", ollama_base_url=base_url, **settings) as service:
            yield service
