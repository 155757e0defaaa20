"""The embedded storyteller streams and stops like a model, at its own pace."""

import asyncio
import json

import pytest
from langchain_core.output_parsers import JsonOutputParser
from langchain_core.runnables import RunnableSequence
from pydantic import BaseModel

from service.models.storyteller import EmbeddedStoryteller
from service.models.storyteller.pacing import Pace, tokens_of
from tests.service.models.test_storyteller import messages

METADATA = {"model": "embedded:storyteller", "done": True, "done_reason": "stop"}


class TestStreaming:
    async def test_chunks_join_to_the_answer(self) -> None:
        model = EmbeddedStoryteller(seed=2, tokens_per_second=0)
        chunks = [chunk async for chunk in model.astream(messages(theme="space"))]
        answer = await model.ainvoke(messages(theme="space"))
        assert "".join(str(chunk.content) for chunk in chunks) == answer.content
        assert chunks[-1].content == ""
        for message in (chunks[-1], answer):
            assert METADATA.items() <= message.response_metadata.items()
        assert len(chunks) > 200
        assert [chunk.content for chunk in model.stream(messages(theme="space"))] == [chunk.content for chunk in chunks]

    async def test_the_first_of_a_structured_output_streams_raw_json(self) -> None:
        model = EmbeddedStoryteller(seed=2, tokens_per_second=0)
        schema = {"title": "Story", "type": "object", "properties": {}}
        structured = model.with_structured_output(schema, method="json_schema")
        assert isinstance(structured, RunnableSequence)
        assert structured.first == model.bind(format=schema)
        assert isinstance(structured.last, JsonOutputParser)
        raw = "".join([str(chunk.content) async for chunk in structured.first.astream(messages(theme="space"))])
        assert json.loads(raw) == await structured.ainvoke(messages(theme="space"))

    async def test_structured_output_of_a_class_and_with_raw(self) -> None:
        class Story(BaseModel):
            title: str

        model = EmbeddedStoryteller(seed=2, tokens_per_second=0)
        assert isinstance(await model.with_structured_output(Story).ainvoke(messages()), Story)
        both = await model.with_structured_output(Story, include_raw=True).ainvoke(messages())
        assert isinstance(both, dict)
        assert isinstance(both["parsed"], Story)
        with pytest.raises(ValueError, match="JSON only"):
            model.with_structured_output(Story, method="function_calling")  # type: ignore[arg-type]

    async def test_keeps_its_pace(self) -> None:
        model = EmbeddedStoryteller(seed=2, tokens_per_second=200)
        clock = asyncio.get_running_loop().time
        start = clock()
        times = [clock() - start async for _ in model.astream(messages())]
        assert 0.19 <= times[39] < 2
        assert (len(times) - 1) / 200 <= times[-1] + 0.02

    async def test_cancellation_stops_at_once(self) -> None:
        task = asyncio.create_task(EmbeddedStoryteller(tokens_per_second=0.1).ainvoke(messages()))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 1)

    async def test_unpaced_it_lets_others_run(self) -> None:
        task = asyncio.create_task(EmbeddedStoryteller(tokens_per_second=0).ainvoke(messages()))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
        await task

    def test_a_late_token_is_not_delayed_further(self) -> None:
        pace = Pace(10, start=0)
        assert pace.wait(0) == pytest.approx(0.1)
        assert pace.wait(5) is None

    def test_tokens_are_the_text_and_keep_escapes_whole(self) -> None:
        text = 'A "story"\\n\\"hallo\\" \\u00e9 森 internationalisation'
        assert "".join(tokens_of(text)) == text
        assert "\\n" in tokens_of(text)
        assert max(map(len, tokens_of(text))) <= 7
