"""A story in the browser: the events of gRPC with the same cursor, whatever is cut and wherever."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import grpc.aio
import pytest
from google.protobuf import json_format

from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from tests.conftest import Serve
from tests.harness import WITHIN, Served, collect, outcome, standing
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, NIGHT, Read, browsing, read, reason, watch_path
from tests.stories import TEXT, UNFIT, chapter
from tests.tools import required

HTTP = {"http_address": "127.0.0.1:0"}


async def watched(served: Served, run_id: str, after: int = 0) -> list[story_pb2.StoryEvent]:
    return await collect(served.client.watch(run_id, after_sequence=after))


def same(found: Read, events: Sequence[story_pb2.StoryEvent]) -> bool:
    """Whether a browser has read what gRPC tells."""
    assert found.sequences == [event.sequence for event in events]
    for each, event in zip(found.data, events, strict=True):
        kind = str(event.WhichOneof("event"))
        assert (each["type"], each["progress"]) == (kind, event.progress_percent)
        message = getattr(event, kind)
        again = type(message)()
        json_format.ParseDict(_long(each["data"], message), again)
        assert again == message
    return True


def _long(data: dict[str, Any], message: Any) -> dict[str, Any]:
    """Short enum names as protobuf's own mapping wants them."""
    long = dict(data)
    for field in message.DESCRIPTOR.fields:
        if field.enum_type is not None and field.name in data:
            wanted = data[field.name]
            long[field.name] = next(v.name for v in field.enum_type.values if v.name.lower().endswith(f"_{wanted}"))
    return long


async def test_a_story_is_the_same_over_http_as_over_grpc(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(UNFIT)), Reply(content=chapter()))
    async with serve(**HTTP) as served, browsing(served) as http:
        found = await read(http, GENERATE, NIGHT)
        events = await watched(served, found.run_id)
        assert same(await read(http, watch_path(found.run_id)), events)
    assert found.sequences == [event.sequence for event in events]
    assert {event.event for event in found.events} == {"story_chunk"}
    assert found.text == standing(events) == TEXT
    assert found.data[0] == {
        "type": "node_event",
        "data": {"node": "workflow", "status": "started", "iteration": 1},
        "progress": 0,
    }


async def test_the_documented_call_reads_a_story_line_by_line(serve: Serve, ollama: OllamaServer) -> None:
    curl = required("curl")
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served:
        assert served.app.http is not None
        url = f"{served.app.http.url}{GENERATE}?child_id=1&theme=adventure&chapter_number=1&title=The%20Night"
        process = await asyncio.create_subprocess_exec(curl, "-sN", url, stdout=asyncio.subprocess.PIPE)
        async with asyncio.timeout(WITHIN):
            out, _ = await process.communicate()
    lines = out.decode().split("\n")
    assert lines[0] == "retry: 1000"
    assert lines[1].startswith("id: ")
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert data[-1]["type"] == "complete"
    assert "".join(each["data"]["chunk"] for each in data if each["type"] == "content") == TEXT


async def test_a_stream_cut_after_every_event_resumes_without_a_second_run(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_by_default(Reply(content=chapter(), chunk_chars=8))
    async with serve(**HTTP) as served, browsing(served) as http:
        uncut = await read(http, GENERATE, NIGHT)
        for index in range(1, len(uncut.events) + 1):
            found = await read(http, GENERATE, NIGHT, at_most=index)
            cut = len(found.events)
            if index < len(uncut.events):
                found.events += (await read(http, GENERATE, NIGHT, cursor=found.events[-1].id)).events
            assert found.sequences == list(range(1, len(found.events) + 1))
            assert cut == index
            assert found.text == uncut.text == TEXT
            assert same(found, await watched(served, found.run_id))
        runs = [run async for run in served.client.list_runs()]
    assert len(runs) == len(uncut.events) + 1


async def test_a_browser_cut_at_every_event_of_one_run_reads_it_whole(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), chunk_chars=8, tokens_per_second=1_000))
    async with serve(**HTTP) as served, browsing(served) as http:
        found = await read(http, GENERATE, NIGHT, at_most=1)
        while found.data[-1]["type"] != "complete":
            found.events += (await read(http, GENERATE, NIGHT, cursor=found.events[-1].id, at_most=1)).events
        assert same(found, await watched(served, found.run_id))
        assert len([run async for run in served.client.list_runs()]) == 1
    assert found.text == TEXT


async def test_begun_over_grpc_and_read_on_in_the_browser_and_the_other_way_round(
    serve: Serve, ollama: OllamaServer
) -> None:
    ollama.reply_by_default(Reply(content=chapter(), chunk_chars=8, tokens_per_second=1_000))
    request = story_pb2.GenerateStoryRequest(child_id="1", theme="night")
    async with serve(**HTTP) as served, browsing(served) as http:
        call = served.stories().GenerateStory(request)
        begun = [await anext(aiter(call)) for _ in range(4)]
        call.cancel()
        rest = await read(http, GENERATE, NIGHT, cursor=f"{begun[-1].run_id}:{begun[-1].sequence}")
        assert same(rest, (await watched(served, begun[0].run_id))[4:])
        found = await read(http, GENERATE, NIGHT, at_most=4)
        after = await watched(served, found.run_id, found.sequences[-1])
        assert [event.sequence for event in after] == list(range(5, after[-1].sequence + 1))
        assert found.text + standing(after) == TEXT
        assert len([run async for run in served.client.list_runs()]) == 2


@pytest.mark.parametrize("path", [GENERATE, "watch"])
async def test_whoever_has_every_event_is_answered_204(serve: Serve, ollama: OllamaServer, path: str) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served, browsing(served) as http:
        found = await read(http, GENERATE, NIGHT)
        address = path if path == GENERATE else watch_path(found.run_id)
        params = NIGHT if path == GENERATE else {}
        done = await http.get(address, params=params, headers={"Last-Event-ID": found.events[-1].id})
        asked = await http.get(address, params=params | {"last_event_id": found.events[-1].id})
        after = await http.get(watch_path(found.run_id), params={"after_sequence": found.sequences[-1]})
    assert [(each.status_code, each.content) for each in (done, asked, after)] == [(204, b"")] * 3


async def test_a_run_that_ended_badly_tells_its_error_and_then_204(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve(**HTTP) as served, browsing(served) as http, asyncio.timeout(WITHIN):
        found = await read(http, GENERATE, NIGHT, at_most=3)
        await ollama.wait_stalled(1)
        await http.post(f"/api/v1/runs/{found.run_id}:cancel")
        found.events += (await read(http, GENERATE, NIGHT, cursor=found.events[-1].id)).events
        done = await http.get(GENERATE, params=NIGHT, headers={"Last-Event-ID": found.events[-1].id})
        watched = served.stories().WatchStory(story_pb2.WatchStoryRequest(run_id=found.run_id))
        events, error = await outcome(watched)
    assert isinstance(error, grpc.aio.AioRpcError)
    assert error.code() is grpc.StatusCode.CANCELLED
    assert found.data[-1]["type"] == "error"
    assert found.data[-1]["data"]["code"] == "run_cancelled"
    assert found.data[-1]["data"]["status"]["code"] == 1
    assert done.status_code == 204
    assert found.sequences == [event.sequence for event in events]


@pytest.mark.parametrize("cursor", ["x", ":1", "run:", "run:-1", "run:1:2", "run:9999999999", "a b:1", "run:1.5"])
async def test_an_id_that_is_none_is_refused_and_begins_nothing(serve: Serve, cursor: str) -> None:
    async with serve(**HTTP) as served, browsing(served) as http:
        by_header = await http.get(GENERATE, params=NIGHT, headers={"Last-Event-ID": cursor})
        by_query = await http.get(GENERATE, params=NIGHT | {"last_event_id": cursor})
        assert [run async for run in served.client.list_runs()] == []
    assert [by_header.status_code, by_query.status_code] == [400, 400]


async def test_a_cursor_that_can_not_be_served_is_an_error_with_its_reason(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served, browsing(served) as http:
        run_id = (await read(http, GENERATE, NIGHT)).run_id
        beyond = await http.get(GENERATE, params=NIGHT, headers={"Last-Event-ID": f"{run_id}:999"})
        foreign = await http.get(GENERATE, params=NIGHT, headers={"Last-Event-ID": "nobody:1"})
        other = await http.get(watch_path("other"), headers={"Last-Event-ID": f"{run_id}:1"})
    assert (beyond.status_code, reason(beyond)) == (400, "CURSOR_OUT_OF_RANGE")
    assert (foreign.status_code, reason(foreign)) == (404, "RUN_NOT_FOUND")
    assert (other.status_code, reason(other)) == (400, "VALIDATION_FAILED")


async def test_the_header_counts_and_not_the_address_of_the_first_call(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served, browsing(served) as http:
        run_id = (await read(http, GENERATE, NIGHT)).run_id
        found = await read(http, watch_path(run_id), {"last_event_id": f"{run_id}:1"}, cursor=f"{run_id}:4")
    assert found.sequences[0] == 5


async def test_lines_of_json_hold_the_same_events(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served, browsing(served) as http:
        answer = await http.get(GENERATE, params=NIGHT, headers={"Accept": "application/x-ndjson"})
        lines = [json.loads(line) for line in answer.content.split(b"\n")[:-1]]
        found = await read(http, watch_path(lines[0]["id"].partition(":")[0]))
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [line.pop("id") for line in lines] == [event.id for event in found.events]
    assert lines == found.data


async def test_a_story_can_be_asked_for_with_a_body(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served, browsing(served) as http:
        answer = await http.post(GENERATE, json={"childId": "1", "theme": "night", "release": "chapter"})
    assert answer.text.count("event: story_chunk") > 5
    assert '"type":"complete"' in answer.text


async def test_the_headers_keep_caches_and_proxies_away(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter()))
    async with serve(**HTTP) as served, browsing(served) as http:
        answer = await http.get(GENERATE, params=NIGHT)
        head = await http.head(GENERATE, params=NIGHT)
        refused = await http.head(GENERATE, params={"themee": "x"})
        assert len([run async for run in served.client.list_runs()]) == 1
    for each in (answer, head):
        assert each.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert each.headers["cache-control"] == "no-cache"
        assert each.headers["x-accel-buffering"] == "no"
    assert (head.status_code, refused.status_code) == (200, 400)


async def test_a_browser_that_goes_is_a_watcher_less(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve(**HTTP) as served, browsing(served) as http, asyncio.timeout(WITHIN):
        found = await read(http, GENERATE, NIGHT | {"on_disconnect": "cancel"}, at_most=3)
        await ollama.wait_for_chats(0)
        with pytest.raises(Exception, match="cancelled"):
            await watched(served, found.run_id)
        run = await served.client.get_run(found.run_id)
    assert run.state == run_pb2.RUN_STATE_CANCELLED


async def test_a_run_that_has_no_news_is_resumed_all_the_same(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve(**HTTP) as served, browsing(served) as http, asyncio.timeout(WITHIN):
        begun = await read(http, GENERATE, NIGHT, at_most=2)
        await ollama.wait_stalled(1)
        last = (await served.client.get_run(begun.run_id)).last_sequence
        headers = {"Last-Event-ID": f"{begun.run_id}:{last}"}
        async with http.stream("GET", GENERATE, params=NIGHT, headers=headers) as answer:
            assert answer.status_code == 200
            ollama.release()
            text = (await answer.aread()).decode()
    assert text.startswith("retry: 1000\n")
    assert f"id: {begun.run_id}:{last + 1}\n" in text
    assert '"type":"complete"' in text


async def test_errors_before_a_run_are_http_answers(serve: Serve) -> None:
    async with serve(**HTTP) as served, browsing(served) as http:
        unfit = await http.get(GENERATE, params={"child_id": "1"})
        nobody = await http.get(GENERATE, params={"child_id": "nobody", "theme": "x"})
    assert (unfit.status_code, reason(unfit)) == (400, "VALIDATION_FAILED")
    assert (nobody.status_code, reason(nobody)) == (404, "CHILD_NOT_FOUND")


async def test_too_many_streams_are_answered_with_when_to_come_back(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with (
        serve(**HTTP, max_streams=1) as served,
        browsing(served) as http,
        http.stream("GET", GENERATE, params=NIGHT),
    ):
        answer = await http.get(GENERATE, params=NIGHT)
    assert (answer.status_code, reason(answer)) == (429, "TOO_MANY_STREAMS")
    assert int(answer.headers["retry-after"]) >= 1
