"""What the tests stand on: the real service in this process or in its own, and a proxy that cuts connections."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc.aio

from fabula import FabulaClient, FabulaError, RetryPolicy, StandingText
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from service.bootstrap import App, open_app
from service.config import Config
from tests.journal import write_journal

QUICK = RetryPolicy(initial_delay=0.01, max_delay=0.1, attempts=100)
"""A client that does not give up within a test, and does not make it wait."""

WITHIN = 30.0
"""Seconds after which an awaited event counts as never: generous, so that time decides no test."""


@dataclass(frozen=True)
class Served:
    """The service in this process, on a free port, and a client of it."""

    app: App
    client: FabulaClient
    channel: grpc.aio.Channel
    address: str

    def stories(self) -> "story_service_pb2_grpc.StoryServiceAsyncStub":
        """A bare stub, for what the client would hide."""
        return story_service_pb2_grpc.StoryServiceStub(self.channel)


@asynccontextmanager
async def serving(**settings: Any) -> AsyncIterator[Served]:
    """Serves with these settings; memory, the embedded storyteller and no waiting where they are silent."""
    config = Config(
        **{
            "grpc_address": "127.0.0.1:0",
            "http_address": "off",
            "log_url": "memory:",
            "store_url": "memory:",
            "embedded_tokens_per_second": 0,
            "model_seed": 7,
            "model_retries": 0,
            "model_retry_seconds": 0,
            **settings,
        }
    )
    async with AsyncExitStack() as stack:
        app = await stack.enter_async_context(open_app(config))
        address = f"127.0.0.1:{app.server.port}"
        client = await stack.enter_async_context(FabulaClient(address, retry=QUICK))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        yield Served(app, client, channel, address)


async def collect(call: Any) -> list[story_pb2.StoryEvent]:
    """Every event of a call or a stream, heartbeats left out."""
    return [event async for event in call if not event.HasField("heartbeat")]


async def outcome(call: Any) -> tuple[list[story_pb2.StoryEvent], Exception | None]:
    """Every event of a call or a stream, and the error that it ended with."""
    events: list[story_pb2.StoryEvent] = []
    try:
        async for event in call:
            if not event.HasField("heartbeat"):
                events.append(event)  # noqa: PERF401 -- what came before an error counts, too
    except (FabulaError, grpc.aio.AioRpcError) as error:
        return events, error
    return events, None


def standing(events: list[story_pb2.StoryEvent]) -> str:
    """The text that stands after these events."""
    text = StandingText()
    for event in events:
        text.apply(event)
    return text.text


class ServerProcess:
    """`python -m service` in a process of its own, which can be killed. An async context manager."""

    def __init__(self, data_dir: Path, *, environment: Mapping[str, str] | None = None, **settings: Any) -> None:
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("FABULA_")}
        self._environment |= environment or {}
        defaults = {"grpc_address": "127.0.0.1:0", "http_address": "off", "data_dir": data_dir, "model_seed": 7}
        for name, value in (defaults | settings).items():
            self._environment[f"FABULA_{name.upper()}"] = str(value)
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self.lines: list[str] = []
        self.port = 0
        self.http_port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Starts it, on the port that it had before if it had one, and returns once it serves."""
        if self.port:
            self._environment["FABULA_GRPC_ADDRESS"] = self.address
        if self.http_port:
            self._environment["FABULA_HTTP_ADDRESS"] = f"127.0.0.1:{self.http_port}"
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "service",
            env=self._environment,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        serving = asyncio.Event()
        self._reader = asyncio.create_task(self._read(self._process, serving))
        async with asyncio.timeout(WITHIN):
            await serving.wait()

    async def kill(self) -> None:
        """kill -9, and waits until it is gone."""
        await self.stop(signal.SIGKILL)

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and waits for the end; returns the exit code."""
        self.send(number)
        return await self.exit_code()

    async def exit_code(self) -> int:
        """Waits for the end."""
        assert self._process is not None
        assert self._reader is not None
        async with asyncio.timeout(WITHIN):
            code = await self._process.wait()
            await self._reader
        return code

    def send(self, number: signal.Signals) -> None:
        """Sends a signal and does not wait."""
        assert self._process is not None
        self._process.send_signal(number)

    async def _read(self, process: asyncio.subprocess.Process, serving: asyncio.Event) -> None:
        assert process.stderr is not None
        async for raw in process.stderr:
            line = raw.decode()
            self.lines.append(line)
            write_journal(line)
            if '"serving"' in line:
                ports = json.loads(line)
                self.port, self.http_port = ports["port"], ports["http_port"]
                serving.set()


class CuttingProxy:
    """A TCP proxy before a server; `cut` severs every connection through it. An async context manager."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await self._server.wait_closed()

    @property
    def address(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Severs what is connected now; new connections are let through."""
        self.cuts += 1
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers |= {writer, upstream_writer}
        await asyncio.gather(self._pump(reader, upstream_writer), self._pump(upstream_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            self._writers.discard(writer)
            writer.close()
