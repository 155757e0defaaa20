"""Nobody reads or touches what is another account's, by any RPC or route, with any token."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from fabula import FabulaClient
from fabula.child.v1 import child_pb2
from fabula.run.v1 import run_pb2
from fabula.story.v1 import story_pb2
from service.gateway.routes import Route, RouteTable, path_of
from service.gateway.services import SERVICES
from service.rpc.scopes import scope_of
from tests.harness import Served, serving
from tests.service.gateway.browser import browsing
from tests.tokens import ISSUER, forged, public_pem, signed, unsigned

RPCS = {rpc.full_name: rpc for service in SERVICES for rpc in service.methods}
TABLE = RouteTable(SERVICES)
ALGORITHM = "EdDSA"
UNAUTHENTICATED, PERMISSION_DENIED = 16, 7


@dataclass(frozen=True)
class Ids:
    """What an account has; `missing` are those that nobody has."""

    child: str
    story: str
    run: str


MISSING = Ids("f" * 32, "f" * 32, "f" * 32)


def asking(ids: Ids) -> Mapping[str, Message]:
    """A request of each RPC for these."""
    story = story_pb2.GenerateStoryRequest(child_id=ids.child, story_id=ids.story, custom_user_input="they sing")
    return {
        "fabula.story.v1.StoryService.GenerateStory": story,
        "fabula.story.v1.StoryService.CreateStory": story_pb2.CreateStoryRequest(story=story),
        "fabula.story.v1.StoryService.WatchStory": story_pb2.WatchStoryRequest(run_id=ids.run),
        "fabula.story.v1.StoryService.GetStory": story_pb2.GetStoryRequest(story_id=ids.story),
        "fabula.story.v1.StoryService.ListStories": story_pb2.ListStoriesRequest(child_id=ids.child),
        "fabula.story.v1.StoryService.DeleteStory": story_pb2.DeleteStoryRequest(story_id=ids.story),
        "fabula.run.v1.RunService.GetRun": run_pb2.GetRunRequest(run_id=ids.run),
        "fabula.run.v1.RunService.ListRuns": run_pb2.ListRunsRequest(child_id=ids.child),
        "fabula.run.v1.RunService.CancelRun": run_pb2.CancelRunRequest(run_id=ids.run),
        "fabula.run.v1.RunService.PauseRun": run_pb2.PauseRunRequest(run_id=ids.run),
        "fabula.run.v1.RunService.ContinueRun": run_pb2.ContinueRunRequest(run_id=ids.run),
        "fabula.child.v1.ChildService.CreateChild": child_pb2.CreateChildRequest(nickname="Kim", age=7),
        "fabula.child.v1.ChildService.GetChild": child_pb2.GetChildRequest(child_id=ids.child),
        "fabula.child.v1.ChildService.ListChildren": child_pb2.ListChildrenRequest(),
        "fabula.child.v1.ChildService.UpdateChild": child_pb2.UpdateChildRequest(child_id=ids.child, age=8),
        "fabula.child.v1.ChildService.DeleteChild": child_pb2.DeleteChildRequest(child_id=ids.child),
    }


NAMES_NOTHING = {"fabula.child.v1.ChildService.CreateChild", "fabula.child.v1.ChildService.ListChildren"}
"""RPCs that ask for nothing in particular."""

LISTS = {"fabula.story.v1.StoryService.ListStories", "fabula.run.v1.RunService.ListRuns"}
"""RPCs that answer an empty list for what is not there."""

CONFLICTS = {"fabula.run.v1.RunService.PauseRun", "fabula.run.v1.RunService.ContinueRun"}
"""RPCs that a run which has ended can't have."""


def test_every_rpc_is_asked_and_names_its_scope() -> None:
    assert set(asking(MISSING)) == set(RPCS)
    assert [name for name, rpc in RPCS.items() if not scope_of(path_of(rpc))] == []


@asynccontextmanager
async def house(directory: Path) -> AsyncIterator["House"]:
    """A service that tells callers apart by a public key, with the gateway."""
    key = directory / "key.pem"
    key.write_bytes(public_pem(ALGORITHM))
    async with (
        serving(auth_key_file=key, auth_issuer=ISSUER, http_address="127.0.0.1:0") as served,
        browsing(served) as http,
    ):
        yield House(served, http)


@dataclass(frozen=True)
class House:
    """The two ways in."""

    served: Served
    http: httpx.AsyncClient

    def client(self, account: str) -> FabulaClient:
        """A client of an account."""
        return FabulaClient(self.served.address, token=right(account))


async def settled(rooms: House, account: str) -> Ids:
    """An account with a child that has a story."""
    async with rooms.client(account) as client:
        child = await client.create_child("Robin", 6)
        stream = client.tell("stars", child_id=child.child_id)
        complete = await stream.result()
    return Ids(child.child_id, complete.story_id, stream.run_id)


def right(account: str) -> str:
    return signed(ALGORITHM, account)


@dataclass(frozen=True)
class Answer:
    """What a call came to, whichever way it was made: the code's number, the message, and how many answers came."""

    code: int
    message: str
    answers: int

    @property
    def is_ok(self) -> bool:
        return self.code == 0


async def by_grpc(rooms: House, name: str, request: Message, token: str | None) -> Answer:
    rpc = RPCS[name]
    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    answers = 0
    try:
        if rpc.server_streaming:
            stream: Any = rooms.served.channel.unary_stream(path_of(rpc))
            async for _ in stream(request.SerializeToString(), metadata=metadata):
                answers += 1
        else:
            single: Any = rooms.served.channel.unary_unary(path_of(rpc))
            answers = len(await single(request.SerializeToString(), metadata=metadata))
    except grpc.aio.AioRpcError as error:
        return Answer(int(error.code().value[0]), error.details() or "", answers)
    return Answer(0, "", answers)


async def by_http(rooms: House, name: str, request: Message, token: str | None) -> Answer:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    route = next(route for route in TABLE.routes if route.rpc.full_name == name)
    found = await rooms.http.request(**_written(route, request), headers=headers)
    if found.status_code < 300:
        return Answer(0, "", len(found.content))
    return _refused(found)


def _written(route: Route, request: Message) -> dict[str, Any]:
    fields = json_format.MessageToDict(request, preserving_proto_field_name=True)
    path = route.template.text
    for field in route.template.fields:
        path = path.replace("{" + field + "}", fields.pop(field))
    body = fields if route.body == "*" else fields.get(route.body)
    sent = {"json": body} if route.body else {"params": fields}
    return {"method": route.method, "url": path, **sent}


def _refused(found: httpx.Response) -> Answer:
    error = found.json()["error"]
    return Answer(error["code"], error["message"], 0)


Way = Callable[[House, str, Message, str | None], Awaitable[Answer]]
WAYS = [by_grpc, by_http]
SCOPES = ["", "read", "tell", "children", "operate", "READ", "stories.read"]

WRONG: Mapping[str, Callable[[], str | None]] = {
    "none": lambda: None,
    "no token": lambda: "x",
    "no JWT": lambda: "a.b.c",
    "expired": lambda: signed(ALGORITHM, "us", exp=time.time() - 60),
    "without an end": lambda: signed(ALGORITHM, "us", exp=None),
    "not yet valid": lambda: signed(ALGORITHM, "us", nbf=time.time() + 600),
    "another audience": lambda: signed(ALGORITHM, "us", aud="elsewhere"),
    "another issuer": lambda: signed(ALGORITHM, "us", iss="https://elsewhere.example"),
    "nobody": lambda: signed(ALGORITHM, ""),
    "alg=none": lambda: unsigned("us"),
    "the public key as a secret": lambda: forged("us", public_pem(ALGORITHM)),
    "another kind of key": lambda: signed("ES256", "us"),
    "a signature of something else": lambda: right("us").rsplit(".", 1)[0] + "." + right("them").rsplit(".", 1)[1],
}


@pytest.mark.parametrize("way", WAYS)
async def test_without_a_right_token_nothing_is_answered(way: Way, tmp_path: Path) -> None:
    holes: list[Any] = []
    async with house(tmp_path) as rooms:
        ours = await settled(rooms, "us")
        asked = [each for ids in (ours, MISSING) for each in asking(ids).items()]
        for identity, made in WRONG.items():
            token = made()
            answers = await asyncio.gather(*[way(rooms, name, request, token) for name, request in asked])
            for (name, _), got in zip(asked, answers, strict=True):
                if got.code != UNAUTHENTICATED or got.answers:
                    holes.append((identity, name, got))
        assert await is_untouched(rooms, ours)
    assert holes == []


async def is_untouched(rooms: House, ids: Ids) -> bool:
    """Whether everything of ours is as it was."""
    async with rooms.client("us") as client:
        child = await client.get_child(ids.child)
        story = await client.get_story(ids.story)
        runs = [run async for run in client.list_runs()]
    return child.age == 6 and len(story.chapters) == 1 and len(runs) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_a_token_allows_what_its_scope_says_and_no_more(way: Way, tmp_path: Path) -> None:
    wanted = {(scope, name): scope_of(path_of(rpc)) != scope for scope in SCOPES for name, rpc in RPCS.items()}
    got = {}
    async with house(tmp_path) as rooms:
        for scope in SCOPES:
            ours = await settled(rooms, "us")
            for name, request in asking(ours).items():
                answer = await way(rooms, name, request, signed(ALGORITHM, "us", scope=scope))
                got[scope, name] = answer.code == PERMISSION_DENIED
    assert got == wanted


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_foreign_is_answered_as_what_is_missing(way: Way, tmp_path: Path) -> None:
    async with house(tmp_path) as rooms:
        ours, theirs = await settled(rooms, "us"), await settled(rooms, "them")
        foreign, missing = asking(theirs), asking(MISSING)
        seen = {}
        for name in RPCS:
            told = await way(rooms, name, foreign[name], right("us"))
            wanted = await way(rooms, name, missing[name], right("us"))
            seen[name] = told == wanted and (not told.is_ok or name in NAMES_NOTHING | LISTS)
        assert await is_untouched(rooms, ours)
        async with rooms.client("them") as client:
            assert (await client.get_child(theirs.child)).age == 6
            assert len((await client.get_story(theirs.story)).chapters) == 1
    assert [name for name, same in seen.items() if not same] == []


@pytest.mark.parametrize("way", WAYS)
async def test_the_right_token_opens_everything_of_its_account(way: Way, tmp_path: Path) -> None:
    got = {}
    async with house(tmp_path) as rooms:
        for name in RPCS:
            ours = await settled(rooms, "us")
            got[name] = await way(rooms, name, asking(ours)[name], right("us"))
    assert {name for name, each in got.items() if not each.is_ok} == CONFLICTS
