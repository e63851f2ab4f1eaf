"""Sentences, UBX and RTCM frames in a stream of bytes, told apart from each other and from anything else. Pure.

A sentence is taken when its checksum is right (NMEA 0183 section 5.3: exclusive or of what stands between ``$`` or ``!`` and
``*``), a UBX frame when its Fletcher sum is (u-blox protocol specification, "UBX checksum"). RTCM 3 frames (RTCM 10403.3
section 4: 0xD3, six zero bits, ten bits of length, CRC-24Q) are recognised so that nothing inside them is taken for anything
else. Tag blocks (NMEA 0183 version 4 section 7: ``\\s:station,c:time*hh\\`` before a sentence) give their time.

Of sentences that run into each other every whole one is found. Any cutting of the same bytes gives the same messages; memory
is bounded by the longest message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import reduce
from operator import xor

from sensorlogd.drivers.serial.checksums import CHECKSUMS

Count = Callable[[str, int, str], None]

MAX_SENTENCE = 1024  # the standard says 82 characters; proprietary sentences are longer
MAX_TAG = 150
MAX_UBX = 4096  # NAV-SIG with the 255 signals that its counter can count has 4088
_START = re.compile(rb"[$!\\]|\xb5(?:\x62|\Z)|\xd3(?:[\x00-\x03]|\Z)")
# Printable characters, those beyond ASCII included, but $ (begins a sentence) and a * with its two digits (ends one).
_BODY = rb"(?:[\x20-\x23\x25-\x29\x2b-\x7e\x80-\xff]++|\*(?![0-9A-Fa-f]{2}))"
_SENTENCE = re.compile(rb"[$!](" + _BODY + rb"++)(?:\*([0-9A-Fa-f]{2})|[\r\n])")
_INSIDE = re.compile(_BODY + rb"*+")
_UNDECIDED = re.compile(rb"\*[0-9A-Fa-f]?\Z")  # perhaps the end of the sentence
_ADDRESS = re.compile(rb"[A-Za-z][A-Za-z0-9]{2,15}(?:,|\Z)")
_ENCAPSULATED = re.compile(rb"![A-Z]{5},")
_TAG = re.compile(rb"\\([\x20\x22\x23\x25-\x29\x2b-\x5b\x5d-\x7e]{1,%d}+)\*([0-9A-Fa-f]{2})\\" % MAX_TAG)
_TAG_BEGUN = re.compile(
    rb"\\[\x20\x22\x23\x25-\x29\x2b-\x5b\x5d-\x7e]{0,%d}+(?:\*[0-9A-Fa-f]{0,2})?\Z" % MAX_TAG
)  # its end has not come
_TAG_TIME = re.compile(rb"(?:^|,)c:(\d{9,13})(?:,|$)")
_fletcher = CHECKSUMS["fletcher8"].compute


class Messages:
    """``feed`` gives, in order, sentences as ``str`` (without ``$``/``!`` and checksum) and UBX frames as ``bytes``.

    ``tag_time_us``: of the sentence just given, from its tag block. Counts ``bad_checksum``, ``no_checksum``, ``cut_short``
    (a sentence that another one, or no character of a sentence, breaks off), ``overlong``, ``rtcm_frames``, ``skipped_bytes``.
    """

    def __init__(self, count: Count, *, checksum_required: bool = True) -> None:
        self.count = count
        self.checksum_required = checksum_required
        self.tag_time_us: int | None = None
        self._buffer = bytearray()
        self._skipped = 0
        self._next_tag_us: int | None = None

    def feed(self, data: bytes) -> Iterator[str | bytes]:
        """Exhaust it before the next feed."""
        self._buffer += data
        return self._scan(False)

    def give_up(self) -> Iterator[str | bytes]:
        """Nothing came for a while: what looks like the beginning of a binary frame is none, and hides nothing any longer."""
        return self._scan(True)

    def _scan(self, give_up: bool) -> Iterator[str | bytes]:
        buffer = self._buffer
        at = 0
        while True:
            start = _START.search(buffer, at)
            begin = len(buffer) if start is None else start.start()
            if noise := _noise(buffer, at, begin):
                self._skipped += noise
                self._next_tag_us = None
            at = begin
            if start is None:
                break
            first = buffer[at]
            used, message = _KINDS.get(first, Messages._sentence)(self, at)
            if not used:
                if not give_up or first not in (0xB5, 0xD3):
                    break  # the rest of it has not come yet
                used = 1
                self._skipped += 1
            at += used
            if message is not None:
                self.tag_time_us, self._next_tag_us = self._next_tag_us, None
                yield message
        del buffer[:at]
        if self._skipped:
            self.count("skipped_bytes", self._skipped, "")
            self._skipped = 0

    # Each of these: (bytes used up, the message if there is one); (0, None) while it may still become one.

    def _sentence(self, at: int) -> tuple[int, str | None]:
        buffer = self._buffer
        match = _SENTENCE.match(buffer, at)
        if match is None:
            inside = _INSIDE.match(buffer, at + 1)
            end = inside.end() if inside is not None else at + 1
            unfinished = end == len(buffer)
            tail = _UNDECIDED.search(buffer, max(at + 1, end - 2)) if unfinished else None
            if (end if tail is None else tail.start()) - at > MAX_SENTENCE + 1:
                return self._overlong(at)
            if unfinished:
                return 0, None
            return self._not_one(at, end, "cut_short", "")
        body, given = match.group(1), match.group(2)
        if len(body) > MAX_SENTENCE:
            return self._overlong(at)
        if given is None:
            if self.checksum_required or not _ADDRESS.match(body):
                return self._not_one(at, match.end(), "no_checksum", "")
        elif int(given, 16) != (right := reduce(xor, body, 0)):
            return self._not_one(at, match.end(), "bad_checksum", f", expected {right:02X}")
        return match.end() - at, body.decode("latin-1")

    def _overlong(self, at: int) -> tuple[int, None]:
        self.count("overlong", 1, _shown(self._buffer, at, at + 40))
        return MAX_SENTENCE + 1, None

    def _not_one(self, at: int, end: int, counter: str, why: str) -> tuple[int, None]:
        """What began like a sentence and is none; one that begins with ! may be hidden in it."""
        buffer = self._buffer
        for hidden in _ENCAPSULATED.finditer(buffer, at + 1, end):
            end = hidden.start()  # the last one: whatever is before it was broken off, too
        if _ADDRESS.match(buffer, at + 1, end):
            self.count(counter, 1, _shown(buffer, at, min(end, at + 70)) + why)
        else:
            self._skipped += _noise(buffer, at, end)
        self._next_tag_us = None
        return end - at, None

    def _tag(self, at: int) -> tuple[int, None]:
        buffer = self._buffer
        match = _TAG.match(buffer, at)
        if match is None:
            if _TAG_BEGUN.match(buffer, at):
                return 0, None
        elif int(match.group(2), 16) == reduce(xor, match.group(1), 0):
            if told := _TAG_TIME.search(match.group(1)):
                number = int(told.group(1))
                self._next_tag_us = number * (1_000 if number > 100_000_000_000 else 1_000_000)
            return match.end() - at, None
        else:
            self.count("bad_checksum", 1, _shown(buffer, at, match.end()))
            return match.end() - at, None
        self._skipped += 1
        return 1, None

    def _ubx(self, at: int) -> tuple[int, bytes | None]:
        buffer = self._buffer
        if len(buffer) - at < 6:
            return 0, None
        length = int.from_bytes(buffer[at + 4 : at + 6], "little")
        if length > MAX_UBX:
            self._skipped += 2
            return 2, None
        if len(buffer) - at < length + 8:
            return 0, None
        frame = bytes(buffer[at : at + length + 8])
        if _fletcher(frame[2:-2]) != int.from_bytes(frame[-2:], "big"):
            self.count("bad_checksum", 1, frame[:16].hex(" "))
            return 2, None
        return length + 8, frame

    def _rtcm(self, at: int) -> tuple[int, None]:
        buffer = self._buffer
        if len(buffer) - at < 5:
            return 0, None
        length = int.from_bytes(buffer[at + 1 : at + 3], "big")
        number = int.from_bytes(buffer[at + 3 : at + 5], "big") >> 4
        if length < 2 or not (number == 63 or 1000 <= number < 1400 or number >= 4000):  # other numbers are not given out
            self._skipped += 1
            return 1, None
        if len(buffer) - at < length + 6:
            return 0, None
        if _crc24q(buffer[at : at + length + 6]):
            self.count("bad_checksum", 1, bytes(buffer[at : at + 16]).hex(" "))
            return 1, None
        self.count("rtcm_frames", 1, f"type {number}")
        return length + 6, None


_KINDS: dict[int, Callable[[Messages, int], tuple[int, str | bytes | None]]] = {
    0xB5: Messages._ubx,
    0xD3: Messages._rtcm,
    0x5C: Messages._tag,
}


def _table() -> list[int]:
    """Of CRC-24Q (RTCM 10403.3 section 4.2): polynomial 0x1864CFB."""
    table = []
    for value in range(256):
        value <<= 16
        for _ in range(8):
            value = value << 1 ^ (0x1864CFB if value & 0x800000 else 0)
        table.append(value)
    return table


_CRC24Q = _table()


def _crc24q(data: bytearray) -> int:
    """0 over a frame and its sum. By table, as noise full of false heads costs one of these each: libraries took 8 times longer."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFF) ^ _CRC24Q[crc >> 16 ^ byte]
    return crc


def _shown(buffer: bytearray, start: int, end: int) -> str:
    return repr(bytes(buffer[start:end]).rstrip())[2:-1]


def _noise(buffer: bytearray, start: int, end: int) -> int:
    """Bytes between messages that are no line ends."""
    return len(bytes(buffer[start:end]).strip(b"\r\n\0 ")) if end > start else 0
