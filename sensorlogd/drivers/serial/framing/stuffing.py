"""Frames with byte stuffing: SLIP (RFC 1055), PPP and HDLC (RFC 1662), DLE STX ... DLE ETX."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sensorlogd.drivers.serial.effort import Tally
from sensorlogd.drivers.serial.framing.frame_options import MAX_FRAME_BYTES
from sensorlogd.drivers.serial.framing.shape import Shape

MAX_STUFFED_BYTES = 2 * MAX_FRAME_BYTES


def _good_frame(shape: Shape, tally: Tally, piece: bytes, frame: bytes | None, counter: str = "bad_frames") -> bytes | None:
    """``frame`` if it is a good one; otherwise it is counted. ``piece``: the bytes it was made of."""
    why = "byte stuffing"
    if frame is not None:
        if len(frame) > MAX_FRAME_BYTES:
            counter, why = "too_long", f"{len(frame)} bytes"
        elif len(frame) < shape.least:
            why = "too short"
        elif shape.fixed is not None and len(frame) != shape.fixed:
            counter, why = "bad_length" if counter == "bad_frames" else counter, f"{len(frame)} bytes"
        elif shape.field is not None and (length := shape.length_in_field(frame, 0)) != len(frame):
            counter, why = "bad_length" if counter == "bad_frames" else counter, f"{len(frame)} bytes, says {length}"
        elif (flaw := shape.flaw(frame)) is None:
            return frame
        else:
            why = flaw or "another header or footer"
    tally.add(counter, 1, piece, why)
    return None


class Delimited:
    """Finds the frames of SLIP and PPP: a byte that occurs nowhere else ends a frame, and may begin it. See
    ``frames.Splitter``."""

    def __init__(self, shape: Shape, tally: Tally, *, slip: bool, midway: bool) -> None:
        self.shape = shape
        self.tally = tally
        self._end = b"\xc0" if slip else b"\x7e"
        self._unstuff = _unstuff_slip if slip else _unstuff_ppp
        self._rest = bytearray()
        self._too_long = False
        self._first = True  # it may be the tail of a frame that began before we listened
        self._distrusts = midway and shape.check is None

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames between two end bytes. The first piece may be the tail of a frame: bad, it is ``first_partial``; where no checksum
        could tell, it is dropped in any case."""
        rest = self._rest
        if rest and data.find(self._end) < 0:
            rest += data
            self._drop_overlong()
            return
        pieces = bytes(rest + data).split(self._end)
        rest[:] = pieces.pop()
        self._drop_end_of_overlong(pieces)
        for piece in pieces:
            first, self._first = self._first, False
            if not piece:
                continue
            if len(piece) > MAX_STUFFED_BYTES:
                self.tally.add("too_long", 1, piece[:24])
            elif first and self._distrusts:
                self.tally.add("first_partial", 1, piece[:24])
            elif frame := _good_frame(
                self.shape, self.tally, piece[:24], self._unstuff(piece), "first_partial" if first else "bad_frames"
            ):
                yield frame
        self._drop_overlong()

    def _drop_end_of_overlong(self, pieces: list[bytes]) -> None:
        """Throw away the first piece if it is the end of a frame that was too long."""
        if pieces and self._too_long:
            self._too_long = False
            pieces[0] = b""

    def _drop_overlong(self) -> None:
        """Throw away a frame that has become too long, and what follows up to its end. It is counted once."""
        if self._too_long:
            self._rest.clear()
        elif len(self._rest) > MAX_STUFFED_BYTES:
            self.tally.add("too_long", 1, bytes(self._rest[:24]))
            self._too_long = True
            self._rest.clear()

    def quiet(self) -> Iterator[bytes]:
        """Drop a frame without its end byte, counted as ``cut_short``. Silence completes nothing here."""
        if self._rest:
            self.tally.add("first_partial" if self._first else "cut_short", 1, bytes(self._rest[:24]))
            self._rest.clear()
        self._too_long = self._first = False
        return iter(())


# Up to the first DLE that is neither doubled nor the last byte; the group is what follows it.
_DLE_END = re.compile(rb"(?:[^\x10]++|\x10\x10)*+\x10([^\x10])", re.DOTALL)


class Dle:
    """Finds frames between DLE STX and DLE ETX; DLE DLE is a DLE of the data, and any other DLE breaks the frame off. See
    ``frames.Splitter``."""

    def __init__(self, shape: Shape, tally: Tally, *, midway: bool) -> None:
        self.shape = shape
        self.tally = tally
        self._buffer = bytearray()
        self._first = midway

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames from DLE STX to DLE ETX. A DLE STX inside a frame begins the next one, and the first is counted as ``cut_short``."""
        self._buffer += data
        buffer, position = self._buffer, 0
        while True:
            start = buffer.find(b"\x10\x02", position)
            if start < 0:
                keep = 1 if buffer.endswith(b"\x10") and len(buffer) > position else 0
                self._count_skipped(position, len(buffer) - keep)
                position = len(buffer) - keep
                break
            self._count_skipped(position, start)
            position = start
            end_match = _DLE_END.match(buffer, start + 2, start + 2 * MAX_STUFFED_BYTES)
            if end_match is None or end_match.end() - start > MAX_STUFFED_BYTES:
                if end_match is None and len(buffer) - start <= MAX_STUFFED_BYTES:
                    break
                self.tally.add("too_long", 1, bytes(buffer[start : start + 24]))
                position = start + MAX_STUFFED_BYTES
                continue
            self._first = False
            following = end_match[1]
            if following == b"\x03":
                position = end_match.end()
                frame = bytes(buffer[start + 2 : end_match.start(1) - 1]).replace(b"\x10\x10", b"\x10")
                if _good_frame(self.shape, self.tally, bytes(buffer[start : start + 24]), frame):
                    yield frame
                continue
            # A new start inside: the old frame was cut short, the new one is not to be lost with it.
            self.tally.add("cut_short" if following == b"\x02" else "bad_frames", 1, bytes(buffer[start : start + 24]))
            position = end_match.start(1) - 1 if following == b"\x02" else end_match.end()
        del buffer[:position]

    def _count_skipped(self, start: int, stop: int) -> None:
        if stop > start:
            noise = bytes(self._buffer[start : min(stop, start + 16)])
            if self._first:
                self.tally.add("first_partial", 1, noise)
                self._first = False
            self.tally.add("skipped_bytes", stop - start, noise)

    def quiet(self) -> Iterator[bytes]:
        """Drop a frame without its DLE ETX, counted as ``cut_short``. Silence completes nothing here."""
        if self._buffer.startswith(b"\x10\x02"):
            self.tally.add("cut_short", 1, bytes(self._buffer[:24]))
        else:
            self._count_skipped(0, len(self._buffer))
        self._buffer.clear()
        self._first = False
        return iter(())


def _unstuff_slip(piece: bytes) -> bytes | None:
    """The data with DB DC replaced by C0 and DB DD by DB (RFC 1055); None if another byte follows DB."""
    parts = piece.split(b"\xdb")
    out = [parts[0]]
    for part in parts[1:]:
        if part[:1] == b"\xdc":
            out.append(b"\xc0" + part[1:])
        elif part[:1] == b"\xdd":
            out.append(b"\xdb" + part[1:])
        else:
            return None
    return b"".join(out)


def _unstuff_ppp(piece: bytes) -> bytes | None:
    """The data with 7D and a byte replaced by that byte exclusive-or 20 (RFC 1662)."""
    parts = piece.split(b"\x7d")
    out = [parts[0]]
    for part in parts[1:]:
        if not part:
            return None  # 7D 7E aborts a frame; 7D 7D is none
        out.append(bytes((part[0] ^ 0x20,)) + part[1:])
    return b"".join(out)
