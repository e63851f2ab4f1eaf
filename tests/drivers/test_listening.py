"""A port that is listened to, as a real pty and as a URL: what goes wrong is a DriverError, and nothing stays open."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sensorlogd.drivers.contract import DriverError
from sensorlogd.drivers.discovery.listening import PortListener
from tests.drivers.faster import Faster
from tests.rig import Port


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "tty")
    yield made
    made.close()


@pytest.mark.parametrize(
    "use",
    [lambda line: line.set(9600), lambda line: line.ask(b"?", 0.1), lambda line: line.listen(0.1)],
    ids=["set", "ask", "listen"],
)
@pytest.mark.parametrize("is_named", [True, False], ids=["name-stays", "name-goes"])
def test_a_device_that_goes_away_is_a_driver_error(port: Port, use: Callable[[PortListener], object], is_named: bool) -> None:
    """Whatever is done with it next. A by-id name goes with the device; another may stay for a while."""
    with PortListener(str(port.path)) as line:
        line.set(19200)
        port.unplug()
        if is_named:
            port.path.symlink_to("/dev/null")
        with pytest.raises(DriverError, match="the device has gone" if is_named else "no such port"):
            use(line)


def test_a_device_that_goes_away_while_it_is_opened(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has gone; that it were no serial port would send somebody to look for the wrong thing."""
    really = os.open

    def open_and_unplug(path: str, flags: int) -> int:
        fd = really(path, flags)
        port.unplug()
        port.path.symlink_to("/dev/null")
        return fd

    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "open", open_and_unplug)
    with pytest.raises(DriverError, match="the device has gone"):
        PortListener(str(port.path)).__enter__()
    monkeypatch.undo()
    assert len(os.listdir("/proc/self/fd")) == before - 2  # the two ends that the test had


def test_what_is_no_serial_port() -> None:
    """The cure lists those that are."""
    with pytest.raises(DriverError, match="not a serial port") as caught:
        PortListener("/dev/null").__enter__()
    assert "sensorlogd ports" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["socket://127.0.0.1:1", "bogus://x", "rfc2217://127.0.0.1:1", "loop://?logging=bogus", "hwgrep://["]
)
def test_a_url_that_cannot_be_opened_leaves_nothing_open(url: str) -> None:
    """However often it is tried."""

    def try_it() -> None:
        with pytest.raises(DriverError):
            PortListener(url).__enter__()

    try_it()  # modules that it needs may open something for good
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        try_it()
    assert len(os.listdir("/proc/self/fd")) == before


def test_bytes_that_another_program_was_faster_to_read_are_no_lost_device(port: Port, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between poll and read."""
    faster = Faster(monkeypatch)
    with PortListener(str(port.path)) as line:
        line.set(9600)
        port.send(b"theirs")
        faster.reads(port._slave)
        assert line.listen(0.2) == (b"", 0)
        assert faster.taken == b"theirs"
        port.send(b"ours")
        assert line.listen(0.2) == (b"ours", 0)


def test_a_question_is_answered(port: Port) -> None:
    """What had come before the port was set is no part of the answer."""
    with PortListener(str(port.path)) as line:
        port.send(b"old")
        line.set(9600)
        port.send(b"pong")
        assert line.ask(b"?", 0.2) == b"pong"
        assert os.read(port.master, 10) == b"?"
