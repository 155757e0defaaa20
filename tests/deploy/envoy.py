"""Envoy as it is installed here, with the configuration that we ship."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from tests.deploy.certificate import Certificate
from tests.deploy.proxy import ROOT, Behind, Make, Proxy, changed
from tests.tools import required

CONFIGURATION = ROOT / "deploy" / "envoy" / "envoy.yaml"

_ADMIN = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}"
"""Added by the tests alone: it tells the port that Envoy took."""


@asynccontextmanager
async def shipped(
    behind: Behind, certificate: Certificate, directory: Path, changes: Mapping[str, str]
) -> AsyncIterator[Proxy]:
    """The configuration that we ship. Changed are ports and addresses and the certificate's paths alone."""
    path = directory / "envoy.yaml"
    path.write_text(fitted(behind, certificate, changes), "utf-8")
    options = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "info")
    async with Proxy(required("envoy"), "-c", str(path), "--config-yaml", _ADMIN, *options) as proxy:
        admin = re.findall(r"admin address: (\S+)", await proxy.written("admin address: "))[0]
        await proxy.written("starting workers")
        proxy.port = await _port(admin)
        yield proxy


def fitted(behind: Behind, certificate: Certificate, changes: Mapping[str, str]) -> str:
    """The configuration with the ports, addresses and paths of a test."""
    return changed(
        CONFIGURATION.read_text("utf-8"),
        {
            "address: 0.0.0.0, port_value: 443": "address: 127.0.0.1, port_value: 0",
            "/etc/ssl/stories.example/fullchain.pem": str(certificate.chain),
            "/etc/ssl/stories.example/privkey.pem": str(certificate.key),
            "port_value: 8000": f"port_value: {behind.gateway}",
            "port_value: 50051": f"port_value: {behind.service}",
        }
        | dict(changes),
    )


async def _port(admin: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{admin}/listeners", params={"format": "json"})
    (listener,) = json.loads(answer.text)["listener_statuses"]
    return int(listener["local_address"]["socket_address"]["port_value"])


def _impatient(seconds: int) -> Mapping[str, str]:
    return {
        " idle_timeout: 60s": f" idle_timeout: {seconds}s",
        "stream_idle_timeout: 330s": f"stream_idle_timeout: {seconds}s",
    }


ENVOY = Make("envoy", shipped, _impatient)
