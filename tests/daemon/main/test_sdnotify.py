"""What systemd is told, over a real datagram socket."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensorlogd.daemon.main.process.sdnotify import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """(what NOTIFY_SOCKET would say, the socket)."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@sensorlogd-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0") if request.param == "abstract" else name)
        listening.settimeout(60)
        yield name, listening


def test_every_message(manager: tuple[str, socket.socket]) -> None:
    address, listening = manager
    notifier = Notifier(address)
    before = time.monotonic_ns() // 1000
    notifier.ready("3 reading;\ndatabase writing")
    notifier.status("x" * 1000)
    notifier.watchdog()
    notifier.reloading()
    notifier.extend(5_000_000)
    notifier.stopping()
    got = [listening.recv(65536).decode() for _ in range(6)]
    assert got[0] == "READY=1\nSTATUS=3 reading; database writing", "a line end would start another variable"
    assert got[1] == "STATUS=" + "x" * 500
    assert got[2] == "WATCHDOG=1"
    reloading, _, at = got[3].partition("\nMONOTONIC_USEC=")
    assert reloading == "RELOADING=1"
    assert before <= int(at) <= time.monotonic_ns() // 1000
    assert got[4:] == ["EXTEND_TIMEOUT_USEC=5000000", "STOPPING=1"]


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    notifier = Notifier.from_environment()
    notifier.ready("")
    assert notifier.address is None
    assert notifier.watchdog_interval_s() == 0


@pytest.mark.parametrize(
    ("usec", "pid", "seconds"),
    [("30000000", "", 30.0), ("30000000", "own", 30.0), ("30000000", "1", 0.0), ("soon", "", 0.0), ("", "", 0.0)],
)
def test_the_watchdog_is_ours_only_if_systemd_means_us(
    monkeypatch: pytest.MonkeyPatch, usec: str, pid: str, seconds: float
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert Notifier.from_environment().watchdog_interval_s() == seconds


def test_nobody_there_and_nobody_listening_stop_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Notifier(str(tmp_path / "nowhere")).ready("")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
            filler.setblocking(False)
            with pytest.raises(BlockingIOError):
                while True:
                    filler.sendto(b"x", str(tmp_path / "deaf"))
        Notifier(str(tmp_path / "deaf")).watchdog()
