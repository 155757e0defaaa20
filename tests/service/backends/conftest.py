"""Every backend, for the contract suites."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from service.backends import Backends, open_backends
from service.runtime.ports import EventLog
from service.runtime.stores import Store
from tests.service.backends.samples import CHILDREN

_URLS = {
    "memory": ("memory:", "memory:"),
    "sqlite-two-files": ("sqlite:///{0}/log.db", "sqlite:///{0}/store.db"),
    "sqlite-one-file": ("sqlite:///{0}/fabula.db", "sqlite:///{0}/fabula.db"),
}


@pytest.fixture(params=_URLS)
async def backends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Backends]:
    log_url, store_url = (url.format(tmp_path) for url in _URLS[request.param])
    async with open_backends(log_url, store_url, commit_interval_seconds=0.002, fresh_children=CHILDREN) as opened:
        yield opened


@pytest.fixture
def log(backends: Backends) -> EventLog:
    return backends.log


@pytest.fixture
def store(backends: Backends) -> Store:
    return backends.store
