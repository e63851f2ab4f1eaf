"""Log lines for a terminal, and for journald.

Under systemd stderr goes to the journal, which stamps the time itself and reads a priority from a ``<N>`` prefix
(sd-daemon(3)). A message that repeats within ten seconds is counted, not printed again.
"""

from __future__ import annotations

import logging
import os
import sys
import time

_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.DEBUG, 7))
_COLOURS = {"WARNING": "\x1b[33m", "ERROR": "\x1b[31m", "CRITICAL": "\x1b[31;1m", "DEBUG": "\x1b[2m"}
REPEAT_S = 10.0


class _Journal(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        priority = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines() or [""])


class _Terminal(logging.Formatter):
    def __init__(self, colour: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
        self.colour = colour

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        colour = _COLOURS.get(record.levelname) if self.colour else None
        return f"{colour}{text}\x1b[0m" if colour else text


class _OncePerWhile(logging.Filter):
    """Lets a message through once per REPEAT_S and says how often it was held back."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.INFO or record.exc_info:
            return True
        text = record.getMessage()
        now = time.monotonic()
        since, held = self.seen.get(text, (-REPEAT_S, 0))
        if now - since < REPEAT_S:
            self.seen[text] = (since, held + 1)
            return False
        if len(self.seen) > 1000:
            self.seen.clear()
        self.seen[text] = (now, 0)
        if held:
            record.msg, record.args = f"{text} (and {held} times more in the last {now - since:.0f} s)", ()
        return True


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
    handler = logging.StreamHandler(sys.stderr)
    if under_journald():
        handler.setFormatter(_Journal("%(message)s"))
    else:
        handler.setFormatter(_Terminal(sys.stderr.isatty()))
    handler.addFilter(_OncePerWhile())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
