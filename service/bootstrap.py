"""Puts the house together: the only file that names concrete classes. One AsyncExitStack owns every resource."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import cache

import grpc.aio

from fabula.child.v1 import child_pb2, child_service_pb2, child_service_pb2_grpc
from fabula.run.v1 import run_service_pb2, run_service_pb2_grpc
from fabula.story.v1 import story_service_pb2, story_service_pb2_grpc
from service.backends import open_backends
from service.config import NO_GATEWAY, Config
from service.gateway.opening import open_gateway
from service.gateway.server import HttpServer, reachable
from service.identity import open_authenticator
from service.models import open_fallback, open_fallback_reviewer, open_guard, open_model, open_reviewer
from service.rpc.child_servicer import ChildServicer
from service.rpc.run_servicer import RunServicer
from service.rpc.server import RpcServer, Service
from service.runtime.eraser import Eraser
from service.runtime.model import LanguageModel
from service.runtime.quota import AccountLimits
from service.runtime.run import timestamp
from service.runtime.runner import Runner
from service.runtime.spec import LOCAL_PRINCIPAL, Limits
from service.runtime.stores import ChildRecord
from service.safety.policy import Policy, load_policy
from service.workflows.story.desk import Desk
from service.workflows.story.events import StoryCodec
from service.workflows.story.graph import Budget, StoryWorkflow
from service.workflows.story.inputs import ProfileCheck
from service.workflows.story.library import Library
from service.workflows.story.prompts.secrets import CATEGORY, secrets
from service.workflows.story.readability import grade
from service.workflows.story.retrying import Retries
from service.workflows.story.reviewer import Reviewer
from service.workflows.story.servicer import StoryServicer

CODECS = {codec.workflow: codec for codec in (StoryCodec(),)}
"""The workflows that there are: a new one is one more in this tuple, and its service in `_services`."""

LAST_WORDS_SECONDS = 5.0
"""How long watchers may take to read the last events of their runs when the service stops."""

_DAY_SECONDS = 86_400.0

DEMO_CHILD = child_pb2.Child(
    child_id="1",
    nickname="Robin",
    age=6,
    reading_level=child_pb2.READING_LEVEL_INTERMEDIATE,
    interests=["animals", "stars"],
    language="en",
)
"""A fresh install has this child, so that child_id 1 works at once."""


@dataclass(frozen=True, slots=True)
class App:
    """What runs, once it runs. `http` is the gateway's server, None without a gateway."""

    server: RpcServer
    http: HttpServer | None
    runner: Runner
    model: LanguageModel

    async def stop(self, grace_seconds: float) -> None:
        """Refuses new calls at once, gives runs the grace to end, then interrupts them and lets their watchers read on.

        Calling it again with a shorter grace hurries the first call.
        """
        refusing = asyncio.create_task(self.server.stop(grace_seconds + LAST_WORDS_SECONDS))
        await self.runner.drain(grace_seconds)
        await self.server.stop(LAST_WORDS_SECONDS)
        await refusing


@asynccontextmanager
async def open_app(config: Config) -> AsyncIterator[App]:
    """Opens everything in order and closes it in reverse. Raises ConfigError, and StoreUnavailable."""
    async with AsyncExitStack() as stack:
        authenticator = await stack.enter_async_context(open_authenticator(config))
        default = config.default_database_url
        backends = await stack.enter_async_context(
            open_backends(
                config.log_url or default,
                config.store_url or default,
                commit_interval_seconds=config.commit_interval_seconds,
                fresh_children=[_demo_record()],
            )
        )
        model = await stack.enter_async_context(open_model(config))
        reviewer = await stack.enter_async_context(open_reviewer(config))
        fallback = await stack.enter_async_context(open_fallback(config))
        fallback_reviewer = await stack.enter_async_context(open_fallback_reviewer(config))
        guard = await stack.enter_async_context(open_guard(config))
        policy = _policy()
        # Loads what English is measured by: in the middle of stories it would hold all of them up.
        grade("Once upon a time.", "en")
        runner = await stack.enter_async_context(Runner(backends.log, backends.store, CODECS, _limits(config)))
        eraser = Eraser(backends.log, backends.store, runner, config.retention_days * _DAY_SECONDS)
        await stack.enter_async_context(eraser)
        # Who tells judges, unless one is named who judges all: what else is down may be the model that failed to tell.
        by_teller = {fallback.name: fallback_reviewer} if fallback is not None and not config.review_model else {}
        budget = _budget(config)
        seconds = config.review_timeout_seconds
        judge = Reviewer(reviewer, guard, policy.categories, seconds, budget.retries, by_teller)
        workflow = StoryWorkflow(model, judge, backends.store, budget, fallback)
        desk = Desk(backends.store, policy, workflow, config.planned_chapters)
        story = StoryServicer(runner, desk, Library(backends.store, eraser), config.heartbeat_seconds)
        child = ChildServicer(backends.store, eraser, ProfileCheck(policy))
        services = _services(story, RunServicer(runner), child)
        keepalive = (config.keepalive_seconds, config.keepalive_timeout_seconds)
        server = RpcServer(config.grpc_address, services, authenticator, *keepalive)
        await stack.enter_async_context(server)
        http = None
        if config.http_address != NO_GATEWAY:
            target = reachable(config.grpc_address, server.port)
            http = await stack.enter_async_context(open_gateway(config, target))
        yield App(server, http, runner, model)


@cache
def _policy() -> Policy:
    """Read once a process, for it comes with the code. The most usual screen is made now, the others when asked for."""
    policy = load_policy({CATEGORY: secrets()})
    policy.screen(DEMO_CHILD.age, DEMO_CHILD.language)
    return policy


def _demo_record() -> ChildRecord:
    now = timestamp(time.time_ns())
    child = child_pb2.Child(create_time=now, update_time=now)
    child.MergeFrom(DEMO_CHILD)
    return ChildRecord(child, LOCAL_PRINCIPAL)


def _limits(config: Config) -> Limits:
    return Limits(
        max_runs=config.max_runs,
        max_streams=config.max_streams,
        run_watchers=config.run_watchers,
        # Without keys there is one account: what holds for the whole service holds for it.
        account=_account_limits(config) if config.has_keys else AccountLimits(),
        run_seconds=config.run_timeout_seconds,
        pause_seconds=config.pause_seconds,
        linger_seconds=config.linger_seconds,
    )


def _account_limits(config: Config) -> AccountLimits:
    return AccountLimits(config.account_runs_per_minute, config.account_runs, config.account_streams)


def _budget(config: Config) -> Budget:
    return Budget(
        max_rewrites=config.max_rewrites,
        run_seconds=config.run_timeout_seconds,
        context_tokens=config.model_context_tokens,
        answer_tokens=config.model_max_tokens,
        retries=Retries(config.model_retries, config.model_retry_seconds),
    )


def _services(story: StoryServicer, run: RunServicer, child: ChildServicer) -> Sequence[Service]:
    def add_story(server: grpc.aio.Server) -> None:
        story_service_pb2_grpc.add_StoryServiceServicer_to_server(story, server)

    def add_run(server: grpc.aio.Server) -> None:
        run_service_pb2_grpc.add_RunServiceServicer_to_server(run, server)

    def add_child(server: grpc.aio.Server) -> None:
        child_service_pb2_grpc.add_ChildServiceServicer_to_server(child, server)

    return [
        Service(story_service_pb2.DESCRIPTOR.services_by_name["StoryService"].full_name, add_story),
        Service(run_service_pb2.DESCRIPTOR.services_by_name["RunService"].full_name, add_run),
        Service(child_service_pb2.DESCRIPTOR.services_by_name["ChildService"].full_name, add_child),
    ]
