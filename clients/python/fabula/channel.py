"""The channel to the service."""

import ipaddress
import re
from typing import Any

import grpc

_KEEPALIVE_MS = 20_000
_KEEPALIVE_TIMEOUT_MS = 10_000


def open_channel(address: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    """A channel with keepalive and without gRPC's own retries; plain text when `credentials` is None."""
    options = _options(address)
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, credentials, options=options)


def is_loopback(address: str) -> bool:
    """Whether the gRPC target names this machine: localhost, 127.0.0.0/8, ::1 or a Unix socket."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host = _host(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _host(address: str) -> str:
    target = re.sub(r"^(dns|ipv4|ipv6):(//[^/]*/)?", "", address)
    bracketed = re.match(r"\[([^\]]+)\]", target)
    if bracketed is not None:
        return bracketed[1]
    return target.rpartition(":")[0] if target.count(":") == 1 else target


def _options(address: str) -> list[tuple[str, Any]]:
    return [
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        # Without this one a frozen peer is noticed after a minute or never, whatever the two above say.
        ("grpc.http2.ping_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
        # Streams resume by themselves, from the last sequence; gRPC would start them anew.
        ("grpc.enable_retries", 0),
        # Between its own attempts to connect gRPC fails every call at once, by default for up to two minutes: that
        # would use up the RetryPolicy's attempts without a single try.
        ("grpc.initial_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1_000),
        # A connection of its own: gRPC shares one between channels, with the failures that another has met.
        ("grpc.use_local_subchannel_pool", 1),
        # HTTP_PROXY is meant for the world outside.
        ("grpc.enable_http_proxy", 0 if is_loopback(address) else 1),
    ]
