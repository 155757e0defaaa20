"""The gateway alone in a process of its own, and what a process holds and costs."""

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

_READY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Front:
    """What browsers connect to."""

    pid: int
    port: int


@asynccontextmanager
async def gateway(target: str) -> AsyncIterator[Front]:
    """`python -m service.gateway` in front of the service at this gRPC target, with defaults."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FABULA_")}
    environment |= {"FABULA_GATEWAY_TARGET": target, "FABULA_HTTP_ADDRESS": "127.0.0.1:0"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "service.gateway",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # its log: written, and read by nobody
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_READY_SECONDS):
            told = re.search(rb"http://127\.0\.0\.1:(\d+)", await process.stdout.readline())
        if told is None:
            raise RuntimeError("the gateway did not start")
        yield Front(process.pid, int(told[1]))
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process so far, user and system, all threads: its CPU clock, which knows nanoseconds."""
    # As clock_getcpuclockid(3) makes it of the process's id.
    return time.clock_gettime((~pid << 3) | 2)


def open_sockets(pid: int) -> int:
    """How many sockets a process has open."""
    return sum(_target(link).startswith("socket:") for link in Path(f"/proc/{pid}/fd").iterdir())


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""  # closed meanwhile
