"""A LangChain chat model as the runtime's LanguageModel: raw JSON text out, typed errors only."""

import math
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

import structlog
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, BaseMessageChunk, HumanMessage, SystemMessage
from langchain_core.runnables import Runnable, RunnableSequence

from service.errors import FabulaError, ModelUnavailable
from service.logs import places
from service.models.silence import pulled
from service.runtime.model import Prompt, Schema, TextChunk

_log = structlog.get_logger("fabula.models")

Translate = Callable[[Exception], FabulaError | None]
"""Turns a provider's exception into ours; None for one that is not the provider's."""

_TRUNCATED = frozenset({"length", "max_tokens", "MAX_TOKENS"})
_FINISH_KEYS = ("done_reason", "finish_reason", "stop_reason")


class ChatModel:
    """Asks a LangChain chat model for a JSON object and streams its text as it is written."""

    def __init__(
        self,
        name: str,
        chat: BaseChatModel,
        translate: Translate,
        idle_seconds: float | None = None,
        max_chunks: int | None = None,
    ) -> None:
        """`idle_seconds` bounds the silence of the model, as no client can that knows of no pause: a TimeoutError.

        An answer that goes on beyond `max_chunks` is cut there, as by the token limit that its server does not keep.
        """
        self.name = name
        self._max_chunks = math.inf if max_chunks is None else max_chunks
        self._idle_seconds = idle_seconds
        self._chat = chat
        self._translate = translate
        self._bound: list[tuple[Schema, Runnable[Any, BaseMessage]]] = []

    async def stream(self, prompt: Prompt, schema: Schema) -> AsyncGenerator[TextChunk, None]:
        """See `LanguageModel.stream`. An answer that ends without its provider's word that it is done is broken off."""
        finish, count = "", 0
        messages = [SystemMessage(prompt.system), HumanMessage(prompt.user)]
        try:
            answer = _generator(self._structured(schema).astream(messages))
            async with aclosing(answer), aclosing(pulled(answer, self._idle_seconds)) as chunks:
                async for chunk in chunks:
                    finish, count = _finish_reason(chunk) or finish, count + 1
                    if count > self._max_chunks and not finish:
                        finish = "length"
                        break
                    if text := str(chunk.text):  # LangChain's own kind of str
                        yield TextChunk(text)
        except Exception as error:
            typed = self._typed(error)
            if typed is None:
                raise
            raise typed from error
        if not finish:
            raise ModelUnavailable("The model broke off before the end of its answer. Ask again.")
        if finish in _TRUNCATED:
            yield TextChunk("", truncated=True)

    def _structured(self, schema: Schema) -> Runnable[Any, BaseMessage]:
        # Bound once a schema. The parser that comes second yields at the end; the model itself as it writes.
        for known, bound in self._bound:
            if known is schema:
                return bound
        sequence = self._chat.with_structured_output(dict(schema), method="json_schema")
        model = cast("RunnableSequence[Any, Any]", sequence).first
        self._bound.append((schema, model))
        return model

    def _typed(self, error: Exception) -> FabulaError | None:
        typed = None if isinstance(error, FabulaError) else self._translate(error)
        if typed is not None:
            # The type alone: a provider's message may quote the prompt.
            facts = {"error": type(error).__name__, "reason": type(typed).__name__, "places": places(error)}
            _log.warning("model_failed", model=self.name, **facts)
        return typed


def _generator(chunks: AsyncIterator[BaseMessage]) -> AsyncGenerator[BaseMessageChunk, None]:
    return cast("AsyncGenerator[BaseMessageChunk, None]", chunks)


def _finish_reason(chunk: BaseMessage) -> str:
    return next((str(chunk.response_metadata[key]) for key in _FINISH_KEYS if chunk.response_metadata.get(key)), "")
