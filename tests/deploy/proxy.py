"""A proxy in a process of its own, whatever its make; what it writes is kept and searched as the service's log is."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.deploy.certificate import Certificate
from tests.harness import WITHIN
from tests.journal import write_journal

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Behind:
    """What a proxy stands in front of: the ports of a gateway and of its service on 127.0.0.1."""

    gateway: int
    service: int


NOWHERE = 9
"""A port on which nothing listens."""


def changed(text: str, changes: Mapping[str, str]) -> str:
    """The configuration with what a test must change, and with nothing else changed."""
    for old, new in changes.items():
        assert text.count(old) == 1, f"not once in the configuration: {old}"
        text = text.replace(old, new)
    return text


class Proxy:
    """A running proxy. An async context manager; `lines` holds all that it wrote, once it has been left."""

    def __init__(
        self, *command: str, sockets: Sequence[int] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = command
        self._sockets = sockets
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._written = asyncio.Condition()
        self.lines: list[str] = []
        self.port = 0
        self.plain_port = 0
        """Of unencrypted HTTP, where it has one."""

    @property
    def text(self) -> str:
        """All that it wrote so far."""
        return "".join(self.lines)

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._environment,
            pass_fds=self._sockets,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reader = asyncio.create_task(self._read(self._process))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        await self.exit_code()
        write_journal(self.text)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal and does not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Waits for the end."""
        assert self._process is not None
        assert self._reader is not None
        async with asyncio.timeout(WITHIN):
            code = await self._process.wait()
            await self._reader
        return code

    async def written(self, word: str) -> str:
        """The first line with this word; waits for it."""
        async with asyncio.timeout(WITHIN), self._written:
            await self._written.wait_for(lambda: any(word in line for line in self.lines))
        return next(line for line in self.lines if word in line)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for raw in process.stdout:
            async with self._written:
                self.lines.append(raw.decode())
                self._written.notify_all()


Start = Callable[[Behind, Certificate, Path, Mapping[str, str]], AbstractAsyncContextManager[Proxy]]


@dataclass(frozen=True)
class Make:
    """A make of proxy: how it is started with what we ship, and how it is told to bear only seconds of silence."""

    name: str
    start: Start
    impatient: Callable[[int], Mapping[str, str]]
