"""Bytes to lines. Any cutting of the same bytes into reads gives the same lines; memory is bounded by the line cap."""

from __future__ import annotations

import re

from sensorlogd.drivers.contract import Count

WRONG_ENDS = 3  # this many line ends of another kind inside one line: the device ends its lines otherwise than is configured
_SHOWN = 60
_RETURNS = re.compile(rb"[\r\n]+")


class LineSplitter:
    """Cuts a stream of bytes into lines. ``feed`` gives the complete ones, without terminators and without empty ones.

    ``terminator``: bytes that end a line, b"any" for CR or LF, b"silence" for the quiet time after it. For b"\n" and b"\r"
    the other one, before or after, is dropped. ``midway``: the first line may be the tail of one that began before we listened.

    Counts ``too_long`` (over ``max_line``, discarded up to its end, once a line), ``cut_short`` (ended by silence instead of its
    terminator), ``first_partial`` (what came before the first terminator or quiet time) and ``wrong_terminator`` (a line with
    several line ends of another kind inside; once a line, complete or not).
    """

    def __init__(self, terminator: bytes, max_line: int, count: Count, *, midway: bool = False) -> None:
        self.any_end = terminator == b"any"
        self.by_silence = terminator == b"silence"
        self.end = b"\n" if self.any_end or self.by_silence else terminator
        self.max_line = max_line
        self.count = count
        self._strip = {b"\n": b"\r", b"\r": b"\n"}.get(self.end, b"")
        self._judges_ends = not self.any_end and not self.by_silence and not self.end.strip(b"\r\n")
        self._rest = bytearray()
        self._searched = 0  # of the rest, known to hold no terminator
        self._discarding = False
        self._midway = midway
        self._has_judged_end = False  # of the line that is not complete yet

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ``data`` completes."""
        if self.by_silence:
            self._keep_for_silence(data)
            return []
        if self.any_end:
            data = data.replace(b"\r", b"\n")
        rest = self._rest
        if rest:
            rest += data
            if rest.find(self.end, self._searched) < 0:
                self._judge_unfinished()
                return []
            data = bytes(rest)
            rest.clear()
        pieces = data.split(self.end)
        rest += pieces.pop()
        self._searched = 0
        lines: list[bytes] = []
        if pieces:
            if self._midway or self._discarding or self._has_judged_end:
                lines = self._end_of_known_line(pieces.pop(0))
            lines += self._complete_lines(pieces)
        if rest:
            self._judge_unfinished()
        return lines

    def quiet(self) -> list[bytes]:
        """Nothing came for longer than a line could pause. The line that this ends, if silence is what ends lines."""
        rest, midway, discarding = bytes(self._rest), self._midway, self._discarding
        self._rest.clear()
        self._midway = self._discarding = self._has_judged_end = False
        self._searched = 0
        line = rest.strip(b"\r\n") if self._judges_ends or self.any_end or self.by_silence else rest
        if discarding or not line:
            return []
        if midway:
            self.count("first_partial", 1, _excerpt(line))
        elif not self.by_silence:
            self.count("cut_short", 1, _excerpt(rest))
        elif len(line) > self.max_line:
            self._count_too_long(line)
        else:
            return [line]
        return []

    def _complete_lines(self, pieces: list[bytes]) -> list[bytes]:
        """Those of ``pieces`` that are lines. Thousands at a time: what few need is looked for in all of them at once."""
        joined = b"".join(pieces)
        short = len(joined) <= self.max_line  # and so is each of them
        if self._strip and self._strip in joined:
            strip = self._strip
            if short or len(max(pieces, key=len)) <= self.max_line + 1:
                pieces = [piece.strip(strip) for piece in pieces]
            else:
                pieces = [self._strip_end(piece) for piece in pieces]
            joined = b"".join(pieces) if self._judges_ends else b""
        lines = [piece for piece in pieces if piece]
        if self._judges_ends and (b"\r" in joined or b"\n" in joined):
            for line in lines:
                if b"\r" in line or b"\n" in line:
                    self._judge_ends(line)
        if not short and lines and len(max(lines, key=len)) > self.max_line:
            for line in lines:
                if len(line) > self.max_line:
                    self._count_too_long(line)
            lines = [line for line in lines if len(line) <= self.max_line]
        return lines

    def _end_of_known_line(self, piece: bytes) -> list[bytes]:
        """The end of a line of which something is known: it is the first, is thrown away, or its line ends were given."""
        midway, discarding, has_judged = self._midway, self._discarding, self._has_judged_end
        self._midway = self._discarding = self._has_judged_end = False
        line = self._strip_end(piece)
        if discarding or not line:
            return []
        if self._judges_ends and not has_judged:
            self._judge_ends(line)
        if len(line) > self.max_line:
            self._count_too_long(line)
        elif midway:
            self.count("first_partial", 1, _excerpt(line))
        else:
            return [line]
        return []

    def _strip_end(self, piece: bytes) -> bytes:
        """A line without the other character of its line end, before or after."""
        if not self._strip or self._strip not in piece or len(piece) > self.max_line + 1:
            return piece  # too long: what is not complete is thrown away from the same length on
        return piece.strip(self._strip)

    def _judge_unfinished(self) -> None:
        """Look at the line that is not complete yet: its line ends, and whether it is too long already."""
        rest, keep = self._rest, len(self.end) - 1
        too_long = len(rest) > self.max_line + len(self.end)
        if self._judges_ends and not self._has_judged_end and not self._discarding and (b"\r" in rest or b"\n" in rest):
            line = rest.lstrip(self._strip) if self._strip else rest
            # One that is too long is not stripped, as where it comes complete: its beginning decides, however it was cut.
            self._has_judged_end = self._judge_ends(rest if too_long else line.rstrip(b"\r\n"))
        if too_long and not self._discarding:
            self._count_too_long(rest)
            self._discarding = True
        if self._discarding:
            del rest[: len(rest) - keep]
        self._searched = max(len(rest) - keep, 0)

    def _judge_ends(self, line: bytes | bytearray) -> bool:
        """Whether there are several line ends inside, of another kind than ours."""
        if line.count(b"\r") + line.count(b"\n") < WRONG_ENDS:
            return False
        found = _RETURNS.findall(line[: self.max_line])
        if len(found) < WRONG_ENDS:
            return False
        write = found[0].decode().replace("\r", "\\r").replace("\n", "\\n")
        self.count("wrong_terminator", 1, f"{_excerpt(line)}: the lines seem to end otherwise; try terminator: '{write}'")
        return True

    def _keep_for_silence(self, data: bytes) -> None:
        """Keep the bytes until silence ends their line; once it is too long nothing more of it is kept."""
        self._rest += data
        if len(self._rest) > self.max_line + 2:
            if not self._discarding:
                self._count_too_long(self._rest)
            self._discarding = True
            self._rest.clear()

    def _count_too_long(self, line: bytes | bytearray) -> None:
        self.count("too_long", 1, _excerpt(line))

    @property
    def pending(self) -> int:
        """Bytes of the line that is not complete yet."""
        return len(self._rest)


def _excerpt(line: bytes | bytearray) -> str:
    return repr(bytes(line[:_SHOWN]))[1:] + ("..." if len(line) > _SHOWN else "")
