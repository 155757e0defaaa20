"""A chat is streamed as Ollama streams it, in the form that was asked for."""

import json
from typing import Any

import httpx
import ollama
import pytest
from ollama import ResponseError

from tests.ollama.asking import FABLE, MODEL, QUESTION, STORY_SCHEMA, THINKER, ModelFactory, stream, text
from tests.ollama_server import STORY, OllamaServer, Reply, synthesise


async def test_a_story_is_streamed_in_pieces_and_ends_with_the_counts(client: ollama.AsyncClient) -> None:
    *pieces, last = await stream(client)
    assert text(pieces) == STORY
    assert [len(piece.message.content or "") for piece in pieces[:-1]] == [4] * (len(pieces) - 1)
    assert not any(piece.done for piece in pieces)
    assert (last.done, last.done_reason, last.message.content) == (True, "stop", "")
    assert last.eval_count == len(pieces)
    assert last.prompt_eval_count == 5
    assert last.total_duration is not None
    assert last.total_duration >= (last.eval_duration or 0) > 0


async def test_the_wire_is_ndjson_in_chunks_with_a_json_object_on_every_line(web: httpx.AsyncClient) -> None:
    body = {"model": MODEL, "messages": QUESTION}
    async with web.stream("POST", "/api/chat", json=body) as response:
        assert response.headers["content-type"] == "application/x-ndjson"
        assert response.headers["transfer-encoding"] == "chunked"
        lines = [json.loads(line) async for line in response.aiter_lines()]
    assert list(lines[0]) == ["model", "created_at", "message", "done"]
    assert lines[0]["message"] == {"role": "assistant", "content": "Mina"}
    assert set(lines[-1]) - set(lines[0]) == {
        *("done_reason", "total_duration", "load_duration", "prompt_eval_count"),
        *("prompt_eval_duration", "eval_count", "eval_duration"),
    }


async def test_without_streaming_one_object_carries_the_whole_story(client: ollama.AsyncClient) -> None:
    response = await client.chat(model=MODEL, messages=QUESTION)
    assert response.message.content == STORY
    assert response.done_reason == "stop"


async def test_chat_ollama_streams_the_story_and_its_metadata(chat_model: ModelFactory) -> None:
    chunks = [chunk async for chunk in chat_model().astream("Tell me about a fox.")]
    assert "".join(str(chunk.content) for chunk in chunks) == STORY
    done = next(chunk for chunk in chunks if chunk.response_metadata)
    assert done.response_metadata["done_reason"] == "stop"
    assert done.usage_metadata is not None
    assert done.usage_metadata["output_tokens"] > 100


async def test_thinking_comes_before_the_content_and_in_its_own_field(
    server: OllamaServer, chat_model: ModelFactory
) -> None:
    server.reply_by_default(Reply(thinking="Foxes are clever.", content="Once."))
    thoughtful = await chat_model(model=THINKER, reasoning=True).ainvoke("Tell me.")
    silent = await chat_model(model=THINKER, reasoning=False).ainvoke("Tell me.")
    assert thoughtful.content == silent.content == "Once."
    assert thoughtful.additional_kwargs["reasoning_content"] == "Foxes are clever."
    assert "reasoning_content" not in silent.additional_kwargs
    assert [request.think for request in server.requests] == [True, False]


async def test_html_and_wide_characters_arrive_as_they_were_scripted(
    server: OllamaServer, client: ollama.AsyncClient
) -> None:
    said = "<b>Zoë & 🦊</b>\u2028\\u00e9"
    server.reply_with(Reply(content=said, chunk_chars=1))
    assert text(await stream(client)) == said


async def test_a_schema_is_obeyed_through_chat_ollama_structured_output(chat_model: ModelFactory) -> None:
    model = chat_model().with_structured_output({"title": "Story", **STORY_SCHEMA}, method="json_schema")
    told = await model.ainvoke("Tell me about a fox.")
    assert isinstance(told, dict)
    assert list(told) == list(STORY_SCHEMA["properties"])
    assert told["story_content"] == STORY
    assert len(told["title"]) >= 40
    assert 5 <= told["reading_age"] <= 8
    assert 0 < told["calm"] <= 1
    assert (told["approved"], told["unsafe"], told["verdict"]) == (True, False, "publish")
    assert [character["name"] for character in told["characters"]] == ["Mina", "Mina", "Mina"]
    assert told["characters"][0] == {"name": "Mina", "friend": None, "children": []}
    assert told["sequel"]["name"] == "Mina"
    assert isinstance(told["note"], str)


def test_a_story_holds_what_parsers_stumble_over() -> None:
    assert 100 <= len(STORY.split()) <= 140
    assert STORY.count("\n\n") >= 4
    assert {'"', "é", "🦊"} <= set(STORY)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"const": 7}, 7),
        ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 3}, ["a", "b", "a"]),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 0}, []),
        ({"type": "array", "prefixItems": [{"const": 1}, {"const": 2}, {"const": 3}], "items": False}, [1, 2, 3]),
        ({"type": "integer", "minimum": 10, "multipleOf": 4}, 12),
        ({"type": "null"}, None),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"type": "string", "format": "date"}, "2026-05-01"),
        ({"type": "string", "pattern": "^[a-z]{2}$"}, "en"),
    ],
)
def test_a_schema_gets_a_value_that_conforms(schema: dict[str, Any], expected: object) -> None:
    assert synthesise(schema) == expected


async def test_the_json_format_yields_an_object_and_no_format_plain_text(client: ollama.AsyncClient) -> None:
    assert isinstance(json.loads(text(await stream(client, format="json"))), dict)
    assert text(await stream(client)) == STORY


@pytest.mark.parametrize("chunk_chars", [1, 2, 3, 5, 7])
async def test_escapes_go_over_the_wire_split_wherever_lines_end(
    server: OllamaServer, client: ollama.AsyncClient, chunk_chars: int
) -> None:
    server.reply_with(Reply(content=FABLE, ensure_ascii=True, chunk_chars=chunk_chars))
    parts = await stream(client)
    assert "\\ud83e\\udd8a" in text(parts)
    assert "caf\\u00e9" in text(parts)
    assert max(len(part.message.content or "") for part in parts) == chunk_chars
    assert json.loads(text(parts)) == FABLE


async def test_a_schema_beyond_the_synthesiser_is_an_error_that_says_so(client: ollama.AsyncClient) -> None:
    with pytest.raises(ResponseError, match="no text at hand matches"):
        await stream(client, format={"type": "string", "pattern": "^[0-9]{9}x$"})
