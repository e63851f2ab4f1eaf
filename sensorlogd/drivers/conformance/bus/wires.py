"""The line itself: a pty or a TCP connection, with a thread that hears questions and sends the answers of units when they are
due."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import os
import pty
import select
import socket
import termios
import threading
import time
import tty
from collections.abc import Callable

LOOK_S = 0.005  # how often the line is looked at: how exactly it is known when a question came
LATER_S = 0.02
NOTHING = (0.0, b"")

# (data, earliest time the question can have come, time now) -> nothing
Hears = Callable[[bytes, float, float], None]


class Wire:
    """A line between sensors and units, as a context manager. ``port``: what a sensor opens. ``say`` may only be called from
    within ``hears``."""

    port: str

    def __init__(self, hears: Hears) -> None:
        self._hears = hears
        self._due: list[tuple[float, int, float, bytes, tuple[float, bytes]]] = []
        self._order = itertools.count()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run_line, name="bus", daemon=True)
        self.left_out = 0

    def say(self, at: float, latest: float, data: bytes, then: tuple[float, bytes] = NOTHING) -> None:
        """Deliver ``data`` at that time; not at all after ``latest``. ``then``: this long after it has been delivered, something else;
        not at all where that comes LATER_S later still."""
        heapq.heappush(self._due, (at, next(self._order), latest, data, then))

    def hang_up(self, at: float) -> None:
        """Close the connection at that time."""
        heapq.heappush(self._due, (at, next(self._order), float("inf"), b"", NOTHING))

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        self._close()

    def _run_line(self) -> None:
        """Hear questions, and deliver what is due, until the line is closed."""
        looked = time.monotonic()
        while not self._stop.is_set():
            before, looked = looked, time.monotonic()
            if self._wait_for_input():
                data = self._read()
                if data:
                    self._hears(data, before, time.monotonic())
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, _, latest, data, then = heapq.heappop(self._due)
                if time.monotonic() > latest:
                    self.left_out += 1
                elif data:
                    self._write(data)
                    if then[1]:
                        at = time.monotonic() + then[0]
                        self.say(at, at + LATER_S, then[1])
                else:
                    self._drop_connection()

    def _wait_s(self) -> float:
        return min(max(self._due[0][0] - time.monotonic(), 0.0), LOOK_S) if self._due else LOOK_S

    def _wait_for_input(self) -> bool:
        """Whether there is something to read, after waiting no longer than until something is due."""
        raise NotImplementedError

    def _read(self) -> bytes:
        raise NotImplementedError

    def _write(self, data: bytes) -> None:
        raise NotImplementedError

    def _drop_connection(self) -> None:
        """A pty cannot hang up."""

    def _close(self) -> None:
        raise NotImplementedError


class PtyWire(Wire):
    """A serial port."""

    def __init__(self, hears: Hears) -> None:
        super().__init__(hears)
        self._master, self._slave = pty.openpty()
        for end in (self._master, self._slave):
            tty.setraw(end, termios.TCSANOW)
        os.set_blocking(self._master, False)
        self.port = os.ttyname(self._slave)

    def _wait_for_input(self) -> bool:
        return bool(select.select([self._master], [], [], self._wait_s())[0])

    def _read(self) -> bytes:
        try:
            return os.read(self._master, 4096)
        except OSError:
            return b""

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(BlockingIOError):  # nobody reads
            os.write(self._master, data)

    def _close(self) -> None:
        os.close(self._master)
        os.close(self._slave)


class TcpWire(Wire):
    """A gateway or a serial server: one connection at a time, a newer one replaces an older one. ``forgets``: what the old one was
    owed does not come in the new one, as a serial server would have it."""

    def __init__(self, hears: Hears, *, forgets: bool) -> None:
        super().__init__(hears)
        self._forgets = forgets
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._line: socket.socket | None = None
        self.port = f"socket://127.0.0.1:{self._listening.getsockname()[1]}"

    def _wait_for_input(self) -> bool:
        """The same; a new connection replaces the one before."""
        ends = [self._listening] + ([self._line] if self._line is not None else [])
        ready = select.select(ends, [], [], self._wait_s())[0]
        if self._listening in ready:
            self._drop_connection()
            self._line, _ = self._listening.accept()
            self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._forgets:
                self._due.clear()
        return self._line in ready

    def _read(self) -> bytes:
        assert self._line is not None
        try:
            data = self._line.recv(4096)
        except OSError:
            data = b""
        if not data:
            self._drop_connection()
        return data

    def _write(self, data: bytes) -> None:
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.sendall(data)

    def _drop_connection(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def _close(self) -> None:
        self._drop_connection()
        self._listening.close()
