"""Tells one story. Start the service with `make run`, then: python clients/python/example.py "a fox"."""

import asyncio
import sys

from fabula import FabulaClient


async def main(theme: str) -> None:
    async with FabulaClient() as client, client.tell(theme, age=6) as stream:
        async for event in stream:
            sys.stdout.write(event.content.chunk)
            sys.stdout.flush()
        assert stream.complete is not None  # noqa: S101 - a loop that ends without an exception has it
        sys.stdout.write(f"\n\n{stream.complete.choice_question}\n")
        for choice in stream.complete.choices:
            sys.stdout.write(f"  [{choice.id}] {choice.text}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "a fox who fears the dark"))
