"""One port, several sensors: a hub that opens it once and lets the sensors' threads take turns at reading it.

There is no further thread: whichever sensor finds nobody reading reads, and hands what arrived to all. A sensor that asks
questions (Modbus, polled devices) takes the line for one question and answer; what arrives meanwhile is its alone. When the
port fails, every sensor on it is told, and the first to come back opens it anew.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Protocol

from sensorlogd.drivers.contract import DriverContext, DriverError
from sensorlogd.drivers.serial.options import PortOptions
from sensorlogd.drivers.serial.transport import Transport

HELD_BYTES = 1_000_000  # for a sensor that does not fetch what arrived
TURN_S = 0.1  # how long a sensor waits before it looks again whether nobody reads


class Port(Protocol):
    """What drivers need of a port, shared or not. All but ``close`` raise DriverError when the port cannot be used."""

    def open(self) -> None: ...

    def read(self, timeout_s: float) -> tuple[int, bytes] | None: ...

    def write(self, data: bytes) -> None: ...

    def discard_input(self) -> None: ...

    def transaction(self, timeout_s: float) -> contextlib.AbstractContextManager[bool]: ...

    def close(self) -> None: ...


def port_for(options: PortOptions, context: DriverContext) -> Port:
    """The port of a sensor."""
    return SharedPort(options, context) if options.shared else OwnPort(options, context)


class OwnPort(Transport):
    """A port that one sensor has for itself."""

    @contextlib.contextmanager
    def transaction(self, timeout_s: float) -> Iterator[bool]:
        """The line is always ours."""
        yield True


class _Turns:
    """A lock that is given in the order it was asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: deque[threading.Event] = deque()
        self._held = False

    def acquire(self, timeout_s: float, wait_stop: DriverContext) -> bool:
        mine = threading.Event()
        with self._lock:
            if not self._held:
                self._held = True
                return True
            self._queue.append(mine)
        end = time.monotonic() + timeout_s
        while not mine.wait(min(TURN_S, max(end - time.monotonic(), 0))):
            if time.monotonic() >= end or wait_stop.wait(0):
                with self._lock:
                    if mine.is_set():  # it became ours this very moment
                        return True
                    self._queue.remove(mine)
                    return False
        return True

    def release(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().set()
            else:
                self._held = False


class _Hub:
    """The one opened port and who listens."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.transport: Transport | None = None
        self.listeners: list[SharedPort] = []
        self.opening = threading.Lock()
        self.reading = threading.Lock()
        self.turns = _Turns()
        self.owner: SharedPort | None = None

    def deliver(self, now_us: int, data: bytes) -> None:
        with self.lock:
            to = [self.owner] if self.owner is not None else list(self.listeners)
        for listener in to:
            listener.take(now_us, data)

    def fail(self, error: DriverError) -> None:
        """Close the port; only who reads, or nobody, may do that."""
        with self.lock:
            transport, self.transport = self.transport, None
            listeners = list(self.listeners)
        if transport is not None:
            transport.close()
        for listener in listeners:
            listener.failed(error)


_hubs: dict[str, _Hub] = {}
_hubs_lock = threading.Lock()


class SharedPort:
    """One sensor's share of a port. Its methods are called by that sensor's thread, ``take`` and ``failed`` by others'."""

    def __init__(self, options: PortOptions, context: DriverContext) -> None:
        self.options = options
        self.context = context
        self.key = os.path.realpath(options.port) if "://" not in options.port else options.port
        self._hub: _Hub | None = None
        self._held: deque[tuple[int, bytes]] = deque()
        self._held_bytes = 0
        self._error: DriverError | None = None
        self._event = -1
        self._event_lock = threading.Lock()  # nobody may write to the number of a descriptor that was closed

    def open(self) -> None:
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        with _hubs_lock:
            hub = self._hub = _hubs.setdefault(self.key, _Hub())
            with hub.lock:
                hub.listeners.append(self)
        with hub.opening:
            if hub.transport is None:
                transport = Transport(self.options, self.context)
                transport.open()  # a failure leaves ``transport`` None: ``close`` takes us off the list again
                hub.transport = transport

    def take(self, now_us: int, data: bytes) -> None:
        """Something arrived for this sensor."""
        self._held.append((now_us, data))
        self._held_bytes += len(data)
        while self._held_bytes > HELD_BYTES and len(self._held) > 1:
            lost = len(self._held.popleft()[1])
            self._held_bytes -= lost
            self.context.count("dropped_bytes", lost, "")
        self._wake()

    def failed(self, error: DriverError) -> None:
        """The port is gone."""
        self._error = error
        self._wake()

    def _wake(self) -> None:
        with self._event_lock:
            if self._event >= 0:
                os.eventfd_write(self._event, 1)

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """As ``Transport.read``."""
        hub = self._hub
        assert hub is not None
        end = time.monotonic() + max(timeout_s, 0)
        while True:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(self._event)
            if self._held:
                now_us, data = self._held.popleft()
                self._held_bytes -= len(data)
                return now_us, data
            if self._error is not None:
                raise DriverError(str(self._error), self._error.hint)
            left = max(end - time.monotonic(), 0)
            if hub.reading.acquire(blocking=False):
                try:
                    arrived = self._read_for_all(hub, min(left, TURN_S))
                finally:
                    hub.reading.release()
                if arrived is None:
                    return None
            else:
                poll = select.poll()
                poll.register(self._event, select.POLLIN)
                poll.register(self.context.wake_fd, select.POLLIN)
                if self.context.wake_fd in dict(poll.poll(min(left, TURN_S) * 1000)):
                    return None
            if time.monotonic() >= end and not self._held and self._error is None:
                return self.context.now_us(), b""

    def _read_for_all(self, hub: _Hub, timeout_s: float) -> bool | None:
        """None: a stop was asked for."""
        transport = hub.transport
        if transport is None or self._held:
            return True
        try:
            arrived = transport.read(timeout_s, self.context)
        except DriverError as error:
            hub.fail(error)
            return True
        if arrived is None:
            return None
        if arrived[1]:
            hub.deliver(*arrived)
        return True

    def write(self, data: bytes) -> None:
        """As ``Transport.write``."""
        hub = self._hub
        transport = hub.transport if hub is not None else None
        if transport is None:
            raise self._error or DriverError(f"{self.options.port}: the port is closed")
        transport.write(data)

    def discard_input(self) -> None:
        """What this sensor holds; the line itself is read by whoever reads."""
        self._held.clear()
        self._held_bytes = 0

    @contextlib.contextmanager
    def transaction(self, timeout_s: float) -> Iterator[bool]:
        """The line for one question and answer; False if it did not become free in time."""
        hub = self._hub
        assert hub is not None
        if not hub.turns.acquire(timeout_s, self.context):
            yield False
            return
        with hub.lock:
            hub.owner = self
        try:
            yield True
        finally:
            with hub.lock:
                hub.owner = None
            hub.turns.release()

    def close(self) -> None:
        """Leave; the last one closes the port. Never raises."""
        hub, self._hub = self._hub, None
        if hub is not None:
            with _hubs_lock, hub.lock:
                hub.listeners.remove(self)
                last = not hub.listeners
                transport = hub.transport if last else None
                if last:
                    hub.transport = None
                    _hubs.pop(self.key, None)
            if transport is not None:
                transport.close()
        with self._event_lock:
            event, self._event = self._event, -1
            if event >= 0:
                os.close(event)
