"""Modbus frames: checksums, lengths and contents. Pure.

MODBUS over Serial Line V1.02 (RTU, ASCII), MODBUS Messaging on TCP/IP V1.0b, MODBUS Application Protocol V1.1b3.
"""

from __future__ import annotations

from dataclasses import dataclass

FUNCTIONS = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
BIT_FUNCTIONS = (1, 2)
READ_FUNCTIONS = (1, 2, 3, 4)
READ_BOTH = 23  # write some registers and read others
MAX_BITS, MAX_REGISTERS = 2000, 125


def _crc_table() -> tuple[int, ...]:
    """CRC-16/MODBUS of each single byte: polynomial 0x8005, reflected 0xA001 (Modbus over serial line V1.02, 6.2.2)."""
    entries = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0xA001 if byte & 1 else 0)
        entries.append(byte)
    return tuple(entries)


_CRC = _crc_table()


def crc(data: bytes) -> bytes:
    """CRC-16/MODBUS as it is sent, low byte first."""
    total = 0xFFFF
    for byte in data:
        total = total >> 8 ^ _CRC[(total ^ byte) & 0xFF]
    return total.to_bytes(2, "little")


def lrc(data: bytes) -> int:
    """The checksum of the ASCII framing."""
    return -sum(data) & 0xFF


@dataclass(frozen=True, slots=True)
class Frame:
    """A question or an answer. ``pdu``: function and data, without unit and checksum."""

    unit: int
    pdu: bytes

    @property
    def function(self) -> int:
        """The function code without the bit that marks an exception."""
        return self.pdu[0] & 0x7F

    @property
    def exception(self) -> int:
        """The code of an exception, else 0."""
        return self.pdu[1] if self.pdu[0] & 0x80 else 0


@dataclass(frozen=True, slots=True)
class Asked(Frame):
    """A question."""

    @property
    def address(self) -> int:
        """The address of the first register or bit, for functions that have one."""
        return int.from_bytes(self.pdu[1:3], "big")

    @property
    def count(self) -> int:
        """The number of registers or bits."""
        return int.from_bytes(self.pdu[3:5], "big")

    def data_bytes(self) -> int | None:
        """How many bytes of data its answer has; None where the question does not say."""
        if self.function in READ_FUNCTIONS:
            return data_bytes(self.function, self.count)
        return 2 * self.count if self.function == READ_BOTH else None


@dataclass(frozen=True, slots=True)
class Answered(Frame):
    """An answer."""

    def values(self) -> list[int]:
        """Of a read: the registers, or the bits as 0 and 1 (whole bytes of them)."""
        return values(self.pdu)


def data_bytes(function: int, count: int) -> int:
    """How many bytes this many registers or bits are."""
    return (count + 7) // 8 if function in BIT_FUNCTIONS else 2 * count


def values(pdu: bytes) -> list[int]:
    """What a read's answer holds; see ``Answered.values``."""
    data = pdu[2:]
    if pdu[0] in BIT_FUNCTIONS:
        return [byte >> bit & 1 for byte in data for bit in range(8)]
    return [data[at] << 8 | data[at + 1] for at in range(0, len(data) - 1, 2)]


# The length of an RTU frame, unit and CRC included, by function: fixed, or (place of the byte that counts, what is added to it).
_QUESTIONS: dict[int, int | tuple[int, int]] = {
    **dict.fromkeys((1, 2, 3, 4, 5, 6, 8), 8), 7: 4, 11: 4, 12: 4, 15: (6, 9), 16: (6, 9), 17: 4, 20: (2, 5), 21: (2, 5),
    22: 10, 23: (10, 13), 24: 6, 43: 7,
}  # fmt: skip
_ANSWERS: dict[int, int | tuple[int, int]] = {
    **dict.fromkeys((1, 2, 3, 4, 12, 17, 20, 21, 23), (2, 5)), 5: 8, 6: 8, 7: 5, 8: 8, 11: 8, 15: 8, 16: 8, 22: 10,
}  # fmt: skip
_FIFO, _IDENTIFICATION = 24, 43


def question_length(window: bytes) -> int:
    """The length of the RTU question at the beginning of ``window``; 0 if there are too few bytes yet, or the function is
    unknown."""
    return _length_by_table(_QUESTIONS, window)


def answer_length(window: bytes) -> int:
    """The same for an answer."""
    if window[1] & 0x80:
        return 5
    if window[1] == _FIFO:
        return int.from_bytes(window[2:4], "big") + 6 if len(window) >= 4 else 0
    if window[1] == _IDENTIFICATION:
        return _identification_length(window)
    return _length_by_table(_ANSWERS, window)


def _length_by_table(lengths: dict[int, int | tuple[int, int]], window: bytes) -> int:
    """The length of the frame at the beginning of ``window``; 0 if its function is not in the table, or the byte that counts has
    not come."""
    found = lengths.get(window[1], 0)
    if isinstance(found, int):
        return found
    place, more = found
    return window[place] + more if len(window) > place else 0


def _identification_length(window: bytes) -> int:
    """Objects of (number, length, text), as many as byte 7 says."""
    if len(window) < 8:
        return 0
    end = 8
    for _ in range(window[7]):
        if len(window) < end + 2:
            return 0
        end += 2 + window[end + 1]
    return end + 2


def is_question(frame: bytes) -> bool:
    """Whether the content of an RTU frame of the right length is a valid question."""
    if frame[1] not in READ_FUNCTIONS:
        return True
    most = MAX_BITS if frame[1] in BIT_FUNCTIONS else MAX_REGISTERS
    return 1 <= int.from_bytes(frame[4:6], "big") <= most


def is_answer(frame: bytes) -> bool:
    """Whether the content of an RTU frame of the right length is a valid answer."""
    if frame[1] in BIT_FUNCTIONS:
        return frame[2] > 0
    return frame[1] not in READ_FUNCTIONS or (frame[2] > 0 and frame[2] % 2 == 0)
