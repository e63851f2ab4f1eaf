"""Clients that ask and do not read: what waits for them holds memory and a connection, so they get a limited time."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sys
import termios
import time

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 15.0
MIN_READ_BYTES = 8_000  # from one look to the next: less than the slowest of modems took
COUNT_LOGGED_EVERY_S = 60.0


class SlowClients:
    """Counts connections that were closed because their client did not read, and writes a log line with the count now and then."""

    def __init__(self) -> None:
        self.count = 0
        self._logged_at = -COUNT_LOGGED_EVERY_S

    def add(self, peer: str) -> None:
        """Count one more."""
        self.count += 1
        if time.monotonic() - self._logged_at >= COUNT_LOGGED_EVERY_S:
            self._logged_at = time.monotonic()
            logger.warning("closed a connection: %s asked and does not read the answer; %d so far", peer, self.count)


class ClientPace:
    """Looks at what waits to be sent on a connection while its writing is paused, and closes the connection when the client has taken
    less than MIN_READ_BYTES since the look before. Nothing is written meanwhile, so what waits only gets less."""

    def __init__(self, transport: asyncio.Transport, peer: str, slow_clients: SlowClients) -> None:
        self._transport = transport
        self._peer = peer
        self._slow_clients = slow_clients
        self._timer: asyncio.TimerHandle | None = None
        self._waiting_bytes = 0  # at the look before

    def begin(self) -> None:
        """Look from now on: more waits than the transport likes."""
        self.end()
        self._look_later()

    def end(self) -> None:
        """Look no more: the client has taken nearly all of it, or the connection is closed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self) -> None:
        self._waiting_bytes = self._waiting()
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._waiting_bytes - self._waiting() < MIN_READ_BYTES:
            self._slow_clients.add(self._peer)
            self._transport.abort()
            return
        self._look_later()

    def _waiting(self) -> int:
        """Bytes in the buffer of the transport and in that of the kernel. Of a slow client the kernel frees its buffer in large portions,
        so the first alone may not change for minutes."""
        waiting = self._transport.get_write_buffer_size()
        try:
            sock = self._transport.get_extra_info("socket")
            queued = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
        except (OSError, AttributeError):
            return waiting
        return waiting + int.from_bytes(queued, sys.byteorder)
