"""Processes of the bench, and what they cost."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_TICKS = os.sysconf("SC_CLK_TCK")
_READY_SECONDS = 30.0


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process so far, user and system, all threads: /proc/<pid>/stat, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_mib(pid: int, *, peak: bool = False) -> float:
    """The resident memory of a process in MiB, now or at its peak: /proc/<pid>/status."""
    name = "VmHWM:" if peak else "VmRSS:"
    lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


class Child:
    """`python -m <module>` in a process of its own, which says in one JSON line on stdout that it is ready.

    An async context manager: it ends the process, also one that does not answer or is frozen.
    """

    def __init__(self, module: str, *arguments: str) -> None:
        self._command = (sys.executable, "-m", module, *arguments)
        self._process: asyncio.subprocess.Process | None = None
        self.ready: dict[str, Any] = {}

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=asyncio.subprocess.PIPE)
        try:
            assert self._process.stdout is not None
            async with asyncio.timeout(_READY_SECONDS):
                self.ready = json.loads(await self._process.stdout.readline())
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    def freeze(self) -> None:
        """Stops it as SIGSTOP does: it keeps its connections and reads no more."""
        os.kill(self.pid, signal.SIGSTOP)

    async def _end(self) -> None:
        # Nothing of it is worth a goodbye, and a frozen one could not say it.
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
