"""A certificate that nobody else trusts, for 127.0.0.1."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.tools import required


@dataclass(frozen=True)
class Certificate:
    """The paths of a certificate, which is its own authority, and of its key."""

    chain: Path
    key: Path


def make_certificate(directory: Path) -> Certificate:
    """Makes one for two days."""
    made = Certificate(directory / "fullchain.pem", directory / "privkey.pem")
    command = f"req -x509 -nodes -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -days 2 -subj /CN=stories.example \
        -addext subjectAltName=DNS:stories.example,IP:127.0.0.1 -keyout {made.key} -out {made.chain}"
    subprocess.run([required("openssl"), *command.split()], check=True, capture_output=True)
    return made
