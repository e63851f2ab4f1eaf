"""What the web process must know, and nothing of where it came from: made from a configuration or from a command line."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

DEFAULT_LISTEN = "127.0.0.1:8321"


@dataclass(frozen=True, slots=True)
class Settings:
    """``auth``: ``token`` asks everybody for the token in ``token_file``. ``base_path``: what a proxy puts before our paths.

    ``port`` 0 takes any free one. ``zone``: of times that are shown and read where a request names none.
    """

    database: Path
    host: str = "127.0.0.1"
    port: int = 8321
    zone: str = "UTC"
    auth: Literal["none", "token"] = "none"
    token_file: Path | None = None
    base_path: str = ""
    allowed_hosts: tuple[str, ...] = ()
    query_timeout_s: float = 10.0
    query_threads: int = 3
    memory_limit_bytes: int = 256_000_000

    def to_json(self) -> str:
        """For the command line of the process; ``from_json`` reads it."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        found = json.loads(text)
        found["database"] = Path(found["database"])
        found["token_file"] = Path(found["token_file"]) if found["token_file"] else None
        found["allowed_hosts"] = tuple(found["allowed_hosts"])
        return cls(**found)


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
    if any(character.isspace() or character in "/@?#" for character in host):
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
