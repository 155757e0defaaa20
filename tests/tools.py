"""What some tests need and not every machine has. Without it they are skipped and say so; where nothing may be skipped
they fail."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

_MODULES = Path(__file__).parent / "node_modules"


def required(name: str) -> str:
    """The path of a program."""
    return shutil.which(name) or _lacking(f"{name} is not installed")


def needed_module(name: str) -> Path:
    """The folder of a module of npm, one that tests/package.json names."""
    folder = _MODULES / name
    return folder if folder.is_dir() else _lacking(f"{name} is not installed: npm ci --prefix tests")


def _lacking(reason: str) -> NoReturn:
    if "FABULA_REQUIRE_ALL" in os.environ:
        pytest.fail(reason)
    pytest.skip(reason)
