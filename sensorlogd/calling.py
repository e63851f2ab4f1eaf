"""Asks the running daemon to act, through its control socket.

What can be asked is in ``daemon.control.requests``; the server is ``daemon.control.control_socket``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "control.sock"
ANSWER_WITHIN_S = 30.0
PATIENCE_S, AGAIN_S = 10.0, 0.2  # how long, and how often, ``ask_patiently`` asks again
MAX_MESSAGE_BYTES = 1024 * 1024  # the longest request, and the longest answer


def socket_path(data_dir: Path) -> Path:
    """Where the daemon of ``data_dir`` listens."""
    return data_dir / NAME


def ask(data_dir: Path, request: Mapping[str, Any], timeout_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
    """Send one request to the daemon of ``data_dir`` and return its answer.

    Raises ConnectionError or FileNotFoundError when no daemon listens or it ends before it answers, TimeoutError when it
    does not answer, ValueError when the answer is not JSON.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        with short_path(socket_path(data_dir)) as path:
            client.connect(path)
        with contextlib.suppress(BrokenPipeError):  # a daemon that is too busy hangs up, but has answered so before
            client.sendall(json.dumps(dict(request)).encode() + b"\n")
        answer = _line(client)
    if not answer:
        raise ConnectionResetError("the daemon hung up")
    value = json.loads(answer)
    if not isinstance(value, dict):
        raise ValueError(f"the daemon answered {answer[:80]!r}")
    return value


def ask_patiently(data_dir: Path, request: Mapping[str, Any], timeout_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
    """``ask``, again and again while too many others ask, for PATIENCE_S: a request that was turned away was not begun.

    If even connecting is refused (too many wait), the last BlockingIOError is raised. Otherwise raises as ``ask``; the last answer
    is returned, even if it says that too many ask.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            answer = ask(data_dir, request, timeout_s)
            if answer.get("ok") or answer.get("busy") is not True or time.monotonic() > until:
                return answer
        except BlockingIOError:  # too many wait: even connecting is refused
            if time.monotonic() > until:
                raise
        time.sleep(AGAIN_S)


def _line(peer: socket.socket) -> bytes:
    """What the peer sends up to the first line end, or until it hangs up. Raises ValueError beyond MAX_MESSAGE_BYTES, OSError."""
    data = bytearray()
    while not data.endswith(b"\n"):
        more = peer.recv(65536)
        if not more:
            break
        data += more
        if len(data) > MAX_MESSAGE_BYTES:
            raise ValueError("the answer is too long")
    return bytes(data)


class short_path:  # a context manager, so named like a function
    """A path of at most 107 bytes (the length of sun_path) for a socket anywhere: through /proc/self/fd if its own is longer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self.path)) < 100:
            return str(self.path)
        self.descriptor = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self.descriptor}/{self.path.name}"

    def __exit__(self, *_: object) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)
