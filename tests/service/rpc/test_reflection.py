"""Server reflection: a tool without our protos finds every service, its files and its documentation's options."""

import asyncio

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.harness import WITHIN, serving

METHODS = {
    "fabula.story.v1.StoryService": [
        "GenerateStory",
        "WatchStory",
        "CreateStory",
        "GetStory",
        "ListStories",
        "DeleteStory",
    ],
    "fabula.run.v1.RunService": ["GetRun", "ListRuns", "CancelRun", "PauseRun", "ContinueRun"],
    "fabula.child.v1.ChildService": ["CreateChild", "GetChild", "ListChildren", "UpdateChild", "DeleteChild"],
    "grpc.health.v1.Health": ["Check", "List", "Watch"],
}
REFLECTION = "grpc.reflection.v1alpha.ServerReflection"


def reflect(address: str) -> tuple[list[str], DescriptorPool]:
    """What the server at this address says of itself, fetched by a client that blocks."""
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        services = list(database.get_services())
        pool = DescriptorPool(database)
        for service in services:
            descriptor = pool.FindServiceByName(service)
            for method in descriptor.methods:
                assert method.input_type.file.name
                assert method.output_type.file.name
        return services, pool


async def test_reflection_lists_every_service_and_its_files_resolve() -> None:
    async with serving() as served, asyncio.timeout(WITHIN):
        services, pool = await asyncio.to_thread(reflect, served.address)
    assert sorted(services) == sorted([*METHODS, REFLECTION])
    for service, methods in METHODS.items():
        assert sorted(pool.FindServiceByName(service).methods_by_name) == sorted(methods)
    event = pool.FindMessageTypeByName("fabula.story.v1.StoryEvent")
    assert [field.name for field in event.oneofs_by_name["event"].fields][-1] == "heartbeat"
    assert pool.FindServiceByName("fabula.story.v1.StoryService").methods_by_name["GenerateStory"].server_streaming


@pytest.mark.parametrize(
    "name",
    [
        "fabula/story/v1/story.proto",
        "fabula/run/v1/run.proto",
        "buf/validate/validate.proto",
        "google/api/annotations.proto",
        "google/rpc/status.proto",
    ],
)
async def test_every_file_of_the_contract_can_be_fetched(name: str) -> None:
    async with serving() as served, asyncio.timeout(WITHIN):
        _, pool = await asyncio.to_thread(reflect, served.address)
    assert pool.FindFileByName(name).name == name
