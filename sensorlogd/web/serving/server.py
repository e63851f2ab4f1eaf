"""Serving the application with uvicorn, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Generator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sensorlogd.web.serving.app import create_app
from sensorlogd.web.serving.settings import Settings

REQUEST_WITHIN_S = 15.0  # from its first byte to its last
STOP_WITHIN_S = 2
CONNECTIONS = 600
MAX_HEADERS = 64 * 1024  # of a request that is not complete; ``guard`` refuses what is complete and longer than it allows


class Protocol(H11Protocol):
    """HTTP/1.1 with a time limit for a request to arrive: a peer that dribbles must not hold a connection for ever."""

    _hurry: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self._wait()
        else:
            self._stop_waiting()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._stop_waiting()  # the keep-alive limit holds from here on

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._hurry is None:
            self._hurry = self.loop.call_later(REQUEST_WITHIN_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None


class Server(uvicorn.Server):
    """``supervised``: Ctrl-C reaches the whole group, and the daemon decides when this process ends."""

    supervised = False

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams end first: they would keep their connections open."""
        self.config.app.state.closing()  # type: ignore[union-attr]
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if not self.supervised:
            with super().capture_signals():
                yield
            return
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self.handle_exit)
        yield


def bind(settings: Settings) -> socket.socket:
    """A listening socket. Raises OSError that names the address."""
    where = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {where}: {error.strerror}") from None
    return listener


def url_of(listener: socket.socket, base_path: str = "") -> str:
    """What to open in a browser of this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}{base_path}/"


def make_server(settings: Settings) -> Server:
    """One worker, no access log, no headers that tell of versions."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # a stranger's broken requests are no news
    config = uvicorn.Config(
        create_app(settings),
        http=Protocol,
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        limit_concurrency=CONNECTIONS,
        h11_max_incomplete_event_size=MAX_HEADERS,
    )
    return Server(config)
