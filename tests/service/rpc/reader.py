"""A caller in a process of its own: asks for a story, prints the run_id at its first event, and reads on.

python -m tests.service.rpc.reader <address>
"""

import asyncio
import sys

import grpc.aio

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2, story_service_pb2_grpc


async def read(address: str) -> None:
    request = story_pb2.GenerateStoryRequest(child_id="1", theme="night", on_disconnect=run_pb2.ON_DISCONNECT_CANCEL)
    async with grpc.aio.insecure_channel(address) as channel:
        stub: story_service_pb2_grpc.StoryServiceAsyncStub = story_service_pb2_grpc.StoryServiceStub(channel)
        async for event in stub.GenerateStory(request):
            if event.sequence == 1:
                print(event.run_id, flush=True)


if __name__ == "__main__":
    asyncio.run(read(sys.argv[1]))
