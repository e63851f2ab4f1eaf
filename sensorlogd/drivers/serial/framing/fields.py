"""From the bytes of one whole frame to named numbers, as described by ``FieldOptions``. Pure."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sensorlogd.batch import Rounded, whole
from sensorlogd.calibration.scaling import divisor
from sensorlogd.drivers.serial.framing.frame_options import Condition, FieldOptions, Lookup, Variant

NUMBER = re.compile(rb"\s*[+-]?\s*(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?\s*")

# Segments of a seven-segment digit as multimeters with an FS9721 send them (bit 7 is the decimal point or the sign).
_SEGMENTS = {0x7D: 0, 0x05: 1, 0x5B: 2, 0x1F: 3, 0x27: 4, 0x3E: 5, 0x7E: 6, 0x15: 7, 0x7F: 8, 0x3F: 9, 0x00: 0}
_SEGMENTS_L = 0x68  # the L of "0L": overload

_FLOATS = {("f32", "big"): ">f", ("f32", "little"): "<f", ("f64", "big"): ">d", ("f64", "little"): "<d"}

Frame = bytes
# The value, NaN for "missing", None where a short frame does not reach so far.
Read = Callable[[Frame], float | None]


class BadFrame(ValueError):
    """The checksum of the frame is right, but its content is not; the text says why."""


def reader(name: str, options: FieldOptions, byte_order: str) -> Read:
    """A function that reads one field. It raises BadFrame for content that the options do not allow."""
    raw = _raw_reader(name, options, options.byte_order or byte_order)
    missing = options.no_value()
    lost = [_condition(condition) for condition in _as_tuple(options.missing_if)]
    factors = [_lookup(name, lookup) for lookup in _as_tuple(options.scale_by)]
    negative = _condition(options.negative_if) if options.negative_if else None
    table, scale, offset = options.map, options.scale, options.offset
    by = divisor(scale)

    def read(frame: Frame) -> float | None:
        """The value of the field; NaN for "no value", None where the frame does not reach so far."""
        found = raw(frame)
        if found is None:
            return None
        if found in missing or any(is_lost(frame) for is_lost in lost):
            return math.nan
        if table is not None:
            if found not in table and not math.isnan(found):
                raise BadFrame(f"{name}: {found:g} is not in its map")
            found = found if math.isnan(found) else table[int(found)]
        kind = Rounded if type(found) is int and type(whole(found)) is Rounded else float
        value = found * scale if by is None else found / by
        for factor in factors:
            value = factor(frame, value)
        if negative is not None and negative(frame):
            value = -value
        value += offset
        return kind(value) if math.isfinite(value) else math.nan

    return read


def variants(options: Iterable[Variant], byte_order: str) -> list[tuple[Callable[[Frame], bool], dict[str, Read]]]:
    """For each variant: whether a frame is of that kind, and the readers of its fields."""
    return [
        (_all_fulfilled([_condition(condition) for condition in _as_tuple(variant.when)]), readers(variant.fields, byte_order))
        for variant in options
    ]


def readers(fields: Mapping[str, FieldOptions], byte_order: str) -> dict[str, Read]:
    """One reader for each field."""
    return {name: reader(name, options, byte_order) for name, options in fields.items()}


def _as_tuple(entry: Any) -> tuple[Any, ...]:
    return () if entry is None else entry if isinstance(entry, tuple) else (entry,)


def _all_fulfilled(conditions: list[Callable[[Frame], bool]]) -> Callable[[Frame], bool]:
    return lambda frame: all(condition(frame) for condition in conditions)


def _condition(options: Condition) -> Callable[[Frame], bool]:
    """A function that tells whether a frame fulfils the condition; one that does not reach so far does not."""
    index, mask = options.at, options.mask
    wanted = None
    if options.any_of is not None:
        wanted = frozenset(options.any_of)
    elif options.equals is not None:
        wanted = frozenset((options.equals,))

    def fulfilled(frame: Frame) -> bool:
        if not -len(frame) <= index < len(frame):
            return False
        found = frame[index] & mask
        return found != 0 if wanted is None else found in wanted

    return fulfilled


def _lookup(name: str, options: Lookup) -> Callable[[Frame, float], float]:
    """A function that scales a value by the factor that a byte of the frame selects. It raises BadFrame for a byte that is not in
    the table, or not in the frame."""
    index, mask = options.at, options.mask
    table = {raw: (factor, divisor(factor)) for raw, factor in options.table.items()}

    def scaled(frame: Frame, value: float) -> float:
        if not -len(frame) <= index < len(frame):
            raise BadFrame(f"{name}: the frame has no byte {index}")
        found = frame[index] & mask
        if found not in table:
            raise BadFrame(f"{name}: {found:#x} in byte {index} is not in its table")
        factor, by = table[found]
        return value * factor if by is None else value / by

    return scaled


def _raw_reader(name: str, options: FieldOptions, byte_order: str) -> Read:
    """A function that reads the number of a field before any scale. It raises BadFrame for bytes that are no number of the
    field's type and do not mean "no value"."""
    index, size, kind = options.at, options.size(), options.type
    if kind == "lcd7":
        size *= 2

    def cut(frame: Frame) -> bytes | None:
        start = index if index >= 0 else len(frame) + index
        return frame[start : start + size] if start >= 0 and start + size <= len(frame) else None

    convert = _converter(name, options, byte_order)
    of_bits = options.no_value() if kind in ("bcd", "digits", "lcd7") else ()  # FF FF is no digits, and may be no value

    def raw(frame: Frame) -> float | None:
        piece = cut(frame)
        try:
            return None if piece is None else convert(piece)
        except BadFrame:
            if int.from_bytes(piece or b"", "big") in of_bits:
                return math.nan
            raise

    return raw


def _converter(name: str, options: FieldOptions, byte_order: str) -> Callable[[bytes], float]:
    """A function that makes a number of the bytes of one field. It raises BadFrame where they are none."""
    kind = options.type
    if (kind, byte_order) in _FLOATS:
        unpack = struct.Struct(_FLOATS[kind, byte_order]).unpack
        return lambda piece: float(unpack(piece)[0])
    if kind[0] in "ui" and kind[1:].isdigit():
        signed = kind[0] == "i"
        if options.bits is None:
            return lambda piece: int.from_bytes(piece, byte_order, signed=signed)  # type: ignore[arg-type]
        low, count = options.bits
        mask = (1 << count) - 1
        return lambda piece: int.from_bytes(piece, byte_order) >> low & mask  # type: ignore[arg-type]
    by_kind = {"bcd": _bcd, "digits": _digits, "ascii": _ascii, "hex": _hex, "lcd7": _lcd7}[kind]

    def convert(piece: bytes) -> float:
        try:
            return by_kind(piece[::-1] if kind == "bcd" and byte_order == "little" else piece)
        except ValueError as error:
            raise BadFrame(f"{name}: {error}") from None

    return convert


def _bcd(piece: bytes) -> float:
    text = piece.hex()
    if not text.isdigit():
        raise ValueError(f"{text} is not BCD")
    return int(text)


def _digits(piece: bytes) -> float:
    """The decimal digits in the low halves of the bytes."""
    total = 0
    for byte in piece:
        if byte & 0x0F > 9:
            raise ValueError(f"{piece.hex(' ')} are not digits")
        total = total * 10 + (byte & 0x0F)
    return total


def _ascii(piece: bytes) -> float:
    """A decimal number in text; NaN for blanks. Raises ValueError."""
    if not piece.strip():
        return math.nan
    if not NUMBER.fullmatch(piece):
        raise ValueError(f"{piece!r} is not a number")
    return float(piece.replace(b" ", b""))


def _hex(piece: bytes) -> float:
    """A hexadecimal number in text; NaN for blanks. Raises ValueError."""
    text = piece.strip()
    if not text:
        return math.nan
    if not all(byte in b"0123456789abcdefABCDEF" for byte in text):
        raise ValueError(f"{piece!r} is not hex")
    return int(text, 16)


def _lcd7(piece: bytes) -> float:
    """The digits of a display; each has two bytes, whose low halves are the high and the low half of its segments."""
    total, point, sign = 0, None, 1
    count = len(piece) // 2
    for index in range(count):
        segments = (piece[2 * index] & 0x0F) << 4 | (piece[2 * index + 1] & 0x0F)
        if segments & 0x80:
            if index == 0:
                sign = -1
            else:
                point = count - index
        segments &= 0x7F
        if segments == _SEGMENTS_L:
            return math.nan
        if segments not in _SEGMENTS:
            raise ValueError(f"{segments:#x} is not a digit of the display")
        total = total * 10 + _SEGMENTS[segments]
    return float(sign * total / 10 ** (point or 0))
