"""The names under which this server answers.

A page of a stranger can point its own name at our address (DNS rebinding) and would then read us as its own server, with
the rights of whoever looks at it. Its name is still in the Host header, so names that are not ours are refused.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection, Iterable


def own_names() -> frozenset[str]:
    """The machine's name, with and without its domain, and with ``.local`` (multicast DNS)."""
    name = socket.gethostname().lower()
    short = name.partition(".")[0]
    return frozenset({name, short, f"{short}.local"} - {"", ".local"})


def split_host(header: str) -> str:
    """The host of a Host header, without port and brackets, in lower case."""
    text = header.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].removesuffix(".")


def is_allowed(host: str, own: Collection[str], local_address: str | None, patterns: Iterable[str]) -> bool:
    """``local_address``: the address at which the connection arrived, which is always allowed. ``patterns``: ``name``,
    ``*.domain`` or ``*``."""
    if host == "localhost" or host.endswith(".localhost") or host in own:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    else:
        if address.is_loopback or str(address) == _plain(local_address):
            return True
    for pattern in patterns:
        pattern = pattern.removesuffix(".")
        if pattern == "*" or host == pattern or (pattern.startswith("*.") and host.endswith(pattern[1:])):
            return True
    return False


def _plain(address: str | None) -> str | None:
    """The IPv4 address in an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2)."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
