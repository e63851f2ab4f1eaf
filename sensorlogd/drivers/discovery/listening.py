"""Listens to a port without disturbing it: nothing is written, and the control lines stay as opening leaves them.

Devices are opened once and only their speed is changed, since every opening raises DTR (the kernel does) and closing drops
it. Characters with framing or parity errors are marked by the kernel (PARMRK, termios(3)) and counted. What pySerial has a
URL for is read through the transport, as it comes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import termios
import threading
import time
from pathlib import Path
from typing import Any

from sensorlogd.drivers.contract import DriverContext, DriverError
from sensorlogd.drivers.ports import has_hung_up, holder, permission_hint
from sensorlogd.processes.wake_pipe import WakePipe

READ_BYTES = 65536
MAX_HEARD_BYTES = 64_000


class PortListener:
    """A port that is listened to, as a context manager. ``one_setting``: there is no speed to choose. ``is_pty``: speeds can be
    set, but have no effect."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.one_setting = "://" in port
        self.is_pty = os.path.realpath(port).startswith("/dev/pts/")
        self._fd = -1
        self._transport: Any = None
        self._wake: WakePipe | None = None

    def __enter__(self) -> PortListener:
        """Open the port. Raises DriverError, also where another program has it open."""
        if self.one_setting:
            self._open_url()
            return self
        try:
            self._fd = os.open(self.port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            termios.tcgetattr(self._fd)
        except termios.error as error:
            os.close(self._fd)
            raise _driver_error(self.port, error) from None
        except OSError as error:
            raise _driver_error(self.port, error) from None
        who = holder(self.port)
        if who:
            os.close(self._fd)
            raise DriverError(
                f"{self.port}: held by {who}",
                "if that is sensorlogd, listen to the sensor by its name; else stop the other program",
            )
        return self

    def _open_url(self) -> None:
        from sensorlogd.drivers.serial.options import PortOptions
        from sensorlogd.drivers.serial.transport import Transport

        self._wake = WakePipe()
        wait = threading.Event().wait
        context = DriverContext(
            "probe", self._wake.read_end, wait, lambda: time.time_ns() // 1000, lambda *_: None, lambda *_: None
        )
        self._transport = Transport(PortOptions(driver="serial", port=self.port), context)
        try:
            self._transport.open()
        except DriverError:
            self._close_url()
            raise

    def _close_url(self) -> None:
        self._transport.close()
        self._transport = None
        if self._wake is not None:
            self._wake.close()

    def __exit__(self, *_: object) -> None:
        if self._transport is not None:
            self._close_url()
        if self._fd >= 0:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = -1

    def set(self, baudrate: int, bytesize: int = 8, parity: str = "none", stopbits: float = 1) -> None:
        """Set the speed and framing. Raises DriverError for a speed that the port does not have."""
        if self.one_setting:
            return
        speed = getattr(termios, f"B{baudrate}", None)
        if speed is None:
            raise DriverError(
                f"{self.port}: {baudrate} baud is not a standard speed", "probe tries standard ones; listen takes any"
            )
        try:
            attributes = termios.tcgetattr(self._fd)
        except termios.error as error:
            raise _driver_error(self.port, error) from None
        control = termios.CREAD | termios.CLOCAL | {7: termios.CS7, 8: termios.CS8}[bytesize]
        if parity != "none":
            control |= termios.PARENB | (termios.PARODD if parity == "odd" else 0)
        if stopbits == 2:
            control |= termios.CSTOPB
        # No HUPCL: closing leaves DTR as it is.
        attributes[:6] = [termios.PARMRK | termios.INPCK, 0, control, 0, speed, speed]
        attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 0, 0
        try:
            termios.tcsetattr(self._fd, termios.TCSANOW, attributes)
            termios.tcflush(self._fd, termios.TCIFLUSH)
        except termios.error as error:
            raise DriverError(
                f"{self.port}: cannot be set to {baudrate} baud: {error.args[-1]}",
                "the adapter may not know this speed; try another",
            ) from None

    def listen(self, seconds: float) -> tuple[bytes, int]:
        """The bytes that arrive within the time, and how many characters were damaged. Raises DriverError."""
        marked = self._read_for(seconds)
        return (marked, 0) if self.one_setting else unmarked(marked)

    def ask(self, question: bytes, seconds: float) -> bytes:
        """Write a question, and return the bytes that come back. Raises DriverError."""
        if self._transport is not None:
            self._transport.write(question)
        else:
            try:
                os.write(self._fd, question)
            except OSError as error:
                raise _driver_error(self.port, error) from None
        return self.listen(seconds)[0]

    def _read_for(self, seconds: float) -> bytes:
        """All that arrives within this many seconds, up to about MAX_HEARD_BYTES, with the marks of the kernel. Raises
        DriverError."""
        end = time.monotonic() + seconds
        data = bytearray()
        while (left := end - time.monotonic()) > 0 and len(data) < MAX_HEARD_BYTES:
            data += self._read_once(left)
        return bytes(data)

    def _read_once(self, left: float) -> bytes:
        """What arrives next, with the marks of the kernel; b"" if nothing does within ``left`` seconds. Raises DriverError."""
        if self._transport is not None:
            arrived = self._transport.read(left)
            return arrived[1] if arrived is not None else b""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if not poll.poll(left * 1000):
            return b""
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise _driver_error(self.port, error) from None
        if not data and has_hung_up(self._fd):
            raise _driver_error(self.port, OSError(errno.EIO, os.strerror(errno.EIO)))
        return data


def unmarked(marked: bytes) -> tuple[bytes, int]:
    """The bytes without the marks of the kernel's PARMRK: FF FF stands for FF, FF 00 X for a damaged character X."""
    if b"\xff" not in marked:
        return marked, 0
    data = bytearray()
    errors = position = 0
    while position < len(marked):
        if marked[position] != 0xFF:
            data.append(marked[position])
            position += 1
        elif marked[position + 1 : position + 2] == b"\xff":
            data.append(0xFF)
            position += 2
        else:
            data += marked[position + 2 : position + 3]
            errors += 1
            position += 3
    return bytes(data), errors


def _driver_error(port: str, error: OSError | termios.error) -> DriverError:
    """The error with its cause in words and what to do; ``error``: as open, ioctl or tcsetattr gave it."""
    number, text = error.args
    if number == errno.ENOENT or not Path(port).exists():
        return DriverError(f"{port}: no such port", "plug the device in; 'sensorlogd ports' lists what is there")
    if number in (errno.EACCES, errno.EPERM):
        return DriverError(f"{port}: permission denied", permission_hint(port))
    if number == errno.EBUSY:
        who = holder(port)
        return DriverError(f"{port}: busy" + (f", held by {who}" if who else ""), "stop the other program")
    if number == errno.ENOTTY:
        return DriverError(f"{port}: not a serial port", "name a tty, e.g. one that 'sensorlogd ports' lists")
    if number in (errno.EIO, errno.ENODEV, errno.ENXIO):
        return DriverError(f"{port}: the device has gone", "plug it in again")
    return DriverError(f"{port}: {text}")
