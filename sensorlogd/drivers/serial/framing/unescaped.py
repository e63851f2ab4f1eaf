"""Frames without byte stuffing: they have a header, and a length or a footer.

A frame begins with its header and is whole when its length, footer and checksum agree. Where they do not, one byte is given up and
the search goes on after it: what looked like a header was noise, and a good frame may begin inside. Memory is bounded by the
longest frame, time by ``effort``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sensorlogd.drivers.serial.effort import Effort, Tally
from sensorlogd.drivers.serial.framing.frame_options import MAX_FRAME_BYTES
from sensorlogd.drivers.serial.framing.shape import Shape

# A length field may lie, and what it claims would hide what follows. This many good frames in a row inside a longer one are the truth.
MIN_WITNESSES = 3
MIN_CLAIM_BYTES = 128  # bytes; a lie below that costs less than finding it out


class Unescaped:
    """Finds frames without byte stuffing; see ``frames.Splitter``. ``midway``: bytes before the first header belong to a frame
    that began before the port was opened."""

    def __init__(self, shape: Shape, tally: Tally, *, midway: bool) -> None:
        self.shape = shape
        self.tally = tally
        self._buffer = bytearray()
        self._base = 0  # where in the stream the buffer begins
        self._effort = Effort()
        self._midway = midway
        self._owed = 0  # bytes still to come that are given up already
        self._skipped = 0
        self._noise = b""
        self._footerless = 0  # place in the stream up to which, from the frame that has begun on, there is no footer
        # Of the long frame that has begun, from its first byte on: where witnesses are sought, how many in a row, where the last ended.
        self._inside = 1, 0, 0
        self._ends_at_footer = shape.fixed is None and shape.field is None
        # Only its end is marked: the first may be the end of one that began before.
        self._headless = self._ends_at_footer and shape.header is None and shape.check is None
        self._empties = re.compile(b"(?:" + shape.footer.pattern + b")+", re.DOTALL) if self._headless and shape.footer else None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are whole and good; one that ends at a footer, or whose length may be a lie, can wait for the bytes after it."""
        if self._owed:
            owed = min(self._owed, len(data))
            self._owed -= owed
            self._base += owed
            data = data[owed:]
        self._buffer += data
        return self._scan(ended=False)

    def quiet(self) -> Iterator[bytes]:
        """The frames in what is left, now that no more bytes will come to decide it."""
        yield from self._scan(ended=True)
        self._midway = False
        self._owed = 0

    def _scan(self, *, ended: bool) -> Iterator[bytes]:
        """The good frames in the buffer, which is used up to where more bytes are needed. ``ended``: no more will come."""
        buffer, begin, is_counted = self._buffer, 0, False
        while begin < len(buffer):
            start = self._next_start(begin)
            if start > begin:
                self._note_skipped(begin, start)
                begin = start
            length = self._length(start)
            if length is None or start + length > len(buffer):
                if length and self._hides_whole_frames(start, length):
                    begin += self._give_up(start, 0, "bad_length", "whole frames are inside it")
                    continue
                if not ended or start >= len(buffer):
                    break
                begin += self._give_up(start, 0, "" if is_counted else self._counter_of_unfinished(start))
                is_counted = True
            elif not length:
                begin += self._give_up(start, 0, step=MAX_FRAME_BYTES if self._headless else 0)
                self._midway = self._midway or self._headless  # what is left of it is no frame, either
            elif self._hides_whole_frames(start, length):
                begin += self._give_up(start, 0, "bad_length", "whole frames are inside it")
            elif inner := self._inner_header(start, length):
                begin += self._give_up(start, 0, "cut_short", "another begins before its end", step=inner)
            else:
                frame = bytes(buffer[start : start + length])
                flaw = self.shape.flaw(frame)
                if flaw is not None:
                    begin += self._give_up(start, length, "bad_frames" if flaw else "", flaw)
                    continue
                begin += length
                self._inside = 1, 0, 0
                midway, self._midway = self._midway, False
                if midway and self._headless:
                    self.tally.add("first_partial", 1, frame[:24])
                else:
                    self._count_skipped(midway)
                    yield frame
        self._owed += max(begin - len(buffer), 0)
        self._base += min(begin, len(buffer))
        del buffer[:begin]
        self._count_skipped(self._midway)

    def _counter_of_unfinished(self, start: int) -> str:
        """How an incomplete frame is counted when the line falls silent."""
        if self.shape.header is None:
            return "first_partial" if self._midway else "cut_short"
        return "cut_short" if len(self._buffer) - start >= self.shape.header_bytes else ""

    def _give_up(self, start: int, cost: int, counter: str = "", why: str = "", step: int = 0) -> int:
        """There is no frame at ``start``, after ``cost`` bytes of it were examined: count why. Returns how many bytes to skip."""
        if counter:
            self.tally.add(counter, 1, bytes(self._buffer[start : start + 24]), why)
        step = step or self._effort.note_failure(self._base + start, cost)
        self._note_skipped(start, start + step)
        self._inside = 1, 0, 0
        return step

    def _note_skipped(self, start: int, stop: int) -> None:
        self._noise = self._noise or bytes(self._buffer[start : min(stop, start + 16)])
        self._skipped += stop - start

    def _count_skipped(self, midway: bool) -> None:
        if self._skipped:
            if midway and not self._headless:
                self.tally.add("first_partial", 1, self._noise)
                self._midway = False
            self.tally.add("skipped_bytes", self._skipped, self._noise)
            self._skipped, self._noise = 0, b""

    def _next_start(self, begin: int) -> int:
        """Where the next frame may begin, at or after ``begin``."""
        buffer, shape = self._buffer, self.shape
        if shape.header is None:
            if shape.footer is None or shape.fixed is None:
                empty = None if self._empties is None or self._midway else self._empties.match(buffer, begin)
                return begin if empty is None else empty.end()
            found = shape.footer.search(buffer, begin + shape.fixed - shape.footer_bytes)
            return found.end() - shape.fixed if found else max(begin, len(buffer) - shape.fixed + 1)
        found = shape.header.search(buffer, begin)
        if found:
            return found.start()
        # The tail may be the beginning of a header.
        for start in range(max(begin, len(buffer) - shape.header_bytes + 1), len(buffer)):
            tail = bytes(buffer[start:])
            if shape.header.fullmatch(tail + self._completion(len(tail))):
                return start
        return len(buffer)

    def _completion(self, have: int) -> bytes:
        """Bytes that match the rest of the header pattern."""
        return bytes.fromhex(self.shape.options.header[2 * have :].replace("?", "0"))

    def _length(self, start: int) -> int | None:
        """The length of the frame at ``start``; 0 if there is none, None while more bytes are needed to tell."""
        shape, buffer = self.shape, self._buffer
        if len(buffer) - start < max(shape.header_bytes, 1):
            return None
        if shape.fixed is not None:
            return shape.fixed
        if shape.field is not None:
            if start + shape.field.at + shape.field.size() > len(buffer):
                return None
            length = shape.length_in_field(buffer, start)
            if shape.least <= length <= MAX_FRAME_BYTES:
                return length
            self.tally.add("bad_length", 1, bytes(buffer[start : start + 24]), f"{length} bytes")
            return 0
        return self._length_to_footer(start)

    def _length_to_footer(self, start: int) -> int | None:
        """The same for frames whose length only the footer tells."""
        shape, buffer = self.shape, self._buffer
        assert shape.footer is not None
        last = start + MAX_FRAME_BYTES
        found = shape.footer.search(buffer, max(start + shape.header_bytes, self._footerless - self._base), last)
        if found:
            self._footerless = self._base + found.start()
            return found.end() - start
        self._footerless = max(self._base + min(len(buffer), last) - shape.footer_bytes + 1, self._footerless)
        if len(buffer) < last:
            return None
        self.tally.add("too_long", 1, bytes(buffer[start : start + 24]), "no footer")
        return 0

    def _inner_header(self, start: int, length: int) -> int:
        """How far after ``start`` the last header before the footer is, for frames whose length only the footer tells."""
        if not self._ends_at_footer or self.shape.header is None or self.shape.check is not None:
            return 0
        inner = 0
        for found in self.shape.header.finditer(
            self._buffer, start + self.shape.header_bytes, start + length - self.shape.footer_bytes
        ):
            inner = found.start() - start
        return inner

    def _hides_whole_frames(self, start: int, length: int) -> bool:
        """Whether the long frame at ``start`` hides whole frames that follow each other, so that its length must be wrong."""
        shape, buffer = self.shape, self._buffer
        if length <= MIN_CLAIM_BYTES or shape.field is None or shape.header is None:
            return False
        stop = min(len(buffer), start + length)
        offset, seen, due = self._inside
        while seen < MIN_WITNESSES and not self._effort.is_exhausted(self._base + start):
            found = shape.header.search(buffer, start + offset, stop)
            if found is None:
                offset = max(offset, stop - start - shape.header_bytes + 1)
                break
            offset = found.start() - start
            field_end = offset + shape.field.at + shape.field.size()
            if field_end <= length and start + field_end > len(buffer):
                break
            inner = shape.length_in_field(buffer, start + offset) if field_end <= length else 0
            fits = shape.least <= inner <= length - offset
            if fits and start + offset + inner > len(buffer):
                break
            if fits and shape.flaw(bytes(buffer[start + offset : start + offset + inner])) is None:
                seen = seen + 1 if not shape.unproven or offset == due else 1
                offset = due = offset + inner
            else:
                self._effort.note_failure(self._base + start, inner if fits else 0)
                offset += 1
        self._inside = offset, seen, due
        return seen >= MIN_WITNESSES


class BySilence:
    """Finds frames that silence ends: a frame is everything from a header until then. See ``frames.Splitter``."""

    def __init__(self, shape: Shape, tally: Tally, *, midway: bool) -> None:
        self.shape = shape
        self.tally = tally
        self._buffer = bytearray()
        self._midway = midway
        self._too_long = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Keep the bytes; only silence gives frames. Of a burst longer than MAX_FRAME_BYTES nothing is used, and it is counted once."""
        self._buffer += data
        if len(self._buffer) > MAX_FRAME_BYTES:
            if not self._too_long:
                self.tally.add("too_long", 1, bytes(self._buffer[:24]))
            self._too_long = True
            self._buffer.clear()
        return iter(())

    def quiet(self) -> Iterator[bytes]:
        """The burst from its first header on, if it is a good frame. The first burst after an opening may lack its beginning: it is
        counted as ``first_partial``."""
        burst = bytes(self._buffer)
        self._buffer.clear()
        midway, self._midway = self._midway, False
        too_long, self._too_long = self._too_long, False
        if too_long or not burst:
            return
        if midway:
            self.tally.add("first_partial", 1, burst[:24])
            return
        found = self.shape.header.search(burst) if self.shape.header else None
        begin = found.start() if found else 0 if self.shape.header is None else len(burst)
        if begin:
            self.tally.add("skipped_bytes", begin, burst[:16])
        frame = burst[begin:]
        flaw = self.shape.flaw(frame) if len(frame) >= self.shape.least else "too short" if frame else ""
        if flaw:
            self.tally.add("bad_frames", 1, frame[:24], flaw)
        if flaw is None:
            yield frame
