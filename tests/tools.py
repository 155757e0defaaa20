"""Programs that some tests need and not every machine has."""

import os
import shutil

import pytest


def required(name: str) -> str:
    """The path of the program. Without it the test is skipped and says so, and fails where nothing may be skipped."""
    path = shutil.which(name)
    if path is not None:
        return path
    if "FABULA_REQUIRE_ALL" in os.environ:
        pytest.fail(f"{name} is not installed")
    pytest.skip(f"{name} is not installed")
