"""How the service stops, what those who listen then hear, and how a listener who has frozen is noticed."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from fabula import FabulaClient, RunInterrupted
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2, story_service_pb2_grpc
from service.rpc.server import MAX_REQUEST_BYTES, server_options
from tests.conftest import Serve
from tests.harness import QUICK, WITHIN, ServerProcess, outcome, standing
from tests.ollama_server import OllamaServer, Reply
from tests.service.rpc.raw import taken_apart
from tests.service.rpc.test_health import health
from tests.stories import TEXT, chapter, told

STOPS = [signal.SIGTERM, signal.SIGINT]
NIGHT = story_pb2.GenerateStoryRequest(child_id="1", theme="night")
Spawn = Callable[..., ServerProcess]


@pytest.fixture
def spawn(tmp_path: Path, ollama: OllamaServer) -> Spawn:
    """`python -m service` over the Ollama server, whose stories stall in their midst."""
    ollama.reply_by_default(Reply(content=chapter(), stall_after=20))
    return partial(ServerProcess, tmp_path, model="ollama:llama3.2", ollama_base_url=ollama.base_url)


class Listener:
    """A call of GenerateStory, read to its end in a task; `begun` is set once text has come."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.events: list[story_pb2.StoryEvent] = []
        self.begun = asyncio.Event()
        self._stub: story_service_pb2_grpc.StoryServiceAsyncStub = story_service_pb2_grpc.StoryServiceStub(channel)
        self.task = asyncio.create_task(self._listen())

    async def _listen(self) -> grpc.aio.AioRpcError | None:
        try:
            async for event in self._stub.GenerateStory(NIGHT):
                self.events.append(event)
                if event.HasField("content"):
                    self.begun.set()
        except grpc.aio.AioRpcError as error:
            return error
        return None


@asynccontextmanager
async def listening(server: ServerProcess) -> AsyncIterator[Listener]:
    """Somebody listens to a story that has begun."""
    async with grpc.aio.insecure_channel(server.address) as channel, asyncio.timeout(WITHIN):
        listener = Listener(channel)
        await listener.begun.wait()
        yield listener


async def begin_to_stop(server: ServerProcess, number: signal.Signals) -> None:
    """Sends the signal and returns once the service says that it does not serve any more."""
    async with grpc.aio.insecure_channel(server.address) as channel:
        call = health(channel).Watch(health_pb2.HealthCheckRequest())
        statuses = aiter(call)
        assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.SERVING
        server.send(number)
        assert (await anext(statuses)).status == health_pb2.HealthCheckResponse.NOT_SERVING
        call.cancel()


@pytest.mark.parametrize("number", STOPS)
async def test_a_run_that_ends_within_the_grace_is_told_to_its_end(
    spawn: Spawn, ollama: OllamaServer, number: signal.Signals
) -> None:
    async with spawn(shutdown_grace_seconds=3_600) as server, listening(server) as listener:
        await begin_to_stop(server, number)
        await ollama.wait_stalled(1)
        ollama.release()
        assert await listener.task is None
        assert listener.events[-1].complete.story_content == standing(listener.events) == TEXT
        assert await server.exit_code() == 0
    events = [json.loads(line)["event"] for line in server.lines]
    assert events[-1] == "stopped"
    assert "stopping" in events


async def test_what_outlasts_the_grace_is_interrupted_and_can_be_watched_after_a_restart(
    spawn: Spawn, ollama: OllamaServer
) -> None:
    async with spawn(shutdown_grace_seconds=0.2) as server:
        async with listening(server) as listener:
            server.send(signal.SIGTERM)
            error = await listener.task
            assert await server.exit_code() == 0
        assert error is not None
        end = listener.events[-1].error
        refusal = taken_apart(error)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "RUN_INTERRUPTED")
        assert refusal.status == end.status
        assert end.code == run_pb2.ERROR_REASON_RUN_INTERRUPTED
        assert end.retryable
        assert end.partial_text_id == listener.events[0].run_id
        await ollama.wait_for_chats(0)
        await server.start()
        async with FabulaClient(server.address, retry=QUICK) as client, asyncio.timeout(WITHIN):
            run = await client.get_run(end.partial_text_id)
            kept, again = await outcome(client.watch(end.partial_text_id))
    assert run.state == run_pb2.RUN_STATE_FAILED
    assert run.error == end
    assert kept == listener.events
    assert isinstance(again, RunInterrupted)
    assert TEXT.startswith(standing(kept))
    assert standing(kept)


async def test_new_calls_are_refused_while_the_service_stops(spawn: Spawn, ollama: OllamaServer) -> None:
    async with spawn(shutdown_grace_seconds=3_600) as server, listening(server) as listener:
        await begin_to_stop(server, signal.SIGTERM)
        async with grpc.aio.insecure_channel(server.address) as channel:
            late = Listener(channel)
            error = await late.task
        assert error is not None
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert late.events == []
        await ollama.wait_stalled(1)
        ollama.release()
        assert await listener.task is None
        assert await server.exit_code() == 0
    assert len(told(ollama)) == 1


@pytest.mark.parametrize("number", STOPS)
async def test_a_second_signal_stops_now(spawn: Spawn, ollama: OllamaServer, number: signal.Signals) -> None:
    async with spawn(shutdown_grace_seconds=3_600) as server, listening(server) as listener:
        await begin_to_stop(server, signal.SIGTERM)
        server.send(number)
        error = await listener.task
        assert error is not None
        assert taken_apart(error).reason == "RUN_INTERRUPTED"
        assert listener.events[-1].error.code == run_pb2.ERROR_REASON_RUN_INTERRUPTED
        assert await server.exit_code() == 0
    await ollama.wait_for_chats(0)


async def test_a_service_without_runs_stops_at_once(spawn: Spawn) -> None:
    async with spawn(shutdown_grace_seconds=3_600) as server:
        assert await server.stop() == 0


async def test_a_caller_who_has_frozen_is_noticed(serve: Serve, ollama: OllamaServer) -> None:
    ollama.reply_with(Reply(content=chapter(), stall_after=20))
    async with serve(keepalive_seconds=1, keepalive_timeout_seconds=1, linger_seconds=3_600) as served:
        reader = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.service.rpc.reader", served.address), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert reader.stdout is not None
            async with asyncio.timeout(WITHIN):
                run_id = (await reader.stdout.readline()).decode().strip()
                await ollama.wait_stalled(1)
                active = served.app.runner.active_runs[run_id]
                reader.send_signal(signal.SIGSTOP)
                await active.ended.wait()
                await ollama.wait_for_chats(0)
        finally:
            reader.kill()
            await reader.wait()
        _, end = await outcome(served.client.watch(run_id))
        run = await served.client.get_run(run_id)
    assert end is not None
    assert run.state == run_pb2.RUN_STATE_CANCELLED
    assert run.error.code == run_pb2.ERROR_REASON_RUN_CANCELLED


def test_a_polite_client_that_pings_every_twenty_seconds_is_never_cut() -> None:
    options = dict(server_options(10, 5))
    assert options["grpc.http2.min_ping_interval_without_data_ms"] <= 20_000
    assert options["grpc.http2.min_recv_ping_interval_without_data_ms"] <= 20_000
    assert options["grpc.keepalive_permit_without_calls"] == 1


def test_the_servers_own_pings_are_as_configured_and_never_run_out() -> None:
    options = dict(server_options(7.5, 2.5))
    assert options["grpc.keepalive_time_ms"] == 7_500
    assert options["grpc.keepalive_timeout_ms"] == options["grpc.http2.ping_timeout_ms"] == 2_500
    assert options["grpc.http2.max_pings_without_data"] == 0


def test_requests_and_ports_are_bounded() -> None:
    options = dict(server_options(10, 5))
    assert options["grpc.max_receive_message_length"] == MAX_REQUEST_BYTES
    assert options["grpc.so_reuseport"] == 0
