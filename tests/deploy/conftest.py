"""Fixtures of the tests with real proxies: each runs with nginx and with Envoy."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from tests.deploy.certificate import Certificate, make_certificate
from tests.deploy.envoy import ENVOY
from tests.deploy.front import Front
from tests.deploy.nginx import NGINX
from tests.deploy.proxy import Behind, Make
from tests.harness import Served

Fronting = Callable[..., AbstractAsyncContextManager[Front]]
"""`async with fronting(served) as front`, or of a Behind, with changes of the configuration if need be."""


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Made once."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(params=[NGINX, ENVOY], ids=lambda make: make.name)
def make(request: pytest.FixtureRequest) -> Make:
    """Which proxy."""
    assert isinstance(request.param, Make)
    return request.param


@pytest.fixture
def fronting(make: Make, certificate: Certificate, tmp_path: Path) -> Fronting:
    """Starts that proxy."""

    @asynccontextmanager
    async def started(behind: Served | Behind, changes: Mapping[str, str] | None = None) -> AsyncIterator[Front]:
        async with make.start(ports(behind), certificate, tmp_path, changes or {}) as proxy:
            yield Front(proxy, certificate)

    return started


def ports(behind: Served | Behind) -> Behind:
    """Those of a service and its gateway."""
    if isinstance(behind, Behind):
        return behind
    assert behind.app.http is not None
    return Behind(behind.app.http.port, behind.app.server.port)
