"""The embedded storyteller as a LangChain chat model."""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Iterator
from operator import itemgetter
from typing import Any, Literal, cast

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.base import BaseOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from pydantic import BaseModel, Field

from service.models.storyteller.pacing import Pace, tokens_of
from service.models.storyteller.request import read_request
from service.models.storyteller.rewriting import tell
from service.runtime.pause import current_pause

MODEL_NAME = "embedded:storyteller"
_SEED_BITS = 63


class EmbeddedStoryteller(BaseChatModel):
    """Composes a chapter for the request within a Fabula prompt, and needs no model server.

    `seed` makes the same request give the same bytes; None varies with every call. `tokens_per_second` paces the
    answer, streamed or not, as a model of that speed would; 0 sends it as fast as it can be taken. A prompt that holds
    no readable request raises ValueError. `stop` and `format` are accepted and have no effect.
    """

    seed: int | None = None
    tokens_per_second: float = Field(default=40.0, ge=0)

    @property
    def _llm_type(self) -> str:
        return "embedded-storyteller"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": MODEL_NAME, "seed": self.seed, "tokens_per_second": self.tokens_per_second}

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        method: Literal["json_schema", "json_mode"] = "json_schema",
        include_raw: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """This model, bound to `schema`, followed by a parser of its JSON, as a sequence.

        `include_raw` gives {"raw", "parsed", "parsing_error"} instead. Raises ValueError for another method.
        """
        if method not in ("json_schema", "json_mode"):
            raise ValueError(f"the embedded storyteller answers in JSON only, not by {method!r}")
        model = schema if isinstance(schema, type) and issubclass(schema, BaseModel) else None
        bound = self.bind(format=model.model_json_schema() if model else schema, **kwargs)
        parser: BaseOutputParser[Any] = PydanticOutputParser(pydantic_object=model) if model else JsonOutputParser()
        if not include_raw:
            return bound | parser
        parsed = RunnablePassthrough.assign(parsed=itemgetter("raw") | parser, parsing_error=lambda _: None)
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return cast(
            Runnable[LanguageModelInput, dict[str, Any] | BaseModel],
            RunnableMap(raw=bound) | parsed.with_fallbacks([failed], exception_key="parsing_error"),
        )

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result([chunk.text for chunk in self._stream(messages, stop, run_manager, **kwargs)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return _result([chunk.text async for chunk in self._astream(messages, stop, run_manager, **kwargs)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        del stop, kwargs  # a story ends where it ends
        pace = Pace(self.tokens_per_second, time.monotonic())
        for token in self._tokens(messages):
            if delay := pace.wait(time.monotonic()):
                time.sleep(delay)
            chunk = _chunk(token)
            if run_manager:
                run_manager.on_llm_new_token(token, chunk=chunk)
            yield chunk
        yield _last_chunk()

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        del stop, kwargs  # a story ends where it ends
        clock = current_pause().time  # what was not due before a pause is not overdue after it
        pace = Pace(self.tokens_per_second, clock())
        for token in self._tokens(messages):
            delay = pace.wait(clock())
            if delay is not None:
                await asyncio.sleep(delay)
            chunk = _chunk(token)
            if run_manager:
                await run_manager.on_llm_new_token(token, chunk=chunk)
            yield chunk
        yield _last_chunk()

    def _tokens(self, messages: list[BaseMessage]) -> list[str]:
        request = read_request(messages)
        seed = random.SystemRandom().getrandbits(_SEED_BITS) if self.seed is None else self.seed
        return tokens_of(json.dumps(tell(request, seed), ensure_ascii=False))


def _metadata() -> dict[str, Any]:
    # A fresh one for every message: whoever receives it may change it.
    return {"model": MODEL_NAME, "done": True, "done_reason": "stop"}


def _chunk(token: str) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=token))


def _last_chunk() -> ChatGenerationChunk:
    return ChatGenerationChunk(
        message=AIMessageChunk(content="", response_metadata=_metadata(), chunk_position="last"),
        generation_info=_metadata(),
    )


def _result(tokens: list[str]) -> ChatResult:
    message = AIMessage(content="".join(tokens), response_metadata=_metadata())
    return ChatResult(generations=[ChatGeneration(message=message, generation_info=_metadata())])
