"""One wait for several descriptors."""

from __future__ import annotations

import math
import select
from collections.abc import Iterable
from typing import Protocol


class HasDescriptor(Protocol):
    """A pipe, a socket, a channel."""

    def fileno(self) -> int: ...


def wait_readable(waited_for: Iterable[int | HasDescriptor], timeout_s: float) -> None:
    """Return when one of them can be read or has been closed at its other end, after ``timeout_s`` at the latest.

    Unlike ``multiprocessing.connection.wait`` it needs no module that costs memory for as long as the daemon runs. Raises OSError,
    and ValueError for what is closed already.
    """
    poll = select.poll()
    for one in waited_for:
        poll.register(one, select.POLLIN)
    poll.poll(max(math.ceil(timeout_s * 1000), 0))
