"""The backends: where everything is kept, chosen by URL. Only the chosen driver is imported."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from service.backends.source import Driver, Options, Source
from service.errors import ConfigError
from service.runtime.ports import EventLog
from service.runtime.stores import ChildRecord, Store


@dataclass(frozen=True, slots=True)
class Backends:
    """The two ports, open."""

    log: EventLog
    store: Store


@dataclass(frozen=True, slots=True)
class _Place:
    """What a URL names; two URLs that name the same place share one source."""

    scheme: str
    location: str


def _memory() -> Driver:
    from service.backends import memory  # noqa: PLC0415

    return memory


def _sqlite() -> Driver:
    from service.backends import sqlite  # noqa: PLC0415

    return sqlite


_DRIVERS: Mapping[str, Callable[[], Driver]] = {"memory": _memory, "sqlite": _sqlite}
_KNOWN = "memory:, sqlite:///relative/path.db and sqlite:////absolute/path.db"

_FORGETFUL = (
    "FABULA_LOG_URL is memory: and FABULA_STORE_URL is not: after a restart the runs would still be there, but their "
    "events would be gone. Set both to memory:, or neither."
)


@asynccontextmanager
async def open_backends(
    log_url: str, store_url: str, *, commit_interval_seconds: float, fresh_children: Sequence[ChildRecord]
) -> AsyncIterator[Backends]:
    """Opens the log and the store; on leaving, everything is committed and closed.

    Commits that follow each other within `commit_interval_seconds` become one. `fresh_children` are the profiles of a
    store that is made new. Raises ConfigError for a URL that no driver takes, for a place that can't be opened, and for
    a log in memory beside a store that is not: its runs would outlive their events.
    """
    log_place, store_place = _locate({"FABULA_LOG_URL": log_url, "FABULA_STORE_URL": store_url})
    if log_place.scheme == "memory" and store_place.scheme != "memory":
        raise ConfigError([_FORGETFUL])
    async with AsyncExitStack() as stack:
        store = await _open(stack, store_place, Options(commit_interval_seconds, tuple(fresh_children)))
        log = store if log_place == store_place else await _open(stack, log_place, Options(commit_interval_seconds))
        yield Backends(log=log.event_log(), store=store.store())


async def _open(stack: AsyncExitStack, place: _Place, options: Options) -> Source:
    return await stack.enter_async_context(_DRIVERS[place.scheme]().open_source(place.location, options))


def _locate(urls: Mapping[str, str]) -> Sequence[_Place]:
    """The place of each URL, in order. Raises ConfigError; a URL may hold a password and is never quoted."""
    places, problems = [], []
    for setting, url in urls.items():
        try:
            places.append(_place(url))
        except ValueError as problem:
            problems.append(f"{setting} {problem}. The known forms are {_KNOWN}.")
    if problems:
        raise ConfigError(problems)
    return places


def _place(url: str) -> _Place:
    scheme, colon, _ = url.partition(":")
    driver = _DRIVERS.get(scheme.lower())
    if not colon or driver is None:
        raise ValueError("is no URL of a known scheme")
    return _Place(scheme.lower(), driver().locate(url))
