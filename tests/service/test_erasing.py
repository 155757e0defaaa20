"""Erasing through the whole service: nothing of a child is left in any file, whenever the process is killed."""

import asyncio
from pathlib import Path
from typing import Any, NamedTuple

import grpc.aio
import pytest

from fabula.child.v1 import child_pb2, child_service_pb2_grpc
from fabula.run.v1 import run_pb2, run_service_pb2_grpc
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from tests.harness import WITHIN, ServerProcess, collect, outcome, serving

TOPIC = "canary-of-a-topic"


class Stubs(NamedTuple):
    child: "child_service_pb2_grpc.ChildServiceAsyncStub"
    run: "run_service_pb2_grpc.RunServiceAsyncStub"
    story: "story_service_pb2_grpc.StoryServiceAsyncStub"


def stubs(channel: grpc.aio.Channel) -> Stubs:
    return Stubs(
        child_service_pb2_grpc.ChildServiceStub(channel),
        run_service_pb2_grpc.RunServiceStub(channel),
        story_service_pb2_grpc.StoryServiceStub(channel),
    )


async def make_child(service: Stubs) -> str:
    request = child_pb2.CreateChildRequest(nickname="Ida", age=7, avoid_topics=[TOPIC])
    return (await service.child.CreateChild(request)).child.child_id


async def tell(service: Stubs, child_id: str) -> str:
    """A story told to its end; the id of its run is in every event, and so in every byte that counts."""
    events = await collect(
        service.story.GenerateStory(story_pb2.GenerateStoryRequest(child_id=child_id, theme="a fox"))
    )
    assert events[-1].HasField("complete")
    return events[0].run_id


def left(directory: Path, *texts: str) -> list[str]:
    """Those of the texts that are in some file."""
    held = b"".join(file.read_bytes() for file in directory.iterdir())
    return [text for text in texts if text.encode() in held]


async def exists(service: Stubs, child_id: str) -> bool:
    call = service.child.GetChild(child_pb2.GetChildRequest(child_id=child_id))
    code = await call.code()
    assert code in (grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND)
    return code == grpc.StatusCode.OK


async def test_a_deleted_child_is_gone_with_its_stories_and_its_run_under_way(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/fabula.db"
    async with serving(log_url=url, store_url=url, embedded_tokens_per_second=400) as served, asyncio.timeout(WITHIN):
        service = stubs(served.channel)
        kept = await tell(service, "1")
        child_id = await make_child(service)
        run_id = await tell(service, child_id)
        request = story_pb2.GenerateStoryRequest(child_id=child_id, theme="the sea")
        under_way: Any = aiter(service.story.GenerateStory(request))
        first = await anext(under_way)
        assert left(tmp_path, TOPIC, run_id, first.run_id) == [TOPIC, run_id, first.run_id]

        await service.child.DeleteChild(child_pb2.DeleteChildRequest(child_id=child_id))

        assert left(tmp_path, TOPIC, run_id, first.run_id, kept) == [kept]
        events, error = await outcome(under_way)
        assert isinstance(error, grpc.aio.AioRpcError)
        assert error.code() == grpc.StatusCode.CANCELLED
        assert events[-1].error.code == run_pb2.ERROR_REASON_RUN_CANCELLED
        assert not await exists(service, child_id)
        assert [run.run_id for run in (await service.run.ListRuns(run_pb2.ListRunsRequest())).runs] == [kept]
        for question in (
            service.run.GetRun(run_pb2.GetRunRequest(run_id=run_id)),
            collect(service.story.WatchStory(story_pb2.WatchStoryRequest(run_id=run_id))),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as missing:
                await question
            assert missing.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.timeout(240)
async def test_an_erasure_that_kill_9_broke_off_is_finished_after_the_start(tmp_path: Path) -> None:
    async with ServerProcess(tmp_path, embedded_tokens_per_second=0) as server:
        for moment in (0, 1, 4, 16):
            await kill_while_erasing(server, tmp_path, moment)


async def kill_while_erasing(server: ServerProcess, directory: Path, moment: int) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel, asyncio.timeout(WITHIN):
        service = stubs(channel)
        child_id = await make_child(service)
        run_ids = [await tell(service, child_id) for _ in range(2)]
        erasing = asyncio.ensure_future(service.child.DeleteChild(child_pb2.DeleteChildRequest(child_id=child_id)))
        for _ in range(moment):
            await exists(service, "1")
        await server.kill()
        answered = (await asyncio.gather(erasing, return_exceptions=True))[0]
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel, asyncio.timeout(WITHIN):
        service = stubs(channel)
        if await exists(service, child_id):
            assert isinstance(answered, grpc.aio.AioRpcError), "it had not begun"
            assert left(directory, *run_ids) == run_ids
            await service.child.DeleteChild(child_pb2.DeleteChildRequest(child_id=child_id))
        assert left(directory, TOPIC, *run_ids) == []
