"""Runs the program `fabula` as users run it."""

import asyncio
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process

from tests.clients.python.scripted import PATIENCE


async def start(*arguments: str, stdout: int = PIPE) -> Process:
    command = (sys.executable, "-m", "fabula.cli", *arguments)
    return await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=stdout, stderr=PIPE)


async def run(*arguments: str) -> tuple[int | None, str, str]:
    """The exit code, stdout and stderr."""
    process = await start(*arguments)
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert "Traceback" not in err.decode()
    return process.returncode, out.decode(), err.decode()


async def read_until(reader: asyncio.StreamReader | None, text: str) -> str:
    assert reader is not None
    seen = await asyncio.wait_for(reader.readuntil(text.encode()), PATIENCE)
    return seen.decode()
