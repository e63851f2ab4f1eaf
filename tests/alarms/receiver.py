"""A web hook that counts: a real HTTP server on loopback, which may refuse or dawdle when the test says so."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """A context manager. ``status``: what it answers. ``gate``: answers wait for it."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.status = 204
        self.refused = 0
        self.gate = threading.Event()
        self.gate.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.gate.wait(30)
                if receiver.status < 300:
                    receiver.headers.append(dict(self.headers))
                    receiver.messages.append(body)
                else:
                    receiver.refused += 1
                try:
                    self.send_response(receiver.status)
                    if receiver.status == 302:
                        self.send_header("Location", receiver.url)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:  # whoever asked was killed
                    return

            def log_message(self, *_: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever asked was killed: no words
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="receiver")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/secret-path"

    @property
    def alarms(self) -> list[dict[str, Any]]:
        """All notifications of all messages, in order."""
        return [alarm for message in list(self.messages) for alarm in message["alarms"]]

    def has_more_than(self, known: int) -> bool:
        return len(self.alarms) > known

    def counts(self) -> Counter[str]:
        return Counter(alarm["id"] for alarm in self.alarms)

    def kinds(self) -> list[str]:
        return [alarm["kind"] for alarm in self.alarms]

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.gate.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
