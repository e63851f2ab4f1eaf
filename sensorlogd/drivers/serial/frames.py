"""Bytes to binary frames, and frames to samples.

A frame begins with its header and is whole when its length, footer and checksum agree. Where they do not, one byte is
given up and the search goes on behind it: what looked like a header was noise, and a good frame may begin inside. Any
cutting of the same bytes into reads gives the same frames; memory is bounded by the longest frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sensorlogd.batch import Batch
from sensorlogd.drivers.serial.fields import BadFrame, Read, readers, variants
from sensorlogd.drivers.serial.frame_options import MAX_FRAME, FrameFormat, LengthField, matcher

Count = Callable[[str, int, str], None]


class FrameDecoder:
    """``feed`` gives the samples of the frames that ``data`` completes; ``wanted``: the fields to read."""

    def __init__(self, options: FrameFormat, wanted: set[str], count: Count) -> None:
        self.count = count
        self.options = options
        self.frames = Frames(options, count)
        self._fields = _only(readers(options.fields, options.byte_order), wanted)
        self._variants = [(fits, _only(fields, wanted)) for fits, fields in variants(options.variants, options.byte_order)]

    def feed(self, data: bytes, now_us: int) -> Batch | None:
        """None if no frame is complete."""
        rows = [row for frame in self.frames.feed(data) if (row := self._row(frame))]
        if not rows:
            return None
        names = dict.fromkeys(name for row in rows for name in row)
        return Batch([now_us] * len(rows), {name: [row.get(name) for row in rows] for name in names})

    def _row(self, frame: bytes) -> dict[str, float] | None:
        wanted = self._fields
        if self._variants:
            for fits, fields in self._variants:
                if fits(frame):
                    wanted = wanted | fields
                    break
            else:
                if self.options.others == "bad":
                    self.count("bad_frames", 1, f"{frame[:24].hex(' ')}: of no known kind")
                    return None
                if not wanted:
                    self.count("other_frames", 1, frame[:24].hex(" "))
                    return None
        try:
            return {name: value for name, read in wanted.items() if (value := read(frame)) is not None}
        except BadFrame as bad:
            self.count("bad_frames", 1, f"{frame[:24].hex(' ')}: {bad}")
            return None

    def idle(self) -> None:
        """Nothing more will come (a polled device was silent): what is incomplete is given up."""
        self.frames.reset()


def _only(fields: dict[str, Read], wanted: set[str]) -> dict[str, Read]:
    return {name: read for name, read in fields.items() if name in wanted}


class Frames:
    """The frames in a stream of bytes; counts ``bad_frames`` and ``skipped_bytes``."""

    def __init__(self, options: FrameFormat, count: Count) -> None:
        self.options = options
        self.count = count
        self._buffer = bytearray()
        self._header = matcher(options.header) if options.header else None
        self._header_bytes = len(options.header) // 2
        self._footer = matcher(options.footer) if options.footer else None
        self._footer_bytes = len(options.footer) // 2
        self._check = options.checksum.checksum() if options.checksum else None
        self._split = {"none": self._plain, "slip": self._delimited, "ppp": self._delimited, "dle": self._dle}[options.escape]
        self._synchronised = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that ``data`` completes, checked, in order. Exhaust it before the next feed."""
        self._buffer += data
        yield from self._split()

    def reset(self) -> None:
        """Give up what is incomplete."""
        self._skip(len(self._buffer))
        self._buffer.clear()

    def _skip(self, count: int, example: bytes | bytearray = b"") -> None:
        if count:
            self.count("skipped_bytes", count, bytes(example[:16]).hex(" "))

    # ---- not escaped -----------------------------------------------------------------------------------------------

    def _plain(self) -> Iterator[bytes]:
        buffer, begin, skipped = self._buffer, 0, 0
        first_skipped = b""
        while True:
            start = self._next_start(begin)
            if start > begin:
                first_skipped = first_skipped or bytes(buffer[begin : begin + 16])
                skipped += start - begin
                begin = start
            length = self._length(start)
            if length is None or start + length > len(buffer):
                break
            frame = bytes(buffer[start : start + length])
            if length and self._whole(frame):
                begin = start + length
                yield frame
            else:
                first_skipped = first_skipped or frame[:16]
                skipped += 1
                begin = start + 1
        del buffer[:begin]
        self._skip(skipped, first_skipped)

    def _next_start(self, begin: int) -> int:
        """Where the next frame may begin, at or behind ``begin``."""
        buffer = self._buffer
        if self._header is None:
            length = self.options.length
            if self._footer is None or not isinstance(length, int):
                return begin
            found = self._footer.search(buffer, begin + length - self._footer_bytes)
            return found.start() + self._footer_bytes - length if found else max(begin, len(buffer) - length + 1)
        found = self._header.search(buffer, begin)
        if found:
            return found.start()
        # The tail may be the beginning of a header.
        for start in range(max(begin, len(buffer) - self._header_bytes + 1), len(buffer)):
            tail = buffer[start:]
            if self._header.fullmatch(bytes(tail) + self._completion(len(tail))):
                return start
        return len(buffer)

    def _completion(self, have: int) -> bytes:
        """Bytes that fit the rest of the header pattern."""
        rest = self.options.header[2 * have :].replace("?", "0")
        return bytes.fromhex(rest)

    def _length(self, start: int) -> int | None:
        """The length of the frame at ``start``; 0 where it cannot be one; None while more bytes are needed to tell."""
        options, buffer = self.options, self._buffer
        if len(buffer) - start < self._header_bytes:
            return None
        if isinstance(options.length, int):
            return options.length
        if isinstance(options.length, LengthField):
            field = options.length
            at = start + field.at
            if at + field.size() > len(buffer):
                return None
            raw = int.from_bytes(buffer[at : at + field.size()], field.byte_order or options.byte_order)
            length = raw * field.times + field.plus
            least = max(self._header_bytes + self._footer_bytes + (self._check.width if self._check else 0), 2)
            return length if least <= length <= MAX_FRAME else 0
        assert self._footer is not None
        found = self._footer.search(buffer, start + self._header_bytes)
        if found:
            return found.end() - start if found.end() - start <= MAX_FRAME else 0
        return 0 if len(buffer) - start > MAX_FRAME else None

    def _whole(self, frame: bytes) -> bool:
        """Header, footer, length and checksum agree."""
        if self._header is not None and not self._header.match(frame):
            return False
        if self._footer is not None and not self._footer.fullmatch(frame[-self._footer_bytes :]):
            return False
        if self._check is None:
            return True
        options = self.options.checksum
        assert options is not None
        width = self._check.width
        at = options.at if options.at is not None else -self._footer_bytes - width
        at = at if at >= 0 else len(frame) + at
        stop = at if options.stop is None else options.stop if options.stop >= 0 else len(frame) + options.stop
        if at < 0 or at + width > len(frame) or stop < options.start:
            return False
        given = int.from_bytes(frame[at : at + width], options.byte_order or self.options.byte_order)
        expected = self._check.compute(frame[options.start : stop])
        if given != expected:
            self.count("bad_frames", 1, f"{frame[:24].hex(' ')}: checksum {given:#x}, expected {expected:#x}")
            return False
        return True

    # ---- escaped ---------------------------------------------------------------------------------------------------

    def _delimited(self) -> Iterator[bytes]:
        """SLIP and PPP: a byte that occurs nowhere else ends (and may begin) a frame."""
        slip = self.options.escape == "slip"
        end = b"\xc0" if slip else b"\x7e"
        pieces = bytes(self._buffer).split(end)
        rest = pieces.pop()
        if len(rest) > 2 * MAX_FRAME:
            self._skip(len(rest), rest)
            rest, self._synchronised = b"", False
        self._buffer[:] = rest
        for piece in pieces:
            synchronised, self._synchronised = self._synchronised, True
            if piece:
                inside = _without_slip(piece) if slip else _without_ppp(piece)
                frame = self._checked(inside)
                if frame is not None:
                    yield frame
                elif not synchronised:
                    self._skip(len(piece), piece)  # the tail of a frame that began before we listened
                else:
                    self.count("bad_frames", 1, piece[:24].hex(" "))

    def _dle(self) -> Iterator[bytes]:
        """DLE STX begins, DLE ETX ends, DLE DLE is a DLE of the data; any other DLE breaks the frame off."""
        buffer = self._buffer
        while True:
            start = buffer.find(b"\x10\x02")
            if start < 0:
                keep = 1 if buffer.endswith(b"\x10") else 0
                self._skip(len(buffer) - keep, buffer)
                del buffer[: len(buffer) - keep]
                return
            self._skip(start, buffer[:start])
            del buffer[:start]
            inside, at = bytearray(), 2
            while True:
                escape = buffer.find(b"\x10", at)
                if escape < 0 or escape + 1 >= len(buffer):
                    if len(buffer) <= 2 * MAX_FRAME:
                        return
                    end, whole = 2, False
                    break
                inside += buffer[at:escape]
                following = buffer[escape + 1]
                if following == 0x10:
                    inside.append(0x10)
                    at = escape + 2
                    continue
                # A new start inside: the old frame was cut short, the new one is not to be lost with it.
                end, whole = (escape if following == 0x02 else escape + 2), following == 0x03
                break
            frame = self._checked(bytes(inside)) if whole else None
            if frame is None:
                self.count("bad_frames", 1, bytes(buffer[: min(end, 24)]).hex(" "))
            del buffer[:end]
            if frame is not None:
                yield frame

    def _checked(self, frame: bytes | None) -> bytes | None:
        if frame is None or len(frame) > MAX_FRAME:
            return None
        options = self.options
        if isinstance(options.length, int) and len(frame) != options.length:
            return None
        if isinstance(options.length, LengthField):
            field = options.length
            raw = int.from_bytes(frame[field.at : field.at + field.size()], field.byte_order or options.byte_order)
            if raw * field.times + field.plus != len(frame):
                return None
        return frame if self._quietly_whole(frame) else None

    def _quietly_whole(self, frame: bytes) -> bool:
        """As ``_whole``; the caller counts."""
        count, self.count = self.count, lambda name, n, example: None
        try:
            return self._whole(frame)
        finally:
            self.count = count


def _without_slip(piece: bytes) -> bytes | None:
    """RFC 1055: DB DC is C0, DB DD is DB; None for any other DB."""
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


def _without_ppp(piece: bytes) -> bytes | None:
    """RFC 1662: 7D and a byte is that byte exclusive-or 20."""
    parts = piece.split(b"\x7d")
    out = [parts[0]]
    for part in parts[1:]:
        if not part:
            return None  # 7D 7E aborts a frame; 7D 7D is none
        out.append(bytes((part[0] ^ 0x20,)) + part[1:])
    return b"".join(out)
