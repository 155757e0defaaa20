"""A scripted service on a free port, and a client with a hasty backoff."""

from collections.abc import AsyncIterator

import pytest

from fabula import FabulaClient, RetryPolicy
from tests.clients.python.scripted import Scripted, good_run, serving

HASTY = RetryPolicy(initial_delay=0.001, max_delay=0.002, attempts=4)


@pytest.fixture
def service() -> Scripted:
    return Scripted(good_run())


@pytest.fixture
async def address(service: Scripted) -> AsyncIterator[str]:
    async with serving(service) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
async def client(address: str) -> AsyncIterator[FabulaClient]:
    async with FabulaClient(address, retry=HASTY) as client:
        yield client
