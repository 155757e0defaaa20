"""Any other provider that LangChain's init_chat_model knows, when its package is installed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel

from service.config import Config
from service.errors import ConfigError, FabulaError, ModelTimeout, ModelUnavailable
from service.models.chat import ChatModel


@asynccontextmanager
async def open_other(config: Config, provider: str, name: str) -> AsyncIterator[ChatModel]:
    """Yields the provider's model. Raises ConfigError when the provider is unknown or its package is missing."""
    try:
        chat = init_chat_model(
            name,
            model_provider=provider,
            temperature=config.model_temperature,
            max_tokens=config.model_max_tokens,
            timeout=config.model_idle_seconds,
        )
    except ImportError as error:
        raise ConfigError([f"FABULA_MODEL: {provider!r} needs a package that is not installed: {error}"]) from error
    except ValueError as error:
        # Not only an unknown provider: most say so, too, when their API key is missing.
        raise ConfigError([f"FABULA_MODEL: {config.model!r} can't be opened: {error}"]) from error
    assert isinstance(chat, BaseChatModel)  # noqa: S101 -- a fixed model, not a configurable one
    yield ChatModel(config.model, chat, _translate)


def _translate(error: Exception) -> FabulaError | None:
    # Providers share no base of their errors; whatever comes out of their client is the model's failure.
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return ModelTimeout("The model was silent for longer than allowed. Ask again.")
    return ModelUnavailable("The model failed while it answered. Ask again.")
