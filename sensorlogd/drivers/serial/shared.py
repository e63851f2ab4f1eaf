"""One port for several sensors: a hub opens it once, and each sensor has an end that looks like a port of its own.

A thread of the hub reads the port and hands what arrives to every sensor that listens, at once and whatever the others do.
A sensor that asks questions (Modbus, polled devices) takes the line for one question and its answer, first come first
served, and hears nothing else. When the port fails, every sensor on it is notified, and the first to come back opens it anew.
"""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from sensorlogd.config.ports import identity
from sensorlogd.drivers.contract import DriverContext, DriverError
from sensorlogd.drivers.serial.options import PortOptions
from sensorlogd.drivers.serial.port import OnLine, OwnPort
from sensorlogd.drivers.serial.port import Port as Port
from sensorlogd.drivers.serial.transport import Transport
from sensorlogd.drivers.transactions.line import Line
from sensorlogd.processes.wake_pipe import WakePipe

MAX_HELD_BYTES = 1_000_000  # for a sensor that does not fetch what arrived
SILENT_HEARTBEATS = 3  # a port that gave nobody anything for this long is opened anew, as one that is not shared would be
CATCH_UP = 50  # reads before a question; a line that babbles on is asked all the same
CLOSING_S = 5.0  # for the hub's thread to let go of the port
FOR_EVER_S = 86_400.0


def port_for(options: PortOptions, context: DriverContext, *, asks: bool = False, quiet_s: float = 0.0) -> Port:
    """The port of a sensor.

    asks     it only wants to hear answers to its own questions
    quiet_s  nothing is asked for this long after opening: a question of an earlier run may still be answered
    """
    if options.shared:
        return SharedPort(options, context, asks=asks, quiet_s=quiet_s)
    return OwnPort(options, context, asks=asks, quiet_s=quiet_s)


class _Hub:
    """The opened port, the sensors on it, and whose turn it is to ask. Made by the sensor that opens the port. Owns a thread."""

    def __init__(self, key: str, opener: SharedPort) -> None:
        self.key = key
        self.opener = opener
        options = self.options = opener.options
        self.lock = threading.Lock()  # guards what follows, up to the blank line
        self.ends: list[SharedPort] = []
        self.error: DriverError | None = None
        self.opened = False
        self.owner: SharedPort | None = None
        self.owner_until = 0.0
        self.queue: dict[SharedPort, Callable[[], bool]] = {}  # who wants to ask, in order; and whether it could ask now
        self.heard = time.monotonic()

        self.line = opener.line
        self.generation = 0
        self.handling = threading.Lock()  # from reading bytes until all have them; and the port is not closed meanwhile
        self.writing = threading.Lock()  # the port is not closed while somebody writes
        self._stop = threading.Event()
        self._wake = WakePipe()
        self._thread: threading.Thread | None = None
        self._context = DriverContext(
            options.port, self._wake.read_end, self._stop.wait, opener.context.now_us, self._count, lambda kind, detail: None
        )
        self.transport = Transport(options, self._context)

    def _count(self, name: str, n: int, example: str) -> None:
        """What is wrong on the port is counted for every sensor on it."""
        for end in self._all_ends():
            end.context.count(name, n, example)

    def _all_ends(self) -> list[SharedPort]:
        with self.lock:
            return list(self.ends)

    # ---- the thread of the sensor that opens, joins or leaves --------------------------------------------------------

    def open(self) -> None:
        """Open the port and begin to read it. Raises DriverError, also in every sensor that waits for the port."""
        self.transport.hand_over(self.opener.context)  # so that opening ends when the sensor that opens is stopped
        try:
            self.transport.open()
        except DriverError as error:
            self.fail(error)
            self._close()
            raise
        self.transport.hand_over(self._context)
        self.generation = self.line.note_opened(self.opener.quiet_s)
        with self.lock:
            self.opened = True
        # daemon: a device that hangs in a system call must not keep the process from ending
        self._thread = threading.Thread(target=self._read_port, name=f"port-{self.options.port}", daemon=True)
        self._thread.start()
        for end in self._all_ends():
            end.wake()

    def fits(self, options: PortOptions) -> bool:
        """Whether a sensor with these options can join: same settings, still alive, and not silent for far too long."""
        with self.lock:
            if self.error is not None:
                return False
            quiet_us = (time.monotonic() - self.heard) * 1e6
            heartbeats = [end.options.heartbeat_us() for end in self.ends]
        patience_us = SILENT_HEARTBEATS * max([options.heartbeat_us(), *heartbeats])
        return options.line() == self.options.line() and quiet_us <= patience_us

    def leave(self, end: SharedPort) -> bool:
        """Remove a sensor. True if it was the last one."""
        with self.lock:
            self.ends.remove(end)
            self.queue.pop(end, None)
            if self.owner is end:
                self._next_turn()
            return not self.ends

    def fail(self, error: DriverError) -> None:
        """The port cannot be used any more. Every sensor on it is notified once."""
        with _hubs_lock:
            if _hubs.get(self.key) is self:
                del _hubs[self.key]
        with self.lock:
            self.error = self.error or error
        for end in self._all_ends():
            end.wake()

    def stop(self) -> None:
        """End the hub's thread, which closes the port. May be called from any other thread."""
        self._stop.set()
        thread = self._thread
        if thread is not None:
            self._wake.wake()
            thread.join(CLOSING_S)

    def _close(self) -> None:
        """Close the port, and what wakes the hub's thread."""
        with self.writing, self.handling:
            self.transport.close()
        self._wake.close()

    # ---- the hub's thread --------------------------------------------------------------------------------------------

    def _read_port(self) -> None:
        """Deliver what arrives until the hub is stopped or the port fails; then close the port."""
        try:
            while not self._stop.is_set():
                if not self.transport.has_descriptor:
                    self._deliver(self.transport.read(FOR_EVER_S))
                elif self.transport.wait(FOR_EVER_S):
                    with self.handling:
                        self._deliver(self.transport.read(0.0))
        except DriverError as error:
            self.fail(error)
        finally:
            self._close()

    def catch_up(self) -> None:
        """Deliver what has arrived by now, on behalf of a sensor that is about to ask."""
        with self.handling:
            if not self.transport.has_descriptor:  # it cannot tell, or was closed just now
                return
            try:
                for _ in range(CATCH_UP):
                    if not self._deliver(self.transport.read(0.0)):
                        return
            except DriverError as error:
                self.fail(error)
                raise

    def _deliver(self, arrived: tuple[int, bytes] | None) -> bool:
        """Give what has arrived to the sensors. Returns whether there was anything."""
        if arrived is None or not arrived[1]:
            return False
        now_us, data = arrived
        with self.lock:
            self.heard = time.monotonic()
            to = [end for end in self.ends if not end.asks or end is self.owner]
            asking = [end for end in self.ends if end.asks and end is not self.owner]
        changed = self.line.note_arrived(data, now_us)
        for end in to:
            end.take(now_us, data)
        for end in asking if changed else ():
            end.wake()
        return True

    # ---- turns -------------------------------------------------------------------------------------------------------

    def queue_up(self, end: SharedPort, ready: Callable[[], bool]) -> None:
        """The sensor wants to ask. If it is in the queue already, it keeps its place."""
        with self.lock:
            self.queue[end] = ready

    def try_turn(self, end: SharedPort, hold_s: float) -> float | None:
        """None: it is this sensor's turn now. Else for how long at most the present owner has the line."""
        now = time.monotonic()
        with self.lock:
            self.queue.setdefault(end, lambda: True)
            overdue = self.owner is not end and now >= self.owner_until  # it hangs, or has forgotten: nobody else is to suffer
            if self.owner is None or overdue:
                self._next_turn()
            if self.owner is end:
                self.queue.pop(end, None)
                self.owner_until = now + hold_s
                return None
            return self.owner_until - now if self.owner is not None else 0.0

    def end_turn(self, end: SharedPort) -> None:
        """End the sensor's turn; the next in the queue has the line."""
        with self.lock:
            if self.owner is end:
                self._next_turn()

    def _next_turn(self) -> None:
        """Give the line to the sensor that has waited longest, of those that could ask now."""
        self.owner = next((end for end, ready in self.queue.items() if ready()), None)
        if self.owner is not None:
            del self.queue[self.owner]
            self.owner_until = time.monotonic() + 1.0  # until it has said how long it wants the line
            self.owner.wake()


_hubs: dict[str, _Hub] = {}
_hubs_lock = threading.Lock()


class SharedPort:
    """A sensor's end of a shared port. ``take`` and ``wake`` may be called by any thread, everything else only by the sensor's."""

    def __init__(self, options: PortOptions, context: DriverContext, *, asks: bool, quiet_s: float = 0.0) -> None:
        self.options = options
        self.context = context
        self.asks = asks
        self.quiet_s = quiet_s
        self._on_line = OnLine(options.port)
        self._hub: _Hub | None = None
        self._lock = threading.Lock()  # guards what follows
        self._held: deque[tuple[int, bytes]] = deque()
        self._held_bytes = 0
        self._event = -1

    @property
    def line(self) -> Line:
        return self._on_line.line

    @property
    def generation(self) -> int:
        return self._hub.generation if self._hub is not None else 0

    @property
    def is_connection(self) -> bool:
        return "://" in self.options.port

    def reopen(self) -> None:
        """See ``Port``. The sensor that comes back first opens the port for all."""
        self._on_line.join()
        try:
            self.close()
            self.open()
        finally:
            self._on_line.leave()

    def open(self) -> None:
        """Join the port, and open it if nobody has. Returns at a stop, too. Raises DriverError."""
        self._on_line.join()
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        key = identity(self.options.port)
        while (joined := self._join(key)) is None:
            continue
        hub, is_owner = joined
        self._hub = hub
        if is_owner:
            hub.open()
            return
        while True:
            self._raise_if_failed(hub)
            with hub.lock:
                if hub.opened:
                    return
            if self._wait(FOR_EVER_S):
                return

    def _join(self, key: str) -> tuple[_Hub, bool] | None:
        """The hub this sensor is on now, and whether the sensor has to open it. None: a hub with other settings was closed; try
        again."""
        with _hubs_lock:
            hub = _hubs.get(key)
            made = hub is None
            if hub is None:
                hub = _hubs[key] = _Hub(key, self)
            if made or hub.fits(self.options):
                with hub.lock:
                    hub.ends.append(self)
                return hub, made
        hub.fail(DriverError(f"{self.options.port}: is opened anew, with other settings or because it was silent for long"))
        hub.stop()
        return None

    # ---- called by the hub -------------------------------------------------------------------------------------------

    def take(self, now_us: int, data: bytes) -> None:
        """Something arrived for this sensor."""
        self.context.tap(now_us, data, "rx")
        lost = 0
        with self._lock:
            self._held.append((now_us, data))
            self._held_bytes += len(data)
            while self._held_bytes > MAX_HELD_BYTES and len(self._held) > 1:
                dropped = len(self._held.popleft()[1])
                self._held_bytes -= dropped
                lost += dropped
        if lost:
            self.context.count("dropped_bytes", lost, "")
        self.wake()

    def wake(self) -> None:
        """Something changed: bytes, turn or error."""
        with self._lock:  # nobody may write to the number of a descriptor that was closed
            if self._event >= 0:
                os.eventfd_write(self._event, 1)

    # ---- called by the sensor ----------------------------------------------------------------------------------------

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """As ``Transport.read``."""
        hub = self._hub
        assert hub is not None
        end = time.monotonic() + max(timeout_s, 0)
        while True:
            with self._lock:
                if self._held:
                    now_us, data = self._held.popleft()
                    self._held_bytes -= len(data)
                    return now_us, data
            self._raise_if_failed(hub)
            left = end - time.monotonic()
            if left <= 0:
                return self.context.now_us(), b""
            if self._wait(left):
                return None

    def _wait(self, seconds: float) -> bool:
        """Wait until woken or the time is over; True if a stop was asked for."""
        poll = select.poll()
        poll.register(self._event, select.POLLIN)
        poll.register(self.context.wake_fd, select.POLLIN)
        ready = dict(poll.poll(max(seconds, 0) * 1000))
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._event)
        return self.context.wake_fd in ready

    def _raise_if_failed(self, hub: _Hub) -> None:
        with hub.lock:
            error = hub.error
        if error is not None:
            raise DriverError(str(error), error.hint)

    def write(self, data: bytes) -> None:
        """Send all of ``data``; only while the line is ours."""
        hub = self._hub
        assert hub is not None
        with hub.writing:
            self._raise_if_failed(hub)
            with hub.lock:
                is_owner = hub.owner is self
            if not is_owner:
                raise DriverError(
                    f"{self.options.port}: another sensor has the line now; this one took too long",
                    "a longer turnaround: may help",
                )
            try:
                hub.transport.write(data)
            except DriverError as error:  # before the hub's thread has seen it; who opens anew must not find this one
                hub.fail(error)
                raise
            self.context.tap(self.context.now_us(), data, "tx")

    def discard_input(self) -> bytes:
        """What this sensor holds, and what has arrived by now."""
        hub = self._hub
        assert hub is not None
        self._raise_if_failed(hub)
        hub.catch_up()
        with self._lock:
            data = b"".join(data for _, data in self._held)
            self._held.clear()
            self._held_bytes = 0
        return data

    def queue_up(self, ready: Callable[[], bool]) -> None:
        """See ``Port``."""
        hub = self._hub
        assert hub is not None
        hub.queue_up(self, ready)

    @contextlib.contextmanager
    def transaction(self, wait_s: float, hold_s: float) -> Iterator[bool]:
        """See ``Port``."""
        hub = self._hub
        assert hub is not None
        has_turn = self._wait_for_turn(hub, wait_s, hold_s)
        try:
            yield has_turn
        finally:
            if has_turn:
                hub.end_turn(self)

    def _wait_for_turn(self, hub: _Hub, wait_s: float, hold_s: float) -> bool:
        """Whether the line became this sensor's within this time. Raises DriverError when the port has failed."""
        end = time.monotonic() + wait_s
        while (others_s := hub.try_turn(self, hold_s)) is not None:
            self._raise_if_failed(hub)
            left = end - time.monotonic()
            if left <= 0 or self._wait(min(left, max(others_s, 0.001))):
                return False
        return True

    def close(self) -> None:
        """Leave; the last one closes the port. Never raises."""
        hub, self._hub = self._hub, None
        if hub is not None:
            with _hubs_lock:
                last = hub.leave(self)
                if last and _hubs.get(hub.key) is hub:
                    del _hubs[hub.key]
            if last:
                hub.stop()
        with self._lock:
            event, self._event = self._event, -1
            if event >= 0:
                os.close(event)
                self._on_line.leave()
