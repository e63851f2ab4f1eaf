r"""Separates sentences, UBX frames and RTCM frames in a stream of bytes from each other and from anything else. Pure.

A sentence is taken when its checksum is right (NMEA 0183 section 5.3: exclusive or of what stands between ``$`` or ``!`` and
``*``), a UBX frame when its Fletcher sum is (u-blox protocol specification, "UBX checksum"). RTCM 3 frames (RTCM 10403.3
section 4: 0xD3, six zero bits, ten bits of length, CRC-24Q) are recognised so that nothing inside them is taken for anything
else. Tag blocks (NMEA 0183 version 4 section 7: ``\s:station,c:time*hh\`` before a sentence) give their time.

Of sentences that run into each other every whole one is found. Any cutting of the same bytes gives the same messages; memory
is bounded by the longest message.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Callable, Iterator
from functools import cache

from sensorlogd.drivers.contract import Count
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.effort import Effort, Tally

MAX_SENTENCE_BYTES = 1024  # the standard says 82 characters; proprietary sentences are longer
MAX_TAG_BYTES = 150
MAX_UBX_BYTES = 4096  # NAV-SIG with the 255 signals that its counter can count has 4088
_START = re.compile(rb"\$(?!\$)|[!\\]|\xb5(?:\x62|\Z)|\xd3(?:[\x00-\x03]|\Z)")
# Printable characters, those beyond ASCII included, but $ (begins a sentence) and a * with its two digits (ends one).
_BODY = rb"(?:[\x20-\x23\x25-\x29\x2b-\x7e\x80-\xff]++|\*(?![0-9A-Fa-f]{2}))"
_SENTENCE = re.compile(rb"[$!](" + _BODY + rb"++)(?:\*([0-9A-Fa-f]{2})|[\r\n])")
_WITNESS = re.compile(rb"\xb5\x62|[$!]([A-Za-z][A-Za-z0-9]{2,15},[\x20-\x23\x25-\x29\x2b-\x7e]{0,200}+)\*([0-9A-Fa-f]{2})\r?\n")
_INSIDE = re.compile(_BODY + rb"*+")
_UNDECIDED = re.compile(rb"\*[0-9A-Fa-f]?\Z")  # perhaps the end of the sentence
_ADDRESS = re.compile(rb"[A-Za-z][A-Za-z0-9]{2,15}(?:,|\Z)")
_ENCAPSULATED = re.compile(rb"![A-Z]{5},")
_TAG = re.compile(rb"\\([\x20\x22\x23\x25-\x29\x2b-\x5b\x5d-\x7e]{1,%d}+)\*([0-9A-Fa-f]{2})\\" % MAX_TAG_BYTES)
_TAG_BEGUN = re.compile(
    rb"\\[\x20\x22\x23\x25-\x29\x2b-\x5b\x5d-\x7e]{0,%d}+(?:\*[0-9A-Fa-f]{0,2})?\Z" % MAX_TAG_BYTES
)  # its end has not come
_TAG_TIME = re.compile(rb"(?:^|,)c:(\d{9,13})(?:,|$)")
_fletcher = CHECKSUMS["fletcher8"].compute
_xor = CHECKSUMS["nmea"].compute
# A binary frame's length may lie, and would hide what follows: this many whole messages inside are the truth.
MIN_WITNESSES = 2
MIN_CLAIM_BYTES = 128  # bytes; a lie below that costs less than finding it out


class Messages:
    """Finds the messages in a stream of bytes. ``feed`` gives, in order, sentences as ``str`` (without ``$``/``!`` and checksum)
    and UBX frames as ``bytes``.

    ``tag_time_us``: of the sentence just given, from its tag block. Counts ``bad_checksum``, ``no_checksum``, ``cut_short``
    (a message that another one, no character of a sentence, or silence breaks off), ``too_long``, ``bad_length`` (a frame that
    claims too much, or more than it has), ``first_partial`` (what came before the first message), ``rtcm_frames``, ``skipped_bytes``.
    """

    def __init__(self, count: Count, *, checksum_required: bool = True, midway: bool = False) -> None:
        self.checksum_required = checksum_required
        self.tag_time_us: int | None = None
        self._tally = Tally(count)
        self._buffer = bytearray()
        self._base = 0  # where in the stream the buffer begins
        self._owed = 0  # bytes still to come that are given up already
        self._effort = Effort()
        self._skipped = 0
        self._next_tag_us: int | None = None
        self._inside = 2, 0  # of the binary frame that has begun, from its first byte on: where witnesses are sought, how many
        self._midway = midway

    def feed(self, data: bytes) -> Iterator[str | bytes]:
        """The messages that the data completes. Exhaust the iterator before the next call."""
        owed = min(self._owed, len(data))
        self._owed -= owed
        self._base += owed
        self._buffer += data[owed:] if owed else data
        return self._scan(False)

    def give_up(self) -> Iterator[str | bytes]:
        """Nothing has come for a while, so an incomplete message will not go on; messages inside it are found."""
        yield from self._scan(True)
        self._owed, self._midway = 0, False

    def _scan(self, give_up: bool) -> Iterator[str | bytes]:
        """The messages that are whole. ``give_up``: an incomplete one will not go on, and is skipped from its first byte on."""
        buffer, position, is_counted = self._buffer, 0, False
        while position < len(buffer):
            begins = _START.search(buffer, position)
            start = len(buffer) if begins is None else begins.start()
            if noise := _noise_bytes(buffer, position, start):
                self._skipped += noise
                self._next_tag_us = None
            position = start
            if begins is None:
                break
            used, message = _KINDS.get(buffer[position], Messages._take_sentence)(self, position)
            if not used:
                if not give_up:
                    break  # the rest of it has not come yet
                if not is_counted and len(buffer) - position > 1:
                    is_counted = True
                    self._tally.add("cut_short", 1, b"", _excerpt(buffer, position, position + 70))
                used = 1
                self._skipped += 1
            position += used
            self._inside = 2, 0
            if message is not None:
                self.tag_time_us, self._next_tag_us = self._next_tag_us, None
                self._count_skipped()
                self._midway = False
                yield message
        self._owed += max(position - len(buffer), 0)
        self._base += min(position, len(buffer))
        del buffer[:position]
        self._count_skipped()
        self._tally.pass_on()

    def _count_skipped(self) -> None:
        if self._skipped:
            if self._midway:
                self._tally.add("first_partial", 1)
                self._midway = False
            self._tally.add("skipped_bytes", self._skipped)
            self._skipped = 0

    def _skip_false_start(self, start: int, used: int, cost: int = 0) -> int:
        """There is no message at ``start``: skip ``used`` bytes, or more if there are too many false beginnings."""
        step = self._effort.note_failure(self._base + start, cost)
        if step <= used or step == 1:
            return used
        self._skipped += step - used
        return step

    # Each of these looks at what begins at ``start``: (bytes used up, the message if there is one); (0, None) while it may still
    # become one.

    def _take_sentence(self, start: int) -> tuple[int, str | None]:
        """A sentence is whole at its checksum, or at its line end where no checksum is required."""
        buffer = self._buffer
        match = _SENTENCE.match(buffer, start)
        if match is None:
            inside = _INSIDE.match(buffer, start + 1)
            end = inside.end() if inside is not None else start + 1
            unfinished = end == len(buffer)
            tail = _UNDECIDED.search(buffer, max(start + 1, end - 2)) if unfinished else None
            if (end if tail is None else tail.start()) - start > MAX_SENTENCE_BYTES + 1:
                return self._skip_overlong(start)
            if unfinished:
                return 0, None
            return self._skip_false_sentence(start, end, "cut_short", "")
        body, given = match.group(1), match.group(2)
        if len(body) > MAX_SENTENCE_BYTES:
            return self._skip_overlong(start)
        if given is None:
            if self.checksum_required or not _ADDRESS.match(body):
                return self._skip_false_sentence(start, match.end(), "no_checksum", "")
        elif int(given, 16) != (right := _xor(body)):
            return self._skip_false_sentence(start, match.end(), "bad_checksum", f", expected {right:02X}")
        return match.end() - start, body.decode("latin-1")

    def _skip_overlong(self, start: int) -> tuple[int, None]:
        """Count what looks like a sentence and is longer than one may be, and skip this much of it."""
        self._tally.add("too_long", 1, b"", _excerpt(self._buffer, start, start + 40))
        return MAX_SENTENCE_BYTES + 1, None

    def _skip_false_sentence(self, start: int, end: int, counter: str, why: str) -> tuple[int, None]:
        """Skip what looked like the beginning of a sentence and is none. A sentence that begins with ! may be inside it."""
        buffer = self._buffer
        for hidden in _ENCAPSULATED.finditer(buffer, start + 1, end):
            end = hidden.start()  # the last one: whatever is before it was broken off, too
        if _ADDRESS.match(buffer, start + 1, end):
            self._tally.add(counter, 1, b"", _excerpt(buffer, start, min(end, start + 70)) + why)
        else:
            self._skipped += _noise_bytes(buffer, start, end)
        self._next_tag_us = None
        return self._skip_false_start(start, end - start), None

    def _take_tag_block(self, start: int) -> tuple[int, None]:
        """Keep the time of a tag block for the sentence after it."""
        buffer = self._buffer
        match = _TAG.match(buffer, start)
        if match is None:
            if _TAG_BEGUN.match(buffer, start):
                return 0, None
        elif int(match.group(2), 16) == _xor(match.group(1)):
            if tag_time := _TAG_TIME.search(match.group(1)):
                number = int(tag_time.group(1))
                self._next_tag_us = number * (1_000 if number > 100_000_000_000 else 1_000_000)
            return match.end() - start, None
        else:
            self._tally.add("bad_checksum", 1, b"", _excerpt(buffer, start, match.end()))
            return match.end() - start, None
        self._skipped += 1
        return self._skip_false_start(start, 1), None

    def _take_ubx(self, start: int) -> tuple[int, bytes | None]:
        """A UBX frame is whole when its length and its Fletcher sum agree."""
        buffer = self._buffer
        if len(buffer) - start < 6:
            return 0, None
        length = int.from_bytes(buffer[start + 4 : start + 6], "little")
        if length > MAX_UBX_BYTES:
            self._tally.add("bad_length", 1, bytes(buffer[start : start + 16]), f"{length} bytes")
            self._skipped += 2
            return self._skip_false_start(start, 2), None
        if self._hides_whole_messages(start, length + 8):
            return 2, None
        if len(buffer) - start < length + 8:
            return 0, None
        frame = bytes(buffer[start : start + length + 8])
        if _fletcher(frame[2:-2]) != int.from_bytes(frame[-2:], "big"):
            self._tally.add("bad_checksum", 1, frame[:16])
            return self._skip_false_start(start, 2, length), None
        return length + 8, frame

    def _hides_whole_messages(self, start: int, length: int) -> bool:
        """Whether there are whole messages inside the long binary frame at ``start``, so that its length must be wrong."""
        if length <= MIN_CLAIM_BYTES:
            return False
        buffer = self._buffer
        stop = min(len(buffer), start + length)
        place, seen = self._inside
        while seen < MIN_WITNESSES and not self._effort.is_exhausted(self._base + start):
            witness = _WITNESS.search(buffer, start + place, stop)
            if witness is None:
                place = max(place, stop - start - 240)  # a witness is shorter
                break
            place = witness.start() - start
            begin, first = witness.start(), buffer[witness.start()]
            size, good = 0, False
            if first == 0xB5:
                if begin + 6 > min(len(buffer), start + length):
                    if len(buffer) < start + length:
                        break
                else:
                    size = int.from_bytes(buffer[begin + 4 : begin + 6], "little") + 8
                if begin + size > start + length:
                    size = 0
                elif begin + size > len(buffer):
                    break
                elif size:
                    good = _fletcher(bytes(buffer[begin + 2 : begin + size - 2])) == int.from_bytes(
                        buffer[begin + size - 2 : begin + size], "big"
                    )
            else:
                size = witness.end() - begin
                good = int(witness[2], 16) == _xor(witness[1])
            if good:
                seen += 1
                place += size
            else:
                self._effort.note_failure(self._base + start, size)
                place += 1
        self._inside = place, seen
        if seen < MIN_WITNESSES:
            return False
        self._tally.add("bad_length", 1, bytes(buffer[start : start + 16]), "whole messages are inside it")
        return True

    def _take_rtcm(self, start: int) -> tuple[int, None]:
        """Pass over an RTCM frame with the right checksum, which is counted and never given."""
        buffer = self._buffer
        if len(buffer) - start < 5:
            return 0, None
        length = int.from_bytes(buffer[start + 1 : start + 3], "big")
        number = int.from_bytes(buffer[start + 3 : start + 5], "big") >> 4
        if length < 2 or not (number == 63 or 1000 <= number < 1400 or number >= 4000):  # other numbers are not given out
            self._skipped += 1
            return self._skip_false_start(start, 1), None
        if self._hides_whole_messages(start, length + 6):
            return 1, None
        if len(buffer) - start < length + 6:
            return 0, None
        if _crc24q(buffer[start : start + length + 6]):
            self._tally.add("bad_checksum", 1, bytes(buffer[start : start + 16]))
            return self._skip_false_start(start, 1, length), None
        self._tally.add("rtcm_frames", 1, b"", f"type {number}")
        return length + 6, None


_KINDS: dict[int, Callable[[Messages, int], tuple[int, str | bytes | None]]] = {
    0xB5: Messages._take_ubx,
    0xD3: Messages._take_rtcm,
    0x5C: Messages._take_tag_block,
}


@cache
def _crc24q_table() -> array[int]:
    """The table of CRC-24Q (RTCM 10403.3 section 4.2, polynomial 0x1864CFB) for two bytes at once: 65,536 entries."""
    table = array("I", [0])
    for bit in range(16):
        value = 1 << 8 + bit
        for _ in range(16):
            value = value << 1 ^ (0x1864CFB if value & 0x800000 else 0)
        table.extend(array("I", [known ^ value for known in table]))
    return table


def _crc24q(data: bytearray) -> int:
    """0 for a frame with its checksum. A table is used because each false beginning in noise costs one CRC; libraries took 16
    times longer."""
    crc, table = 0, _crc24q_table()
    even = b"\0" * (len(data) % 2) + data  # zeros in front change nothing
    for pair in struct.unpack(f">{len(even) // 2}H", even):
        crc = (crc << 16 & 0xFFFFFF) ^ table[crc >> 8 ^ pair]
    return crc


def _excerpt(buffer: bytearray, start: int, end: int) -> str:
    return repr(bytes(buffer[start:end]).rstrip())[2:-1]


def _noise_bytes(buffer: bytearray, start: int, end: int) -> int:
    """How many bytes between messages are neither line ends nor blanks."""
    return len(buffer[start:end].translate(None, b"\r\n\0 ")) if end > start else 0
