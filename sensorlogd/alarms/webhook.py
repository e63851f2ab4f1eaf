"""One request over HTTP to an address that is a secret: within its time, and led nowhere else."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from sensorlogd.alarms.secrecy import SendError


def ask(url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float) -> None:
    """POST ``body``, or GET if there is none; any 2xx will do, and what is answered besides is not looked at.

    A name and a password in the address are sent as Basic authorization, unless ``headers`` have another one. Raises SendError,
    or whatever a library raises: it may hold the address.
    """
    plain, authorization = _without_user(url)
    if urlsplit(plain).scheme not in ("http", "https"):
        raise SendError("the address does not begin with http:// or https://")
    said = dict(headers)
    if authorization and not any(name.lower() == "authorization" for name in said):
        said["Authorization"] = authorization
    request = urllib.request.Request(plain, body, said, method="GET" if body is None else "POST")
    late = f"does not answer within {timeout_s:g} s"
    with _clock(timeout_s) as clock:
        try:
            with urllib.request.build_opener(_Refusing(), _HttpHandler(clock), _HttpsHandler(clock)).open(
                request, timeout=timeout_s
            ):
                return
        except urllib.error.HTTPError as error:
            with error:
                raise SendError(f"answered {error.code} {error.reason}") from None
        except urllib.error.URLError as error:
            is_late = clock.is_over.is_set() or isinstance(error.reason, TimeoutError)
            raise SendError(late if is_late else f"cannot be reached: {error.reason}") from None
        except (OSError, http.client.HTTPException) as error:
            if not (clock.is_over.is_set() or isinstance(error, TimeoutError)):
                raise
            raise SendError(late) from None


def _without_user(url: str) -> tuple[str, str]:
    """(address, Authorization): a library takes ``name:password@`` for a part of the host's name, and asks the network for it."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    name, _, password = user.partition(":")
    known = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
    return urlunsplit(parts._replace(netloc=host)), f"Basic {known}"


class _Refusing(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, because the message could reach somebody it is not meant for."""

    def redirect_request(self, *_: Any) -> None:
        """Offer no other request: urllib then raises HTTPError with the status of the redirect."""


class _Clock:
    """Closes the connections when the time is up: the timeout of a socket applies to each piece that arrives, and pieces may be
    small."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self._sockets: list[socket.socket] = []

    def end(self) -> None:
        """The time is up: close all connections, and each that is watched from now on. Called by the timer's thread."""
        self.is_over.set()
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)  # beneath TLS, which would forget what it reads just now

    def watch(self, connected: socket.socket | None) -> None:
        """Close this connection when the time is up, at once if it is. None: the connection was not made."""
        if connected is not None:
            self._sockets.append(connected)
        if self.is_over.is_set():
            self.end()


class _WatchedHttpConnection(http.client.HTTPConnection):
    """A connection that ``clock`` closes when the time is up."""

    def __init__(self, host: str, *, clock: _Clock, **more: Any) -> None:
        super().__init__(host, **more)
        self._clock = clock

    def connect(self) -> None:
        super().connect()
        self._clock.watch(self.sock)


class _WatchedHttpsConnection(http.client.HTTPSConnection):
    """The same for TLS. The handshake is bounded by the timeout of ``ask``."""

    def __init__(self, host: str, *, clock: _Clock, **more: Any) -> None:
        super().__init__(host, **more)
        self._clock = clock

    def connect(self) -> None:
        super().connect()
        self._clock.watch(self.sock)


class _HttpHandler(urllib.request.HTTPHandler):
    """Opens connections that ``clock`` closes."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_WatchedHttpConnection, clock=self._clock), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    """The same for TLS."""

    def __init__(self, clock: _Clock) -> None:
        super().__init__()
        self._clock = clock

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(partial(_WatchedHttpsConnection, clock=self._clock), req, context=ssl.create_default_context())


@contextlib.contextmanager
def _clock(seconds: float) -> Iterator[_Clock]:
    """A clock that ends after this many seconds, for as long as the context lasts."""
    clock = _Clock()
    timer = threading.Timer(seconds, clock.end)
    timer.name, timer.daemon = "notify-time", True
    timer.start()
    try:
        yield clock
    finally:
        timer.cancel()
        timer.join()
