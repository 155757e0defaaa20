"""The server, and the clients that the tests ask it by."""

from collections.abc import AsyncIterator
from functools import partial

import httpx
import ollama
import pytest
from langchain_ollama import ChatOllama

from tests.ollama.asking import MODEL, ModelFactory
from tests.ollama_server import OllamaServer


@pytest.fixture
async def server() -> AsyncIterator[OllamaServer]:
    async with OllamaServer() as running:
        yield running


@pytest.fixture
async def client(server: OllamaServer) -> AsyncIterator[ollama.AsyncClient]:
    limits = httpx.Limits(max_connections=None)
    async with ollama.AsyncClient(host=server.base_url, trust_env=False, limits=limits) as connected:
        yield connected


@pytest.fixture
async def web(server: OllamaServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False, timeout=20) as connected:
        yield connected


@pytest.fixture
def chat_model(server: OllamaServer) -> ModelFactory:
    # A ChatOllama cannot be closed, so let it keep no connection.
    client_kwargs = {"trust_env": False, "limits": httpx.Limits(max_keepalive_connections=0)}
    return partial(ChatOllama, model=MODEL, base_url=server.base_url, client_kwargs=client_kwargs)
