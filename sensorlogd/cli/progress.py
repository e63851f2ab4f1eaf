"""Shows the progress of long work: a line on standard error, with rate and time left; nothing if that is not a terminal.

importing  ━━━━━━━━━━━━━───────  64 %  1,280,000 of 2,000,000 readings  82,400/s  9 s left
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from sensorlogd.cli import appearance, standard_streams

EVERY_S = 0.2  # between two updates of the line
LOOKED_BACK_S = 10.0  # the rate is that of this many seconds
FIRST_WORD_S = 1.0  # before, neither rate nor time left is known well enough to be said
BAR = 20  # columns
BYTES = "bytes"


class Progress:
    """A line of progress on the terminal; a context manager. ``total`` None: it is not known how much there is; may be set later
    (``length``).

    ``unit``: what is counted; ``bytes`` are shown in MB, "" is a part of the whole only. ``measure``: how much is done, asked by
    a thread of its own, for work that cannot call in between. Calls are for the thread that made it.
    """

    def __init__(
        self, label: str, total: int | None, unit: str = "", *, measure: Callable[[], int] | None = None,
        stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.label, self.length, self.unit, self.pos = label, total, unit, 0
        self._stream = stream or sys.stderr
        self._shows = self._stream.isatty()
        self._measure, self._clock = measure, clock
        self._began = self._shown_at = clock()
        self._seen: deque[tuple[float, int]] = deque([(self._began, 0)])
        self._width = 0  # of the line that is there
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show_measure, name="progress", daemon=True)

    def __enter__(self) -> Progress:
        if self._shows and self._measure is not None:
            self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Remove the line; the caller prints the result."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._write("")

    def update(self, n: int) -> None:
        """Note that ``n`` more are done."""
        self.pos += n
        now = self._clock()
        if now - self._shown_at >= EVERY_S:
            self._show(now)

    def reach(self, done: int, total: int | None = None) -> None:
        """Set how much is done altogether, and the total if it is given."""
        if total is not None:
            self.length = total
        self.update(done - self.pos)

    def say(self, text: str) -> None:
        """Print a line on standard error, above the progress."""
        self._write("")
        print(text, file=self._stream, flush=True)

    def _show_measure(self) -> None:
        """The thread that asks ``measure`` and shows the progress until the end."""
        assert self._measure is not None
        while not self._over.wait(EVERY_S):
            with contextlib.suppress(OSError, ValueError):
                self.pos = self._measure()
            self._show(self._clock())

    def _show(self, now: float) -> None:
        self._shown_at = now
        self._seen.append((now, self.pos))
        while len(self._seen) > 2 and now - self._seen[1][0] >= LOOKED_BACK_S:
            self._seen.popleft()
        if self._shows:
            self._write(self.line(now))

    def _write(self, line: str) -> None:
        """Replace the line on the terminal; blanks wipe the rest of a longer one, on any terminal."""
        if not self._shows or (not line and not self._width):
            return
        taken = appearance.cells(line)
        try:
            self._stream.write("\r" + line + " " * max(self._width - taken, 0) + ("" if line else "\r"))
            self._stream.flush()
        except (OSError, ValueError):
            self._shows = False  # there is nobody to look
        self._width = taken

    # ---- what it says ----------------------------------------------------------------------------------------------

    def line(self, now: float) -> str:
        """The line of progress, no wider than the terminal: the least important parts are left out first, the bar before words."""
        parts = [self.label, self._bar(), self._percent(), self._count_text(), *self._speed(now)]
        room = _columns(self._stream) - 1
        for least in (None, 1, 3, 4, 4):
            if least is not None and least < len(parts):
                parts[least] = ""
            text = "  ".join(part for part in parts if part)
            if appearance.cells(text) <= room:
                return text
        return text[:room]

    def _fraction(self) -> float | None:
        """How much is done, 0 to 1; None if the total is not known."""
        return min(self.pos / self.length, 1.0) if self.length else None

    def _bar(self) -> str:
        part = self._fraction()
        if part is None:
            return ""
        full, empty = ("━", "─") if standard_streams.says_everything(self._stream) else ("=", "-")
        done = int(part * BAR)
        return full * done + empty * (BAR - done)

    def _percent(self) -> str:
        part = self._fraction()
        return "" if part is None else f"{int(part * 100)} %"

    def _count_text(self) -> str:
        if not self.unit:
            return ""
        if self.unit == BYTES:
            return f"{self.pos / 1e6:,.1f} of {self.length / 1e6:,.1f} MB" if self.length else f"{self.pos / 1e6:,.1f} MB"
        return f"{self.pos:,} of {self.length:,} {self.unit}" if self.length else f"{self.pos:,} {self.unit}"

    def _speed(self, now: float) -> list[str]:
        """Rate and time left; without a total, how long it has taken."""
        if now - self._began < FIRST_WORD_S:
            return []
        (since, before), (until, done) = self._seen[0], self._seen[-1]
        rate = (done - before) / (until - since) if until > since else 0.0
        shown = [] if not self.unit or rate <= 0 else [f"{rate / 1e6:,.1f} MB/s" if self.unit == BYTES else f"{rate:,.0f}/s"]
        if not self.length:
            return [*shown, f"for {_duration_text(now - self._began)}"]
        left = max(self.length - self.pos, 0)
        return (
            [*shown, f"{_duration_text(left / rate)} left"] if rate > 0 else [*shown, f"for {_duration_text(now - self._began)}"]
        )


def _duration_text(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3_600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3_600} h {whole % 3_600 // 60:02} min"


def _columns(stream: TextIO) -> int:
    """The width of the terminal in columns; 80 if that is not known."""
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def written_bytes() -> int:
    """Bytes that this process has written since it began, to terminals, too. Raises OSError where /proc does not tell."""
    with open("/proc/self/io", encoding="ascii") as file:
        return next((int(line.split()[1]) for line in file if line.startswith("wchar:")), 0)
