"""What is Envoy's alone: it says itself that the configuration is right, and takes no orders from callers."""

import asyncio
from pathlib import Path

from tests.deploy import envoy
from tests.deploy.certificate import Certificate
from tests.deploy.echo import echoing
from tests.deploy.front import Front
from tests.deploy.proxy import NOWHERE, Behind
from tests.service.gateway.browser import GENERATE, NIGHT
from tests.tools import required


async def test_the_configuration_is_valid(certificate: Certificate, tmp_path: Path) -> None:
    path = tmp_path / "envoy.yaml"
    path.write_text(envoy.fitted(Behind(8000, 50051), certificate, {}), "utf-8")
    process = await asyncio.create_subprocess_exec(
        *(required("envoy"), "--mode", "validate", "-c", str(path)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    assert "deprecated" not in out.decode().lower()


async def test_no_caller_has_a_request_repeated(certificate: Certificate, tmp_path: Path) -> None:
    order = {"x-envoy-retry-on": "reset,5xx,connect-failure", "x-envoy-max-retries": "3"}
    async with (
        echoing() as echo,
        envoy.shipped(Behind(echo.port, NOWHERE), certificate, tmp_path, {}) as proxy,
        Front(proxy, certificate).browser() as http,
    ):
        echo.answer = b""
        answer = await http.get(GENERATE, params=NIGHT, headers=order)
    assert (answer.status_code, len(echo.heads)) == (503, 1)
