"""What a workflow needs of a language model. `service.models` provides it; neither side knows the other."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from service.errors import ModelUnavailable

Schema = Mapping[str, Any]
"""A JSON schema of an object; its properties are answered in their order."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One question to a model: who it is to be, and what is asked."""

    system: str
    user: str


@dataclass(frozen=True, slots=True)
class TextChunk:
    """A piece of the model's answer, exactly as it came. `truncated` is set on the last piece of a cut answer."""

    text: str
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard model said of a text; `categories` are Fabula's own names, empty when the text is safe."""

    safe: bool
    categories: tuple[str, ...] = ()


class ModelDown(ModelUnavailable):
    """There is no connection to the model's server, or that fails itself: what a circuit breaker counts."""


class ModelPoolExhausted(ModelUnavailable):
    """All the connections that we allow ourselves are in use: the server was not asked, and nothing is known of it."""


class ModelCircuitOpen(ModelUnavailable):
    """The model failed so often in a row that it is not even asked for a while."""


class ModelMisconfigured(ModelUnavailable):
    """The model can't be used as it is configured: asking again is in vain until that is changed."""


class GuardModel(Protocol):
    """A model that was made for one thing: telling whether a text is safe."""

    @property
    def name(self) -> str:
        """As configured, for example "ollama:llama-guard3"."""

    async def judge(self, asked: str, answer: str) -> Verdict:
        """Judges the answer that a storyteller gave to what was asked.

        Raises ModelUnavailable, ModelNotFound, ModelTimeout, and ModelOutputInvalid for an answer that is no verdict.
        """


class LanguageModel(Protocol):
    """A model that answers with one JSON object."""

    @property
    def name(self) -> str:
        """As callers see it in `complete.model`, for example "ollama:llama3.1"."""

    def stream(self, prompt: Prompt, schema: Schema) -> AsyncGenerator[TextChunk, None]:
        """The raw JSON text as the model writes it.

        Closing the generator, or cancelling the task that reads it, closes the connection to the model at once.
        Raises ModelUnavailable, ModelNotFound, ModelTimeout, ModelOutputInvalid.
        """
