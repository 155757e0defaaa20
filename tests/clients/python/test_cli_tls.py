"""The program talks TLS, and sends no token in plain text beyond this machine."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from tests.clients.python.program import run
from tests.clients.python.scripted import STORY, Scripted, serving
from tests.deploy.certificate import Certificate, make_certificate


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return make_certificate(tmp_path)


@pytest.fixture
async def secured(service: Scripted, certificate: Certificate) -> AsyncIterator[str]:
    """The address of the service behind TLS."""
    pair = (certificate.key.read_bytes(), certificate.chain.read_bytes())
    async with serving(service, credentials=grpc.ssl_server_credentials([pair])) as port:
        yield f"127.0.0.1:{port}"


async def test_a_token_goes_by_tls_and_so_does_every_command_that_is_printed(
    secured: str, service: Scripted, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FABULA_TOKEN", "mine")
    where = ("--address", secured, "--tls", "--ca", str(certificate.chain))
    code, out, err = await run(*where, "tell", "a fox")
    assert (code, out) == (0, f"{STORY}\n")
    assert service.heard[0].metadata["authorization"] == "Bearer mine"
    printed = [line for line in err.splitlines() if "fabula " in line]
    assert len(printed) == 3
    assert all(f"fabula {' '.join(where)} " in line for line in printed)


async def test_a_certificate_that_is_not_trusted_is_a_plain_sentence(secured: str, service: Scripted) -> None:
    code, out, err = await run("--address", secured, "--tls", "children")
    assert (code, out) == (1, "")
    assert f"No service answers at {secured} by TLS, or its certificate is not trusted: see --ca.\n" in err
    assert service.heard == []


@pytest.mark.parametrize("address", ["stories.example:50051", "192.0.2.7:50051", "dns:///stories.example"])
async def test_a_token_is_not_sent_in_plain_text_beyond_this_machine(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("FABULA_TOKEN", "mine")
    code, out, err = await run("--address", address, "delete-child", "7", "--yes")
    assert (code, out) == (2, "")
    assert err.endswith(f"FABULA_TOKEN would go to {address} for everyone on the way to read: say --tls\n")
    assert "mine" not in err


async def test_making_a_token_sends_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FABULA_TOKEN", "mine")
    code, _, err = await run("--address", "stories.example:50051", "token", "us")
    assert code == 1
    assert "FABULA_AUTH_SECRET" in err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ca", "x.pem"], "say that, too"),
        (["--tls", "--ca", "/nowhere/x.pem"], "/nowhere/x.pem can't be read: No such"),
    ],
    ids=["without --tls", "missing"],
)
async def test_an_authority_that_is_of_no_use_is_wrong_usage(options: list[str], words: str) -> None:
    code, out, err = await run(*options, "children")
    assert (code, out) == (2, "")
    assert words in err
