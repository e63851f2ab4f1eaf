"""Decides when two names mean the same port."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

# Each time these are opened they are a port of their own, or whatever is there at that moment.
_NEVER_THE_SAME = ("loop", "hwgrep", "replay")


def identity(port: str) -> str:
    """A text that is equal for all names of the same port: links are followed (``/dev/serial/by-id/...`` and ``/dev/ttyUSB0``); of
    a URL scheme, host and TCP port count, not its options or the case of its letters."""
    if "://" not in port:
        return os.path.realpath(port)
    try:
        url = urlsplit(port)
        return f"{url.scheme}://{url.hostname or ''}:{url.port or 0}{url.path.rstrip('/')}"
    except ValueError:
        return port


def may_repeat(port: str) -> bool:
    """Whether using the same name twice means two different ports."""
    return port.partition("://")[0] in _NEVER_THE_SAME and "://" in port
