"""How backends are chosen by URL."""

from pathlib import Path

import pytest

from service.backends import open_backends
from service.errors import ConfigError
from tests.service.backends.samples import CHILDREN, extend, record


async def _problems(log_url: str, store_url: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refused:
        async with open_backends(log_url, store_url, commit_interval_seconds=0, fresh_children=()):
            pass
    problems: tuple[str, ...] = refused.value.problems
    return problems


def _databases(directory: Path) -> list[str]:
    return sorted(str(found.relative_to(directory)) for found in directory.rglob("*.db"))


@pytest.mark.parametrize(
    "url",
    [
        "", "fabula.db", "kafka://host/x", "memory", "memory:x", "memory://x", "sqlite:", "sqlite://", "sqlite:///",
        "sqlite:x.db", "sqlite://x.db", "sqlite:///:memory:", "sqlite:///x.db?mode=ro", "sqlite:///x\0.db",
    ],
)  # fmt: skip
async def test_a_url_that_no_driver_takes_is_refused_with_the_forms_that_are_known(url: str) -> None:
    (problem,) = await _problems("memory:", url)

    assert problem.startswith("FABULA_STORE_URL ")
    assert problem.endswith("memory:, sqlite:///relative/path.db and sqlite:////absolute/path.db.")


async def test_every_bad_url_is_named_and_no_password_shown() -> None:
    problems = await _problems("kafka://user:secret@host", "sqlite://user:secret@host/x.db")

    assert [problem.split()[0] for problem in problems] == ["FABULA_LOG_URL", "FABULA_STORE_URL"]
    assert "secret" not in " ".join(problems)


async def test_three_slashes_are_relative_and_four_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    urls = ("sqlite:///data/log.db", f"sqlite:///{tmp_path}/store.db")
    async with open_backends(*urls, commit_interval_seconds=0, fresh_children=()):
        pass

    assert _databases(tmp_path) == ["data/log.db", "store.db"]


async def test_log_and_store_may_be_of_different_drivers(tmp_path: Path) -> None:
    urls = (f"sqlite:///{tmp_path}/log.db", "memory:")
    for n in range(2):
        async with open_backends(*urls, commit_interval_seconds=0, fresh_children=CHILDREN) as backends:
            assert await backends.store.get_child("house", "1") == CHILDREN[0].child
            assert await backends.store.create_run(record("run", model=str(n))) == record("run", model=str(n))
            assert await extend(backends.log, "run", b"a") == n + 1, "a new store each time, but the same log"


async def test_a_log_that_forgets_is_refused_beside_a_store_that_does_not(tmp_path: Path) -> None:
    (problem,) = await _problems("Memory://", f"sqlite:///{tmp_path}/store.db")

    assert problem.startswith("FABULA_LOG_URL is memory: ")
    assert "their events would be gone" in problem
    assert _databases(tmp_path) == []
