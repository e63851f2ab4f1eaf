"""Formats by chance, and bytes that a device with such a format would send; for the laws that hold of every decoder."""

from __future__ import annotations

import random
from typing import Any

from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.framing.frame_options import BlockFormat, FrameFormat, ObisFormat
from sensorlogd.drivers.serial.options import SerialOptions

TERMINATORS = (r"\n", r"\n", r"\r", r"\r\n", "any", ";", r"\x03\x04", "silence")
SEPARATORS = (",", ";", "whitespace", r"\t", "|", "::")
PATTERNS = (
    r"(?P<a>[+-]?[0-9.]+) *(?P<b>[0-9]*)", r"^T=(?P<a>-?[\d.]+)", r"(?P<a>\d+)/(?P<b>\d+)", r"^(?P<a>(?:\d+\.?)+) *C$", r"(?P<a>.+),(?P<b>.*)",
)  # fmt: skip
SUMS = sorted(CHECKSUMS)
NUMBERS = ("u8", "i8", "u16", "i16", "u24", "u32", "i32")


def options(chosen: dict[str, Any]) -> SerialOptions:
    """Raises ValidationError for what does not go together."""
    return SerialOptions.model_validate({"driver": "serial", "port": "/dev/x", "heartbeat": "10s", **chosen})


def lines(rng: random.Random) -> dict[str, Any]:
    """Keys of a sensor that sends lines."""
    kind = rng.choice(("csv", "csv", "csv", "keyvalue", "json", "regex"))
    chosen: dict[str, Any] = {"terminator": rng.choice(TERMINATORS), "max_line": rng.choice((16, 40, 4096))}
    form: dict[str, Any] = {"type": kind}
    if kind == "csv":
        form |= {"fields": rng.choice((["a"], ["a", "b"], ["a", None, "b"])), "separator": rng.choice(SEPARATORS)}
        if rng.random() < 0.3:
            form |= rng.choice(
                ({"extra_fields": True}, {"bad_fields": "skip"}, {"prefix": "T:"}, {"comment": "#"}, {"words": {"ON": 1}})
            )
    elif kind == "regex":
        form["pattern"] = rng.choice(PATTERNS)
    else:
        chosen["channels"] = {"a": {}, "b": {}}
    if rng.random() < 0.15:
        start = rng.choice(("", "$")) if kind == "csv" else ""
        chosen["checksum"] = {
            "type": rng.choice(("nmea", "sum8", "crc16_xmodem")),
            "start": start,
            "required": rng.random() < 0.5,
        }
        if kind == "csv":
            form["prefix"] = start
    return chosen | {"format": form}


def frames(rng: random.Random) -> dict[str, Any]:
    """Keys of a sensor that sends frames."""
    escape = rng.choice(("none", "none", "none", "slip", "ppp", "dle"))
    ends = rng.choice(("fixed", "field", "footer", "silence") if escape == "none" else ("", "fixed", "field"))
    header = (
        rng.choice(("AA", "AA 55", "42 4D", "A? C0", "02"))
        if escape == "none" and (ends != "footer" or rng.random() < 0.5)
        else ""
    )
    footer = (
        rng.choice(("0D 0A", "AB", "03"))
        if ends == "footer" or (escape == "none" and rng.random() < 0.2 and ends != "silence")
        else ""
    )
    form: dict[str, Any] = {
        "type": "frame",
        "header": header,
        "footer": footer,
        "escape": escape,
        "byte_order": rng.choice(("big", "little")),
    }
    start = len(header.replace(" ", "")) // 2
    if ends == "field":
        size = rng.choice(("u8", "u16"))
        form["length"] = {"at": start, "type": size, "plus": rng.choice((0, 4))}
        start += 1 if size == "u8" else 2
    fields = {}
    at = start
    for name in ("a", "b"):
        kind = rng.choice(NUMBERS)
        fields[name] = {"at": at, "type": kind}
        at += int(kind[1:]) // 8
    form["fields"] = fields
    total = at + len(footer.replace(" ", "")) // 2
    if rng.random() < 0.6:
        form["checksum"] = {"type": rng.choice(SUMS)}
        total += CHECKSUMS[form["checksum"]["type"]].width
    if ends == "fixed":
        form["length"] = total
    elif ends == "silence":
        form["length"] = "silence"
    if ends == "field" and form["length"]["plus"] > total:
        form["length"]["plus"] = 0
    return {"format": form}


def others(rng: random.Random) -> dict[str, Any]:
    """Blocks and telegrams."""
    return rng.choice(
        (
            {"format": {"type": "block", "last": "Checksum", "aside": ":[0-9A-Fa-f]+\n"}, "channels": {"V": {}, "I": {}}},
            {"format": {"type": "block", "last": "Checksum"}, "channels": {"V": {}, "I": {}}},
            {
                "format": {"type": "block", "begin": r"\x02", "end": r"\x03", "equals": " ", "max_block": 64, "line_sum": {}},
                "channels": {"V": {}},
            },
            {"format": {"type": "block", "begin": "BEGIN", "end": "END", "equals": "=", "max_block": 64}, "channels": {"V": {}}},
            {"format": {"type": "obis"}, "channels": {"power": {"source": "1.7.0"}}},
            {"format": {"type": "obis", "max_telegram": 256}, "channels": {"power": {"source": "1.7.0"}}},
        )
    )


# ---- what a device would send ------------------------------------------------------------------------------------------


def line(rng: random.Random, how: SerialOptions, values: dict[str, float]) -> bytes | None:
    """A line of these values, with its terminator; None for formats that are not written here."""
    form: Any = how.format
    texts = {name: f"{value:g}" for name, value in values.items()}
    if form.type == "csv":
        separator = " " if form.separator == "whitespace" else form.separator
        text = form.prefix + separator.join(texts.get(name, "x") if name else "x" for name in form.fields)
    elif form.type == "keyvalue":
        text = form.separator.join(f"{name}{form.equals}{value}" for name, value in texts.items())
    elif form.type == "json":
        text = "{" + ", ".join(f'"{name}": {value}' for name, value in texts.items()) + "}"
    else:
        return None
    body = text.encode()
    if how.checksum is not None:
        body = body.removeprefix(how.checksum.start.encode())
        body = how.checksum.start.encode() + body + b"*" + CHECKSUMS[how.checksum.type].text(body).encode()
    ends = {"any": rng.choice((b"\r", b"\n", b"\r\n")), "silence": b""}
    end = ends.get(how.terminator, how.terminator.encode("latin-1"))
    if any(mark in body for mark in ((b"\r", b"\n") if how.terminator == "any" else (end,)) if mark):
        return None  # a separator that ends the line
    return body + end if len(body) <= how.max_line else None


def frame(form: FrameFormat, values: dict[str, int]) -> bytes | None:
    """A frame of these values as it is on the wire; None where they would look like its footer or another frame's header."""
    header = bytes.fromhex(form.header.replace("?", "0"))
    footer = bytes.fromhex(form.footer)
    check = CHECKSUMS[form.checksum.type] if form.checksum else None
    fields = [(name, field.at, field.size(), field.type[0] == "i") for name, field in form.fields.items()]
    body = bytearray(max(at + size for _, at, size, _ in fields))
    body[: len(header)] = header
    for name, at, size, signed in fields:
        body[at : at + size] = values[name].to_bytes(size, form.byte_order, signed=signed)
    total = len(body) + (check.width if check else 0) + len(footer)
    if form.length is not None and not isinstance(form.length, (int, str)):
        size, at = form.length.size(), form.length.at
        body[at : at + size] = (total - form.length.plus).to_bytes(size, form.byte_order)
    if check is not None:
        body += check.compute(bytes(body)).to_bytes(check.width, form.byte_order)
    whole = bytes(body) + footer
    if footer and form.length is None and whole.find(footer) != len(whole) - len(footer):
        return None
    if header and form.length is None and form.escape == "none" and check is None and whole.find(header, len(header)) >= 0:
        return None
    return stuffed(form.escape, whole)


def stuffed(escape: str, inside: bytes) -> bytes:
    """With its delimiters."""
    if escape == "slip":
        return b"\xc0" + inside.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"
    if escape == "ppp":
        return b"\x7e" + inside.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e") + b"\x7e"
    if escape == "dle":
        return b"\x10\x02" + inside.replace(b"\x10", b"\x10\x10") + b"\x10\x03"
    return inside


def values_for(rng: random.Random, how: SerialOptions) -> dict[str, Any]:
    """Numbers that the fields of ``how`` can hold and that are exact as text."""
    if isinstance(how.format, FrameFormat):
        drawn = {}
        for name, field in how.format.fields.items():
            bits = 8 * field.size()
            low = -(1 << bits - 1) if field.type[0] == "i" else 0
            drawn[name] = rng.choice((rng.randrange(1 << bits) + low, low, 0xAA % (1 << bits - 1), 0x10, 1))
        return drawn
    names = [name for name in (how.field_names() or ["a", "b"]) if name]
    return {name: rng.choice((rng.randint(-999, 9999), round(rng.uniform(-99, 99), 2), 0, 21.5)) for name in names}


def telegram(rng: random.Random) -> bytes:
    """Of a smart meter: with a right CRC, a wrong one, or none."""
    body = b"/" + rng.choice((b"ISK5\\2M", b"KFM5", b"x", b"")) + b"\r\n" + rng.choice((b"", b"1-3:0.2.8(50)\r\n")) + b"1-0:1.7.0(%06.3f*kW)\r\n" % rng.uniform(0, 9) * rng.choice((1, 1, 9)) + b"!"  # fmt: skip
    crc = CHECKSUMS["crc16_arc"].compute(body) ^ rng.choice((0, 0, 1))
    return body + rng.choice((b"%04X\r\n" % crc, b"%04X\r\n" % crc, b"\r\n", b""))


def block(rng: random.Random, form: BlockFormat) -> bytes:
    """Of a charger or a meter: its sum right, mostly."""
    pairs = [(name, str(rng.randint(0, 500))) for name in ("V", "I", "P")[: rng.randint(1, 3)]]
    if form.last is not None:
        body = (
            b"".join(f"\r\n{name}{form.equals}{value}".encode() for name, value in pairs)
            + f"\r\n{form.last}{form.equals}".encode()
        )
        return body + bytes((-sum(body) - rng.choice((0, 0, 0, 1)) & 0xFF,))
    lines = []
    for name, value in pairs:
        text = f"{name}{form.equals}{value}".encode()
        lines.append(text + (form.equals.encode() + bytes((sum(text) % 64 + 32,)) if form.line_sum else b""))
    begin, end = str(form.begin).encode("latin-1"), str(form.end).encode("latin-1")
    return begin + b"\n" + b"\r\n".join(lines) + b"\r" + end


def unit(rng: random.Random, how: SerialOptions) -> bytes | None:
    """What the device sends once."""
    if isinstance(how.format, ObisFormat):
        return telegram(rng)
    if isinstance(how.format, BlockFormat):
        return block(rng, how.format)
    values = values_for(rng, how)
    return frame(how.format, values) if isinstance(how.format, FrameFormat) else line(rng, how, values)
