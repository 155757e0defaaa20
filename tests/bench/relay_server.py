"""The bare relay, our baseline: Ollama's own client, each chunk forwarded as one gRPC message. Nothing else.

No workflow, no review, no log, no resumption, no types: the least that a service between a model and gRPC can do.
"""

import argparse
import asyncio
import json
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import httpx
import ollama

SERVICE, METHOD = "bench.Relay", "Tell"


class Relay:
    """Forwards what the model writes."""

    def __init__(self, base_url: str, model: str) -> None:
        # httpx would keep 100 connections, and ask a proxy of the environment for the model on this machine.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        self._client = ollama.AsyncClient(host=base_url, limits=limits, trust_env=False)
        self._model = model

    async def tell(self, prompt: bytes, _: object) -> AsyncIterator[bytes]:
        """The answer to the prompt, a message for each of the model's chunks."""
        messages = [{"role": "user", "content": prompt.decode()}]
        async for part in await self._client.chat(self._model, messages, stream=True):
            if part.message.content:
                yield part.message.content.encode()


def main() -> None:
    """Serves until it is killed; says where on stdout, once ready."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relay_server", description=__doc__)
    parser.add_argument("base_url", help="of the model server")
    parser.add_argument("model")
    arguments = parser.parse_args()
    asyncio.run(_serve(Relay(arguments.base_url, arguments.model)))


async def _serve(relay: Relay) -> None:
    server = grpc.aio.server()
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_stream_rpc_method_handler(relay.tell)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(json.dumps({"address": f"127.0.0.1:{port}"}), flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    main()
