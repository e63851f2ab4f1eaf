"""Sentences and UBX frames in a stream of bytes, told apart from each other and from anything else. Pure.

A sentence is taken when its checksum is right (NMEA 0183 section 5.3: exclusive or of what stands between ``$`` or ``!`` and
``*``), a UBX frame when its Fletcher sum is (u-blox protocol specification, "UBX checksum"). Two sentences glued together are
two. Any cutting of the same bytes gives the same messages; memory is bounded by the longest message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import reduce
from operator import xor

from sensorlogd.drivers.serial.checksums import CHECKSUMS

Count = Callable[[str, int, str], None]

MAX_SENTENCE = 1024  # the standard says 82 characters; proprietary sentences are longer
MAX_UBX = 8192
_START = re.compile(rb"[$!]|\xb5(?:\x62|\Z)")
# From $ or ! to a checksum, or to whatever ends the sentence without one.
_SENTENCE = re.compile(rb"[$!]([\x20-\x23\x25-\x29\x2b-\x7e]{1,%d}+)(?:\*([0-9A-Fa-f]{2})|([\r\n]))" % MAX_SENTENCE)
_INSIDE = re.compile(rb"[\x20-\x23\x25-\x29\x2b-\x7e]*")
_HEX_TAIL = re.compile(rb"\*?[0-9A-Fa-f]?\Z")
_fletcher = CHECKSUMS["fletcher8"].compute


class Messages:
    """``feed`` gives, in order, sentences as ``str`` (without ``$``/``!`` and checksum) and UBX frames as ``bytes``.

    Counts ``bad_checksum``, ``no_checksum``, ``skipped_bytes``.
    """

    def __init__(self, count: Count, *, checksum_required: bool = True) -> None:
        self.count = count
        self.checksum_required = checksum_required
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[str | bytes]:
        """Exhaust it before the next feed."""
        buffer = self._buffer
        buffer += data
        at = skipped = 0
        while True:
            start = _START.search(buffer, at)
            if start is None:
                skipped += _noise(buffer, at, len(buffer))
                at = len(buffer)
                break
            skipped += _noise(buffer, at, start.start())
            at = start.start()
            used, message = self._ubx(at) if buffer[at] == 0xB5 else self._sentence(at)
            if not used:
                break  # the rest of it has not come yet
            at += used
            if message is not None:
                yield message
        del buffer[:at]
        if skipped:
            self.count("skipped_bytes", skipped, "")

    def _sentence(self, at: int) -> tuple[int, str | None]:
        """(bytes used up, the sentence if it is one); (0, None) while it may still become one."""
        buffer = self._buffer
        match = _SENTENCE.match(buffer, at)
        if match is None:
            inside = _INSIDE.match(buffer, at + 1)
            end = inside.end() if inside is not None else at + 1
            if end - at > MAX_SENTENCE:
                self.count("overlong", 1, repr(bytes(buffer[at : at + 40])))
                return end - at, None
            if end == len(buffer) or (len(buffer) - end <= 2 and _HEX_TAIL.match(buffer, end)):
                return 0, None
            if end > at + 6:  # something that began like a sentence and was broken off
                self.count("bad_checksum", 1, repr(bytes(buffer[at : at + 60])))
            return max(end - at, 1), None
        body, given = match.group(1), match.group(2)
        text = body.decode("ascii")
        if given is None:
            if not self.checksum_required:
                return match.end() - at, text
            self.count("no_checksum", 1, text[:60])
            return match.end() - at, None
        if int(given, 16) != reduce(xor, body, 0):
            self.count("bad_checksum", 1, f"{text[:60]}*{given.decode()}, expected {reduce(xor, body, 0):02X}")
            return match.end() - at, None
        return match.end() - at, text

    def _ubx(self, at: int) -> tuple[int, bytes | None]:
        buffer = self._buffer
        if len(buffer) - at < 6:
            return 0, None
        length = int.from_bytes(buffer[at + 4 : at + 6], "little")
        if length > MAX_UBX:
            self.count("skipped_bytes", 2, "")
            return 2, None
        if len(buffer) - at < length + 8:
            return 0, None
        frame = bytes(buffer[at : at + length + 8])
        if _fletcher(frame[2:-2]) != int.from_bytes(frame[-2:], "big"):
            self.count("bad_checksum", 1, frame[:16].hex(" "))
            return 2, None
        return length + 8, frame


def _noise(buffer: bytearray, start: int, end: int) -> int:
    """Bytes between messages that are no line ends."""
    return len(bytes(buffer[start:end]).strip(b"\r\n\0 ")) if end > start else 0
