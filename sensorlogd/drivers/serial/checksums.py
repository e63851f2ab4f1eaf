"""Checksums by the name their field uses for them.

CRCs are computed by ``crccheck`` (its class names follow the catalogue of parametrised CRC algorithms), but for the two
that the standard library has in C. Check values over ``123456789`` are in the tests.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce
from operator import xor


@dataclass(frozen=True, slots=True)
class Checksum:
    """``compute`` gives a number of ``width`` bytes over the covered bytes."""

    width: int
    compute: Callable[[bytes], int]
    summary: str

    def text(self, data: bytes) -> str:
        """As lines carry it: upper-case hex."""
        return f"{self.compute(data):0{2 * self.width}X}"


@cache
def _crc_class(name: str) -> Callable[[bytes], int]:
    from crccheck import crc

    compute: Callable[[bytes], int] = getattr(crc, name).calc
    return compute


def _crc(name: str) -> Callable[[bytes], int]:
    return lambda data: _crc_class(name)(data)


def _xor8(data: bytes) -> int:
    return reduce(xor, data, 0)


def _fletcher8(data: bytes) -> int:
    """RFC 1146's 8-bit Fletcher sum, first sum in the first byte: u-blox protocol specification, UBX checksum."""
    a = b = 0
    for byte in data:
        a = (a + byte) & 0xFF
        b = (b + a) & 0xFF
    return a << 8 | b


CHECKSUMS: dict[str, Checksum] = {
    "nmea": Checksum(1, _xor8, "NMEA 0183: exclusive or of all characters"),
    "xor8": Checksum(1, _xor8, "exclusive or"),
    "sum8": Checksum(1, lambda data: sum(data) & 0xFF, "sum, lowest byte"),
    "sum8_negated": Checksum(1, lambda data: -sum(data) & 0xFF, "two's complement of the sum: both add to zero"),
    "sum8_inverted": Checksum(1, lambda data: ~sum(data) & 0xFF, "one's complement of the sum"),
    "sum16": Checksum(2, lambda data: sum(data) & 0xFFFF, "sum, lowest two bytes"),
    "fletcher8": Checksum(2, _fletcher8, "8-bit Fletcher, as in UBX"),
    "crc8": Checksum(1, _crc("Crc8"), "CRC-8/SMBUS, polynomial 0x07"),
    "crc8_maxim": Checksum(1, _crc("Crc8Maxim"), "CRC-8/MAXIM-DOW, as in 1-Wire"),
    "crc16_arc": Checksum(2, _crc("CrcArc"), "CRC-16/ARC, as in DSMR P1"),
    "crc16_modbus": Checksum(2, _crc("CrcModbus"), "CRC-16/MODBUS"),
    "crc16_xmodem": Checksum(2, lambda data: binascii.crc_hqx(data, 0), "CRC-16/XMODEM, polynomial 0x1021, start 0"),
    "crc16_ccitt": Checksum(2, lambda data: binascii.crc_hqx(data, 0xFFFF), "CRC-16/IBM-3740 (CCITT-FALSE), start 0xFFFF"),
    "crc16_kermit": Checksum(2, _crc("CrcKermit"), "CRC-16/KERMIT (CCITT-TRUE)"),
    "crc16_x25": Checksum(2, _crc("CrcX25"), "CRC-16/IBM-SDLC (X.25), as in HDLC"),
}


def sum_modulo(modulo: int, plus: int = 0) -> Checksum:
    """The sum modulo ``modulo``, plus a constant (that brings it into printable characters)."""
    return Checksum(1 if modulo + plus <= 256 else 2, lambda data: sum(data) % modulo + plus, f"sum modulo {modulo}")
