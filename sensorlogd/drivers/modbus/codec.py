"""Questions and answers as bytes: PDUs, CRC and LRC are pymodbus'; finding the answer in a noisy line is done here.

pymodbus takes the first thing that might be a frame for one, and throws away all that has arrived when its CRC is wrong.
Here an answer is what has the unit, the function, the length and the checksum that the question implies, wherever it begins.

MODBUS over Serial Line V1.02 (RTU, ASCII), MODBUS Messaging on TCP/IP V1.0b, MODBUS Application Protocol V1.1b3.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pymodbus.framer import FramerAscii, FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)  # whatever it rejects is counted by the driver

Framing = Literal["rtu", "ascii", "tcp"]
FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_REQUESTS = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_FRAMERS = {"rtu": FramerRTU, "ascii": FramerAscii, "tcp": FramerSocket}
_ANSWERS = DecodePDU(is_server=False)
_ASCII = re.compile(rb":((?:[0-9A-Fa-f]{2}){3,256})\r?\n")
_LONGEST = 600  # bytes of an answer in any framing


@dataclass(frozen=True, slots=True)
class Request:
    """One question. ``transaction`` is what its answer carries, too (TCP only). ``sent``: its bytes."""

    framing: Framing
    unit: int
    function: int
    count: int
    transaction: int
    sent: bytes

    def data_bytes(self) -> int:
        """How many bytes of data the answer has."""
        return (self.count + 7) // 8 if self.function in (1, 2) else 2 * self.count


@dataclass(frozen=True, slots=True)
class Answer:
    """``values``: the registers, or the bits as 0 and 1, as many as were asked for; or an ``exception`` code, else 0."""

    values: Sequence[int]
    exception: int = 0


def request(framing: Framing, unit: int, function: str, address: int, count: int, transaction: int = 0) -> Request:
    """A question ready to be sent."""
    pdu = _REQUESTS[function](dev_id=unit, transaction_id=transaction, address=address, count=count)
    return Request(framing, unit, pdu.function_code, count, transaction, _FRAMERS[framing](_ANSWERS).buildFrame(pdu))


class Awaited:
    """The answer to one question, in what arrives after it.

    ``damaged``: something arrived that began as the answer would, but whose checksum is wrong.
    """

    def __init__(self, asked: Request) -> None:
        self.asked = asked
        self.damaged = False
        self._buffer = b""
        self._find = {"rtu": self._in_rtu, "ascii": self._in_ascii, "tcp": self._in_tcp}[asked.framing]

    def feed(self, data: bytes) -> Answer | None:
        """The answer, once it is complete. Never raises."""
        self._buffer += data
        for pdu in self._find():
            answer = self._answer(pdu)
            if answer is not None:
                return answer
        return None

    def incomplete(self) -> bool:
        """Whether what arrived last could be the beginning of the answer."""
        asked = self.asked
        if asked.framing == "rtu":
            return self._rtu_head() in self._buffer
        return asked.framing == "ascii" and b":%02X" % asked.unit in self._buffer.upper()

    def _rtu_head(self) -> bytes:
        return bytes((self.asked.unit, self.asked.function, self.asked.data_bytes()))

    def _answer(self, pdu: bytes) -> Answer | None:
        asked = self.asked
        if len(pdu) == 2 and pdu[0] == asked.function | 0x80:
            return Answer((), pdu[1])
        size = asked.data_bytes()
        if len(pdu) != 2 + size or pdu[0] != asked.function or pdu[1] != size:
            return None
        decoded = _ANSWERS.decode(pdu)
        if decoded is None:
            return None
        values = [int(bit) for bit in decoded.bits] if asked.function in (1, 2) else list(decoded.registers)
        return Answer(values[: asked.count])

    def _in_rtu(self) -> Iterator[bytes]:
        """RTU has no start mark: an answer may begin wherever unit and function stand; its length is known."""
        buffer = self._buffer
        head, failed = self._rtu_head(), bytes((self.asked.unit, self.asked.function | 0x80))
        undecided = max(len(buffer) - 2, 0)
        for start in range(len(buffer) - 2):
            good = buffer.startswith(head, start)
            if not good and not buffer.startswith(failed, start):
                continue
            end = start + 3 + (head[2] if good else 0)
            if len(buffer) < end + 2:
                undecided = min(undecided, start)
            elif FramerRTU.check_CRC(buffer[start:end], int.from_bytes(buffer[end : end + 2], "big")):
                yield buffer[start + 1 : end]
            elif good:
                self.damaged = True
        self._buffer = buffer[undecided:]

    def _in_ascii(self) -> Iterator[bytes]:
        for frame in _ASCII.finditer(self._buffer):
            content = bytes.fromhex(frame[1].decode())
            if content[0] != self.asked.unit:
                continue
            if FramerAscii.check_LRC(content[:-1], content[-1]):
                yield content[1:-1]
            else:
                self.damaged = True
        self._buffer = self._buffer[self._buffer.rfind(b"\n") + 1 :][-_LONGEST:]

    def _in_tcp(self) -> Iterator[bytes]:
        """The number of the question, and a length that fits; some devices do not repeat the unit."""
        start = -1
        while (start := self._buffer.find(self.asked.transaction.to_bytes(2, "big") + b"\0\0", start + 1)) >= 0:
            length = int.from_bytes(self._buffer[start + 4 : start + 6], "big")
            frame = self._buffer[start + 6 : start + 6 + length]
            if length in (3, 3 + self.asked.data_bytes()) and len(frame) == length:
                yield frame[1:]
        self._buffer = self._buffer[-_LONGEST:]
