"""Hosts, ports and URLs as settings have them."""

import re
from ipaddress import AddressValueError, IPv6Address, ip_address
from urllib.parse import SplitResult, urlsplit


def is_address(value: str) -> bool:
    """Whether it is HOST:PORT."""
    return (
        re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:\s]+):[0-9]{1,5}", value) is not None
        and int(value.rsplit(":", 1)[1]) <= 65_535
    )


def as_browsers_write(host: str) -> str:
    """The host as it stands in a Host header. Raises ValueError for an IPv6 address that is none."""
    if not host.startswith("["):
        return host
    try:
        return f"[{IPv6Address(host.strip('[]'))}]"
    except AddressValueError:
        raise ValueError(f"expected an IPv6 address in {host}") from None


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches HOST:PORT."""
    return is_loopback_host(address.rpartition(":")[0].strip("[]"))


def is_loopback_host(host: str) -> bool:
    """Whether a host's name or address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def completed(address: str) -> str:
    """The address of a server with what it lacks: a host before the port, brackets around IPv6."""
    if address.startswith(":") and not address.startswith("::"):
        return f"127.0.0.1{address}"
    try:
        return f"[{IPv6Address(address)}]"
    except AddressValueError:
        return address


def split_url(url: str) -> SplitResult:
    """The parts of a URL of HTTP without a query. Raises ValueError."""
    parts = url_parts(url)
    # In words of our own: urlsplit's quote what it can't read, and that may be a password.
    if parts is None or parts.query:
        raise ValueError("expected a URL, for example http://127.0.0.1:11434")
    return parts


def url_parts(url: str) -> SplitResult | None:
    """None for what is no URL of HTTP, or has a fragment."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return None
    return parts if usable and not parts.fragment and not re.search(r"\s", url) else None
