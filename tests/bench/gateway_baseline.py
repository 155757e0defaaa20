"""The relay that an engineer would write by hand, our baseline: a Starlette StreamingResponse over the generated stub.

It does what the gateway does for one route: the same frames with the same fields, the headers that proxies need, and a
call that is cancelled when the browser goes. It does not resume, validate or read a JSON body, has no status before the
first event, no pings during silence, no farewell when it stops, no CORS, no request id and no line in a log.
"""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import uvicorn
from google.protobuf.json_format import MessageToDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from fabula.story.v1.story_pb2 import GenerateStoryRequest, StoryEvent
from fabula.story.v1.story_service_pb2_grpc import StoryServiceStub
from tests.bench.gateway_load import PATH

_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class Relay:
    """Answers one route with the events of one call."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: Any = StoryServiceStub(channel)

    async def tell(self, request: Request) -> StreamingResponse:
        """The events of a new story."""
        asked = GenerateStoryRequest(child_id=request.query_params["child_id"], theme=request.query_params["theme"])
        frames = _frames(self._stub.GenerateStory(asked))
        return StreamingResponse(frames, media_type="text/event-stream", headers=_HEADERS)


async def _frames(call: Any) -> AsyncIterator[str]:
    try:
        async for event in call:
            data = json.dumps(_data(event))
            yield f"id: {event.run_id}:{event.sequence}\nevent: story_chunk\ndata: {data}\n\n"
    finally:
        call.cancel()


def _data(event: StoryEvent) -> dict[str, Any]:
    kind = event.WhichOneof("event")
    if kind == "content":
        content = event.content
        fields: dict[str, Any] = {
            "chunk": content.chunk,
            "is_complete": content.is_complete,
            "segment": content.segment,
            "revision": content.revision,
            "withdrawn": content.withdrawn,
        }
    else:
        # Rare enough for the slow and easy way.
        fields = MessageToDict(getattr(event, str(kind)), preserving_proto_field_name=True)
    return {"type": kind, "data": fields, "progress": event.progress_percent}


def main() -> None:
    """Serves until it is killed; says where on stdout, once ready."""
    asyncio.run(_serve(sys.argv[1]))


async def _serve(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        app = Starlette(routes=[Route(PATH, Relay(channel).tell)])
        # As the gateway's server, but for its own parser of HTTP.
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        bound = socket.create_server(("127.0.0.1", 0), backlog=2048)
        print(json.dumps({"port": bound.getsockname()[1]}), flush=True)
        await uvicorn.Server(config).serve([bound])


if __name__ == "__main__":
    main()
