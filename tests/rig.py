"""What end-to-end tests stand on: a real daemon process, and serial ports that are real ptys.

Nothing here sleeps a fixed time to be "surely" done: ``until`` polls a condition under a deadline.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import socket
import sqlite3
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

from sensorlogd.daemon.control import control_socket

T = TypeVar("T")

DEADLINE_S = 60.0


def until(condition: Callable[[], T | Literal[False] | None], what: str, deadline_s: float = DEADLINE_S) -> T:
    """The first true value of ``condition()``; fails with ``what`` after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline_s:.0f} s in vain for {what}; last seen: {value!r}")
        time.sleep(0.01)


class Port:
    """A serial port whose other end the test holds. ``path`` is a link, as udev would make one.

    ``unplug`` closes the test's end (the reader sees the device vanish); ``plug`` makes a new pty under the same name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.master = -1
        self._slave = -1
        self.plug()

    def plug(self) -> None:
        self.master, self._slave = pty.openpty()
        for end in (self.master, self._slave):
            tty.setraw(end, termios.TCSANOW)
        os.set_blocking(self.master, False)
        name = os.ttyname(self._slave)
        temporary = self.path.with_name(self.path.name + ".new")
        temporary.symlink_to(name)
        temporary.replace(self.path)

    def unplug(self) -> None:
        """Remove the link and hang up."""
        self.path.unlink(missing_ok=True)
        for end in ("_slave", "master"):
            if getattr(self, end) >= 0:
                os.close(getattr(self, end))
                setattr(self, end, -1)

    close = unplug

    def send(self, data: bytes, deadline_s: float = DEADLINE_S) -> None:
        """Write all of ``data``, waiting for the reader whenever the pty's buffer is full."""
        end = time.monotonic() + deadline_s
        view = memoryview(data)
        while view:
            if not select.select([], [self.master], [], max(end - time.monotonic(), 0))[1]:
                raise AssertionError(f"nobody reads {self.path}: {len(view)} bytes left")
            try:
                view = view[os.write(self.master, view) :]
            except BlockingIOError:
                continue

    def opened(self) -> bool:
        """True once somebody else has the port open (pySerial discards what came before it opened)."""
        target = os.ttyname(self._slave)
        for process in Path("/proc").iterdir():
            if process.name.isdigit() and int(process.name) != os.getpid():
                with contextlib.suppress(OSError):
                    if any(os.readlink(entry) == target for entry in (process / "fd").iterdir()):
                        return self._flushed()
        return False

    def _flushed(self) -> bool:
        """Opening flushes the input: send a lone line end until the reader takes it, so that nothing real is flushed."""
        self.send(b"\n")
        until(self.drained, "the reader to listen")
        return True

    def drained(self) -> bool:
        """True once the reader has taken everything that was sent."""
        import fcntl
        import struct

        return bool(struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, b"\0\0\0\0"))[0] == 0)


class Daemon:
    """``sensorlogd run`` as a child process; its notifications arrive on a real NOTIFY_SOCKET."""

    def __init__(
        self,
        config: Path,
        data_dir: Path,
        *arguments: str,
        env: dict[str, str] | None = None,
        fast: tuple[float, int] | None = None,
        web: bool = False,
    ) -> None:
        """``fast``: (factor, epoch in microseconds) of a wall clock that runs faster, see tests/fast_daemon.py."""
        self.config = config
        self.data_dir = data_dir
        self.log = config.with_suffix(".log")
        self._log_file = self.log.open("ab")
        notify = config.with_suffix(".notify")
        notify.unlink(missing_ok=True)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(notify))
        self._notify.settimeout(0)
        self.messages: list[str] = []
        command = ["sensorlogd", "run", "-c", str(config), *arguments, *([] if web else ["--no-web"])]
        if fast is not None:
            command = ["tests.fast_daemon", str(config), str(fast[0]), str(fast[1])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=Path(__file__).parents[1],
            env=os.environ | {"NOTIFY_SOCKET": str(notify)} | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=self._log_file,
            stderr=self._log_file,
            start_new_session=True,
        )

    def notified(self) -> list[str]:
        """All sd_notify messages so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self.messages.append(self._notify.recv(65536).decode())
        return self.messages

    def wait_ready(self) -> Daemon:
        def ready() -> bool:
            code = self.process.poll()
            assert code is None, f"the daemon ended with {code}:\n{self.log.read_text()}"
            return any("READY=1" in message for message in self.notified())

        until(ready, "READY=1")
        return self

    def ask(self, do: str, **more: Any) -> dict[str, Any]:
        self.notified()  # so that the daemon never finds this socket full
        return control_socket.ask(self.data_dir, {"do": do} | more, timeout_s=DEADLINE_S)

    def commit(self) -> None:
        """Return once everything the daemon had received is committed."""
        answer = self.ask("commit")
        assert answer["ok"], answer

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"did not stop:\n{self.log.read_text()}") from None
        finally:
            self.close()

    def kill(self) -> None:
        """SIGKILL to the daemon alone; its children must notice by themselves."""
        self.process.kill()
        self.process.wait(DEADLINE_S)
        self.close()

    def close(self) -> None:
        self._notify.close()
        self._log_file.close()

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        self.close()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to the database, closed at the end."""
    conn = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, timeout=DEADLINE_S)
    try:
        yield conn
    finally:
        conn.close()


def rows(path: Path, sensor: str, channel: str | None = None) -> list[tuple[int, str, float | None, int]]:
    """(ts, channel, value, quality) of a sensor in time order, from wherever they are stored."""
    with reading(path) as conn:
        conn.execute("BEGIN")
        moved = conn.execute("SELECT value FROM meta WHERE key = 'moved_until_us'").fetchone()
        until_us = int(moved[0]) if moved and moved[0] else 0
        found: list[tuple[int, str, float | None, int]] = conn.execute(
            "SELECT r.ts, s.channel, r.value, r.quality FROM ("
            "  SELECT series_id, ts, value, quality FROM history WHERE ts < :moved"
            "  UNION ALL SELECT series_id, ts, value, quality FROM recent WHERE ts >= :moved"
            ") AS r JOIN series AS s ON s.id = r.series_id JOIN sensor ON sensor.id = s.sensor_id"
            " WHERE sensor.name = :sensor AND (:channel IS NULL OR s.channel = :channel) ORDER BY r.ts, s.channel",
            {"moved": until_us, "sensor": sensor, "channel": channel},
        ).fetchall()
        return found
