"""The parts of the reading page that need no browser: their own tests, run by Node."""

import asyncio
from pathlib import Path

from tests.harness import WITHIN
from tests.tools import required

FOLDER = Path(__file__).parent


async def test_the_parts_of_the_page_do_what_their_tests_say() -> None:
    tests = sorted(str(file) for file in FOLDER.glob("*.test.js"))
    process = await asyncio.create_subprocess_exec(
        required("node"), "--test", *tests, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(WITHIN):
        output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    assert "# fail 0" in output.decode()
