"""The interface of a port for drivers, and a port that belongs to one sensor."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Protocol

from sensorlogd.config.ports import identity, may_repeat
from sensorlogd.drivers.contract import DriverContext
from sensorlogd.drivers.serial.options import PortOptions
from sensorlogd.drivers.serial.transport import Transport
from sensorlogd.drivers.transactions.line import Line
from sensorlogd.drivers.transactions.lines import leave, line_of


class Port(Protocol):
    """A port as drivers see it, shared or not. All methods but ``close`` raise DriverError when the port cannot be used."""

    @property
    def line(self) -> Line:
        """What is known of the line by all who ask on it. Before ``open`` it is a line of nobody else."""

    @property
    def generation(self) -> int:
        """Which opening of the line this is; 0 while the port is closed."""

    @property
    def is_connection(self) -> bool:
        """Whether it is one over a network (``socket://``, ``rfc2217://``), and not a port of this machine."""

    def open(self) -> None:
        """Open the port, or join those who have opened it already."""

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """(time of arrival in µs UTC, bytes), or (time, b"") after the timeout; None when a stop was asked for."""

    def write(self, data: bytes) -> None:
        """Send all of ``data``, or raise DriverError."""

    def discard_input(self) -> bytes:
        """Throw away what has arrived and was not read, and give it back for a look; all that has arrived by then has been heard by
        the line."""

    def queue_up(self, ready: Callable[[], bool]) -> None:
        """This sensor wants to ask, and can while ``ready()``: whoever comes later is not before it. ``ready`` is called by any
        thread."""

    def transaction(self, wait_s: float, hold_s: float) -> contextlib.AbstractContextManager[bool]:
        """``with port.transaction(wait_s, hold_s) as ours``: the line for one question and answer, for at most ``hold_s``; False if
        it did not become ours within ``wait_s`` (our place in the queue is kept) or a stop was asked for."""

    def reopen(self) -> None:
        """Close and open, because the device has closed the connection."""

    def close(self) -> None:
        """Leave the line. A second call does nothing. Does not raise."""


class OnLine:
    """The line that a port is on. A port that is opened several times is one line."""

    def __init__(self, port: str) -> None:
        self._name = "" if may_repeat(port) else identity(port)
        self.line = Line()
        self._joined = 0

    def join(self) -> Line:
        """Join the line, for one opening of the port."""
        if self._name and not self._joined:
            self.line = line_of(self._name)
        self._joined += 1
        return self.line

    def leave(self) -> None:
        """Leave the line when the port is closed."""
        self._joined -= 1
        if self._name and not self._joined:
            leave(self.line)


class OwnPort(Transport):
    """A port that belongs to one sensor."""

    def __init__(self, options: PortOptions, context: DriverContext, *, asks: bool = False, quiet_s: float = 0.0) -> None:
        super().__init__(options, context)
        self.asks = asks
        self.quiet_s = quiet_s
        self._generation = 0
        self._on_line = OnLine(options.port)

    @property
    def line(self) -> Line:
        return self._on_line.line

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def is_connection(self) -> bool:
        return "://" in self.options.port

    def open(self) -> None:
        """Open the port and join its line. Raises DriverError."""
        super().open()
        self._generation = self._on_line.join().note_opened(self.quiet_s)

    def reopen(self) -> None:
        """See ``Port``."""
        self._on_line.join()
        try:
            self.close()
            self.open()
        finally:
            self._on_line.leave()

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """As ``Port.read``. Where this sensor asks, the line hears what has arrived before the sensor sees it."""
        arrived = super().read(timeout_s)
        if self.asks and arrived is not None and arrived[1]:
            self.line.note_arrived(arrived[1], arrived[0])
        return arrived

    def discard_input(self) -> bytes:
        thrown = super().discard_input()
        if self.asks and thrown and not self.has_descriptor:
            self.line.note_arrived(thrown, self.context.now_us())  # else ``read`` has told it
        return thrown

    def queue_up(self, ready: Callable[[], bool]) -> None:
        """Nobody else asks on this port."""

    @contextlib.contextmanager
    def transaction(self, wait_s: float, hold_s: float) -> Iterator[bool]:
        """The line always belongs to this sensor."""
        yield True

    def close(self) -> None:
        """Leave the line and close the port. Does nothing if it is not open."""
        if self._generation:
            self._generation = 0
            self._on_line.leave()
        super().close()
