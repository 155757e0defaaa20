"""Files of older versions, and that no list reads more than its page."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.backends.source import Options
from service.backends.sqlite.artifacts import OF_SERIES, series_listing
from service.backends.sqlite.database import open_database
from service.backends.sqlite.erasures import EXPIRED
from service.backends.sqlite.schema import APPLICATION_ID, MIGRATIONS, migrate
from service.backends.sqlite.store import SqliteStore
from service.runtime.stores import ChildQuery, Erasure, SeriesQuery, Subject
from tests.service.backends.samples import CHILDREN, artifact, record


def _of_version_one(path: Path) -> None:
    """A file as the first version left it: with a child and a run."""
    child, run = CHILDREN[0].child, record("a", "local").run
    with closing(sqlite3.connect(path)) as connection, connection:
        MIGRATIONS[0](connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO children VALUES (?, ?)", (child.child_id, child.SerializeToString()))
        connection.execute(
            "INSERT INTO runs VALUES ('a', 'local', '', X'00', '1', 'tale', 2, 1, ?)", (run.SerializeToString(),)
        )


async def test_a_file_of_the_first_version_keeps_its_children_and_runs(tmp_path: Path) -> None:
    _of_version_one(tmp_path / "fabula.db")
    for _ in range(2):
        async with open_database(tmp_path / "fabula.db", Options(0, fresh_children=CHILDREN)) as database:
            store = SqliteStore(database)
            assert await store.get_child("local", "1") == CHILDREN[0].child
            assert await store.list_children(ChildQuery("local", 10)) == [CHILDREN[0].child]
            assert await store.get_child("other", "2") is None, "fresh children are for new files"
            assert await store.get_run("a") is not None
            await store.keep(artifact("a"))

    async with open_database(tmp_path / "fabula.db", Options(0)) as database:
        assert await SqliteStore(database).begin_erasure(Erasure("local", Subject.CHILD, "1"))


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as opened:
        migrate(opened, ())
        yield opened


@pytest.mark.parametrize(
    "query",
    [
        SeriesQuery("house", 10),
        SeriesQuery("house", 10, before=(5, "tale")),
        SeriesQuery("house", 10, child_id="1"),
        SeriesQuery("house", 10, child_id="1", before=(5, "tale")),
    ],
)
def test_a_page_of_series_comes_from_an_index_in_its_order(connection: sqlite3.Connection, query: SeriesQuery) -> None:
    plan = _plan(connection, *series_listing(query))

    assert f"SEARCH begun USING INDEX series_by_{'child' if query.child_id else 'age'}" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


def test_artifacts_and_what_expired_come_from_an_index(connection: sqlite3.Connection) -> None:
    made = _plan(connection, OF_SERIES, ("house", "tale"))
    expired = _plan(connection, EXPIRED, (5, 5, 10))

    assert "SEARCH made USING INDEX artifacts_by_series" in made
    assert "SEARCH old USING COVERING INDEX runs_by_age" in expired
    assert "SEARCH other USING INDEX runs_by_story" in expired
    assert "SCAN" not in made + expired


def _plan(connection: sqlite3.Connection, statement: str, values: tuple[object, ...]) -> str:
    return "\n".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))
