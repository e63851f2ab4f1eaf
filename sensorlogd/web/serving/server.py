"""Serving the application with uvicorn, in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Generator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sensorlogd.web.serving.app import create_app
from sensorlogd.web.serving.slow_clients import ClientPace
from sensorlogd.web.settings import Settings

REQUEST_WITHIN_S = 15.0  # from its first byte to its last
STOP_WITHIN_S = 1
BEAT_EVERY_S = 3.0
MAX_CONNECTIONS = 600
MAX_CONNECTIONS_OF_ONE_CLIENT = 300  # those of a proxy are many people's
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: %d\r\n\r\n%b"
)
# Of a request that is not complete; ``guard`` refuses what is complete and longer than it allows.
MAX_INCOMPLETE_BYTES = 64 * 1024


class Protocol(H11Protocol):
    """The protocol HTTP/1.1 with a time limit for a request to arrive, so that a slow client cannot hold a connection for
    ever."""

    _hurry: asyncio.TimerHandle | None = None
    _counted: str | None = None  # whose connections this is one of
    _of: Counter[str]
    _pace: ClientPace | None = None

    def connection_made(self, transport: Any) -> None:
        """Count the connection, or refuse it with 503 if its client, or all of them, have too many."""
        super().connection_made(transport)
        self._of = self.config.app.state.connections  # type: ignore[union-attr]
        peer = str((transport.get_extra_info("peername") or ("?",))[0])
        if self._of[peer] >= MAX_CONNECTIONS_OF_ONE_CLIENT or self._of.total() >= MAX_CONNECTIONS:
            self._refuse(peer)
            return
        self._of[peer] += 1
        self._counted = peer
        self._pace = ClientPace(transport, peer, self.config.app.state.slow_clients)  # type: ignore[union-attr]
        self._start_timer()

    def _refuse(self, peer: str) -> None:
        """Answer at once, without reading the rest of the request."""
        most = (
            f"{MAX_CONNECTIONS_OF_ONE_CLIENT} of one client"
            if self._of[peer] >= MAX_CONNECTIONS_OF_ONE_CLIENT
            else f"{MAX_CONNECTIONS}"
        )
        error = {"code": "busy", "message": f"there are too many connections; at most {most} are taken", "hint": "close some"}
        content = json.dumps({"error": error}).encode()
        self.transport.write(FULL % (len(content), content))
        self.transport.close()

    def data_received(self, data: bytes) -> None:
        """The time limit runs while a request is arriving, and rests while it is being answered."""
        if self._counted is None:
            return
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self._start_timer()
        else:
            self._stop_timer()

    def on_response_complete(self) -> None:
        """The keep-alive limit holds from here on; or this one anew, if the next request came with the one before, but only its head."""
        before = self.cycle
        super().on_response_complete()
        self._stop_timer()
        if self.cycle is not before and self.cycle.more_body:
            self._start_timer()

    def pause_writing(self) -> None:
        """Much waits to be sent: from now on the client has to read."""
        super().pause_writing()
        if self._pace is not None:
            self._pace.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._pace is not None:
            self._pace.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._pace is not None:
            self._pace.end()
        if self._counted is not None:
            self._of[self._counted] -= 1
            if not self._of[self._counted]:
                del self._of[self._counted]
            self._counted = None
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        """End the connection if the request has not arrived in time."""
        if self._hurry is None:
            self._hurry = self.loop.call_later(REQUEST_WITHIN_S, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None


class Server(uvicorn.Server):
    """The web server. ``beat``: called every few seconds to tell the daemon that the event loop runs; None without a daemon.

    With one, Ctrl-C reaches the whole group, and the daemon decides when this process ends.
    """

    beat: Callable[[], None] | None = None
    _beaten_at = 0.0
    _beat_task: asyncio.Task[None] | None = None

    async def on_tick(self, counter: int) -> bool:
        """uvicorn calls it ten times a second. Returns whether to end."""
        now = time.monotonic()
        if (
            self.beat is not None
            and now - self._beaten_at >= BEAT_EVERY_S
            and (self._beat_task is None or self._beat_task.done())
        ):
            self._beaten_at = now
            self._beat_task = asyncio.get_running_loop().create_task(self._beat_if_well(self.beat), name="watch")
        return await super().on_tick(counter)

    async def _beat_if_well(self, beat: Callable[[], None]) -> None:
        """Tell the daemon that this process lives, unless its workers do not answer."""
        if await self.config.app.state.workers.is_still_well():  # type: ignore[union-attr]
            with contextlib.suppress(OSError):  # the daemon is gone: the lifeline ends this process
                beat()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams and questions are ended first, because they would keep their connections open."""
        self.config.app.state.closing()  # type: ignore[union-attr]
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Below the daemon (``beat``) only SIGTERM ends this process: Ctrl-C reaches the whole group, and the daemon
        decides."""
        if self.beat is None:
            with super().capture_signals():
                yield
            return
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self.handle_exit)
        yield


def bind(settings: Settings) -> socket.socket:
    """A listening socket. Raises OSError with the address in its text."""
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
    """The URL for a browser on this machine."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}{base_path}/"


def make_server(settings: Settings) -> Server:
    """A uvicorn server with one worker, no access log, and no headers that name versions."""
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
        h11_max_incomplete_event_size=MAX_INCOMPLETE_BYTES,
    )
    return Server(config)
