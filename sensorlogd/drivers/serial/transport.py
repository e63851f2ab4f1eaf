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
import os
import re
import select
import termios
import time
from pathlib import Path
from typing import Any

import serial
import serial.rs485

from sensorlogd.drivers.contract import DriverContext, DriverError
from sensorlogd.drivers.ports import has_hung_up, holder, permission_hint
from sensorlogd.drivers.serial import telnet_port
from sensorlogd.drivers.serial.options import PortOptions, Rs485Options

READ_BYTES = 65536
COALESCE_S = 0.002  # a burst's bytes arrive within a character time of each other; fewer wake-ups cost less CPU
MAX_DISCARDED_BYTES = 1_000_000  # at once; a babbling device sends for ever
WRITE_TIMEOUT_S = 5.0
FULL_READ = 4000  # this much at once (a terminal holds 4095) means the port is busy: read on instead of waiting

_PARITY = {"none": "N", "even": "E", "odd": "O", "mark": "M", "space": "S"}
# What pySerial and the kernel raise when a device goes away or misbehaves (termios.error is no OSError), and for URLs that are none.
TROUBLE = (OSError, termios.error, TypeError, ValueError, AttributeError, NotImplementedError, LookupError, re.error)


class Transport:
    """One open port. One thread reads and closes it; while that one lives, another may write."""

    def __init__(self, options: PortOptions, context: DriverContext) -> None:
        self.options = options
        self.context = context
        self._port: Any = None
        self._fd: int | None = None
        self._poll: select.poll | None = None
        self._waiting: select.poll | None = None
        self._busy = False
        self._exclusive = options.exclusive and "://" not in options.port

    def open(self) -> None:
        """Raises DriverError with the cause and what to do about it."""
        options = self.options
        try:
            self._port = self._make_port()
            self._port.open()
            if options.rs485 is not None:
                self._switch_by_rts(options.rs485)
        except TROUBLE as error:
            raise self._driver_error(error) from error
        self._fd = self._descriptor()
        if self._fd is not None:
            if self._exclusive:
                with contextlib.suppress(OSError):  # not every kind of terminal knows it; flock stands beside it
                    fcntl.ioctl(self._fd, termios.TIOCEXCL)
            try:
                os.set_blocking(self._fd, False)
            except OSError as error:  # the other end has closed the connection at once
                raise self._driver_error(error) from error
            if not options.hangup:
                self._keep_dtr_raised(self._fd)
        if options.settle:
            self._discard_while_settling(options.settle / 1e6)

    def _make_port(self) -> Any:
        """The object of pySerial for the port, not opened."""
        options = self.options
        # A pty moves bytes, not bits: it has neither parity nor size, and refuses (EINVAL) to be asked for them a second time.
        pty = os.path.realpath(options.port).startswith("/dev/pts/")
        settings: dict[str, Any] = {
            "baudrate": options.baudrate,
            "bytesize": 8 if pty else options.bytesize,
            "parity": "N" if pty else _PARITY[options.parity],
            "stopbits": options.stopbits,
            "xonxoff": options.flow == "xonxoff",
            "rtscts": options.flow == "rtscts",
            "dsrdtr": options.flow == "dsrdtr",
            "timeout": 0.2,
        }
        if options.port.lower().startswith(telnet_port.SCHEME):
            remote = telnet_port.TelnetPort(**settings)
            remote.port = options.port
            remote.give(dtr=options.dtr, rts=options.rts)
            return remote
        port = serial.serial_for_url(options.port, do_not_open=True, write_timeout=WRITE_TIMEOUT_S, **settings)
        if self._exclusive:
            port.exclusive = True
        if options.dtr is not None:
            port.dtr = options.dtr
        if options.rts is not None:
            port.rts = options.rts
        return port

    def _keep_dtr_raised(self, fd: int) -> None:
        """Switch HUPCL off: closing leaves DTR raised, so that the next opening raises nothing."""
        with contextlib.suppress(termios.error):  # a socket has no such line
            attributes = termios.tcgetattr(fd)
            attributes[2] &= ~termios.HUPCL
            termios.tcsetattr(fd, termios.TCSANOW, attributes)

    def _switch_by_rts(self, rs485: Rs485Options) -> None:
        """Set the kernel's RS-485 mode. Raises DriverError where its driver has none."""
        settings = serial.rs485.RS485Settings(
            rts_level_for_tx=rs485.rts_on_send,
            rts_level_for_rx=not rs485.rts_on_send,
            loopback=rs485.receive_own,
            delay_before_tx=rs485.delay_before_send / 1e6,
            delay_before_rx=rs485.delay_after_send / 1e6,
        )
        try:
            self._port.rs485_mode = settings
        except TROUBLE as error:
            hint = "leave rs485: out; most USB adapters switch their direction themselves"
            raise DriverError(f"{self.options.port}: its driver in the kernel has no RS-485 mode", hint) from error

    def hand_over(self, context: DriverContext) -> None:
        """From now on it is read on behalf of somebody else."""
        self.context = context
        self._poll = self._waiting = None

    def _descriptor(self) -> int | None:
        try:
            return int(self._port.fileno())
        except (OSError, AttributeError, TypeError, ValueError):
            return None

    def _discard_while_settling(self, seconds: float) -> None:
        """Read for this long and keep nothing: an Arduino that resets on opening first sends its boot loader's noise."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self.read(left) is None:
                return

    def read(self, timeout_s: float) -> tuple[int, bytes] | None:
        """(time of arrival in µs, bytes), or (time, b"") after the timeout; None when a stop was asked for.

        Raises DriverError when the device is gone.
        """
        try:
            arrived = self._read_without_descriptor(timeout_s) if self._fd is None else self._read_descriptor(self._fd, timeout_s)
        except TROUBLE as error:
            raise self._driver_error(error) from error
        if arrived is not None and arrived[1]:
            self.context.tap(*arrived, "rx")
        return arrived

    def wait(self, timeout_s: float) -> bool:
        """Whether there is something to read (or to raise). Reads nothing, so another thread may ``read`` meanwhile.

        A port without a descriptor cannot tell: True at once.
        """
        if self._fd is None:
            return True
        if self._waiting is None:
            self._waiting = select.poll()
            self._waiting.register(self._fd, select.POLLIN | select.POLLERR | select.POLLHUP)
            self._waiting.register(self.context.wake_fd, select.POLLIN)
        ready = dict(self._waiting.poll(max(timeout_s, 0) * 1000))
        return self.context.wake_fd not in ready and self._fd in ready

    @property
    def has_descriptor(self) -> bool:
        """Whether ``wait`` can tell."""
        return self._fd is not None

    def _read_descriptor(self, fd: int, timeout_s: float) -> tuple[int, bytes] | None:
        """As ``read``, by poll and os.read."""
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(fd, select.POLLIN | select.POLLERR | select.POLLHUP)
            self._poll.register(self.context.wake_fd, select.POLLIN)
        end = time.monotonic() + timeout_s
        while True:
            ready = dict(self._poll.poll(max(end - time.monotonic(), 0) * 1000))
            now = self.context.now_us()
            if self.context.wake_fd in ready:
                return None
            if fd not in ready:
                return now, b""
            if not self._busy:
                time.sleep(COALESCE_S)
            data = self._read_now()
            self._busy = len(data) >= FULL_READ
            if not data and has_hung_up(fd):
                raise DriverError(
                    f"{self.options.port}: the device has gone", "is it unplugged? it is opened again once it is there"
                )
            if data or time.monotonic() >= end:  # else another program was faster
                return now, data

    def _read_now(self) -> bytes:
        assert self._fd is not None
        try:
            return os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return b""

    def _read_without_descriptor(self, timeout_s: float) -> tuple[int, bytes] | None:
        """As ``read``, by pySerial, which is left every 0.2 s to see whether a stop was asked for."""
        end = time.monotonic() + timeout_s
        while True:
            if self.context.wait(0):
                return None
            self._port.timeout = min(0.2, max(end - time.monotonic(), 0))
            data = bytes(self._port.read(1))
            now = self.context.now_us()
            if data:
                waiting = self._port.in_waiting
                return now, data + (bytes(self._port.read(waiting)) if waiting else b"")
            if time.monotonic() >= end:
                return now, b""

    def discard_input(self) -> bytes:
        """What has arrived and was not read: before a question, old bytes are no answer.

        Raises DriverError, also where the other end has closed the connection since.
        """
        thrown = b""
        try:
            if self._fd is None:
                while len(thrown) < MAX_DISCARDED_BYTES and (waiting := self._port.in_waiting):
                    thrown += bytes(self._port.read(waiting))
                return thrown
        except TROUBLE as error:
            raise self._driver_error(error) from error
        while len(thrown) < MAX_DISCARDED_BYTES and (arrived := self.read(0.0)) and arrived[1]:
            thrown += arrived[1]
        return thrown

    def write(self, data: bytes) -> None:
        """Send all of ``data``, and return when it is on the wire. Raises DriverError."""
        try:
            if self._fd is None:
                self._port.write(data)
            else:
                self._write_descriptor(self._fd, data)
            self._port.flush()
            self.context.tap(self.context.now_us(), data, "tx")
        except TROUBLE as error:
            raise self._driver_error(error) from error

    def _write_descriptor(self, fd: int, data: bytes) -> None:
        """Not through pySerial, which waits with select() and so fails from descriptor 1024 on."""
        left, end = memoryview(data), time.monotonic() + WRITE_TIMEOUT_S
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        while left:
            try:
                left = left[os.write(fd, left) :]
            except BlockingIOError:
                if not poll.poll(max(end - time.monotonic(), 0) * 1000):
                    raise DriverError(
                        f"{self.options.port}: {len(left)} of {len(data)} bytes could not be sent in {WRITE_TIMEOUT_S:g} s",
                        "is flow control on (flow:) and the device not ready?",
                    ) from None

    def close(self) -> None:
        """Never raises."""
        port, fd, self._port, self._fd = self._port, self._fd, None, None
        self._poll = self._waiting = None
        if fd is not None and self._exclusive:
            with contextlib.suppress(OSError, termios.error):
                fcntl.ioctl(fd, termios.TIOCNXCL)  # else it stays in force as long as anybody else has the port open
        if port is not None:
            line = getattr(port, "_socket", None)
            with contextlib.suppress(Exception):  # the device may be gone; there is nothing left to release then
                port.close()
            if line is not None:
                line.close()  # pySerial forgets it where the other end was faster

    # ---- errors for people -----------------------------------------------------------------------------------------

    def _driver_error(self, error: Exception) -> DriverError:
        """The error with what was found and what to do about it, in words for people."""
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
            return DriverError(f"{port}: permission denied", permission_hint(port))
        if number in (errno.EBUSY, errno.EAGAIN) or "exclusively lock" in str(error):
            who = holder(port)
            return DriverError(
                f"{port}: busy" + (f", held by {who}" if who else ""), "stop the other program, or give it another port"
            )
        if number == errno.ENOTTY or "configure port" in str(error):
            return DriverError(f"{port}: not a serial port", "name a tty, e.g. one that 'sensorlogd ports' lists")
        if number in (errno.EIO, errno.ENODEV, errno.ENXIO, errno.EBADF):
            return DriverError(f"{port}: the device has gone", "plug it in again; it is read as soon as it is back")
        if "rejected value" in str(error) or "parameter change" in str(error):
            return DriverError(f"{port}: {error}", "the other end cannot be set like this; compare its own baud rate and parity")
        if "://" in port and isinstance(error, ValueError):
            return DriverError(f"{port}: {error}", "URLs are e.g. socket://host:port or rfc2217://host:port")
        return DriverError(f"{port}: {error}")
