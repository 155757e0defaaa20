"""The model server in a process of its own: TELLING for every chat and an approval for every review, at one pace."""

import argparse
import asyncio
import json

from tests.bench.chapters import judged, told
from tests.ollama_server import OllamaServer
from tests.stories import is_review


def main() -> None:
    """Serves until it is killed; says where on stdout, once ready."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.model_server", description=__doc__)
    parser.add_argument("--tokens-per-second", type=float, help="of each chat; unpaced if absent")
    parser.add_argument("--warm-ups", type=int, default=0, help="how many chats come first and are unpaced")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.tokens_per_second, arguments.warm_ups))


async def _serve(tokens_per_second: float | None, warm_ups: int) -> None:
    async with OllamaServer(default=told(tokens_per_second)) as server:
        server.reply_with(*[told(None)] * warm_ups)
        server.answer(is_review, lambda _: judged(tokens_per_second))
        print(json.dumps({"base_url": server.base_url}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    main()
