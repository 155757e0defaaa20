"""Any other provider that LangChain's init_chat_model knows, when its package is installed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import structlog
from langchain.chat_models import init_chat_model
from langchain_core.language_models import BaseChatModel
from pydantic import ValidationError

from service.config import Config
from service.errors import ConfigError, FabulaError, ModelTimeout, ModelUnavailable
from service.models.chat import ChatModel
from service.runtime.model import ModelDown, ModelMisconfigured, ModelPoolExhausted

_log = structlog.get_logger("fabula.models")

_MISCONFIGURED = range(400, 405)
_SERVER_ERROR = 500

_CHUNKS_A_TOKEN = 2
"""Room for pieces that hold no text: some providers send them around it, and for what their model thinks."""


@asynccontextmanager
async def open_other(
    config: Config, provider: str, name: str, setting: str = "FABULA_MODEL"
) -> AsyncIterator[ChatModel]:
    """Yields the provider's model, which `setting` names.

    Raises ConfigError when the provider is unknown or its package is missing.
    """
    options = {
        "temperature": config.model_temperature,
        "max_tokens": config.model_max_tokens,
        # Our own bound on silence is the shorter one, and in a pause of the run it alone stands still.
        "timeout": config.model_idle_seconds + config.pause_seconds,
        # Who asks again is the workflow, which knows whether text has left and who is to be asked then.
        "max_retries": 0,
    }
    try:
        chat = _open(provider, name, options)
    except ImportError as error:
        problem = f"{setting}: {provider!r} needs a package that is not installed: {_line(error)}"
        raise ConfigError([problem]) from error
    except Exception as error:
        # Not only an unknown provider: most say so, too, when their API key is missing, each by an error of its own.
        raise ConfigError([f"{setting}: '{provider}:{name}' can't be opened: {_line(error)}"]) from error
    # A provider may have no bound on silence, or one that it does not keep between the pieces of an answer; and it may
    # not know our limit of tokens.
    most = config.model_max_tokens * _CHUNKS_A_TOKEN
    yield ChatModel(f"{provider}:{name}", chat, _translate, idle_seconds=config.model_idle_seconds, max_chunks=most)


def _open(provider: str, name: str, options: Mapping[str, Any]) -> BaseChatModel:
    """The model, without those options that its provider does not know."""
    try:
        chat = init_chat_model(name, model_provider=provider, **options)
    except (TypeError, ValidationError) as error:
        refused = _refused(error, options)
        if not refused:
            raise
        _log.warning("model_options_refused", provider=provider, options=sorted(refused))
        return _open(provider, name, {key: value for key, value in options.items() if key not in refused})
    assert isinstance(chat, BaseChatModel)  # noqa: S101 -- a fixed model, not a configurable one
    return chat


def _refused(error: TypeError | ValidationError, options: Mapping[str, Any]) -> set[str]:
    if isinstance(error, ValidationError):
        extra = {str(each["loc"][0]) for each in error.errors() if each["type"] == "extra_forbidden"}
        return extra & options.keys()
    return {key for key in options if f"unexpected keyword argument '{key}'" in str(error)}


def _line(error: Exception) -> str:
    """The error's text in one line; without the input that pydantic quotes, which may be an API key."""
    if isinstance(error, ValidationError):
        return "; ".join(": ".join((*map(str, each["loc"]), each["msg"])) for each in error.errors(include_input=False))
    return " ".join(str(error).split())


def _translate(error: Exception) -> FabulaError | None:
    # Providers share no base of their errors; whatever comes out of their client is the model's failure.
    if isinstance(error, httpx.PoolTimeout):
        return ModelPoolExhausted("Every connection to the model server is in use. Ask again later.")
    if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__:
        return ModelTimeout("The model was silent for longer than allowed. Ask again.")
    status = getattr(error, "status_code", None)
    if status in _MISCONFIGURED:
        return ModelMisconfigured(f"The model's provider refused the request with status {status}.")
    return (ModelDown if _is_down(error, status) else ModelUnavailable)(
        "The model failed while it answered. Ask again."
    )


def _is_down(error: Exception, status: object) -> bool:
    if isinstance(error, httpx.TransportError | ConnectionError) or "Connect" in type(error).__name__:
        return True
    return isinstance(status, int) and status >= _SERVER_ERROR
