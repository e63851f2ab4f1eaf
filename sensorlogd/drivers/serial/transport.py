"""A serial port, or anything pySerial has a URL for, as a stream of (time of arrival, bytes).

Real devices are read with poll and os.read on their descriptor: one system call a burst, no select() and so no limit at
descriptor 1024, and a stop wakes the reader at once through ``wake_fd``. URLs without a descriptor (loop://, rfc2217://)
are read with pySerial's own timeout.

The time is taken when the first bytes of a burst arrive, before what follows within COALESCE_S is waited for.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import grp
import os
import select
import termios
import time
from pathlib import Path
from typing import Any

import serial
import serial.rs485

from sensorlogd.drivers.contract import DriverContext, DriverError
from sensorlogd.drivers.ports import holder
from sensorlogd.drivers.serial.options import PortOptions

READ_BYTES = 65536
COALESCE_S = 0.002  # a burst's bytes arrive within a character time of each other; fewer wake-ups cost less CPU
FULL_READ = 4096  # this much at once means the port is busy: read on instead of waiting

_PARITY = {"none": "N", "even": "E", "odd": "O", "mark": "M", "space": "S"}
# What pySerial and the kernel raise when a device goes away or misbehaves (termios.error is no OSError).
TROUBLE = (OSError, termios.error, TypeError, ValueError, AttributeError)


class Transport:
    """One open port. Only the thread that opened it may use and close it."""

    def __init__(self, options: PortOptions, context: DriverContext) -> None:
        self.options = options
        self.context = context
        self._port: Any = None
        self._fd: int | None = None
        self._polls: dict[int, Any] = {}  # by the descriptor that wakes the reader: the readers of a shared port take turns
        self._exclusive = options.exclusive and "://" not in options.port

    def open(self) -> None:
        """Raises DriverError with the cause and what to do about it."""
        options = self.options
        try:
            self._port = serial.serial_for_url(
                options.port,
                do_not_open=True,
                baudrate=options.baudrate,
                bytesize=options.bytesize,
                parity=_PARITY[options.parity],
                stopbits=options.stopbits,
                xonxoff=options.flow == "xonxoff",
                rtscts=options.flow == "rtscts",
                dsrdtr=options.flow == "dsrdtr",
                timeout=0.2,
                write_timeout=5.0,
            )
            if self._exclusive:
                self._port.exclusive = True
            if options.dtr is not None:
                self._port.dtr = options.dtr
            if options.rts is not None:
                self._port.rts = options.rts
            self._port.open()
            if options.rs485:
                self._port.rs485_mode = serial.rs485.RS485Settings()
        except TROUBLE as error:
            raise self._explained(error) from error
        self._fd = self._descriptor()
        if self._fd is not None:
            if self._exclusive:
                with contextlib.suppress(OSError):  # not every kind of terminal knows it; flock stands beside it
                    fcntl.ioctl(self._fd, termios.TIOCEXCL)
            os.set_blocking(self._fd, False)
        if options.settle:
            self._settle(options.settle / 1e6)

    def _descriptor(self) -> int | None:
        try:
            return int(self._port.fileno())
        except (OSError, AttributeError, TypeError, ValueError):
            return None

    def _settle(self, seconds: float) -> None:
        """An Arduino that resets on opening first sends its boot loader's noise."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.read(left) is None:
                return

    def read(self, timeout_s: float, context: DriverContext | None = None) -> tuple[int, bytes] | None:
        """(time of arrival in µs, bytes), or (time, b"") after the timeout; None when a stop was asked for.

        ``context``: of the sensor that reads, if not the one that opened. Raises DriverError when the device is gone.
        """
        context = context or self.context
        try:
            if self._fd is None:
                return self._read_without_descriptor(timeout_s, context)
            return self._read_descriptor(timeout_s, context)
        except TROUBLE as error:
            raise self._explained(error) from error

    def _read_descriptor(self, timeout_s: float, context: DriverContext) -> tuple[int, bytes] | None:
        assert self._fd is not None
        poll = self._polls.get(context.wake_fd)
        if poll is None:
            poll = self._polls[context.wake_fd] = select.poll()
            poll.register(self._fd, select.POLLIN | select.POLLERR | select.POLLHUP)
            poll.register(context.wake_fd, select.POLLIN)
        ready = dict(poll.poll(max(timeout_s, 0) * 1000))
        now = context.now_us()
        if context.wake_fd in ready:
            return None
        if self._fd not in ready:
            return now, b""
        data = self._read_some()
        if not data:
            raise DriverError(f"{self.options.port}: the device has gone")
        if len(data) < FULL_READ:
            time.sleep(COALESCE_S)
            try:
                data += self._read_some()
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EIO):
                    raise
        return now, data

    def _read_some(self) -> bytes:
        assert self._fd is not None
        try:
            return os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return b""

    def _read_without_descriptor(self, timeout_s: float, context: DriverContext) -> tuple[int, bytes] | None:
        end = time.monotonic() + timeout_s
        while True:
            if context.wait(0):
                return None
            self._port.timeout = min(0.2, max(end - time.monotonic(), 0))
            data = bytes(self._port.read(1))
            now = context.now_us()
            if data:
                waiting = self._port.in_waiting
                return now, data + (bytes(self._port.read(waiting)) if waiting else b"")
            if time.monotonic() >= end:
                return now, b""

    def discard_input(self) -> None:
        """Throw away what has arrived and was not read: before a question, old bytes are no answer. Raises DriverError."""
        try:
            if self._fd is None:
                self._port.reset_input_buffer()
            else:
                while self._read_some():
                    pass
        except TROUBLE as error:
            raise self._explained(error) from error

    def write(self, data: bytes) -> None:
        """Send all of ``data``. Raises DriverError."""
        try:
            self._port.write(data)
            self._port.flush()
        except TROUBLE as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Never raises."""
        port, fd, self._port, self._fd, self._polls = self._port, self._fd, None, None, {}
        if fd is not None and self._exclusive:
            with contextlib.suppress(OSError, termios.error):
                fcntl.ioctl(fd, termios.TIOCNXCL)  # else it stays in force as long as anybody else has the port open
        if port is not None:
            with contextlib.suppress(Exception):  # the device may be gone; there is nothing left to release then
                port.close()

    # ---- errors for people -----------------------------------------------------------------------------------------

    def _explained(self, error: Exception) -> DriverError:
        if isinstance(error, DriverError):
            return error
        port = self.options.port
        number = getattr(error, "errno", None)
        if number is None and error.args and isinstance(error.args[0], int):
            number = error.args[0]  # termios.error
        path = port if "://" not in port else ""
        if number == errno.ENOENT or (path and not Path(path).exists()):
            return DriverError(f"{port}: no such port", "plug the device in; 'sensorlogd ports' lists what is there")
        if number in (errno.EACCES, errno.EPERM):
            return DriverError(f"{port}: permission denied", _permission_hint(port))
        if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
            who = holder(port)
            return DriverError(
                f"{port}: busy" + (f", held by {who}" if who else ""), "stop the other program, or give it another port"
            )
        if number == errno.ENOTTY or "configure port" in str(error):
            return DriverError(f"{port}: not a serial port", "name a tty, e.g. one that 'sensorlogd ports' lists")
        if number in (errno.EIO, errno.ENODEV, errno.ENXIO, errno.EBADF):
            return DriverError(f"{port}: the device has gone", "plug it in again; it is read as soon as it is back")
        if "://" in port and isinstance(error, ValueError):
            return DriverError(f"{port}: {error}", "URLs are e.g. socket://host:port or rfc2217://host:port")
        return DriverError(f"{port}: {error}")


def _permission_hint(port: str) -> str:
    try:
        group = grp.getgrgid(os.stat(port).st_gid).gr_name
    except (OSError, KeyError):
        group = "dialout"
    return f"the user must be in the group {group}: sudo usermod -aG {group} $USER, then log in again"
