"""What the tests ask the Ollama server, and how they read its answers."""

from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import ollama
from langchain_ollama import ChatOllama

ModelFactory: TypeAlias = Callable[..., ChatOllama]

MODEL = "llama3.2"
THINKER = "qwen3:8b"
QUESTION = [{"role": "user", "content": "Tell me about a fox."}]
FABLE = {"title": "Le café", "story_content": 'The fox 🦊 said: "Bonne\tnuit, Zoë!"\n\nThe end.'}
STORY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "minLength": 40},
        "story_content": {"type": "string"},
        "reading_age": {"type": "integer", "minimum": 5, "maximum": 8},
        "calm": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        "approved": {"type": "boolean"},
        "unsafe": {"type": "boolean"},
        "verdict": {"enum": ["reject", "publish"]},
        "characters": {"type": "array", "items": {"$ref": "#/$defs/Character"}, "minItems": 3, "maxItems": 4},
        "sequel": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Character"}]},
        "note": {"type": ["string", "null"]},
    },
    "required": ["title", "story_content"],
    "$defs": {
        "Character": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "maxLength": 10},
                "friend": {"anyOf": [{"$ref": "#/$defs/Character"}, {"type": "null"}]},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Character"}},
            },
            "required": ["name", "friend", "children"],
        }
    },
}


async def stream(client: ollama.AsyncClient, **settings: Any) -> list[ollama.ChatResponse]:
    parts: AsyncIterator[ollama.ChatResponse] = await client.chat(
        **{"model": MODEL, "messages": QUESTION, "stream": True, **settings}
    )
    return [part async for part in parts]


def text(parts: list[ollama.ChatResponse]) -> str:
    return "".join(part.message.content or "" for part in parts)


async def collect(model: ChatOllama, into: list[str]) -> None:
    async for chunk in model.astream("Tell me about a fox."):
        into.append(str(chunk.content))  # noqa: PERF401 - what was told before an error must stay
