"""Three hundred ports at once: all are opened, all are read, nothing is lost."""

from __future__ import annotations

import json
import os
import resource
import select
import termios
import tty
from functools import partial
from pathlib import Path

from tests.rig import Daemon, rows, until

PORTS = 300
LINES = 5


def test_three_hundred_ports_are_read(tmp_path: Path) -> None:
    """From a shell that allows fewer descriptors than they need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    ends: list[tuple[int, int]] = []
    try:
        for _ in range(PORTS):
            ends.append(os.openpty())
            for end in ends[-1]:
                tty.setraw(end, termios.TCSANOW)
        sensors = {
            f"s{n}": {
                "driver": "serial", "port": os.ttyname(slave), "heartbeat": "1h", "format": {"type": "csv", "fields": ["x"]},
            }
            for n, (_, slave) in enumerate(ends)
        }  # fmt: skip
        file = tmp_path / "sensorlogd.yaml"
        file.write_text(
            json.dumps(
                {
                    "daemon": {"data_dir": str(tmp_path / "data")},
                    "storage": {"commit_interval": "100ms", "min_free": "0B"},
                    "sensors": sensors,
                }
            )
        )
        resource.setrlimit(resource.RLIMIT_NOFILE, (800, hard))  # what the daemon inherits is not enough
        with Daemon(file, tmp_path / "data") as daemon:
            daemon.wait_ready()
            until(lambda: _all_listen(ends), "all ports to be opened")
            for line in range(LINES):
                for n, (master, _) in enumerate(ends):
                    os.write(master, b"%d\n" % (1000 * line + n))
            database = tmp_path / "data" / "sensorlogd.db"
            until(lambda: len(rows(database, f"s{PORTS - 1}", "x")) >= LINES, "the last port's lines")
            for n in range(PORTS):
                until(partial(has_all, database, n), f"all lines of port {n}")
            assert len(os.listdir(f"/proc/{daemon.process.pid}/fd")) > PORTS
            assert daemon.stop() == 0
    finally:
        for pair in ends:
            for end in pair:
                os.close(end)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _all_listen(ends: list[tuple[int, int]]) -> bool:
    """Whoever opens a port flushes it: a line end that is taken shows that it is read."""
    import fcntl

    for master, slave in ends:
        if int.from_bytes(fcntl.ioctl(slave, termios.FIONREAD, b"\0\0\0\0"), "little") == 0:
            if master in _taken:
                continue
            if master in _sent:
                _taken.add(master)
                continue
            if select.select([], [master], [], 0)[1] if master < 1024 else True:
                os.write(master, b"\n")
                _sent.add(master)
    return len(_taken) == len(ends)


_sent: set[int] = set()
_taken: set[int] = set()


def has_all(database: Path, n: int) -> bool:
    return [value for _, _, value, _ in rows(database, f"s{n}", "x")] == [1000.0 * i + n for i in range(LINES)]
