"""The browser's own readers, EventSource and fetch, read a whole story and no more."""

import json
from typing import Any

from tests.conftest import Serve
from tests.harness import collect, standing
from tests.ollama_server import OllamaServer, Reply
from tests.service.gateway.browser import GENERATE, watch_path
from tests.service.gateway.page.conftest import Play
from tests.service.gateway.page.cutter import EventCutter
from tests.service.gateway.page.reader import PAGE, page_of
from tests.stories import TEXT, chapter, told

START = f"{GENERATE}?child_id=1&theme=night&request_id=once-and-only-once"

# Resolves when EventSource has given up for good, which it does on 204 alone.
_EVENT_SOURCE = """(url) => new Promise((resolve) => {
    const events = [];
    const source = new EventSource(url);
    let opened = 0;
    source.addEventListener("open", () => opened++);
    source.addEventListener("story_chunk", ({ lastEventId, data }) => events.push([lastEventId, JSON.parse(data)]));
    source.addEventListener("error", () => source.readyState === EventSource.CLOSED && resolve({ events, opened }));
})"""

_FETCH = """async (url) => {
    const answer = await fetch(url, { headers: { Accept: "text/event-stream" } });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
        const { value, done } = await reader.read();
        if (done) return text;
        text += value;
    }
}"""


def text_of(events: list[Any]) -> str:
    """The chunks of a story that nothing was retracted of."""
    return "".join(data["data"]["chunk"] for _, data in events if data["type"] == "content")


async def test_a_native_event_source_reads_a_story_and_then_stays_away(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        found = await reader.page.evaluate(_EVENT_SOURCE, START)
        run_id = found["events"][0][0].partition(":")[0]
        logged = await collect(served.client.watch(run_id))
    assert text_of(found["events"]) == standing(logged) == TEXT
    assert [each for each, _ in found["events"]] == [f"{run_id}:{event.sequence}" for event in logged]
    assert found["opened"] == 1
    assert len(told(ollama)) == 1


async def test_an_event_source_that_is_cut_after_every_event_reads_the_same_bytes_of_one_run(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        async with EventCutter(int(reader.url.rpartition(":")[2])) as cutter:
            await reader.page.goto(f"{cutter.url}/docs")
            found = await reader.page.evaluate(_EVENT_SOURCE, START)
        logged = await collect(served.client.watch(found["events"][0][0].partition(":")[0]))
    assert text_of(found["events"]).encode() == TEXT.encode()
    assert [int(each.partition(":")[2]) for each, _ in found["events"]] == [event.sequence for event in logged]
    assert cutter.cuts >= len(logged)
    assert len(told(ollama)) == 1


async def test_a_fetch_reader_reads_a_whole_story(serve: Serve, ollama: OllamaServer, play: Play) -> None:
    ollama.reply_by_default(Reply(content=chapter()))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        text = await reader.page.evaluate(_FETCH, START)
    data = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    assert text_of([("", each) for each in data]) == TEXT
    assert data[-1]["type"] == "complete"


async def test_a_story_begun_over_grpc_is_read_on_in_the_browser_with_the_same_cursor(
    serve: Serve, ollama: OllamaServer, play: Play
) -> None:
    ollama.reply_by_default(Reply(content=chapter(), stall_after=60))
    async with serve(**PAGE) as served, play(page_of(served)) as reader:
        begun = []
        async for event in served.client.tell("night"):
            begun.append(event)
            if event.HasField("content"):
                break
        run_id, cursor = begun[-1].run_id, begun[-1].sequence
        await ollama.wait_stalled(1)
        ollama.release()
        found = await reader.page.evaluate(_EVENT_SOURCE, f"{watch_path(run_id)}?last_event_id={run_id}:{cursor}")
    assert found["events"][0][0] == f"{run_id}:{cursor + 1}"
    assert standing(begun) + text_of(found["events"]) == TEXT
    assert len(told(ollama)) == 1
