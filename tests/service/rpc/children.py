"""ChildService alone on a real server, over a real store, with a check that a test decides."""

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio

from fabula.child.v1 import child_pb2, child_service_pb2, child_service_pb2_grpc
from service.backends import Backends, open_backends
from service.errors import InputUnfit
from service.identity.anyone import Anyone
from service.rpc.child_servicer import ChildServicer
from service.rpc.server import RpcServer, Service
from service.runtime.eraser import Eraser
from service.runtime.runner import Runner
from service.runtime.spec import LOCAL_PRINCIPAL, Limits
from service.runtime.stores import ChildRecord
from tests.service.runtime.scripted import CODEC

NAME = child_service_pb2.DESCRIPTOR.services_by_name["ChildService"].full_name
DEMO = child_pb2.Child(child_id="1", nickname="Robin", age=6, interests=["stars"], language="en")
FOREIGN = child_pb2.Child(child_id="2", nickname="Nobody", age=6)


@dataclass
class Check:
    """A ProfileCheck: refuses what holds "unfit", and remembers the names of the fields that it was given."""

    given: list[set[str]] = field(default_factory=list)

    def __call__(self, child: child_pb2.Child, given: Collection[str]) -> None:
        self.given.append(set(given))
        if "unfit" in child.nickname:
            raise InputUnfit([("nickname", "is not fit")])


@dataclass(frozen=True)
class Nursery:
    """What a test needs of it."""

    stub: "child_service_pb2_grpc.ChildServiceAsyncStub"
    channel: grpc.aio.Channel
    backends: Backends
    runner: Runner
    check: Check


@asynccontextmanager
async def nursery(directory: Path) -> AsyncIterator[Nursery]:
    """Serves over a database in this directory; it has a child, and another that is somebody else's."""
    url = f"sqlite:///{directory}/fabula.db"
    fresh = [ChildRecord(DEMO, LOCAL_PRINCIPAL), ChildRecord(FOREIGN, "stranger")]
    async with AsyncExitStack() as stack:
        backends = await stack.enter_async_context(
            open_backends(url, url, commit_interval_seconds=0, fresh_children=fresh)
        )
        runner = await stack.enter_async_context(Runner(backends.log, backends.store, {"story": CODEC}, Limits()))
        eraser = await stack.enter_async_context(Eraser(backends.log, backends.store, runner, 0))
        check = Check()
        servicer = ChildServicer(backends.store, eraser, check)

        def add(server: grpc.aio.Server) -> None:
            child_service_pb2_grpc.add_ChildServiceServicer_to_server(servicer, server)

        server = await stack.enter_async_context(RpcServer("127.0.0.1:0", [Service(NAME, add)], Anyone(), 10, 5))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{server.port}"))
        yield Nursery(child_service_pb2_grpc.ChildServiceStub(channel), channel, backends, runner, check)
