"""Questions and answers as bytes. PDUs and the three framings are pymodbus'; finding an answer in a noisy line is ours.

Modbus over serial line V1.02 (RTU, ASCII), Modbus messaging on TCP/IP V1.0b, Modbus application protocol V1.1b3.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from typing import Any

from pymodbus.exceptions import ModbusException
from pymodbus.framer import FramerAscii, FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

# It tells of every frame for another unit as an error; what matters here is counted by the driver.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)

_REQUESTS = {
    "coil": ReadCoilsRequest,
    "discrete": ReadDiscreteInputsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}
_FRAMERS = {"rtu": FramerRTU, "ascii": FramerAscii, "tcp": FramerSocket}
LONGEST = 600  # bytes of one answer in any framing
EXCEPTIONS = {1: "illegal function", 2: "illegal data address", 3: "illegal data value", 4: "device failure", 6: "device busy"}


class Codec:
    """One direction of one line: requests out, responses in."""

    def __init__(self, framing: str) -> None:
        self.framing = framing
        self._framer = _FRAMERS[framing](DecodePDU(False))
        self._transaction = 0

    def read_request(self, unit: int, function: str, address: int, count: int) -> tuple[bytes, Any]:
        """The bytes of a question, and the question."""
        self._transaction = self._transaction % 65535 + 1
        request = _REQUESTS[function](dev_id=unit, transaction_id=self._transaction, address=address, count=count)
        return self._framer.buildFrame(request), request

    def response(self, buffer: bytes, request: Any) -> Any | None:
        """The answer to ``request`` somewhere in ``buffer``; None while there is none. Never raises.

        RTU has no start mark: every place where unit and function stand is tried, so noise before the answer does no harm.
        """
        unit, function = request.dev_id, request.function_code
        for start in self._starts(buffer, unit, function):
            try:
                _, found = self._framer.handleFrame(buffer[start:], unit, request.transaction_id if self.framing == "tcp" else 0)
            except (ModbusException, ValueError, IndexError, struct.error, TypeError):
                continue
            if found is not None and found.function_code & 0x7F == function and (unit == 0 or found.dev_id == unit):
                return found
        return None

    def _starts(self, buffer: bytes, unit: int, function: int) -> Iterator[int]:
        if self.framing != "rtu":
            yield 0
            return
        for at in range(len(buffer) - 3):
            if buffer[at] == unit and buffer[at + 1] & 0x7F == function:
                yield at


class Sniffer:
    """A bus on which somebody else asks: ``feed`` gives the frames whose CRC is right, as (request or None, response or None).

    Requests and responses look alike; what a frame is follows from its CRC and from what came before it.
    """

    LONGEST = 260

    def __init__(self) -> None:
        self._server, self._client = DecodePDU(True), DecodePDU(False)
        self._buffer = b""
        self._asked: Any = None
        self.skipped = 0

    def feed(self, data: bytes, *, end: bool = False) -> Iterator[tuple[Any | None, Any | None]]:
        """``end``: nothing more will come, what is incomplete is given up."""
        self._buffer += data
        while len(self._buffer) >= 4:
            size, request, response = self._frame()
            if size:
                self._buffer = self._buffer[size:]
                if response is not None:
                    asked, self._asked = self._asked, None
                    yield asked, response
                else:
                    self._asked = request
                    yield request, None
            elif len(self._buffer) >= self.LONGEST or end:
                self._buffer = self._buffer[1:]
                self.skipped += 1
            else:
                return

    def _frame(self) -> tuple[int, Any | None, Any | None]:
        asked = self._asked
        answers = asked is not None and asked.dev_id == self._buffer[0] and asked.function_code == self._buffer[1] & 0x7F
        for decoder in (self._client, self._server) if answers else (self._server, self._client):
            try:
                kind = decoder.lookupPduClass(self._buffer)
                size = kind.calculateRtuFrameSize(self._buffer) if kind is not None else 0
                if not size or len(self._buffer) < size:
                    continue
                frame = self._buffer[:size]
                if not FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")):
                    continue
                found = decoder.decode(frame[1:-2])
            except (ModbusException, ValueError, IndexError, struct.error, TypeError):
                continue
            if found is not None:
                found.dev_id = frame[0]
                return (size, found, None) if decoder is self._server else (size, None, found)
        return 0, None, None
