"""The pty of a pretend instrument. One end belongs to this program; the other is a serial port for whoever opens it."""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable
from pathlib import Path

SETTLE_S = 0.3  # after somebody has opened the port: programs set it up and throw away what came before


class PretendPort:
    """The pty of one pretend instrument. ``link``: a symlink that always leads to the present port, removed when it is unplugged.
    ``wait(s)``: sleep; True means stop. ``plugged(name)`` is called whenever the port has appeared."""

    def __init__(self, link: Path | None, wait: Callable[[float], bool], plugged: Callable[[str], None]) -> None:
        self.link = link
        self.wait = wait
        self.plugged = plugged
        self.path = ""
        self._fd = -1
        self._heard = False

    def plug(self) -> None:
        """Make the port appear. Raises OSError if the link cannot be made."""
        self._fd, other = os.openpty()
        self.path = os.ttyname(other)
        os.close(other)  # from now on the kernel tells whether anybody has it open
        os.set_blocking(self._fd, False)
        if self.link is not None:
            beside = self.link.with_name(f"{self.link.name}.new")
            beside.unlink(missing_ok=True)
            beside.symlink_to(self.path)
            os.replace(beside, self.link)
        self.plugged(self.path if self.link is None else str(self.link.absolute()))

    def unplug(self) -> None:
        """Make the port disappear, as if its cable had been pulled."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        self._heard = False
        if self.link is not None:
            with contextlib.suppress(OSError):
                if os.readlink(self.link) == self.path:
                    self.link.unlink()

    def is_heard(self) -> bool:
        """Whether a program has the port open (and has had time to configure it)."""
        heard = not self._poll(0, 0) & select.POLLHUP
        if heard and not self._heard:
            self.wait(SETTLE_S)
            self._discard_input()
        self._heard = heard
        return heard

    def read(self, timeout_s: float) -> bytes:
        """What the program at the other end has written, after waiting at most this long."""
        if self._poll(select.POLLIN, timeout_s) & select.POLLIN:
            with contextlib.suppress(OSError):
                return os.read(self._fd, 4096)
        return b""

    def write(self, data: bytes, pause_s: float = 0.0) -> bool:
        """Write all of ``data``, with a pause after each byte if there is one. False if not everything was written, because
        nobody listens any more or a stop was requested."""
        written = 0
        while written < len(data):
            if self._poll(0, 0) & select.POLLHUP:
                return False
            try:
                written += os.write(self._fd, data[written : written + 1] if pause_s else data[written:])
            except BlockingIOError:
                if not self._poll(select.POLLOUT, 0.2) & select.POLLOUT and self.wait(0):
                    return False
            except OSError:
                return False
            if pause_s and self.wait(pause_s):
                return False
        return True

    def babble(self, for_s: float, noise: Callable[[int], bytes]) -> int:
        """Write random bytes as fast as they are read; returns how many."""
        end, sent = time.monotonic() + for_s, 0
        while time.monotonic() < end and not self.wait(0):
            data = noise(1024)
            with contextlib.suppress(BlockingIOError, OSError):
                sent += os.write(self._fd, data)
                continue
            self._poll(select.POLLOUT, 0.05)
        return sent

    def _discard_input(self) -> None:
        while self.read(0):
            pass

    def _poll(self, events: int, timeout_s: float) -> int:
        """The events of ``poll`` that are there now or within this many seconds; 0 if none is."""
        poll = select.poll()
        poll.register(self._fd, events)
        return dict(poll.poll(timeout_s * 1000)).get(self._fd, 0)
