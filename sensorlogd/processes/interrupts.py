"""Ctrl-C, where an exception would come at a bad moment: while modules are loaded, within a change, and in child processes."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

STATUS = 130  # as shells number it


def end_at_once() -> None:
    """Let Ctrl-C end this process without a word, where it would raise KeyboardInterrupt. On the main thread."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell may have it ignored in the background
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """Undo ``end_at_once``: Ctrl-C raises KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def blocked() -> Iterator[None]:
    """Delay Ctrl-C of this thread until the end of the block. Processes that are started inside it never get it: Ctrl-C reaches the
    whole group, even before they could say themselves that their parent decides."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(_: int, __: FrameType | None) -> None:
    os._exit(STATUS)
