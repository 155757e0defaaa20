"""What a driver gives: a place that is open and keeps a log, a store, or both."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from service.runtime.ports import EventLog
from service.runtime.stores import ChildRecord, Store


@dataclass(frozen=True, slots=True)
class Options:
    """How a source is opened, whatever its driver."""

    commit_interval_seconds: float
    fresh_children: Sequence[ChildRecord] = ()


class Source(Protocol):
    """An open place. A driver that keeps only one of the two raises ConfigError for the other."""

    def event_log(self) -> EventLog:
        """The log that is kept here."""

    def store(self) -> Store:
        """The store that is kept here."""


class Driver(Protocol):
    """What the module of a driver offers."""

    def locate(self, url: str, /) -> str:
        """The place that a URL names, equal for URLs of the same place. Raises ValueError with what is wrong."""

    def open_source(self, location: str, options: Options, /) -> AbstractAsyncContextManager[Source]:
        """Opens a place that `locate` named. Raises ConfigError when it can't be opened."""
