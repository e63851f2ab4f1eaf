"""The checksum algorithms, by their names in configurations.

Noise that looks like frames costs a checksum each, so these are as fast as Python can be: by C where there is something in C,
else by a table for two bytes at once. Check values over ``123456789`` (catalogue of parametrised CRC algorithms) are in the tests.
"""

from __future__ import annotations

import binascii
import struct
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import accumulate

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # each byte with its bits in the other order


@dataclass(frozen=True, slots=True)
class Checksum:
    """One algorithm. ``compute`` returns a number of ``width`` bytes for the covered bytes."""

    width: int
    compute: Callable[[bytes], int]
    summary: str

    def text(self, data: bytes) -> str:
        """The checksum as lines carry it: in upper-case hexadecimal digits."""
        return f"{self.compute(data):0{2 * self.width}X}"


def _stepped(polynomial: int, width: int, value: int) -> int:
    """A mirrored CRC of ``value`` after ``width`` zero bits."""
    for _ in range(width):
        value = value >> 1 ^ (polynomial if value & 1 else 0)
    return value


@cache
def _crc_table(polynomial: int, width: int) -> array[int]:
    """What each number of ``width`` bits adds to a mirrored CRC."""
    code = "B" if width == 8 else "H"
    bits = [_stepped(polynomial, width, 1 << bit) for bit in range(width)]
    table = array(code, [0])
    for bit in range(width):  # linear: what a number gives is what its bits give
        table.extend(array(code, [value ^ bits[bit] for value in table]))
    return table


def _mirrored16(polynomial: int, start: int) -> Callable[[bytes], int]:
    """A CRC of 16 bits, least significant bit first; ``polynomial`` mirrored, too."""

    def compute(data: bytes) -> int:
        table, crc, pairs = _crc_table(polynomial, 16), start, len(data) // 2
        for pair in struct.unpack_from(f"<{pairs}H", data):
            crc = table[crc ^ pair]
        return _stepped(polynomial, 8, crc ^ data[-1]) if len(data) % 2 else crc

    return compute


def _crc8(polynomial: int, data: bytes) -> int:
    """Least significant bit first, from 0."""
    table, crc = _crc_table(polynomial, 8), 0
    for byte in data:
        crc = table[crc ^ byte]
    return crc


def _mirrored_ccitt(start: int, flip: int) -> Callable[[bytes], int]:
    """The standard library has this polynomial for the other order of bits."""

    def compute(data: bytes) -> int:
        crc = binascii.crc_hqx(data.translate(_MIRRORED), start)
        return (_MIRRORED[crc & 0xFF] << 8 | _MIRRORED[crc >> 8]) ^ flip

    return compute


def _xor8(data: bytes) -> int:
    """Folded in halves, as one large number."""
    number, size = int.from_bytes(data, "big"), len(data)
    while size > 1:
        half = (size + 1) // 2
        number = number >> 8 * half ^ (number & ((1 << 8 * half) - 1))
        size = half
    return number


def _fletcher8(data: bytes) -> int:
    """RFC 1146's 8-bit Fletcher sum, first sum in the first byte: u-blox protocol specification, UBX checksum."""
    return (sum(data) & 0xFF) << 8 | sum(accumulate(data)) & 0xFF


CHECKSUMS: dict[str, Checksum] = {
    "nmea": Checksum(1, _xor8, "NMEA 0183: exclusive or of all characters"),
    "xor8": Checksum(1, _xor8, "exclusive or"),
    "sum8": Checksum(1, lambda data: sum(data) & 0xFF, "sum, lowest byte"),
    "sum8_negated": Checksum(1, lambda data: -sum(data) & 0xFF, "two's complement of the sum: both add to zero"),
    "sum8_inverted": Checksum(1, lambda data: ~sum(data) & 0xFF, "one's complement of the sum"),
    "sum16": Checksum(2, lambda data: sum(data) & 0xFFFF, "sum, lowest two bytes"),
    "fletcher8": Checksum(2, _fletcher8, "8-bit Fletcher, as in UBX"),
    "crc8": Checksum(1, lambda data: _MIRRORED[_crc8(0xE0, data.translate(_MIRRORED))], "CRC-8/SMBUS, polynomial 0x07"),
    "crc8_maxim": Checksum(1, lambda data: _crc8(0x8C, data), "CRC-8/MAXIM-DOW, as in 1-Wire"),
    "crc16_arc": Checksum(2, _mirrored16(0xA001, 0), "CRC-16/ARC, as in DSMR P1"),
    "crc16_modbus": Checksum(2, _mirrored16(0xA001, 0xFFFF), "CRC-16/MODBUS"),
    "crc16_xmodem": Checksum(2, lambda data: binascii.crc_hqx(data, 0), "CRC-16/XMODEM, polynomial 0x1021, start 0"),
    "crc16_ccitt": Checksum(2, lambda data: binascii.crc_hqx(data, 0xFFFF), "CRC-16/IBM-3740 (CCITT-FALSE), start 0xFFFF"),
    "crc16_kermit": Checksum(2, _mirrored_ccitt(0, 0), "CRC-16/KERMIT (CCITT-TRUE)"),
    "crc16_x25": Checksum(2, _mirrored_ccitt(0xFFFF, 0xFFFF), "CRC-16/IBM-SDLC (X.25), as in HDLC"),
}


def sum_modulo(modulo: int, plus: int = 0) -> Checksum:
    """The sum modulo ``modulo``, plus a constant (that brings it into printable characters)."""
    return Checksum(1 if modulo + plus <= 256 else 2, lambda data: sum(data) % modulo + plus, f"sum modulo {modulo}")
