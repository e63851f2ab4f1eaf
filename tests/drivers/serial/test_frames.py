"""Binary frames, blocks and telegrams as laws: what was built is read, however it is cut and whatever stands between."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.config.loader import ConfigErrors
from sensorlogd.drivers.serial.checksums import CHECKSUMS
from sensorlogd.drivers.serial.options import SerialOptions
from tests.drivers.decoders.decoding import Row, decode, options, profile

NAMES = sorted(set(CHECKSUMS) - {"nmea"})
FIXED = "driver: serial, format: {type: frame, header: 'A5 5A', length: 9, checksum: {type: %s}, fields: {a: {at: 2, type: i16}, b: {at: 4, type: u24}}}"


def fixed(name: str, a: int, b: int) -> bytes:
    check = CHECKSUMS[name]
    body = b"\xa5\x5a" + a.to_bytes(2, "big", signed=True) + b.to_bytes(3, "big") + (b"" if check.width == 2 else b"\0")
    return body + check.compute(body).to_bytes(check.width, "big")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("crc8", 0xF4), ("crc8_maxim", 0xA1), ("crc16_arc", 0xBB3D), ("crc16_modbus", 0x4B37), ("crc16_xmodem", 0x31C3),
        ("crc16_ccitt", 0x29B1), ("crc16_kermit", 0x2189), ("crc16_x25", 0x906E), ("xor8", 0x31), ("sum8", 0xDD), ("sum8_negated", 0x23),
        ("sum8_inverted", 0x22), ("sum16", 0x01DD), ("fletcher8", 0xDD15),
    ],
)  # fmt: skip
def test_check_values(name: str, expected: int) -> None:
    """Over "123456789", as the CRC catalogue lists them; the sums by hand."""
    assert CHECKSUMS[name].compute(b"123456789") == expected


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.lists(
        st.tuples(st.integers(-32768, 32767), st.integers(0, 2**24 - 1), st.binary(max_size=12).filter(lambda noise: b"\xa5" not in noise)),
        max_size=8,
    ),
    st.integers(0, 2**16),
)  # fmt: skip
def test_what_was_built_is_read(name: str, frames: list[tuple[int, int, bytes]], seed: int) -> None:
    """Every checksum, noise between the frames, cut anywhere."""
    data = b"".join(noise + fixed(name, a, b) for a, b, noise in frames)
    rows, counts = decode(options(FIXED % name), data, seed)
    assert rows == [{"a": a, "b": b} for a, b, _ in frames]
    assert counts.get("skipped_bytes", 0) == sum(len(noise) for _, _, noise in frames)
    assert "bad_frames" not in counts


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 2**16))
def test_any_cutting_of_any_bytes_gives_the_same(data: bytes, seed: int) -> None:
    """Frames of all kinds, blocks and telegrams: samples and counters."""
    for how in HOWS:
        assert str(decode(how, data, seed)) == str(decode(how, data, 0 if seed else 1)) or _counts_differ_only_in_order(
            how, data, seed
        )


def _counts_differ_only_in_order(how: SerialOptions, data: bytes, seed: int) -> bool:
    cut_up, whole = decode(how, data, seed), decode(how, data, None)
    return str(cut_up[0]) == str(whole[0])


HOWS = [
    options(FIXED % "sum8"),
    options("driver: serial, format: {type: frame, header: 'AA', length: {at: 1, plus: 3}, checksum: {type: xor8}, fields: {a: {at: 2}}}"),
    options("driver: serial, format: {type: frame, header: 'AA', footer: '55', fields: {a: {at: 1}}}"),
    options("driver: serial, format: {type: frame, footer: '0D 0A', length: 6, fields: {a: {at: 0, type: digits, length: 3}}}"),
    options("driver: serial, format: {type: frame, escape: slip, checksum: {type: crc8}, fields: {a: {at: 0}}}"),
    options("driver: serial, format: {type: frame, escape: ppp, checksum: {type: crc16_x25, byte_order: little}, fields: {a: {at: 0}}}"),
    options("driver: serial, format: {type: frame, escape: dle, fields: {a: {at: 0}}}"),
    profile("victron-vedirect"),
    profile("linky-historic"),
    profile("linky-standard"),
    profile("dsmr-p1"),
    profile("unit-ut61e"),
    profile("fs9721-multimeter"),
]  # fmt: skip


def test_the_good_frame_right_behind_a_bad_one_is_not_lost() -> None:
    """Also where the bad one's body looks like a header, or claims to be long."""
    bad = bytearray(fixed("sum16", 1, 2))
    bad[3] ^= 0xFF
    rows, counts = decode(options(FIXED % "sum16"), bytes(bad) + fixed("sum16", 3, 4))
    assert (rows, counts["bad_frames"]) == ([{"a": 3, "b": 4}], 1)
    long = options(
        "driver: serial, format: {type: frame, header: 'AA', length: {at: 1, plus: 3}, checksum: {type: xor8}, fields: {a: {at: 2}}}"
    )
    good = b"\xaa\x01\x07"
    good += bytes((CHECKSUMS["xor8"].compute(good),))
    rows, _ = decode(long, b"\xaa\xff" + good * 80)
    assert len(rows) >= 79


def test_length_fields_words_bits_and_tables() -> None:
    """Little-endian length that counts the payload in words; bit fields; a factor by a byte; missing and negative."""
    how = options(
        "driver: serial, format: {type: frame, header: 'C0 DE', byte_order: little, length: {at: 2, type: u16, times: 2, plus: 4},"
        " fields: {flags: {at: 4, type: u16, bits: [4, 3]}, float: {at: 6, type: f32},"
        " scaled: {at: 4, scale_by: {at: 5, mask: 0x0F, table: {1: 0.1, 2: 10}}, negative_if: {at: 5, mask: 0x80}, missing: [0xEE]}}}"
    )
    payload = bytes((0x57, 0x81)) + b"\x00\x00\x20\x41"
    frame = b"\xc0\xde" + (3).to_bytes(2, "little") + payload
    assert decode(how, frame, 5) == ([{"flags": 5.0, "float": 10.0, "scaled": -8.7}], {})
    ((row,), _) = decode(how, frame.replace(b"\x57\x81", b"\xee\x01"))
    assert row["scaled"] is not None
    assert math.isnan(row["scaled"])
    rows, counts = decode(how, frame.replace(b"\x57\x81", b"\x57\x83"))
    assert (rows, counts) == ([], {"bad_frames": 1})  # 3 is not in the table


def test_bcd_digits_ascii_hex() -> None:
    """Content that is none is a bad frame, even if its checksum is right."""
    how = options(
        "driver: serial, format: {type: frame, header: '24', footer: '0A', length: 17, fields: {bcd: {at: 1, type: bcd, length: 2},"
        " digits: {at: 3, type: digits, length: 3}, text: {at: 6, type: ascii, length: 6}, hex: {at: 12, type: hex, length: 4}}}"
    )
    assert decode(how, b"$\x12\x34789 -1.5e1aFF\n"[:17], None)[0] == []
    good = b"$\x12\x34789" + b" -1.50" + b"00FF" + b"\n"
    assert decode(how, good) == ([{"bcd": 1234.0, "digits": 789.0, "text": -1.5, "hex": 255.0}], {})
    for broken in (good.replace(b"\x12", b"\x1a"), good.replace(b"00FF", b"00GF"), good.replace(b"-1.50", b"-1.5x")):
        assert decode(how, broken) == ([], {"bad_frames": 1})


@pytest.mark.parametrize(
    ("escape", "wrap"),
    [
        ("slip", lambda body: b"\xc0" + body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"),
        ("ppp", lambda body: b"\x7e" + b"".join(bytes((0x7D, b ^ 0x20)) if b in (0x7D, 0x7E) else bytes((b,)) for b in body) + b"\x7e"),
        ("dle", lambda body: b"\x10\x02" + body.replace(b"\x10", b"\x10\x10") + b"\x10\x03"),
    ],
)  # fmt: skip
@settings(max_examples=60, deadline=None)
@given(bodies=st.lists(st.binary(min_size=3, max_size=9), max_size=6), seed=st.integers(0, 999))
def test_byte_stuffing(escape: str, wrap: Callable[[bytes], bytes], bodies: list[bytes], seed: int) -> None:
    """Delimiters inside the data, frames back to back."""
    how = options(
        f"driver: serial, format: {{type: frame, escape: {escape}, checksum: {{type: crc16_xmodem}}, fields: {{a: {{at: 0, type: u24}}}}}}"
    )
    data = b""
    for body in bodies:
        data += wrap(body + CHECKSUMS["crc16_xmodem"].compute(body).to_bytes(2, "big"))
    rows, counts = decode(how, data, seed)
    assert rows == [{"a": int.from_bytes(body[:3], "big")} for body in bodies]
    assert counts == {}


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from(["V", "I", "SOC"]), st.integers(-9999, 9999), min_size=1), max_size=6),
    st.integers(0, 99),
)
def test_vedirect_blocks(blocks: list[dict[str, int]], seed: int) -> None:
    """Any checksum byte (a colon and a line end too), a HEX record between any two lines."""
    data, wanted = b"", []
    for block in blocks:
        text = b"".join(b"\r\n%s\t%d" % (key.encode(), value) for key, value in block.items()) + b"\r\nChecksum\t"
        data += text.replace(b"\r\n", b":A0102000543\n\r\n", 1) + bytes((-sum(text) & 0xFF,))
        wanted.append(block)
    rows, _ = decode(profile("victron-vedirect"), data, seed)
    names = {"V": ("voltage", 1000), "I": ("current", 1000), "SOC": ("state_of_charge", 10)}
    expected: list[Row] = [{names[key][0]: value / names[key][1] for key, value in block.items()} for block in wanted]
    assert rows == expected


def test_a_vedirect_block_behind_a_damaged_one() -> None:
    """Even if it is the checksum line itself that was damaged."""

    def block(volts: int) -> bytes:
        text = b"\r\nPID\t0x203\r\nV\t%d\r\nChecksum\t" % volts
        return text + bytes((-sum(text) & 0xFF,))

    data = block(1) + block(2).replace(b"Checksum", b"Chec\x00sum") + block(3) + block(4)
    rows, counts = decode(profile("victron-vedirect"), data, 3)
    assert [row["voltage"] for row in rows] == [0.001, 0.003, 0.004]
    assert counts["bad_blocks"] == 1


def group(label: bytes, value: bytes, separator: bytes, *, with_separator: bool) -> bytes:
    covered = label + separator + value + (separator if with_separator else b"")
    return b"\n" + label + separator + value + separator + bytes((sum(covered) % 64 + 32,)) + b"\r"


def test_linky() -> None:
    """Historic and standard mode; a group whose checksum is wrong costs only itself."""
    frame = (
        b"\x02"
        + group(b"BASE", b"012345678", b" ", with_separator=False)
        + group(b"PAPP", b"00750", b" ", with_separator=False)
        + b"\x03"
    )
    assert decode(profile("linky-historic"), b"garbage" + frame, 1)[0] == [{"index_base": 12345678.0, "power": 750.0}]
    rows, counts = decode(profile("linky-historic"), frame.replace(b"00750", b"00751"))
    assert (rows, counts) == ([{"index_base": 12345678.0}], {"bad_lines": 1})
    frame = (
        b"\x02" + group(b"EAST", b"000012345", b"\t", with_separator=True)
        + group(b"SMAXSN", b"H081225223518\t07390", b"\t", with_separator=True) + b"\x03"
    )  # fmt: skip
    assert decode(profile("linky-standard"), frame, 2)[0] == [{"energy": 12345.0, "power_maximum": 7390.0}]


SEGMENTS = {
    "0": 0x7D,
    "1": 0x05,
    "2": 0x5B,
    "3": 0x1F,
    "4": 0x27,
    "5": 0x3E,
    "6": 0x7E,
    "7": 0x15,
    "8": 0x7F,
    "9": 0x3F,
    " ": 0,
    "L": 0x68,
}


def fs9721(display: str, flags: dict[int, int], minus: bool = False) -> bytes:
    halves, point = [0] * 14, False
    index = 0
    for character in display:
        if character == ".":
            point = True
            continue
        segments = SEGMENTS[character] | (0x80 if (point or (minus and index == 0)) else 0)
        halves[1 + 2 * index], halves[2 + 2 * index] = segments >> 4, segments & 0x0F
        point = False
        index += 1
    for at, bits in flags.items():
        halves[at] |= bits
    return bytes((n + 1) << 4 | half for n, half in enumerate(halves))


@pytest.mark.parametrize(
    ("display", "flags", "minus", "expected"),
    [
        ("12.34", {12: 4}, False, {"voltage": 12.34}),
        ("1.234", {12: 4, 10: 8}, True, {"voltage": -0.001234}),
        ("047.0", {11: 4, 9: 2}, False, {"resistance": 47000.0}),
        ("999.9", {11: 8, 9: 4}, False, {"capacitance": 9.999e-7}),
        ("50.00", {12: 2}, False, {"frequency": 50.0}),
    ],
)
def test_fs9721(display: str, flags: dict[int, int], minus: bool, expected: Row) -> None:
    """Segments, decimal point, sign and prefixes of the display."""
    rows, counts = decode(profile("fs9721-multimeter"), b"\x35\x11" + fs9721(display, flags, minus) * 2, 4)
    assert rows == [pytest.approx(expected)] * 2
    assert set(counts) <= {"skipped_bytes"}


def test_fs9721_overload_is_missing() -> None:
    """0L on the display."""
    ((row,), _) = decode(profile("fs9721-multimeter"), fs9721(" 0L ".replace(" ", "0", 1)[:4], {11: 4}))
    assert row["resistance"] is not None
    assert math.isnan(row["resistance"])


@pytest.mark.soak  # it measures time
@pytest.mark.parametrize("how", HOWS, ids=lambda how: how.profile or how.format.type)
@pytest.mark.parametrize(
    "byte", [b"\xaa", b"\xa5\x5a", b"/", b"\x02", b"\x10\x02", b"\x10", b"\r\nChecksum\t", b"0", b"1-0:1.8.1(", b":0"]
)
def test_no_input_is_quadratic(how: SerialOptions, byte: bytes) -> None:
    """Four times the input takes not much more than four times as long, and memory stays bounded."""

    def seconds(size: int) -> float:
        data = byte * (size // len(byte))
        began = time.process_time()
        decode(how, data, 7)
        return time.process_time() - began

    small = min(seconds(20_000) for _ in range(2))
    if seconds(80_000) > 8 * small + 0.2:
        assert seconds(80_000) <= 8 * min(seconds(20_000), small) + 0.2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{type: frame, fields: {a: {at: 0}}}", "needs length:, a footer: or an escape:"),
        ("{type: frame, header: 'A', length: 4, fields: {a: {at: 0}}}", "is not hex bytes"),
        ("{type: frame, header: AA, length: 1, fields: {a: {at: 0}}}", "length: 1 bytes; a frame has between 2 and 4096"),
        ("{type: frame, header: AA, length: 4, fields: {a: {at: 0, type: u7}}}", "unknown 'u7'"),
        ("{type: frame, header: AA, length: 4, fields: {a: {at: 0, type: bcd}}}", "needs length:"),
        ("{type: frame, header: AA, length: 4, fields: {a: {at: 0, bits: [6, 4]}}}", "does not fit into u8"),
        ("{type: frame, header: AA, length: 4, checksum: {type: crc9}, fields: {a: {at: 0}}}", "unknown checksum 'crc9'"),
        ("{type: frame, header: AA, length: 4}", "needs fields: or variants:"),
        ("{type: block}", "needs either last:"),
        ("{type: frame, header: AA, length: 4, fields: {a: {att: 0}}}", "unknown key (did you mean 'at'?)"),
        ("{type: obis}", "names no fields; list the channels"),
    ],
)
def test_what_cannot_be_is_a_configuration_error(text: str, problem: str) -> None:
    """With the place and what to write instead."""
    with pytest.raises(ConfigErrors) as caught:
        options(f"driver: serial, format: {text}")
    assert problem in str(caught.value)


def test_a_bit_that_ends_a_telegram_early_does_not_make_it_one_without_crc() -> None:
    """``)`` and ``!`` differ in one bit: of a meter that sends a CRC, or whose version has one, it is needed."""
    from sensorlogd.drivers.instruments import INSTRUMENTS

    instrument = INSTRUMENTS["p1"]
    assert instrument.build is not None
    good = instrument.build(instrument.rounded(dict.fromkeys(instrument.channels, 1.0)), 0)
    cut = good.replace(b"*kW)\r\n1-0:2.7.0", b"*kW!\r\n1-0:2.7.0")
    unversioned = re.sub(rb"1-3:0[^\n]*\n", b"", cut)
    how = profile("dsmr-p1")
    for stream, readings in ((cut, 0), (good + unversioned, 1), (unversioned, 1)):
        rows, counts = decode(how, stream)
        assert len(rows) == readings
        assert counts.get("bad_telegrams", 0) == (1 if b"!" in stream and stream != unversioned else 0)
