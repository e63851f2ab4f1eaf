"""The control socket: how other verbs ask the running daemon to act.

A Unix stream socket in the data directory (or $RUNTIME_DIRECTORY), mode 0660. One request a connection: a line of JSON
``{"do": "ping"}``; the answer is one line of JSON, ``{"ok": true, ...}`` or ``{"ok": false, "error": "..."}``. With
``"busy": true`` the request was not begun because too many others wait.

Requests: ``ping`` (pid, version), ``commit`` (answers once everything received so far is committed), ``reload``
(answers with the outcome), ``status`` (a live snapshot), ``listen`` (what passed over a sensor's port since a
place), and what else ``requests`` defines.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path

from sensorlogd.calling import NAME as NAME
from sensorlogd.calling import ask as ask  # whoever knows the server knows how it is asked
from sensorlogd.calling import ask_patiently as ask_patiently
from sensorlogd.calling import socket_path as socket_path
from sensorlogd.daemon.control.client_thread import QUICK, ClientThread, Handler

logger = logging.getLogger(__name__)


class ControlServer:
    """One thread speaks with all clients and waits for none of them; a second one does the requests that act, one after the
    other.

    ``handlers``: request name -> function of the request; an exception becomes the error answer. Those named in ``quick``
    are called on the first thread, beside whatever acts, and must return at once.
    """

    def __init__(self, data_dir: Path, handlers: Mapping[str, Handler], *, quick: Collection[str] = QUICK) -> None:
        self.path = socket_path(data_dir)
        self._handlers = dict(handlers)
        self._quick = frozenset(quick)
        self._client_thread: ClientThread | None = None
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Bind and listen. The caller holds the data directory's lock, so a socket left behind is a dead one's.

        Raises OSError; nothing is left open then, and it may be tried again.
        """
        self._client_thread = client_thread = ClientThread(self.path, self._handlers, self._quick)
        # Daemon threads: a handler that never returns must not keep the process from ending.
        self._threads = [
            threading.Thread(target=client_thread.run, name="control", daemon=True),
            threading.Thread(target=client_thread.operate, name="control-acts", daemon=True),
        ]
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError as error:  # no thread to be had
            client_thread.stop(0.0)
            if self._threads[0].ident is None:
                client_thread.close()
            self.stop()
            raise OSError(errno.EAGAIN, str(error)) from error

    def stop(self, deadline_s: float = 1.0) -> None:
        """Stop listening, let the request that acts end, tell those who wait, remove the socket. Idempotent.

        Returns within the deadline: a handler that does not is left behind with its thread.
        """
        client_thread, self._client_thread = self._client_thread, None
        if client_thread is None:
            return
        until = time.monotonic() + deadline_s
        client_thread.stop(until - deadline_s / 5)
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(until - time.monotonic(), 0.0))
        if any(thread.is_alive() for thread in self._threads):
            logger.warning("control: a request does not end; left behind")
        with contextlib.suppress(OSError):
            self.path.unlink()
