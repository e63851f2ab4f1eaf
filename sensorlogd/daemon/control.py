"""The control socket: how other verbs ask the running daemon to act.

A Unix stream socket in the data directory (or $RUNTIME_DIRECTORY), mode 0660. One request a connection: a line of JSON
``{"do": "ping"}``; the answer is one line of JSON, ``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``.

Requests: ``ping`` (pid, version), ``commit`` (answers once everything received so far is committed), ``reload``
(answers with the outcome), ``status`` (a live snapshot), ``listen`` (what passed over a sensor's port since a
place), and those of ``acts``.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import selectors
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

NAME = "control.sock"
MAX_REQUEST = 64 * 1024
ANSWER_WITHIN_S = 30.0

Handler = Callable[[dict[str, Any]], dict[str, Any]]


def socket_path(data_dir: Path) -> Path:
    """Where the daemon of ``data_dir`` listens."""
    return data_dir / NAME


def ask(data_dir: Path, request: Mapping[str, Any], timeout_s: float = ANSWER_WITHIN_S) -> dict[str, Any]:
    """Send one request to the daemon of ``data_dir`` and return its answer.

    Raises ConnectionError or FileNotFoundError when no daemon listens, TimeoutError when it does not answer,
    ValueError when the answer is not JSON.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(timeout_s)
        with _short_path(socket_path(data_dir)) as path:
            client.connect(path)
        client.sendall(json.dumps(dict(request)).encode() + b"\n")
        answer = _line(client)
    value = json.loads(answer)
    if not isinstance(value, dict):
        raise ValueError(f"the daemon answered {answer[:80]!r}")
    return value


def _line(peer: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        more = peer.recv(65536)
        if not more:
            break
        data += more
        if len(data) > 16 * MAX_REQUEST:
            raise ValueError("the message is too long")
    return bytes(data)


class _short_path:  # reads as a function where it is used
    """A name of at most 107 bytes for a socket anywhere (sun_path): through /proc/self/fd when it is longer."""

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


class ControlServer:
    """Listens on its own thread, one client at a time, five seconds for each to say what it wants.

    ``handlers``: request name -> function of the request, run on this thread; an exception becomes the error answer.
    """

    def __init__(self, data_dir: Path, handlers: Mapping[str, Handler]) -> None:
        self.path = socket_path(data_dir)
        self.handlers = dict(handlers)
        self._wake_r, self._wake_w = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="control")

    def start(self) -> None:
        """Bind and listen. The caller holds the data directory's lock, so a socket left behind is a dead one's."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
            with _short_path(self.path) as name:
                listener.bind(name)
            os.chmod(self.path, 0o660)
            listener.listen(8)
        except OSError:
            listener.close()
            raise
        self._socket = listener
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and remove the socket. Idempotent."""
        if self._socket is not None:
            os.write(self._wake_w, b"x")
            self._thread.join()
            self._socket.close()
            self._socket = None
            with contextlib.suppress(FileNotFoundError):
                self.path.unlink()
        if self._wake_r >= 0:
            os.close(self._wake_r)
            os.close(self._wake_w)
            self._wake_r = self._wake_w = -1

    def _run(self) -> None:
        assert self._socket is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._wake_r, selectors.EVENT_READ)
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._wake_r in ready:
                    return
                try:
                    client, _ = self._socket.accept()
                except OSError as error:
                    log.warning("control: %s", error)
                    continue
                with client:
                    self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(5.0)
        try:
            answer = self._answer(_line(client))
            client.sendall(json.dumps(answer).encode() + b"\n")
        except (OSError, ValueError) as error:
            log.debug("control: a client was not answered: %s", error)

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError):
            return {"ok": False, "error": "a request is one line of JSON"}
        name = request.get("do") if isinstance(request, dict) else None
        handler = self.handlers.get(name) if isinstance(name, str) else None
        if handler is None:
            return {"ok": False, "error": f"unknown request {name!r}; known: {', '.join(sorted(self.handlers))}"}
        try:
            return {"ok": True} | handler(request)
        except Exception as error:  # whatever it is, it is the client's answer and not the daemon's end
            log.exception("control: %s failed", name)
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}
