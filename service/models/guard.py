"""Guard models on Ollama: plain messages in, a word or two out. Their templates bring the policy.

The answers are those that the models' cards describe: Llama Guard 3 (`safe`, or `unsafe` and the hazards in the next
line), ShieldGemma (`Yes` when the text violates its policy) and Granite Guardian (`Yes` when the risk is there, from
version 3.3 on within `<score>`, after what it thought).
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import cast

import structlog
from langchain_core.messages import AIMessage, BaseMessage, BaseMessageChunk, HumanMessage
from langchain_ollama import ChatOllama

from service.config import Config
from service.errors import ConfigError, ModelOutputInvalid
from service.logs import places
from service.models.ollama import open_chat, translate
from service.models.silence import pulled
from service.runtime.model import Verdict

_log = structlog.get_logger("fabula.models")

_MAX_TOKENS = 512  # Granite Guardian may think before it answers

_HAZARDS = {
    "S1": "violence",
    "S2": "dangerous_imitation",
    "S3": "sexual",
    "S4": "sexual",
    "S5": "bullying",
    "S6": "dangerous_imitation",
    "S7": "personal_data",
    "S9": "violence",
    "S10": "hate",
    "S11": "self_harm",
    "S12": "sexual",
}
"""Llama Guard 3's hazards as Fabula's categories; the others (copyright, elections, code) are none of them."""

OTHER = "other"
"""The category of what a guard found and Fabula has no name for."""

_LLAMA = re.compile(r"\s*(?:(safe)|unsafe\s+(S\d+(?:\s*,\s*S\d+)*))\s*", re.IGNORECASE)
_YES_NO = re.compile(r"\s*(yes|no)[.!]?\s*(?:\n.*)?", re.IGNORECASE | re.DOTALL)
_GRANITE = re.compile(
    r"\s*(?:<think>.*?</think>)?\s*(?:<score>\s*)?(yes|no)\s*(?:</score>\s*)?(?:\n.*)?", re.IGNORECASE | re.DOTALL
)


def _llama_guard(answer: str) -> Verdict | None:
    match = _LLAMA.fullmatch(answer)
    if match is None:
        return None
    hazards = re.findall(r"S\d+", (match[2] or "").upper())
    return Verdict(bool(match[1]), tuple(dict.fromkeys(_HAZARDS.get(each, OTHER) for each in hazards)))


def _shield_gemma(answer: str) -> Verdict | None:
    return _yes_no(_YES_NO.fullmatch(answer))


def _granite_guardian(answer: str) -> Verdict | None:
    return _yes_no(_GRANITE.fullmatch(answer))


def _yes_no(match: re.Match[str] | None) -> Verdict | None:
    if match is None:
        return None
    return Verdict(True) if match[1].lower() == "no" else Verdict(False, (OTHER,))


_FAMILIES: Mapping[str, Callable[[str], Verdict | None]] = {
    "llama-guard3": _llama_guard,
    "shieldgemma": _shield_gemma,
    "granite3-guardian": _granite_guardian,
    "granite3.3-guardian": _granite_guardian,
}
"""How the models of a family answer, by the beginning of their name."""


class OllamaGuard:
    """A guard model. See `GuardModel`."""

    def __init__(self, name: str, chat: ChatOllama, read: Callable[[str], Verdict | None], idle_seconds: float) -> None:
        self.name = f"ollama:{name}"
        self._model = name
        self._chat = chat
        self._read = read
        self._idle_seconds = idle_seconds

    async def judge(self, asked: str, answer: str) -> Verdict:
        try:
            message = await self._whole([HumanMessage(asked), AIMessage(answer)])
        except Exception as error:
            typed = translate(self._model, error)
            if typed is None:
                raise
            # The type alone: a provider's message may quote the text.
            facts = {"error": type(error).__name__, "reason": type(typed).__name__, "places": places(error)}
            _log.warning("model_failed", model=self.name, **facts)
            raise typed from error
        # "safe" may be how a longer answer began: a verdict that broke off or was cut is none.
        whole = message is not None and message.response_metadata.get("done_reason") == "stop"
        verdict = self._read(str(message.text)) if message is not None and whole else None
        if verdict is None:
            raise ModelOutputInvalid("The guard model's answer is no verdict, or not the whole of one.")
        return verdict

    async def _whole(self, messages: list[BaseMessage]) -> BaseMessageChunk | None:
        answer = cast("AsyncGenerator[BaseMessageChunk, None]", self._chat.astream(messages))
        message: BaseMessageChunk | None = None
        try:
            async with aclosing(answer), aclosing(pulled(answer, self._idle_seconds)) as chunks:
                async for chunk in chunks:
                    message = chunk if message is None else message + chunk
        except Exception as error:  # whatever broke it off
            if message is not None and str(message.text).strip():
                # It may have been a refusal, and a guard that refused is not asked again.
                raise ModelOutputInvalid("The guard model broke off in its verdict.") from error
            raise
        return message


@asynccontextmanager
async def open_ollama_guard(config: Config, name: str) -> AsyncIterator[OllamaGuard]:
    """Yields the guard model `name`. Raises ConfigError when nothing is known of how it answers."""
    family = name.rpartition("/")[2].lower()
    read = next((read for known, read in _FAMILIES.items() if family.startswith(known)), None)
    if read is None:
        raise ConfigError(
            [f"FABULA_GUARD_MODEL: {name!r} is none whose answers are understood: {', '.join(_FAMILIES)}"]
        )
    # Thinking is left to the model: telling one that can't to stop it is no fault, telling one to begin would be.
    async with open_chat(config, name, temperature=0.0, num_predict=_MAX_TOKENS, seed=config.model_seed) as chat:
        yield OllamaGuard(name, chat, read, config.model_idle_seconds)
