"""Which service the terminal program talks to, and how."""

import os
from dataclasses import dataclass
from pathlib import Path

import grpc

DEFAULT_ADDRESS = "127.0.0.1:50051"


@dataclass(frozen=True)
class Target:
    """An address, by TLS or in plain text; `ca` is the file of a private authority, empty for those gRPC trusts."""

    address: str = DEFAULT_ADDRESS
    tls: bool = False
    ca: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arguments by which another command finds the same service."""
        address = () if self.address == DEFAULT_ADDRESS else ("--address", self.address)
        return (*address, *(("--tls",) if self.tls else ()), *(("--ca", self.ca) if self.ca else ()))

    def credentials(self) -> grpc.ChannelCredentials | None:
        """None for plain text. Raises OSError when the file can't be read."""
        if not self.tls:
            return None
        return grpc.ssl_channel_credentials(Path(self.ca).read_bytes() if self.ca else None)


def kept_token() -> str:
    """The token to send; empty for none. Not an argument: everyone on the machine sees those."""
    return os.environ.get("FABULA_TOKEN", "")
