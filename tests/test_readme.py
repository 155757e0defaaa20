"""What README says is true: its commands run, and its table is the configuration."""

import asyncio
import re
from pathlib import Path

from fabula.story.v1 import story_pb2
from service.config import Config
from tests.harness import Served, serving
from tests.tools import required

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
COMMANDS = [
    command.replace("\\\n", " ")
    for block in BLOCKS
    for command in re.split(r"(?<!\\)\n", block)
    if command.startswith("grpcurl")
]


UNSET = {
    "store_url": "SQLite in the data directory",
    "log_url": "SQLite in the data directory",
    "fallback_model": "none",
    "review_model": "the model that tells",
    "guard_model": "none",
    "auth_jwks_url": "none",
    "auth_issuer": "none",
    "http_hosts": "those of this machine; any with keys",
    "cors_origins": "none",
    "gateway_target": "none",
}
"""What the table says of settings that are empty by default."""


def test_the_configuration_table_is_the_configuration() -> None:
    rows = dict(re.findall(r"^\| `(FABULA_\w+)` \| ([^|]+?) \|", README, re.MULTILINE))
    assert list(rows) == [f"FABULA_{name.upper()}" for name in Config.model_fields]
    for name, field in Config.model_fields.items():
        told = rows[f"FABULA_{name.upper()}"].strip("`")
        default = field.default
        if default is None:
            assert told == "none"
        elif default == "":
            assert told == UNSET[name]
        else:
            assert told == str(default)


def test_the_event_table_is_the_contract() -> None:
    fields = [field.name for field in story_pb2.StoryEvent.DESCRIPTOR.oneofs_by_name["event"].fields]
    section = README.split("## The events of a stream")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == fields


def test_every_rpc_has_a_grpcurl_command() -> None:
    rpcs = re.findall(r"fabula\.\w+\.v1\.\w+Service/\w+", "\n".join(COMMANDS))
    declared = set()
    for proto in (ROOT / "protos").rglob("*_service.proto"):
        text = proto.read_text(encoding="utf-8")
        package = re.findall(r"^package (\S+);", text, re.MULTILINE)[0]
        service = re.findall(r"^service (\w+)", text, re.MULTILINE)[0]
        declared |= {f"{package}.{service}/{name}" for name in re.findall(r"^  rpc (\w+)", text, re.MULTILINE)}
    assert set(rpcs) == declared


MADE_BY = {"run_id": "/GenerateStory", "story_id": "/GenerateStory", "child_id": "/CreateChild"}
"""Which command gives the id that README writes in capitals; the first one counts."""


async def test_every_grpcurl_command_of_the_readme_does_what_it_says() -> None:
    required("grpcurl")
    async with (
        serving(grpc_address="127.0.0.1:0") as served,
        serving(embedded_tokens_per_second=1) as slow,
        slow.client.tell("the night") as telling,
    ):
        under_way = (await anext(aiter(telling))).run_id
        known: dict[str, str] = {}
        for command in COMMANDS:
            if "/PauseRun" in command or "/ContinueRun" in command:
                code, output = await run(slow, command.replace("RUN_ID", under_way))
                assert (code, "RUN_STATE_PAUSED" in output) == (0, "/PauseRun" in command), output
                continue
            for name, value in known.items():
                command = command.replace(name.upper(), value)  # noqa: PLW2901 -- as a reader would
            code, output = await run(served, command)
            assert code == 0, (command, output)
            for name, maker in MADE_BY.items():
                if maker in command and name not in known:
                    known[name] = re.findall(rf'"{name}": "(\w+)"', output)[0]


async def test_the_curl_command_of_the_readme_reads_a_whole_story() -> None:
    required("curl")
    (command,) = re.findall(r"^curl -N .+$", README, re.MULTILINE)
    async with serving(http_address="127.0.0.1:0") as served:
        assert served.app.http is not None
        address = f"127.0.0.1:{served.app.http.port}"
        code, output = await run(served, command.replace("127.0.0.1:8000", address).replace("-N", "-sN"))
    assert code == 0
    assert '"type": "complete"' in output or '"type":"complete"' in output
    assert output.count("event: story_chunk") == output.count("id: ") > 10


async def run(served: Served, command: str) -> tuple[int, str]:
    """Runs a command of the README against this server; returns its exit code and all that it printed."""
    process = await asyncio.create_subprocess_shell(
        command.replace("127.0.0.1:50051", served.address),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()
