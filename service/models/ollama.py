"""A model served by Ollama, through langchain-ollama's ChatOllama."""

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
from langchain_ollama import ChatOllama
from ollama import ResponseError
from pydantic import ValidationError

from service.config import Config
from service.errors import ConfigError, FabulaError, ModelNotFound, ModelOutputInvalid, ModelTimeout, ModelUnavailable
from service.models.bounds import PLAIN, BusyError, OverlongError, bounding
from service.models.chat import ChatModel
from service.runtime.model import ModelDown, ModelMisconfigured, ModelPoolExhausted

_BAD_REQUEST, _NOT_FOUND, _SERVER_ERROR = 400, 404, 500
_NO_CLIENT = (
    "FABULA_OLLAMA_BASE_URL: no client can be made for it: is its host name a name, and do HTTP_PROXY and ALL_PROXY, "
    "where they are set, hold http:// URLs?"
)
_NOT_OLLAMA = "The model server does not answer in the JSON lines of Ollama."
_BROKEN_OFF = "The model broke off before the end of its answer. Ask again."
_BUSY = "The model server has too much to do. Ask again later."
_OVERLONG = "The model server sends more than an answer can be, or sends it compressed."
_UNREACHABLE = "The model server can't be reached. Is it running, and is its address right?"


@asynccontextmanager
async def open_ollama(config: Config, name: str) -> AsyncIterator[ChatModel]:
    """Yields the model `name`. The server is first spoken to when a story is asked for.

    Raises ConfigError when no client can be made for the server's address.
    """
    reasoning = {"off": False, "on": True}.get(config.model_reasoning, config.model_reasoning)
    # JSON after thinking is asked for anew by Ollama, each time with num_predict of its own.
    most_tokens = config.model_max_tokens * (1 if reasoning is False else 2)
    async with open_chat(
        config,
        name,
        most_tokens=most_tokens,
        temperature=config.model_temperature,
        num_predict=config.model_max_tokens,
        reasoning=reasoning,
        seed=config.model_seed,
    ) as chat:
        # Ollama sends a line a token, so that a server that does not keep to num_predict is known by its lines.
        yield ChatModel(f"ollama:{name}", chat, partial(translate, name), config.model_idle_seconds, most_tokens)


@asynccontextmanager
async def open_chat(
    config: Config, name: str, *, num_predict: int, most_tokens: int | None = None, **options: Any
) -> AsyncIterator[ChatOllama]:
    """Yields LangChain's client of the model and closes its connections. Raises ConfigError as `open_ollama`.

    An answer is bounded for `most_tokens`, if it may be more than `num_predict`.
    """
    try:
        chat = ChatOllama(
            model=name,
            base_url=config.ollama_base_url,
            num_ctx=config.model_context_tokens,
            num_predict=num_predict,
            keep_alive=config.ollama_keep_alive,
            # Not for the asynchronous client alone: making the other reads the proxies of the environment too.
            client_kwargs=_http_options(config),
            async_client_kwargs={"event_hooks": {"response": [bounding(most_tokens or num_predict)]}},
            **options,
        )
    except (httpx.InvalidURL, ImportError, ValueError) as error:
        raise ConfigError([_NO_CLIENT]) from error
    try:
        yield chat
    finally:
        # ChatOllama itself has no way to close its client.
        await chat._async_client.close()  # type: ignore[no-untyped-call]


def _http_options(config: Config) -> dict[str, Any]:
    # httpx keeps 100 connections by default: stream 101 would wait for another story to end.
    connections = config.model_connections or None
    return {
        "headers": {"Accept-Encoding": PLAIN},
        "limits": httpx.Limits(max_connections=connections, max_keepalive_connections=20),
        "timeout": httpx.Timeout(
            connect=config.model_connect_seconds,
            read=None,  # its reader bounds silence: the client's own bound would lapse in a pause of the run
            write=config.model_connect_seconds,
            pool=config.model_connect_seconds,
        ),
        "verify": _certificates(),
        # A proxy of the environment must not stand before a model on this machine.
        "trust_env": not _is_loopback(config.ollama_base_url),
    }


@cache
def _certificates() -> ssl.SSLContext:
    """Read once a process: each of ChatOllama's two clients, of every model, would take 20 ms to read them itself."""
    return httpx.create_ssl_context()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_FAILURES: tuple[tuple[type[Exception], type[FabulaError], str], ...] = (
    (httpx.PoolTimeout, ModelPoolExhausted, "Every connection to the model server is in use. Ask again later."),
    (TimeoutError, ModelTimeout, "The model was silent for longer than allowed. Ask again."),
    (httpx.ConnectError, ModelDown, _UNREACHABLE),
    (httpx.ConnectTimeout, ModelDown, _UNREACHABLE),
    (ConnectionError, ModelDown, _UNREACHABLE),
    (httpx.HTTPError, ModelDown, "The connection to the model server broke off. Ask again."),
    (OverlongError, ModelOutputInvalid, _OVERLONG),
    (ResponseError, ModelUnavailable, "The model server failed while it answered. Ask again."),
    (json.JSONDecodeError, ModelOutputInvalid, _NOT_OLLAMA),
    (RecursionError, ModelOutputInvalid, _NOT_OLLAMA),  # of the JSON parser, for a line that is nested too deeply
    (ValidationError, ModelOutputInvalid, _NOT_OLLAMA),
    (AttributeError, ModelOutputInvalid, _NOT_OLLAMA),  # the client's, for a line that holds no object
    (ValueError, ModelUnavailable, _BROKEN_OFF),  # LangChain's, for an answer without any text
)
"""First match counts."""


def translate(name: str, error: Exception) -> FabulaError | None:
    """What an error of the client or the server means, for the model of this name; None when it is not theirs."""
    if isinstance(error, BusyError):
        return ModelUnavailable(_BUSY, retry_after_seconds=error.retry_after_seconds)
    if isinstance(error, ResponseError) and error.status_code >= _BAD_REQUEST:
        return _refused(name, error)
    return next((ours(message) for theirs, ours, message in _FAILURES if isinstance(error, theirs)), None)


def _refused(name: str, error: ResponseError) -> FabulaError:
    """What a status means; an error line within an answer has none."""
    if error.status_code >= _SERVER_ERROR:
        return ModelDown(f"The model server failed with status {error.status_code}. Ask again.")
    if error.status_code == _NOT_FOUND and "model" in str(error.error):
        return ModelNotFound(f"The model server does not have the model {name!r}: run `ollama pull {name}` there.")
    if error.status_code == _NOT_FOUND:
        return ModelMisconfigured("No Ollama answers there: is the path of FABULA_OLLAMA_BASE_URL right?")
    if error.status_code == _BAD_REQUEST and "thinking" in str(error.error):
        return ModelMisconfigured(f"The model {name!r} can't think: set FABULA_MODEL_REASONING=off.")
    return ModelMisconfigured(f"The model server refused the request with status {error.status_code}.")
