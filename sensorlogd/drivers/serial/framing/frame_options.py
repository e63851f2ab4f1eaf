"""The options of binary frames and of blocks: the layout is data, without code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sensorlogd.config.models import Finite, Name, Section, Zone
from sensorlogd.drivers import sentinels
from sensorlogd.drivers.serial.checksums import CHECKSUMS, Checksum, sum_modulo
from sensorlogd.drivers.serial.escapes import Escaped, RegexOfBytes

MAX_FRAME_BYTES = 4096
_TYPES = {
    "u8": 1, "i8": 1, "u16": 2, "i16": 2, "u24": 3, "i24": 3, "u32": 4, "i32": 4, "u48": 6, "u64": 8, "i64": 8, "f32": 4, "f64": 8,
}  # fmt: skip


def number(value: Any) -> Any:
    """An integer; it may be written as 0x3B."""
    if isinstance(value, str):
        try:
            return int(value, 0)
        except ValueError:
            return value
    return value


def _hex_bytes(value: str) -> str:
    text = _hex_pattern(value)
    if "?" in text:
        raise ValueError(f"{value!r}: ? has no place in bytes to send")
    return text


def _hex_pattern(value: str) -> str:
    text = re.sub(r"[\s,_]|0x", "", value)
    if len(text) % 2 or not re.fullmatch(r"[0-9a-fA-F?]*", text):
        raise ValueError(f"{value!r} is not hex bytes; write e.g. 42 4D, with ? for any digit")
    return text.upper()


Int = Annotated[int, BeforeValidator(number)]
HexPattern = Annotated[str, AfterValidator(_hex_pattern)]
HexBytes = Annotated[str, AfterValidator(_hex_bytes)]
ByteOrder = Literal["big", "little"]


def matcher(pattern: str) -> re.Pattern[bytes]:
    """A compiled search for hex digits, of which some may be ``?``."""
    parts = []
    for high, low in zip(pattern[::2], pattern[1::2], strict=True):
        if high == "?" and low == "?":
            parts.append(b"[\\x00-\\xff]")
            continue
        highs = range(16) if high == "?" else [int(high, 16)]
        lows = range(16) if low == "?" else [int(low, 16)]
        members = b"".join(b"\\x%02x" % (h << 4 | x) for h in highs for x in lows)
        parts.append(b"[" + members + b"]")
    return re.compile(b"".join(parts), re.DOTALL)


class Condition(Section):
    """True where the byte at ``at``, and-ed with ``mask``, is ``equals``, one of ``any_of``, or (neither given) not zero."""

    at: Int = Field(ge=-MAX_FRAME_BYTES, le=MAX_FRAME_BYTES)
    mask: Int = Field(0xFF, ge=1, le=0xFF)
    equals: Int | None = Field(None, ge=0, le=0xFF)
    any_of: tuple[Int, ...] | None = None


class Lookup(Section):
    """A factor that another byte selects. A frame with a byte that is not in the table is bad."""

    at: Int = Field(ge=-MAX_FRAME_BYTES, le=MAX_FRAME_BYTES)
    mask: Int = Field(0xFF, ge=1, le=0xFF)
    table: Mapping[Int, Finite]


class FieldOptions(Section):
    """One number in a frame: value = raw * scale * (factor of scale_by) + offset."""

    at: Int = Field(ge=-MAX_FRAME_BYTES, le=MAX_FRAME_BYTES, description="first byte, from 0; negative: from the end")
    type: str = Field("u8", description=f"{', '.join(_TYPES)}, bcd, digits, ascii, hex, lcd7")
    length: Int | None = Field(None, ge=1, le=64, description="bytes, for bcd, digits, ascii, hex and lcd7")
    byte_order: ByteOrder | None = Field(None, description="if it is not that of the frame")
    bits: tuple[Int, Int] | None = Field(None, description="[lowest bit, number of bits] of an unsigned number")
    scale: Finite = 1.0
    offset: Finite = 0.0
    scale_by: tuple[Lookup, ...] | Lookup | None = Field(None, description="a factor, or several, that other bytes select")
    negative_if: Condition | None = None
    missing_if: tuple[Condition, ...] | Condition | None = Field(None, description="the device says that there is no value")
    missing: tuple[sentinels.Number, ...] = Field(
        (), description="raw numbers that mean the same, before scale, as bits or as the type reads them: [0x8000] or [-32768]"
    )
    missing_only: tuple[sentinels.Number, ...] | None = Field(None, description="the same; those of a profile do not count then")
    map: Mapping[Int, Finite] | None = Field(None, description="raw number -> value; a frame with any other is bad")

    @model_validator(mode="after")
    def _known_type(self) -> FieldOptions:
        if self.type not in _TYPES and self.type not in ("bcd", "digits", "ascii", "hex", "lcd7"):
            raise ValueError(f"type: unknown {self.type!r}; known: {', '.join(_TYPES)}, bcd, digits, ascii, hex, lcd7")
        if self.type not in _TYPES and self.length is None:
            raise ValueError(f"type: {self.type} needs length:, the number of bytes")
        if self.bits is not None:
            low, count = self.bits
            if not self.type.startswith("u") or low < 0 or count < 1 or low + count > 8 * _TYPES[self.type]:
                raise ValueError(
                    f"bits: [{low}, {count}] does not fit into {self.type}; write [the lowest bit from 0, how many], of a type u..."
                )
        self.no_value()
        return self

    def no_value(self) -> frozenset[int | float]:
        """The raw numbers that mean "no value"."""
        width = None if self.bits is None else self.bits[1]
        return sentinels.raw_numbers(self.type, sentinels.chosen(self.missing, self.missing_only), width=width)

    def size(self) -> int:
        """The length of the field in bytes."""
        return _TYPES.get(self.type) or self.length or 1


class LengthField(Section):
    """The place where the frame says how long it is: total length = number at ``at`` * ``times`` + ``plus``."""

    at: Int = Field(ge=0, le=64)
    type: Literal["u8", "u16", "u32"] = "u8"
    byte_order: ByteOrder | None = None
    times: Int = Field(1, ge=1, le=8)
    plus: Int = Field(0, ge=-8, le=256, description="bytes that the number does not count: header, itself, checksum ...")

    def size(self) -> int:
        """The length of the length field in bytes."""
        return _TYPES[self.type]


class FrameChecksum(Section):
    """Computed over the bytes [start, stop) of the frame, and found at ``at``."""

    type: str = Field(description=f"one of {', '.join(sorted(CHECKSUMS))}, sum_modulo")
    modulo: Int | None = Field(None, ge=2, le=65536, description="for sum_modulo")
    plus: Int = Field(0, ge=0, le=255, description="for sum_modulo: added afterwards")
    start: Int = Field(0, ge=0, le=MAX_FRAME_BYTES)
    stop: Int | None = Field(
        None, ge=-MAX_FRAME_BYTES, le=MAX_FRAME_BYTES, description="negative: from the end; default: where it stands"
    )
    at: Int | None = Field(None, ge=-MAX_FRAME_BYTES, le=MAX_FRAME_BYTES, description="default: the last bytes before the footer")
    byte_order: ByteOrder | None = None

    @model_validator(mode="after")
    def _known_checksum(self) -> FrameChecksum:
        if self.type == "sum_modulo":
            if self.modulo is None:
                raise ValueError("type: sum_modulo needs modulo:, the number that the sum is divided by, e.g. 256")
        elif self.type not in CHECKSUMS:
            raise ValueError(f"type: unknown checksum {self.type!r}; known: {', '.join(sorted(CHECKSUMS))}, sum_modulo")
        return self

    def checksum(self) -> Checksum:
        """The algorithm."""
        return sum_modulo(self.modulo or 2, self.plus) if self.type == "sum_modulo" else CHECKSUMS[self.type]


class Variant(Section):
    """The fields of frames that fulfil all conditions."""

    when: tuple[Condition, ...] | Condition
    fields: Mapping[Name, FieldOptions]


class FrameFormat(Section):
    """``type: frame``: binary frames."""

    type: Literal["frame"]
    header: HexPattern = Field("", description="first bytes, in hex; ? stands for any digit: 42 4D, AA C?")
    footer: HexPattern = Field("", description="last bytes, in hex")
    length: Literal["silence"] | Int | LengthField | None = Field(
        None,
        description="of the whole frame, header and footer included; 'silence': it ends when nothing follows (polled devices)",
    )
    escape: Literal["none", "slip", "dle", "ppp"] = Field(
        "none",
        description="byte stuffing: slip (RFC 1055), dle (DLE STX ... DLE ETX), ppp (7E ... 7E, 7D escapes; RFC 1662); "
        "everything else here then describes what is inside",
    )
    byte_order: ByteOrder = "big"
    checksum: FrameChecksum | None = None
    fields: Mapping[Name, FieldOptions] = Field(default_factory=dict, description="in every frame")
    variants: tuple[Variant, ...] = Field(
        (), description="more fields, by what kind of frame it is; the first that fits is taken"
    )
    others: Literal["count", "bad"] = Field("count", description="frames that fit no variant: counted as other_frames, or bad")

    @model_validator(mode="after")
    def _findable(self) -> FrameFormat:
        if not self.fields and not self.variants:
            raise ValueError("type: frame needs fields: or variants:")
        if self.escape == "none":
            if self.length is None and not self.footer:
                raise ValueError("type: frame needs length:, a footer: or an escape:, to know where a frame ends")
            if not self.header and not self.footer and self.length != "silence":
                raise ValueError("type: frame needs a header: or a footer:, to know where a frame begins")
        if self.length == "silence" and self.escape != "none":
            raise ValueError(
                "length: silence and escape: exclude each other; what is escaped has an end of its own, leave length: out"
            )
        if isinstance(self.length, int) and not 2 <= self.length <= MAX_FRAME_BYTES:
            raise ValueError(f"length: {self.length} bytes; a frame has between 2 and {MAX_FRAME_BYTES}")
        return self

    def field_names(self) -> list[str]:
        """Every field that a frame may have, in order."""
        names = dict.fromkeys(self.fields)
        for variant in self.variants:
            names |= dict.fromkeys(variant.fields)
        return list(names)


class LineSum(Section):
    """A checksum character at the end of each line of a block (Linky: sum of what precedes it, modulo 64, plus 0x20)."""

    type: Literal["sum_modulo", "xor8", "sum8"] = "sum_modulo"
    modulo: Int = Field(64, ge=2, le=256)
    plus: Int = Field(32, ge=0, le=255)
    with_separator: bool = Field(False, description="the separator before the checksum is covered, too")


class BlockFormat(Section):
    """``type: block``: lines of key and value; a block ends with its checksum, and is taken whole or not at all."""

    type: Literal["block"]
    equals: Escaped = Field(
        "\t", min_length=1, description="between key and value; a value may follow several times (the last counts)"
    )
    last: Escaped | None = Field(
        None, description="key of the line that ends a block; its value is one byte that makes the sum zero"
    )
    begin: Escaped | None = Field(None, description="what begins a block, if no line ends it: \\x02")
    end: Escaped | None = Field(None, description="what ends it: \\x03")
    line_sum: LineSum | None = None
    aside: RegexOfBytes | None = Field(
        None, description="regular expression of records that may come at any moment, and are skipped"
    )
    words: Mapping[str, Finite] = Field(default_factory=dict, description="texts that stand for numbers, e.g. {ON: 1, OFF: 0}")
    missing: tuple[sentinels.Text, ...] = Field((), description="more texts and numbers that mean 'no value'")
    missing_only: tuple[sentinels.Text, ...] | None = Field(None, description="the same, and nothing else")
    max_block: Int = Field(4096, ge=64, le=65536)

    @model_validator(mode="after")
    def _ended(self) -> BlockFormat:
        if (self.last is None) == (self.begin is None):
            found = "neither last: nor begin:" if self.last is None else "both last: and begin:"
            raise ValueError(f"type: block needs either last: (key of the checksum's line) or begin: and end:; it has {found}")
        if self.begin is not None and not self.end:
            raise ValueError(f"type: block with begin: {self.begin!r} needs end:, too, a regular expression of the last line")
        return self


class ObisFormat(Section):
    """``type: obis``: smart-meter telegrams, /...! with a CRC (DSMR P1, IEC 62056-21)."""

    type: Literal["obis"]
    crc: Literal["if_present", "required"] = Field("if_present", description="DSMR 2 and 3 telegrams have none")
    zone: Zone = Field("Europe/Amsterdam", description="of the times at which meters behind the meter were read")
    max_telegram: Int = Field(16384, ge=256, le=65536)
