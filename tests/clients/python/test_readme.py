"""The client's README leaves nothing out."""

import re
from pathlib import Path

import pytest

import fabula
from fabula.arguments import parse

README = (Path(fabula.__file__).parent.parent / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^fabula ([a-z-]+)", README, re.MULTILINE)
LIFECYCLE = {"aclose"}


def test_every_method_of_the_client_has_its_row() -> None:
    public = {name for name in dir(fabula.FabulaClient) if not name.startswith("_")} - LIFECYCLE
    assert {name for name in public if f"client.{name}(" not in README} == set()


def test_every_error_has_its_row() -> None:
    errors = {
        name
        for name in fabula.__all__
        if isinstance(kind := getattr(fabula, name), type) and issubclass(kind, Exception)
    }
    rows = "\n".join(line for line in README.splitlines() if line.startswith("| "))
    assert {name for name in errors - {"FabulaError"} if f"`{name}`" not in rows} == set()


def test_every_command_is_shown(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit):
        parse(["--help"])
    offered = re.findall(r"^    ([a-z-]+) ", capsys.readouterr().out, re.MULTILINE)
    assert sorted(set(COMMANDS)) == sorted(offered)
