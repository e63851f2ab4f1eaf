"""The clock for gaps: tells when a line has been quiet for longer than a device pauses in the middle of a line or frame.

Only polls count, and only those that came back empty when they were due: a host that stood still meanwhile sees what the kernel
has kept for it, at its next poll. How long a pause may be depends on who keeps the bytes together: on a wire they follow each
other, a network or another program (a pty's other end) delivers them when it gets to it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Protocol

from sensorlogd.drivers.serial.options import PortOptions

CHARACTERS = 20
MIN_GAP_S = 0.05
NETWORK_S = 1.0
LATE_S = 0.05  # a poll that ends this much later than it was due says nothing: the host stood still
_CARRIED = ("/dev/pts/", "/dev/rfcomm")  # what is behind them is a program or a radio, not a wire


class Readable(Protocol):
    """Reads like ``serial.port.Port``."""

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """(µs UTC, bytes) of what has arrived within ``timeout_s``; the bytes are empty if nothing has. None when woken."""


def gap_s(options: PortOptions) -> float:
    """How long the port must be quiet until it is certain that nothing incomplete goes on."""
    if options.gap is not None:
        return options.gap / 1e6
    port = options.port
    if "://" in port or os.path.realpath(port).startswith(_CARRIED):
        return NETWORK_S
    bits = 1 + options.bytesize + (options.parity != "none") + options.stopbits
    return max(CHARACTERS * bits / options.baudrate, MIN_GAP_S)


class GapClock:
    """Reads a port and reports, once after each burst (and once after opening), that it has been quiet for ``gap_s``."""

    def __init__(self, port: Readable, gap_s: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.port = port
        self.gap_s = gap_s
        self.monotonic = monotonic
        self._quiet_s = 0.0  # of empty polls, one after the other
        self._gap_reported = False

    def read(self, timeout_s: float) -> tuple[int, bytes, bool] | None:
        """(time in µs, bytes, whether the gap is over now); no bytes after the timeout, or at once when the gap is over.

        None when a stop was asked for.
        """
        began = self.monotonic()
        end = began + timeout_s
        while True:
            left = max(end - began, 0.0)
            wait_s = left if self._gap_reported else min(left, max(self.gap_s - self._quiet_s, 0.001))
            arrived = self.port.read(wait_s)
            if arrived is None:
                return None
            now_us, data = arrived
            if data:
                self._quiet_s, self._gap_reported = 0.0, False
                return now_us, data, False
            now = self.monotonic()
            took_s = now - began
            if took_s <= wait_s + LATE_S:
                self._quiet_s += min(wait_s, took_s)
            if not self._gap_reported and self._quiet_s >= self.gap_s - 1e-4:
                self._gap_reported = True
                return now_us, b"", True
            if now >= end:
                return now_us, b"", False
            began = now
