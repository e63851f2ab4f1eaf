"""``rfc2217://`` against a real ser2net that offers a real pty."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.drivers.contract import DriverError
from sensorlogd.drivers.discovery.listening import PortListener
from sensorlogd.drivers.serial import SerialDriver
from tests.drivers.serial.test_transport import WatchedContext, driver, read_until
from tests.needs import tool
from tests.ports import free_port
from tests.rig import Port, until


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
def served(tmp_path: Path, port: Port, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of ``port`` at a ser2net that runs while the test does."""
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    program, number = tool("ser2net", "ser2net"), free_port()
    (tmp_path / "ser2net.yaml").write_text(
        f"connection: &one\n  accepter: telnet(rfc2217),tcp,127.0.0.1,{number}\n"
        f"  connector: serialdev,{os.ttyname(port._slave)},9600n81,local\n"
    )
    words = [program, "-n", "-u", "-c", str(tmp_path / "ser2net.yaml")]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers() -> bool:
        with socket.socket() as looking:
            return looking.connect_ex(("127.0.0.1", number)) == 0

    try:
        until(answers, "ser2net to listen")
        yield f"rfc2217://127.0.0.1:{number}"
    finally:
        process.terminate()
        process.wait(30)


def opened(lent: WatchedContext, url: str, **more: object) -> SerialDriver:
    """The driver, open; ser2net lets one in at a time, and needs a moment to see that the last one has gone."""

    def tries() -> SerialDriver | None:
        made = driver(lent, url, **more)
        try:
            made.open()
        except DriverError:
            made.close()
            return None
        return made

    made = until(tries, f"{url} to open")
    assert made is not None
    return made


@pytest.mark.parametrize("lines", [{}, {"dtr": False, "rts": True}, {"baudrate": 19200}, {"flow": "rtscts"}])
def test_a_port_behind_ser2net_is_read_like_any_other(
    lent: WatchedContext, port: Port, served: str, lines: dict[str, object]
) -> None:
    """It opens with every setting of the line, which reaches the port; bytes come as they are."""
    made = opened(lent, served, **lines)
    port.send(
        b"\r\n" + b"".join(b"%d\r\n" % n for n in range(500))
    )  # behind a line's end, because we came in the midst of something
    assert read_until(made, 500) == list(range(500))
    if "baudrate" in lines:
        assert termios.tcgetattr(port._slave)[4] == termios.B19200
    made.close()


def test_a_polled_device_behind_ser2net_is_asked(lent: WatchedContext, port: Port, served: str) -> None:
    """The question arrives whole, telnet's own mark 0xFF included, and the answer comes back."""
    made = opened(lent, served, interval="10ms", poll={"hex": "FF 3F 0A", "turnaround": "10s"})
    done, asked = threading.Event(), bytearray()

    def instrument() -> None:
        while not done.is_set():
            if select.select([port.master], [], [], 0.05)[0]:
                asked.extend(os.read(port.master, 100))
                if asked.endswith(b"\n"):
                    port.send(b"%d\n" % asked.count(b"\xff?\n"))

    thread = threading.Thread(target=instrument)
    thread.start()
    try:
        assert read_until(made, 5)[:5] == [1, 2, 3, 4, 5]
    finally:
        done.set()
        thread.join()
        made.close()


def test_a_wait_is_as_long_as_it_was_asked_for(lent: WatchedContext, port: Port, served: str) -> None:
    """A change of the timeout negotiates nothing: a hundred short reads are short."""
    made = opened(lent, served)
    agreed: Any = getattr(made.transport, "_port")  # noqa: B009  # its type does not have it
    sent: list[bytes] = []
    agreed.rfc2217_send_subnegotiation = lambda option, value=b"": sent.append(option)
    for _ in range(100):
        made.read(0.001)
    assert sent == []
    made.close()


def test_an_end_that_goes_away_is_a_driver_error(lent: WatchedContext) -> None:
    """A server that speaks no telnet, and one that closes at once: a line that says so, and nothing is left open."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = driver(lent, f"rfc2217://127.0.0.1:{listening.getsockname()[1]}?timeout=0.2")
        with pytest.raises(DriverError, match="RFC2217"):
            made.open()
        made.close()
    made = driver(lent, "rfc2217://127.0.0.1:1")
    with pytest.raises(DriverError, match="refused"):
        made.open()
    made.close()


def test_probe_listens_to_it(port: Port, served: str) -> None:
    """As it comes; the speed is the other end's."""

    def heard() -> bool:
        try:
            with PortListener(served) as line:
                port.send(b"21.5,40\r\n" * 5)
                return re.search(rb"(21.5,40\r\n){2}", line.listen(0.5)[0]) is not None
        except DriverError:
            return False

    until(heard, "the lines")
