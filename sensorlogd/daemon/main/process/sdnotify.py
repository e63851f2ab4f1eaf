"""Tell systemd how we are: datagrams to $NOTIFY_SOCKET, as sd_notify(3) describes. Without systemd nothing is sent."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Notifier:
    """Tells systemd how the daemon is. ``address``: a path, or ``@name`` for an abstract socket; None = nobody listens."""

    def __init__(self, address: str | None, watchdog_us: int = 0) -> None:
        self.address = address
        self.watchdog_us = watchdog_us

    @classmethod
    def from_environment(cls) -> Notifier:
        """The notifier that systemd asks for: NOTIFY_SOCKET, WATCHDOG_USEC (for WATCHDOG_PID, if that is set)."""
        pid = os.environ.get("WATCHDOG_PID")
        text = os.environ.get("WATCHDOG_USEC", "")
        watchdog = int(text) if text.isdigit() and pid in (None, "", str(os.getpid())) else 0
        return cls(os.environ.get("NOTIFY_SOCKET") or None, watchdog)

    def watchdog_interval_s(self) -> float:
        """Seconds within which systemd wants a sign of life; 0 = none wanted."""
        return self.watchdog_us / 1e6

    def ready(self, status: str) -> None:
        self._send("READY=1", f"STATUS={_status_line(status)}")

    def reloading(self) -> None:
        """systemd 253 and later want the moment with it; older ones ignore that line."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def status(self, text: str) -> None:
        self._send(f"STATUS={_status_line(text)}")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def extend(self, us: int) -> None:
        """Ask for more time to stop."""
        self._send(f"EXTEND_TIMEOUT_USEC={us}")

    def _send(self, *lines: str) -> None:
        if self.address is None:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.settimeout(1.0)  # nobody reading there must not stop us: the message is lost then
                out.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            logger.debug("sd_notify: %s", error)


class Watchdog:
    """Gives systemd its signs of life, as long as ``makes_progress`` (of the monotonic seconds now) says so."""

    def __init__(self, notifier: Notifier, makes_progress: Callable[[float], bool]) -> None:
        self.every_s = notifier.watchdog_interval_s()
        self._notifier = notifier
        self._makes_progress = makes_progress
        self._feed_at = 0.0

    def feed(self, now: float) -> None:
        """Twice within the time that systemd waits for one; called at least as often."""
        if self.every_s and now >= self._feed_at and self._makes_progress(now):
            self._notifier.watchdog()
            self._feed_at = now + self.every_s / 2


def _status_line(text: str) -> str:
    return text.replace("\n", " ")[:500]
