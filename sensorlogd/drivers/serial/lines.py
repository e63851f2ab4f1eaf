"""Bytes to lines. Any cutting of the same bytes into reads gives the same lines; memory is bounded by the line cap."""

from __future__ import annotations

from collections.abc import Callable


class LineSplitter:
    """``feed`` gives the complete lines, without terminators and without empty ones.

    ``terminator``: bytes that end a line, or b"any" for CR or LF. For b"\\n" a CR before it is dropped. A line longer
    than ``max_line`` is discarded up to its terminator and counted once as ``overlong``.
    """

    def __init__(self, terminator: bytes, max_line: int, count: Callable[[str, int, str], None]) -> None:
        self.terminator = terminator
        self.max_line = max_line
        self.count = count
        self._rest = bytearray()
        self._discarding = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes."""
        any_end = self.terminator == b"any"
        if any_end:
            data = data.replace(b"\r", b"\n")
        end = b"\n" if any_end else self.terminator
        if self._rest:
            # Only a terminator cut in two can be found in what was there before: look no further back than that.
            self._rest += data
            data = bytes(self._rest)
            self._rest.clear()
        pieces = data.split(end)
        rest = pieces.pop()
        if self._discarding and pieces:
            pieces.pop(0)
            self._discarding = False
        if self._discarding:
            rest = rest[-(len(end) - 1) :] if len(end) > 1 else b""
        elif len(rest) > self.max_line + len(end):
            self.count("overlong", 1, f"{rest[:40]!r}...")
            self._discarding = True
            rest = rest[-(len(end) - 1) :] if len(end) > 1 else b""
        self._rest += rest
        lines = []
        for line in pieces:
            if end == b"\n" and line.endswith(b"\r"):
                line = line.rstrip(b"\r")
            if not line:
                continue
            if len(line) > self.max_line:
                self.count("overlong", 1, f"{line[:40]!r}...")
                continue
            lines.append(line)
        return lines

    @property
    def pending(self) -> int:
        """Bytes of the line that is not complete yet."""
        return len(self._rest)
