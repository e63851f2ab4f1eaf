"""Real ptys, sockets and files that are no ports: what arrives, and what is said when nothing can."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.batch import Batch
from sensorlogd.drivers.contract import DriverContext, DriverError
from sensorlogd.drivers.serial import SerialDriver
from sensorlogd.drivers.serial.options import SerialOptions
from tests.drivers.faster import Faster
from tests.rig import Port, until


class WatchedContext:
    """A context to lend a driver, with its stop in the test's hand."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        self.stop = threading.Event()
        self.counts: dict[str, int] = {}
        self.context = DriverContext(
            "s", self.read_end, self.stop.wait, lambda: time.time_ns() // 1000, self.count, lambda kind, detail: None
        )

    def count(self, name: str, n: int, example: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + n

    def wake(self) -> None:
        self.stop.set()
        os.write(self.write_end, b"x")

    def close(self) -> None:
        os.close(self.read_end)
        os.close(self.write_end)


@pytest.fixture
def lent() -> Iterator[WatchedContext]:
    made = WatchedContext()
    yield made
    made.close()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "tty")
    yield made
    made.close()


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> Faster:
    return Faster(monkeypatch)


def driver(lent: WatchedContext, port: object, **more: Any) -> SerialDriver:
    options = {"driver": "serial", "port": str(port), "format": {"type": "csv", "fields": ["x"]}} | more
    return SerialDriver(SerialOptions.model_validate(options), lent.context)


def read_until(made: SerialDriver, count: int) -> list[float | None]:
    found: list[float | None] = []
    deadline = time.monotonic() + 30
    while len(found) < count and time.monotonic() < deadline:
        batch = made.read(1.0)
        if isinstance(batch, Batch):
            found += batch.values["x"]
    return found


def test_lines_from_a_pty(lent: WatchedContext, port: Port) -> None:
    """What is written at the other end arrives, in order."""
    made = driver(lent, port.path)
    made.open()
    port.send(b"\n" + b"".join(b"%d\r\n" % n for n in range(1000)))
    assert read_until(made, 1000) == list(range(1000))
    made.close()


def test_a_stop_wakes_a_waiting_read(lent: WatchedContext, port: Port) -> None:
    """Through the descriptor, at once."""
    made = driver(lent, port.path)
    made.open()
    timer = threading.Timer(0.05, lent.wake)
    timer.start()
    began = time.monotonic()
    assert not made.read(600.0)
    assert time.monotonic() - began < 60
    timer.join()
    made.close()


def test_a_device_that_goes_away_is_a_driver_error(lent: WatchedContext, port: Port) -> None:
    """Whatever pySerial or the kernel raise becomes one line that says so."""
    made = driver(lent, port.path)
    made.open()
    port.unplug()
    with pytest.raises(DriverError, match=r"the device has gone|no such port"):
        for _ in range(5):
            made.read(0.2)
    made.close()


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("/dev/does-not-exist", "no such port", "sensorlogd ports"),
        ("/dev/null", "not a serial port", "sensorlogd ports"),
        ("bogus://x", "not known", "socket://host:port"),
        ("socket://127.0.0.1:1", "refused", ""),
    ],
)
def test_what_cannot_be_opened_says_why_and_what_to_do(lent: WatchedContext, name: str, message: str, hint: str) -> None:
    """Cause and cure."""
    made = driver(lent, name)
    with pytest.raises(DriverError, match=message) as caught:
        made.open()
    assert hint in caught.value.hint
    made.close()


def test_a_busy_port_is_refused(lent: WatchedContext, port: Port) -> None:
    """Two readers on one port would each get half of the bytes."""
    first, second = driver(lent, port.path), driver(lent, port.path)
    first.open()
    with pytest.raises(DriverError, match="busy"):
        second.open()
    second.close()
    first.close()


def test_bytes_that_another_program_was_faster_to_read_are_no_lost_device(
    lent: WatchedContext, port: Port, faster: Faster
) -> None:
    """Between poll and read; the rest of the time is waited for what comes next."""
    made = driver(lent, port.path, exclusive=False)
    made.open()
    faster.reads(port._slave)
    began = time.monotonic()
    port.send(b"1\n2\n")
    assert not made.read(0.3)
    assert faster.taken == b"1\n2\n"
    assert time.monotonic() - began >= 0.3
    port.send(b"3\n4\n5\n")
    assert read_until(made, 2) == [4, 5]
    port.unplug()
    with pytest.raises(DriverError, match=r"the device has gone|no such port"):
        made.read(0.2)
    made.close()


def test_a_closed_port_is_free_even_if_another_program_still_has_it_open(lent: WatchedContext, port: Port) -> None:
    """TIOCEXCL would outlive the close; root is not held up by it, so the kernel's flag is asked for."""
    made = driver(lent, port.path)
    made.open()
    assert is_exclusive(port)
    made.close()
    assert not is_exclusive(port)


def is_exclusive(port: Port) -> bool:
    """TIOCGEXCL, which the termios module does not name."""
    answer = fcntl.ioctl(port._slave, 0x80045440, b"\0\0\0\0")
    return bool(int.from_bytes(answer, sys.byteorder))


def test_a_network_serial_server(lent: WatchedContext) -> None:
    """socket:// reads like a port; its end is a lost device."""
    server = socket.create_server(("127.0.0.1", 0))
    made = driver(lent, f"socket://127.0.0.1:{server.getsockname()[1]}")
    made.open()
    peer, _ = server.accept()
    peer.sendall(b".5\n1\n2\n")  # the first line may be the end of one
    assert read_until(made, 2) == [1, 2]
    peer.close()
    server.close()
    with pytest.raises(DriverError):
        for _ in range(5):
            made.read(0.2)
    made.close()


def test_loopback_url(lent: WatchedContext) -> None:
    """loop:// has no descriptor and is read with pySerial's timeout; a polled device answers its own command there."""
    made = driver(lent, "loop://", interval="10ms", poll={"command": r"7\n", "turnaround": "5s"})
    made.open()
    assert read_until(made, 3) == [7, 7, 7]
    made.close()


def test_a_polled_device_is_asked_and_its_echo_skipped(lent: WatchedContext, port: Port) -> None:
    """Half duplex: our own command comes back before the answer, and is no reading."""
    made = driver(lent, port.path, interval="10ms", ignore_echo=True, poll={"command": r"9\r\n", "turnaround": "5s"})
    made.open()
    done = threading.Event()

    def instrument() -> None:
        answer = 0
        while not done.is_set():
            if select.select([port.master], [], [], 0.05)[0]:
                try:
                    command = os.read(port.master, 100)
                except OSError as error:
                    assert error.errno == errno.EIO
                    return
                answer += 1
                port.send(command + b"%d\r\n" % (100 + answer))

    thread = threading.Thread(target=instrument)
    thread.start()
    try:
        assert read_until(made, 4) == [101, 102, 103, 104]
    finally:
        done.set()
        thread.join()
        made.close()


def test_an_unanswered_poll_is_counted(lent: WatchedContext, port: Port) -> None:
    """The device is silent: counted, and asked again."""
    made = driver(lent, port.path, interval="5ms", poll={"command": "?", "turnaround": "5ms"})
    made.open()

    def asked() -> bool:
        made.read(0.01)
        return lent.counts.get("unanswered", 0) >= 3

    until(asked, "three unanswered polls")
    made.close()


@pytest.mark.parametrize("hangup", [True, False])
def test_closing_hangs_up_unless_told_not_to(lent: WatchedContext, port: Port, hangup: bool) -> None:
    """HUPCL is what lowers DTR at the close, and so what makes the next opening raise it."""
    attributes = termios.tcgetattr(port._slave)
    attributes[2] |= termios.HUPCL  # as every serial port has it at first; a pty does not
    termios.tcsetattr(port._slave, termios.TCSANOW, attributes)
    made = driver(lent, port.path, hangup=hangup)
    made.open()
    made.close()
    assert bool(termios.tcgetattr(port._slave)[2] & termios.HUPCL) is hangup
