"""Parses addresses to listen on, as they are written in a configuration or on a command line."""

from __future__ import annotations

import ipaddress

DEFAULT_LISTEN = "127.0.0.1:8321"


def split_listen(text: str) -> tuple[str, int]:
    """Host and port of ``127.0.0.1:8321``, ``[::1]:8321``, ``localhost:8321`` or ``:8321`` (every address). Raises ValueError."""
    host, colon, port = text.strip().rpartition(":")
    problem = f"{text!r} is not an address and a port; write e.g. 127.0.0.1:8321, [::1]:8321, or 0.0.0.0:8321 for every address"
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(problem)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(problem)
    if any(character.isspace() or character in "/@?#[]" for character in host):
        raise ValueError(problem)
    return host or "0.0.0.0", int(port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def auth_needed(listen: str) -> str | None:
    """Why ``auth`` must be set for this address; None if it may be left out."""
    host, _ = split_listen(listen)
    if is_loopback(host):
        return None
    return (
        f"{listen!r} can be reached from other machines; say who may look: auth: token ('sensorlogd web token' prints"
        " the address to open), or auth: none for everybody"
    )
