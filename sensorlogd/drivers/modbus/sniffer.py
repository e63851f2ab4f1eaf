"""A bus on which somebody else asks: frames out of what is overheard. RTU only.

Questions and answers look alike. What a frame is follows from its CRC, its length, and from what came before it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerRTU
from pymodbus.pdu import DecodePDU

_QUESTIONS, _ANSWERS = DecodePDU(is_server=True), DecodePDU(is_server=False)
_LONGEST = 256
_SHORTEST = 4
_READS = (1, 2, 3, 4)


class Sniffer:
    """``feed`` gives (question, None) for each question and (its question or None, answer) for each answer, in order.

    ``skipped``: bytes so far that belong to no frame.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._asked: Any = None
        self.skipped = 0

    def feed(self, data: bytes, *, end: bool = False) -> Iterator[tuple[Any | None, Any | None]]:
        """``end``: the line fell silent, what is incomplete will not go on."""
        buffer, at = self._buffer + data, 0
        while len(buffer) - at >= _SHORTEST:
            size, question, answer = self._frame(buffer[at : at + _LONGEST])
            if size:
                at += size
                asked, self._asked = self._asked, question
                yield (question, None) if answer is None else (asked, answer)
            elif len(buffer) - at >= _LONGEST or end:
                at += 1
                self.skipped += 1
            else:
                break
        if end:
            self.skipped += len(buffer) - at
            at = len(buffer)
        self._buffer = buffer[at:]

    @property
    def waiting(self) -> bool:
        """Whether a frame has begun."""
        return bool(self._buffer)

    def _frame(self, window: bytes) -> tuple[int, Any | None, Any | None]:
        """(length, question, answer) of the frame at the beginning; length 0: there is none, or not yet."""
        asked = self._asked
        awaited = asked is not None and asked.dev_id == window[0] and asked.function_code == window[1] & 0x7F
        if window[1] & 0x80 and not awaited:
            return 0, None, None  # an exception without its question; in noise five bytes look like one often enough
        for decoder in (_ANSWERS, _QUESTIONS) if awaited else (_QUESTIONS, _ANSWERS):
            size, found = _decoded(decoder, window)
            if found is None or (decoder is _ANSWERS and awaited and not _fits(asked, window)):
                continue
            return (size, found, None) if decoder is _QUESTIONS else (size, None, found)
        return 0, None, None


def _fits(asked: Any, answer: bytes) -> bool:
    """A read's answer has as many bytes as the question implies."""
    if answer[1] not in _READS:
        return True
    return bool(answer[2] == ((asked.count + 7) // 8 if asked.function_code in (1, 2) else 2 * asked.count))


def _decoded(decoder: DecodePDU, window: bytes) -> tuple[int, Any | None]:
    try:
        kind = decoder.lookupPduClass(window)
        size = kind.calculateRtuFrameSize(window) if kind is not None else 0
        if not _SHORTEST <= size <= len(window):
            return 0, None
        if not FramerRTU.check_CRC(window[: size - 2], int.from_bytes(window[size - 2 : size], "big")):
            return 0, None
        found = decoder.decode(window[1 : size - 2])
    except (ModbusException, ValueError, IndexError, struct.error, TypeError, KeyError):
        return 0, None
    if found is not None:
        found.dev_id = window[0]
    return size, found
