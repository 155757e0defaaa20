"""A proxy that runs, as those see it who come to it: a browser, curl, a gRPC client."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import grpc
import grpc.aio
import httpx
from httpx_sse import EventSource, ServerSentEvent

from fabula import FabulaClient, RetryPolicy
from tests.deploy.certificate import Certificate
from tests.deploy.proxy import Proxy
from tests.harness import QUICK, WITHIN
from tests.tools import required


@dataclass(frozen=True)
class Front:
    """One address for everybody."""

    proxy: Proxy
    certificate: Certificate

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.proxy.port}"

    @property
    def url(self) -> str:
        """The same for a browser."""
        return f"https://{self.address}"

    def browser(self) -> httpx.AsyncClient:
        """A client of HTTP/1.1."""
        context = ssl.create_default_context(cafile=str(self.certificate.chain))
        return httpx.AsyncClient(base_url=self.url, timeout=WITHIN, trust_env=False, verify=context)

    def client(self, retry: RetryPolicy = QUICK) -> FabulaClient:
        """Our own client of gRPC."""
        return FabulaClient(self.address, credentials=self._credentials(), retry=retry)

    def channel(self) -> grpc.aio.Channel:
        """For bare stubs; it takes no connection of another channel's."""
        options = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.secure_channel(self.address, self._credentials(), options)

    @asynccontextmanager
    async def curl(
        self, path: str, params: Mapping[str, Any] | None = None, *, version: str = "2", cursor: str = ""
    ) -> AsyncIterator[AsyncIterator[ServerSentEvent]]:
        """The events of a stream as they come over this version of HTTP; leaving closes the connection."""
        process = await asyncio.create_subprocess_exec(
            *(
                required("curl"),
                "-sSN",
                "--fail",
                "--compressed",
                f"--http{version}",
                "--cacert",
                str(self.certificate.chain),
            ),
            *("-H", "Accept: text/event-stream", "-H", f"Last-Event-ID: {cursor}"),
            f"{self.url}{path}?{urlencode(params or {})}",
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(WITHIN):
                yield _events(process.stdout)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    def _credentials(self) -> grpc.ChannelCredentials:
        return grpc.ssl_channel_credentials(self.certificate.chain.read_bytes())


async def _events(stream: asyncio.StreamReader) -> AsyncIterator[ServerSentEvent]:
    async def chunks() -> AsyncIterator[bytes]:
        while chunk := await stream.read(65_536):
            yield chunk

    response = httpx.Response(200, headers={"content-type": "text/event-stream"}, content=chunks())
    async for event in EventSource(response).aiter_sse():
        yield event
