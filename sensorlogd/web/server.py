"""Serving the application with uvicorn, in a process of its own."""

from __future__ import annotations

import socket

import uvicorn

from sensorlogd.web.app import create_app
from sensorlogd.web.settings import Settings


def bind(settings: Settings) -> socket.socket:
    """A listening socket. Raises OSError that names the address."""
    family, kind, protocol, _, address = socket.getaddrinfo(
        settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from None
    return listener


def url_of(listener: socket.socket, base_path: str = "") -> str:
    """What to open in a browser."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}{base_path}/"


def make_server(settings: Settings) -> uvicorn.Server:
    """One worker, no access log, no headers that tell of versions."""
    config = uvicorn.Config(
        create_app(settings),
        http="h11",
        ws="none",
        loop="asyncio",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        root_path=settings.base_path,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=3,
        limit_concurrency=1000,
        h11_max_incomplete_event_size=32 * 1024,
    )
    return uvicorn.Server(config)


def serve(settings: Settings) -> None:
    """Until SIGTERM or Ctrl-C."""
    with bind(settings) as listener:
        make_server(settings).run(sockets=[listener])
