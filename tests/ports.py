"""TCP ports for programs that must be told one beforehand.

A port that the kernel has just given out and taken back may be given to anybody before our program binds it: with many tests
at a time that happens. These lie below the range that the kernel gives out from, and each process of tests has its own hundred.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator

FIRST, SIZE, BLOCKS = 20_000, 100, 100


def _own_block() -> tuple[socket.socket, Iterator[int]]:
    """The claim, to be held, and the ports. An abstract socket has one owner, ends with it, and has the ports' namespace."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    for number in range(BLOCKS):
        try:
            claim.bind(f"\0sensorlogd-tests-ports-{number}")
        except OSError:
            continue
        first = FIRST + number * SIZE
        return claim, itertools.cycle(range(first, first + SIZE))
    raise RuntimeError("every block of ports is claimed by another process of tests")


_claim, _ports = _own_block()  # when imported: a descriptor that comes during a test would count as left behind


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on, and that no other test is given."""
    for port in itertools.islice(_ports, SIZE):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no port of this process's own is free")
