"""The control socket: how other verbs ask the running daemon to act.

A Unix stream socket in the data directory (or $RUNTIME_DIRECTORY), mode 0660. One request a connection: a line of JSON
``{"do": "ping"}``; the answer is one line of JSON, ``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``. With
``"busy": true`` the request was not begun because too many others wait.

Requests: ``ping`` (pid, version), ``commit`` (answers once everything received so far is committed), ``reload``
(answers with the outcome), ``status`` (a live snapshot), ``listen`` (what passed over a sensor's port since a
place), and those of ``operations``.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import socket
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from sensorlogd.daemon.control.speaker import MOST_BYTES, QUICK, Handler, Speaker, short_path

logger = logging.getLogger(__name__)

NAME = "control.sock"
ANSWER_WITHIN_S = 30.0


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
        with contextlib.suppress(BrokenPipeError):  # one who is too busy to read it may have said so
            client.sendall(json.dumps(dict(request)).encode() + b"\n")
        answer = _line(client)
    if not answer:
        raise ConnectionResetError("the daemon hung up")
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
        if len(data) > MOST_BYTES:
            raise ValueError("the answer is too long")
    return bytes(data)


class ControlServer:
    """One thread speaks with all clients and waits for none of them; a second one does the requests that act, one after the
    other.

    ``handlers``: request name -> function of the request; an exception becomes the error answer. Those named in ``quick``
    are called on the first thread, beside whatever acts, and must return at once.
    """

    def __init__(self, data_dir: Path, handlers: Mapping[str, Handler], *, quick: Collection[str] = QUICK) -> None:
        self.path = socket_path(data_dir)
        self.handlers = dict(handlers)
        self.quick = frozenset(quick)
        self._speaker: Speaker | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Bind and listen. The caller holds the data directory's lock, so a socket left behind is a dead one's.

        Raises OSError; nothing is left open then, and it may be tried again.
        """
        self._speaker = speaker = Speaker(self.path, self.handlers, self.quick)
        # Daemon threads: a handler that never returns must not keep the process from ending.
        self._threads = [
            threading.Thread(target=speaker.run, name="control", daemon=True),
            threading.Thread(target=speaker.act, name="control-acts", daemon=True),
        ]
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError as error:  # no thread to be had
            speaker.stop(0.0)
            if self._threads[0].ident is None:
                speaker.close()
            self.stop()
            raise OSError(errno.EAGAIN, str(error)) from error

    def stop(self, deadline_s: float = 1.0) -> None:
        """Stop listening, let the request that acts end, tell those who wait, remove the socket. Idempotent.

        Returns within the deadline: a handler that does not is left behind with its thread.
        """
        speaker, self._speaker = self._speaker, None
        if speaker is None:
            return
        until = time.monotonic() + deadline_s
        speaker.stop(until - deadline_s / 5)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0.0))
        if any(thread.is_alive() for thread in self._threads):
            logger.warning("control: a request does not end; left behind")
        with contextlib.suppress(OSError):
            self.path.unlink()
