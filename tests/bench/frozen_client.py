"""A reader of one story in a process of its own, to be frozen. It reads until it is killed."""

import argparse
import asyncio
import json

from fabula import FabulaClient
from fabula.run.v1 import run_pb2


def main() -> None:
    """Says in one JSON line on stdout when it has read the first text."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.frozen_client", description=__doc__)
    parser.add_argument("address", help="of the service")
    parser.add_argument("theme")
    arguments = parser.parse_args()
    asyncio.run(_read(arguments.address, arguments.theme))


async def _read(address: str, theme: str) -> None:
    async with FabulaClient(address) as client:
        told = False
        async for event in client.tell(theme, on_disconnect=run_pb2.ON_DISCONNECT_CANCEL):
            if event.HasField("content") and not told:
                told = True
                print(json.dumps({"run_id": event.run_id}), flush=True)


if __name__ == "__main__":
    main()
