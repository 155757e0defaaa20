"""The server as its own process, so that a benchmark does not count the model's CPU as the service's."""

import argparse
import asyncio
import json
import signal
from collections.abc import Sequence

from tests.ollama_server.models import DEFAULT_MODELS
from tests.ollama_server.reply import Reply
from tests.ollama_server.server import OllamaServer


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.ollama_server", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument(
        "--tokens-per-second", type=float, help="streamed lines a second for each chat; unpaced if absent"
    )
    parser.add_argument("--chunk-chars", type=int, default=4, help="characters in a streamed line")
    parser.add_argument("--model", action="append", help="a model to serve, repeatable; a default set if absent")
    return parser.parse_args(arguments)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT; say where on stdout, once ready."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    reply = Reply(tokens_per_second=arguments.tokens_per_second, chunk_chars=arguments.chunk_chars)
    server = OllamaServer(models=arguments.model or DEFAULT_MODELS, port=arguments.port, default=reply)
    async with server:
        print(json.dumps({"base_url": server.base_url}), flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve(parse_arguments()))
