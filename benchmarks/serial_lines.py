"""Lines from ptys: how many a second one port can bring into the database, and what eight busy ports cost.

    python -m benchmarks.serial_lines [--lines 1000000]

1. CSV lines with three channels from one pty as fast as they are taken, by the whole daemon (parsed, checked with ``valid`` and
   ``max_rate``, committed); against the same work by pySerial's ``readline()``, ``split`` and ``executemany``, in the same run.
2. Eight ptys that send lines at the pace of 115200 baud: CPU time of the daemon and its aggregator by /proc.
"""

from __future__ import annotations

import argparse
import os
import select
import subprocess
import sys
import termios
import threading
import time
import tty
from pathlib import Path
from typing import Any

from benchmarks.common import cpu_seconds, daemon, family, machine, scratch, status, stored_readings
from sensorlogd.daemon.control import control_socket

LINE = "{:.2f},{:.1f},{}\n"


class Pty:
    """Our end of a port."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        for end in (self.master, self.slave):
            tty.setraw(end, termios.TCSANOW)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)

    def send(self, data: bytes) -> None:
        """All of it, as fast as it is taken."""
        view = memoryview(data)
        while view:
            select.select([], [self.master], [])
            try:
                view = view[os.write(self.master, view[:65536]) :]
            except BlockingIOError:
                continue

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


def payload(lines: int) -> bytes:
    """Numbers that change, as an instrument's do."""
    return "".join(LINE.format(20 + n % 1000 / 100, 40 + n % 77 / 10, n % 10_000) for n in range(lines)).encode()


def sensor(port: str) -> dict[str, Any]:
    checks = {"valid": [-1000, 100_000], "max_rate": "1000000/s"}
    return {
        "driver": "serial",
        "port": port,
        "heartbeat": "1h",
        "format": {"type": "csv", "fields": ["a", "b", "c"]},
        "channels": {name: dict(checks) for name in "abc"},
    }


def by_daemon(lines: int) -> float:
    """Lines a second from the first byte to the last commit."""
    data = payload(10_000) * (lines // 10_000)
    port = Pty()
    with scratch() as folder:
        config = {"storage": {"min_free": "0B"}, "sensors": {"s": sensor(port.path)}}
        with daemon(folder, config):
            status(folder)
            _until_opened(port)
            began = time.perf_counter()
            port.send(data)
            while _stored(folder) < 3 * (lines - 1):  # the first line may have been taken for the tail of one
                time.sleep(0.005)
            took = time.perf_counter() - began
        rows = stored_readings(folder / "data" / "sensorlogd.db")
        assert rows >= 3 * (lines - 1), rows
    port.close()
    return lines / took


def _until_opened(port: Pty) -> None:
    """The daemon flushes what came before it opened: lone line ends are taken when it listens."""
    for _ in range(200):
        time.sleep(0.05)
        port.send(b"\n")
        waiting = int.from_bytes(_ioctl(port.slave), "little")
        if not waiting:
            time.sleep(0.2)
            return


def _ioctl(fd: int) -> bytes:
    import fcntl

    return fcntl.ioctl(fd, termios.FIONREAD, b"\0\0\0\0")


def _stored(folder: Path) -> int:
    return int(control_socket.ask(folder / "data", {"do": "commit"})["committed"])


NAIVE = """
import serial, sqlite3, sys, time
port, path, lines = sys.argv[1], sys.argv[2], int(sys.argv[3])
conn = sqlite3.connect(path, isolation_level=None)
conn.execute("PRAGMA journal_mode = WAL")
conn.execute("PRAGMA synchronous = FULL")
conn.execute("CREATE TABLE reading(ts INTEGER, series INTEGER, value REAL, PRIMARY KEY(series, ts)) WITHOUT ROWID")
device = serial.Serial(port, timeout=5)
print("ready", flush=True)
rows, began, seen = [], None, 0
while seen < lines:
    line = device.readline()
    now = time.time_ns()
    if began is None:
        began = time.perf_counter()
    for series, text in enumerate(line.split(b",")):
        rows.append((now, series, float(text)))
    seen += 1
    if len(rows) >= 5000 or seen == lines:
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany("INSERT INTO reading VALUES (?,?,?)", rows)
        conn.execute("COMMIT")
        rows.clear()
print(seen / (time.perf_counter() - began), flush=True)
"""


def by_readline(lines: int) -> float:
    """The same by the obvious loop."""
    port = Pty()
    with scratch() as folder:
        child = subprocess.Popen(
            [sys.executable, "-c", NAIVE, port.path, str(folder / "naive.db"), str(lines)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        child.stdout.readline()
        port.send(payload(10_000) * (lines // 10_000))
        rate = float(child.stdout.readline())
        child.wait()
    port.close()
    return rate


def eight_ports(seconds: float) -> None:
    """Eight at 11,520 bytes a second each."""
    ports = [Pty() for _ in range(8)]
    stop = threading.Event()
    with scratch() as folder:
        sensors = {f"s{n}": sensor(port.path) for n, port in enumerate(ports)}
        with daemon(folder, {"storage": {"min_free": "0B"}, "sensors": sensors}) as process:
            status(folder)
            data = payload(10_000)
            threads = [threading.Thread(target=_paced, args=(port, data, stop)) for port in ports]
            for thread in threads:
                thread.start()
            time.sleep(5)
            pids = family(process.pid)
            before, stored = cpu_seconds(pids), _stored(folder)
            time.sleep(seconds)
            used, stored = cpu_seconds(pids) - before, _stored(folder) - stored
            stop.set()
            for thread in threads:
                thread.join()
    for port in ports:
        port.close()
    print(f"8 ports at 115200 baud      {100 * used / seconds:.1f} % of a core   ({stored / 3 / seconds:,.0f} lines/s stored)")


def _paced(port: Pty, data: bytes, stop: threading.Event) -> None:
    """A burst every 20 ms, as a UART's FIFO makes them."""
    burst, at, due = 230, 0, time.monotonic()
    while not stop.is_set():
        port.send(data[at : at + burst])
        at = (at + burst) % len(data)
        due += burst / 11_520
        time.sleep(max(due - time.monotonic(), 0))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=1_000_000)
    options = parser.parse_args()
    print(machine())
    before = by_readline(100_000)
    rate = by_daemon(options.lines)
    after = by_readline(100_000)
    naive = (before + after) / 2
    print(f"readline() + split          {naive:,.0f} lines/s   (before {before:,.0f}, after {after:,.0f})")
    print(f"sensorlogd, one pty         {rate:,.0f} lines/s   ratio {rate / naive:.1f}")
    eight_ports(20.0)


if __name__ == "__main__":
    main()
