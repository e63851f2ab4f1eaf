"""The daemon's side of the control socket: one thread that speaks with all clients and waits for none of them.

A client has five seconds to say what it wants, and as long again for each part of its answer; what it holds up meanwhile is
itself. Requests that act go to a second thread, one after the other; ``QUICK`` ones are answered beside them.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import queue
import selectors
import socket
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sensorlogd.calling import MAX_MESSAGE_BYTES, short_path
from sensorlogd.daemon.writing.stopped import WriterStopped
from sensorlogd.processes.wake_pipe import WakePipe
from sensorlogd.storage.corrections.change import MendError
from sensorlogd.storage.corrections.upsert import UpsertError
from sensorlogd.storage.series.unconfigured import SeriesMismatch

logger = logging.getLogger(__name__)

SAY_WITHIN_S = 5.0  # a client has this long to say what it wants, and to take the next part of its answer
CLIENTS = 32
WAITING = 16  # requests that act and wait; further ones are refused as busy
ACCEPT_AGAIN_S = 1.0
QUICK = frozenset({"ping", "status", "listen", "clock"})  # answered at once, beside whatever acts

Handler = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(eq=False, slots=True)
class _Client:
    """Who asks. ``until``: when it is given up; None while it waits for a request that acts."""

    socket: socket.socket
    until: float | None
    heard: bytearray = field(default_factory=bytearray)
    answer: bytes = b""

    def hear(self) -> bool:
        """Read what it says. Whether that is complete: a line, or all that it has to say. Raises BlockingIOError, OSError."""
        data = self.socket.recv(65536)
        self.heard += data
        return not data or b"\n" in data

    def wait_for_operation(self) -> None:
        """Its request waits for its turn, for however long that takes."""
        self.until = None

    def be_answered(self, answer: bytes) -> None:
        """``answer`` is to be sent."""
        self.answer = answer

    def send(self) -> bool:
        """Send as much of the answer as fits, and give it some time to take the next part. Whether it has all. Raises OSError."""
        with contextlib.suppress(BlockingIOError):
            self.answer = self.answer[self.socket.send(self.answer) :]
        self.until = time.monotonic() + SAY_WITHIN_S
        return not self.answer


@dataclass(frozen=True, slots=True)
class _Operation:
    """A request that waits for its turn."""

    client: _Client
    name: str
    handler: Handler
    request: dict[str, Any]


def _listen_at(path: Path) -> socket.socket:
    """Raises OSError, and leaves nothing then."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        path.unlink(missing_ok=True)
        with short_path(path) as name:
            listener.bind(name)
        try:
            os.chmod(path, 0o660)
            listener.listen(CLIENTS)
        except OSError:
            path.unlink(missing_ok=True)
            raise
    except OSError:
        listener.close()
        raise
    return listener


class ClientThread:
    """The listening socket and all clients. ``stop`` may be called by any thread, ``operate`` is the second thread."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler], quick: frozenset[str]) -> None:
        """Raises OSError, and leaves nothing then."""
        self._handlers = handlers
        self._quick = quick
        self._clients: set[_Client] = set()
        self._operations: queue.SimpleQueue[_Operation | None] = queue.SimpleQueue()
        self._answered: deque[tuple[_Client, bytes]] = deque()
        self._accept_at: float | None = None  # when to look for clients again after accepting failed
        self._end_at: float | None = None
        self._ending = False
        with contextlib.ExitStack() as opened:
            self._wake = opened.enter_context(WakePipe())
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._listener = opened.enter_context(_listen_at(path))
            self._selector.register(self._wake.read_end, selectors.EVENT_READ)
            self._selector.register(self._listener, selectors.EVENT_READ)
            self.close = opened.pop_all().close

    def stop(self, end_at: float) -> None:
        """Take no more requests; be gone by then (monotonic)."""
        self._end_at = end_at
        self._wake.wake()

    # ---- the thread that acts --------------------------------------------------------------------------------------

    def operate(self) -> None:
        while (operation := self._operations.get()) is not None:
            self._answered.append((operation.client, _call_handler(operation.name, operation.handler, operation.request)))
            self._wake.wake()

    # ---- the thread that speaks ------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve clients until the end; then answer those that wait, and close everything."""
        try:
            while self._end_at is None or (self._clients and time.monotonic() < self._end_at):
                self._serve_once()
        finally:
            if not self._ending:
                self._begin_to_end()
            self._operations.put(None)
            for client in list(self._clients):
                if not client.answer:
                    self._answer(client, _error_answer("the daemon is ending; what was begun may still be done"))
                self._drop_client(client)
            self.close()

    def _serve_once(self) -> None:
        """Wait until a client or a request that has acted needs something, and do all that is due."""
        for key, events in self._selector.select(self._patience_s()):
            if key.fileobj is self._listener:
                self._accept()
            elif key.fd == self._wake.read_end:
                self._wake.clear()
            elif events & selectors.EVENT_WRITE:
                self._serve(key.data, self._write_answer)
            else:
                self._serve(key.data, self._read_request)
        while self._answered:
            client, answer = self._answered.popleft()
            self._serve(client, functools.partial(self._answer, answer=answer))
        now = time.monotonic()
        for client in [each for each in self._clients if each.until is not None and now >= each.until]:
            self._drop_client(client)
        if self._accept_at is not None and now >= self._accept_at and not self._ending:
            self._accept_again(now)
        if self._end_at is not None and not self._ending:
            self._begin_to_end()

    def _serve(self, client: _Client, act: Callable[[_Client], None]) -> None:
        """A fault that shows with one client costs that client, and not the thread, which nobody would start again."""
        try:
            act(client)
        except Exception:
            logger.exception("control: a client is dropped: serving it has failed")
            self._drop_client(client)

    def _patience_s(self) -> float | None:
        """Seconds until something is due; None: nothing is."""
        times = [client.until for client in self._clients if client.until is not None]
        times += [at for at in (self._accept_at, self._end_at) if at is not None]
        return max(min(times) - time.monotonic(), 0.0) if times else None

    def _begin_to_end(self) -> None:
        """Answer every client that the daemon is ending, except the one whose request is running."""
        self._ending = True
        self._accept_at = None
        with contextlib.suppress(KeyError):  # it is paused
            self._selector.unregister(self._listener)
        self._turn_away()
        waiting = [client for client in self._clients if not client.answer and client.until is not None]
        with contextlib.suppress(queue.Empty):
            while (operation := self._operations.get_nowait()) is not None:
                waiting.append(operation.client)
        for client in waiting:
            self._answer(client, _error_answer("the daemon is ending"))

    def _turn_away(self) -> None:
        """Answer clients that have connected but were not accepted yet: closing the listener would cut them off without an
        answer."""
        with contextlib.suppress(OSError):
            for _ in range(2 * CLIENTS):
                _send_away(self._listener.accept()[0], _error_answer("the daemon is ending"))

    def _accept(self) -> None:
        """Take a client, or send it away if there are too many. Without a free descriptor clients are looked for again later."""
        try:
            sock, _ = self._listener.accept()
        except BlockingIOError:
            return  # it went away
        except OSError as error:  # no descriptor left: trying again at once would only spin
            logger.warning("control: %s; trying again", error)
            self._selector.unregister(self._listener)
            self._accept_at = time.monotonic() + ACCEPT_AGAIN_S
            return
        sock.setblocking(False)
        client = _Client(sock, time.monotonic() + SAY_WITHIN_S)
        if len(self._clients) >= CLIENTS:
            _send_away(sock, _BUSY)
            return
        self._clients.add(client)
        self._serve(client, functools.partial(self._watch, event=selectors.EVENT_READ))

    def _accept_again(self, now: float) -> None:
        try:
            self._selector.register(self._listener, selectors.EVENT_READ)
        except OSError:  # no memory
            self._accept_at = now + ACCEPT_AGAIN_S
        else:
            self._accept_at = None

    def _watch(self, client: _Client, event: int) -> None:
        try:
            self._selector.register(client.socket, event, client)
        except OSError as error:  # no memory
            logger.warning("control: a client is not served: %s", error)
            self._drop_client(client)

    def _unwatch(self, client: _Client) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(client.socket)

    def _drop_client(self, client: _Client) -> None:
        """Idempotent."""
        if client in self._clients:
            self._unwatch(client)
            self._clients.discard(client)
            _hang_up(client.socket)

    def _read_request(self, client: _Client) -> None:
        """Read what a client says; once its line is complete, take it up."""
        try:
            is_complete = client.hear()
        except BlockingIOError:
            return
        except OSError as error:
            logger.debug("control: a client was not heard: %s", error)
            self._drop_client(client)
            return
        if is_complete:
            self._unwatch(client)
            self._take_up(client)
        elif len(client.heard) > MAX_MESSAGE_BYTES:
            self._answer(client, _error_answer(f"a request has at most {MAX_MESSAGE_BYTES} bytes"))

    def _take_up(self, client: _Client) -> None:
        """The request is complete."""
        try:
            request = json.loads(client.heard.partition(b"\n")[0])
        except (ValueError, RecursionError):
            self._answer(client, _error_answer("a request is one line of JSON"))
            return
        name = request.get("do") if isinstance(request, dict) else None
        handler = self._handlers.get(name) if isinstance(name, str) else None
        if not isinstance(name, str) or handler is None:
            self._answer(client, _error_answer(f"unknown request {name!r}; known: {', '.join(sorted(self._handlers))}"))
        elif name in self._quick:
            self._answer(client, _call_handler(name, handler, request))
        elif self._operations.qsize() >= WAITING:
            self._answer(client, _BUSY)
        else:
            client.wait_for_operation()
            self._operations.put(_Operation(client, name, handler, request))

    def _answer(self, client: _Client, answer: bytes) -> None:
        if client in self._clients:
            self._unwatch(client)
            client.be_answered(answer)
            self._write_answer(client)

    def _write_answer(self, client: _Client) -> None:
        """Send as much of the answer as fits; the client is dropped once it has all."""
        try:
            has_all = client.send()
        except OSError as error:
            logger.debug("control: a client was not answered: %s", error)
            has_all = True
        if has_all:
            self._drop_client(client)
            return
        self._unwatch(client)
        self._watch(client, selectors.EVENT_WRITE)


def _send_away(sock: socket.socket, answer: bytes) -> None:
    sock.setblocking(False)
    with contextlib.suppress(OSError):
        sock.send(answer)
    _hang_up(sock)


def _hang_up(sock: socket.socket) -> None:
    """Close. What was said and not read is read first, without waiting: else the client finds a reset instead of its answer."""
    with sock, contextlib.suppress(OSError):
        for _ in range(MAX_MESSAGE_BYTES // 65536 + 1):
            if not sock.recv(65536):
                return


def _encode(answer: dict[str, Any]) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def _error_answer(text: str) -> bytes:
    return _encode({"ok": False, "error": text})


_BUSY = _encode({"ok": False, "busy": True, "error": "busy: too many requests wait already; try again"})


# Errors that say why a request cannot be done. Nothing is wrong with the daemon, so they are logged without a trace.
REFUSALS = (ValueError, MendError, UpsertError, SeriesMismatch, WriterStopped, TimeoutError, sqlite3.Error)


def _call_handler(name: str, handler: Handler, request: dict[str, Any]) -> bytes:
    try:
        return _encode({"ok": True} | handler(request))
    except Exception as error:  # whatever it is, it is the client's answer and not the daemon's end
        if isinstance(error, REFUSALS):
            logger.info("control: %s: refused: %s", name, error)
        else:
            logger.exception("control: %s failed", name)
        return _error_answer(f"{type(error).__name__}: {error}")
