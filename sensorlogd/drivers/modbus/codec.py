"""Questions as bytes, and the answer to one in a noisy line: what has the unit, the function, the length and the checksum (in
TCP the number) that the question implies, wherever it begins."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sensorlogd.drivers.modbus.frames import FUNCTIONS as FUNCTIONS
from sensorlogd.drivers.modbus.frames import READ_FUNCTIONS, crc, data_bytes, lrc, values
from sensorlogd.drivers.transactions import Awaited

Framing = Literal["rtu", "ascii", "tcp"]
_ASCII = re.compile(rb":((?:[0-9A-Fa-f]{2}){3,256})\r?\n")
_MAX_ANSWER_BYTES = 600  # bytes of an answer in any framing
_HEADER = 6  # of TCP, up to the length
_ANY_UNIT = (0, 255)  # the device itself, which may have another number of its own


@dataclass(frozen=True, slots=True)
class Request:
    """One question. ``transaction``: its number, which the answer repeats (TCP only). ``sent``: its bytes."""

    framing: Framing
    unit: int
    function: int
    count: int
    transaction: int
    sent: bytes

    def data_bytes(self) -> int:
        """How many bytes of data the answer has."""
        return data_bytes(self.function, self.count)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a unit has answered. ``values``: the registers, or the bits as 0 and 1, as many as were requested. ``exception``: the
    code of an exception, else 0."""

    values: Sequence[int]
    exception: int = 0


def request(framing: Framing, unit: int, function: str, address: int, count: int, transaction: int = 0) -> Request:
    """The question with its bytes."""
    code = FUNCTIONS[function]
    body = struct.pack(">BBHH", unit, code, address, count)
    if framing == "tcp":
        sent = struct.pack(">HHH", transaction, 0, len(body)) + body
    elif framing == "ascii":
        sent = b":%s%02X\r\n" % (body.hex().upper().encode(), lrc(body))
    else:
        sent = body + crc(body)
    return Request(framing, unit, code, count, transaction, sent)


class AwaitedResponse:
    """Finds the answer to one question among the bytes that arrive after it; see ``drivers.transactions.Awaited``."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.damaged = False
        self._buffer = b""
        self._seen = b""
        self._find = {"rtu": self._find_in_rtu, "ascii": self._find_in_ascii, "tcp": self._find_in_tcp}[request.framing]

    def feed(self, data: bytes, now_us: int = 0) -> Answer | None:
        """The answer, once it is complete. Never raises."""
        self._buffer += data
        self._seen = (self._seen + data)[-_MAX_ANSWER_BYTES:]
        for end, pdu in self._find():
            answer = self._parse_pdu(pdu)
            if answer is not None:
                self._buffer = self._buffer[end:]
                return answer
        return None

    def begun(self) -> bool:
        """Whether what arrived last could be the beginning of the answer."""
        request = self.request
        if request.framing == "rtu":
            return self._rtu_beginning() in self._buffer
        return request.framing == "ascii" and b":%02X" % request.unit in self._buffer.upper()

    def like(self, other: Awaited) -> bool:
        """Whether one answer could be taken for the other: answers (and exceptions) of one unit to one function could. TCP
        answers are numbered."""
        if not isinstance(other, AwaitedResponse):
            return True
        mine, theirs = self.request, other.request
        if "tcp" in (mine.framing, theirs.framing):
            return mine.framing == theirs.framing and mine.transaction == theirs.transaction
        return (mine.unit, mine.function) == (theirs.unit, theirs.function)

    def fresh(self) -> AwaitedResponse:
        """See ``Awaited``. The question is the same, and so is the number of its transaction."""
        return AwaitedResponse(self.request)

    @property
    def foreign(self) -> int:
        """How many whole answers of other units, or to other questions, were among the last bytes (RTU and ASCII; over TCP, late
        ones)."""
        request = self.request
        if request.framing == "tcp":
            return 0
        passed = list(_rtu_answers(self._seen) if request.framing == "rtu" else _ascii_answers(self._seen))
        return sum(frame[0] != request.unit or self._parse_pdu(frame[1:]) is None for frame in passed)

    def _rtu_beginning(self) -> bytes:
        return bytes((self.request.unit, self.request.function, self.request.data_bytes()))

    def _parse_pdu(self, pdu: bytes) -> Answer | None:
        """The answer in a PDU; None if it is none to this question."""
        request = self.request
        if len(pdu) == 2 and pdu[0] == request.function | 0x80:
            return Answer((), pdu[1])
        size = request.data_bytes()
        if len(pdu) != 2 + size or pdu[0] != request.function or pdu[1] != size:
            return None
        return Answer(values(pdu)[: request.count])

    def _find_in_rtu(self) -> Iterator[tuple[int, bytes]]:
        """(place after the frame, PDU) of each possible answer in RTU bytes. RTU has no start mark, so an answer may begin
        wherever unit and function match; its length is known."""
        buffer = self._buffer
        head, failed = self._rtu_beginning(), bytes((self.request.unit, self.request.function | 0x80))
        undecided = max(len(buffer) - 2, 0)
        for start in range(len(buffer) - 2):
            good = buffer.startswith(head, start)
            if not good and not buffer.startswith(failed, start):
                continue
            end = start + 3 + (head[2] if good else 0)
            if len(buffer) < end + 2:
                undecided = min(undecided, start)
            elif crc(buffer[start:end]) == buffer[end : end + 2]:
                yield end + 2, buffer[start + 1 : end]
            elif good:
                self.damaged = True
        self._buffer = buffer[undecided:]

    def _find_in_ascii(self) -> Iterator[tuple[int, bytes]]:
        """(place after the frame, PDU) of each possible answer in the ASCII framing."""
        for frame in _ASCII.finditer(self._buffer):
            content = bytes.fromhex(frame[1].decode())
            if content[0] != self.request.unit:
                continue
            if lrc(content[:-1]) == content[-1]:
                yield frame.end(), content[1:-1]
            else:
                self.damaged = True
        self._buffer = self._buffer[self._buffer.rfind(b"\n") + 1 :][-_MAX_ANSWER_BYTES:]

    def _find_in_tcp(self) -> Iterator[tuple[int, bytes]]:
        """(place after the frame, PDU) of each possible answer in TCP bytes: number of the question, unit, and a length that
        fits. Some devices answer with unit 0 or 255."""
        start = -1
        while (start := self._buffer.find(self.request.transaction.to_bytes(2, "big") + b"\0\0", start + 1)) >= 0:
            length = int.from_bytes(self._buffer[start + 4 : start + _HEADER], "big")
            frame = self._buffer[start + _HEADER : start + _HEADER + length]
            right = self.request.unit in _ANY_UNIT or frame[:1] in (bytes((self.request.unit,)), b"\0", b"\xff")
            if length in (3, 3 + self.request.data_bytes()) and len(frame) == length and right:
                yield start + _HEADER + length, frame[1:]
        self._buffer = self._buffer[-_MAX_ANSWER_BYTES:]


def _rtu_answers(data: bytes) -> Iterator[bytes]:
    """Unit and PDU of every answer to a read, and of every exception to one, whose CRC is right."""
    start = 0
    while start < len(data) - 4:
        function, size = data[start + 1], data[start + 2]
        end = start + 3 + (0 if function & 0x80 else size)
        if function & 0x7F in READ_FUNCTIONS and end + 2 <= len(data) and crc(data[start:end]) == data[end : end + 2]:
            yield data[start:end]
            start = end + 2
        else:
            start += 1


def _ascii_answers(data: bytes) -> Iterator[bytes]:
    """The same for the ASCII framing."""
    for frame in _ASCII.finditer(data):
        content = bytes.fromhex(frame[1].decode())
        if lrc(content[:-1]) == content[-1] and content[1] & 0x7F in READ_FUNCTIONS:
            yield content[:-1]
