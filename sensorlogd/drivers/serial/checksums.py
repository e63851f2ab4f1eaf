"""Checksums that end a line, by the name their field uses for them. Each gives the text expected, in upper case."""

from __future__ import annotations

import binascii
from collections.abc import Callable
from functools import reduce
from operator import xor


def _xor8(data: bytes) -> str:
    """NMEA 0183: exclusive or of all characters, two hex digits."""
    return f"{reduce(xor, data, 0):02X}"


def _sum8(data: bytes) -> str:
    return f"{sum(data) & 0xFF:02X}"


def _sum8_negated(data: bytes) -> str:
    """Two's complement of the sum: sum and checksum add to zero."""
    return f"{-sum(data) & 0xFF:02X}"


def _sum16(data: bytes) -> str:
    return f"{sum(data) & 0xFFFF:04X}"


def _crc_ccitt(data: bytes) -> str:
    """CRC-16/XMODEM: polynomial 0x1021, start 0 (binascii.crc_hqx)."""
    return f"{binascii.crc_hqx(data, 0):04X}"


CHECKSUMS: dict[str, Callable[[bytes], str]] = {
    "nmea": _xor8,
    "xor8": _xor8,
    "sum8": _sum8,
    "sum8_negated": _sum8_negated,
    "sum16": _sum16,
    "crc16_xmodem": _crc_ccitt,
}
