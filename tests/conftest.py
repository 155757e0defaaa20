"""Fixtures of every test: the Ollama server, and the service over it."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest

from tests.harness import Served, serving
from tests.journal import begin_journal, take_journal
from tests.leaks import find_leak
from tests.ollama_server import OllamaServer
from tests.stories import approve, is_review

# Settings of the shell that runs the tests are not the tests'.
for _name in list(os.environ):
    if _name.upper().startswith(("FABULA_", "OLLAMA_")) and _name != "FABULA_REQUIRE_ALL":
        del os.environ[_name]
    if _name.upper() in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        del os.environ[_name]

begin_journal()

Serve = Callable[..., AbstractAsyncContextManager[Served]]


@pytest.fixture(autouse=True)
def nothing_told_is_logged() -> Iterator[None]:
    """Whatever a test does, no word of a story, a prompt or a child's name gets into a log."""
    take_journal()
    yield
    assert (leak := find_leak(take_journal())) is None, f"logged: {leak}"


@pytest.fixture
async def ollama() -> AsyncIterator[OllamaServer]:
    """A wire-faithful Ollama server, which the service reaches through the real ChatOllama; its reviewer approves."""
    async with OllamaServer() as server:
        server.answer(is_review, approve)
        yield server


@pytest.fixture
def serve(ollama: OllamaServer) -> Serve:
    """Serves stories of that Ollama server: `async with serve(linger_seconds=1) as served`."""
    return partial(serving, model="ollama:llama3.2", ollama_base_url=ollama.base_url)
