"""A browser as the tests need it: streams read by parsers that are not ours, and what they hold as StoryEvents."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from httpx_sse import ServerSentEvent, aconnect_sse

from tests.harness import WITHIN, Served

GENERATE = "/api/v1/stories/generate/stream"
NIGHT = {"child_id": "1", "theme": "night"}


@asynccontextmanager
async def browsing(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service's gateway."""
    assert served.app.http is not None
    async with browser(served.app.http.url) as client:
        yield client


def browser(url: str) -> httpx.AsyncClient:
    """A client of the gateway at this address."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    return httpx.AsyncClient(base_url=url, timeout=WITHIN, trust_env=False, limits=limits)


def watch_path(run_id: str) -> str:
    """The address of a run's stream."""
    return f"/api/v1/stories/runs/{run_id}/stream"


@dataclass
class Read:
    """What was read of a run, over one connection or several."""

    events: list[ServerSentEvent] = field(default_factory=list)

    @property
    def data(self) -> list[dict[str, Any]]:
        return [json.loads(event.data) for event in self.events]

    @property
    def run_id(self) -> str:
        return self.events[0].id.partition(":")[0]

    @property
    def sequences(self) -> list[int]:
        return [int(event.id.partition(":")[2]) for event in self.events]

    @property
    def text(self) -> str:
        """The chunks that stand."""
        chunks: list[tuple[int, str]] = []
        for each in self.data:
            if each["type"] == "retraction":
                chunks = [chunk for chunk in chunks if chunk[0] < each["data"]["from_segment"]]
            if each["type"] == "content" and not each["data"]["withdrawn"]:
                chunks.append((each["data"]["segment"], each["data"]["chunk"]))
        return "".join(chunk for _, chunk in chunks)


async def read(
    client: httpx.AsyncClient,
    path: str,
    params: Mapping[str, Any] | None = None,
    *,
    cursor: str = "",
    at_most: int | None = None,
    **options: Any,
) -> Read:
    """Reads a stream to its end, or breaks it off after so many events."""
    headers = {"Last-Event-ID": cursor} if cursor else {}
    found = Read()
    async with aconnect_sse(client, "GET", path, params=params, headers=headers, **options) as source:
        source.response.raise_for_status()
        async for event in source.aiter_sse():
            found.events.append(event)
            if len(found.events) == at_most:
                break
    return found


def reason(response: httpx.Response) -> str:
    """The reason of an error's ErrorInfo; empty without one."""
    return next((str(each["reason"]) for each in details(response) if "reason" in each), "")


def details(response: httpx.Response) -> Sequence[dict[str, Any]]:
    """The details of an error, whose body must be whole."""
    error = response.json()["error"]
    assert set(response.json()) == {"error"}
    assert set(error) == {"code", "status", "message", "details"}
    assert all("@type" in each for each in error["details"])
    assert response.headers["content-type"] == "application/json"
    return [dict(each) for each in error["details"]]


def violations(response: httpx.Response) -> dict[str, str]:
    """What the error's BadRequest says of each field."""
    found = [each for each in details(response) if each["@type"].endswith("google.rpc.BadRequest")]
    return {each["field"]: each["description"] for detail in found for each in detail["field_violations"]}
