"""Log lines for a terminal, and for journald.

Under systemd stderr goes to the journal, which stamps the time itself and reads a priority from a ``<N>`` prefix
(sd-daemon(3)). A message that repeats within ten seconds is counted, not printed again; the count follows.
"""

from __future__ import annotations

import contextlib
import copy
import faulthandler
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31;1m", "DEBUG": "\x1b[2m"}
REPEAT_S = 10.0


class _Journal(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines() or [""])


class _Terminal(logging.Formatter):
    def __init__(self, colour: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(threadName)s: %(message)s", "%Y-%m-%d %H:%M:%S")
        self.colour = colour
        self.without_thread = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", self.datefmt)

    def format(self, record: logging.LogRecord) -> str:
        # Messages begin with what they are about; only somebody who debugs needs the name of the thread.
        debugging = logging.getLogger().isEnabledFor(logging.DEBUG)
        text = super().format(record) if debugging else self.without_thread.format(record)
        colour = _COLOURS.get(record.levelname) if self.colour else None
        return f"{colour}{text}\x1b[0m" if colour else text


class _Handler(logging.StreamHandler[TextIO]):
    """Prints a message once per REPEAT_S and says afterwards how often it was held back."""

    def __init__(self, stream: TextIO, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream)
        self.monotonic_s = monotonic_s
        self._seen: dict[tuple[str, str], _Seen] = {}

    def emit(self, record: logging.LogRecord) -> None:  # under the handler's lock
        try:
            now = self.monotonic_s()
            self._report_withheld(now)
            if self._is_news(record, now):
                super().emit(record)
        except Exception:  # as logging's own handlers do: a malformed log call must not end a thread
            self.handleError(record)

    def _is_news(self, record: logging.LogRecord, now: float) -> bool:
        """Whether to print a message now. Within REPEAT_S of its like it is counted as held back; what is for debugging is
        always printed."""
        if record.levelno < logging.INFO:
            return True
        key = (record.name, record.getMessage())
        seen = self._seen.get(key)
        if seen is not None:
            seen.hold_back(record)
            return False
        if len(self._seen) < 1000:
            self._seen[key] = _Seen(now)
        return True

    def _report_withheld(self, now: float, *, everything: bool = False) -> None:
        """Report and forget messages first printed REPEAT_S ago; they come first, because a dict keeps the order of insertion."""
        while self._seen:
            key, seen = next(iter(self._seen.items()))
            if now - seen.since < REPEAT_S and not everything:
                return
            del self._seen[key]
            if seen.last is not None:
                again = copy.copy(seen.last)
                times = f"{seen.withheld} times" if seen.withheld > 1 else "once"
                again.msg, again.args = f"%s ({times} more in {now - seen.since:.0f} s)", (key[1],)
                again.exc_info = again.exc_text = None
                super().emit(again)

    def close(self) -> None:
        """Report what is still held back."""
        self.acquire()
        try:
            self._report_withheld(self.monotonic_s(), everything=True)
        finally:
            self.release()
        super().close()


@dataclass(slots=True)
class _Seen:
    since: float
    withheld: int = 0
    last: logging.LogRecord | None = None

    def hold_back(self, record: logging.LogRecord) -> None:
        self.withheld += 1
        self.last = record


def under_journald() -> bool:
    """Whether stderr is connected to the journal: $JOURNAL_STREAM names its device and inode (systemd.exec(5))."""
    device, _, inode = os.environ.get("JOURNAL_STREAM", "").partition(":")
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return (device, inode) == (str(stat.st_dev), str(stat.st_ino))


def setup(level: str) -> None:
    """Log to stderr at ``level`` (debug, info, warning, error)."""
    handler = _Handler(sys.stderr)
    if under_journald():
        handler.setFormatter(_Journal("%(message)s"))
    else:
        handler.setFormatter(_Terminal(sys.stderr.isatty()))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _Handler):
            old.close()
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


def trace_crashes() -> None:
    """A crash below Python (SIGSEGV, SIGBUS of a mapped file) leaves on standard error where each thread was."""
    with contextlib.suppress(OSError, ValueError):  # no standard error to speak of
        faulthandler.enable()
