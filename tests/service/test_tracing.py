"""No text of a child leaves for a tracing service, whatever the environment says to LangChain."""

import asyncio
import signal
from pathlib import Path

from fabula import FabulaClient
from tests.harness import WITHIN, ServerProcess


async def test_an_environment_set_up_for_tracing_sends_nothing_anywhere(tmp_path: Path) -> None:
    visits: list[bytes] = []

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(await reader.read(100))
        writer.close()

    collector = await asyncio.start_server(visit, "127.0.0.1", 0)
    environment = {
        "LANGSMITH_TRACING": "true",
        "LANGCHAIN_TRACING_V2": "true",
        "LANGSMITH_API_KEY": "placeholder",
        "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{collector.sockets[0].getsockname()[1]}",
    }
    async with ServerProcess(tmp_path, environment=environment, embedded_tokens_per_second=0) as server:
        async with FabulaClient(server.address) as client, asyncio.timeout(WITHIN):
            assert (await client.tell("a lost key").result()).success
        # LangSmith's client sends what it has gathered before the process ends.
        assert await server.stop(signal.SIGTERM) == 0
    collector.close()
    assert visits == []
