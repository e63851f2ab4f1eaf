"""From what a device writes to a number: sentinels before scale, units, states, groups; the same by every path."""

from __future__ import annotations

import itertools
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.batch import Rounded
from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.drivers.modbus.registers import Register
from sensorlogd.drivers.registry import options_for
from sensorlogd.drivers.sentinels import raw_numbers
from sensorlogd.drivers.serial.decoders import decoder_for
from sensorlogd.drivers.serial.options import LineFormat, SerialOptions
from sensorlogd.drivers.serial.text.formats import LineParser
from tests.drivers.decoders.decoding import any_options, decode, options, profile
from tests.drivers.serial.test_lines_and_formats import parse

_sentinel = st.sampled_from(["-999", "-999.00", "9999", "1E9", "0000", "0", "ERR", "0x8000", " ", "65535"])
_written = st.sampled_from(
    ["-999", "-999.0", "-9.99e2", " 9999 ", "1e9", "0", "0.0", "0000", "00", "21.5", "", "nan", "inf", "-Infinity", "1e400", "ERR",
     "65535", "9007199254740993", "9007199254740992", "x"]
)  # fmt: skip


@settings(max_examples=400)
@given(
    st.lists(st.lists(_written, min_size=2, max_size=2).map(",".join), min_size=5, max_size=10),
    st.lists(_sentinel, max_size=3),
    st.one_of(st.none(), st.lists(_sentinel, max_size=2)),
)
def test_many_lines_at_once_mean_what_each_means_alone(lines: list[str], missing: list[str], only: list[str] | None) -> None:
    """Whatever is said to be missing."""
    form = {"format": {"type": "csv", "fields": ["a", "b"], "missing": missing, "missing_only": only}}
    together, counts = parse(list(lines), **form)
    alone = [parse([line], **form) for line in lines]
    assert _shown(together) == _shown([row for rows, _ in alone for row in rows])
    assert counts.get("bad_lines", 0) == sum(found.get("bad_lines", 0) for _, found in alone)


def _shown(rows: list[dict[str, float | None]]) -> list[str]:
    return [repr({name: (type(value).__name__, value) for name, value in row.items()}) for row in rows]


@pytest.mark.parametrize(
    ("missing", "only", "text", "value"),
    [
        (["-999"], None, "-999.00", "nan"), (["-999"], None, "nan", "nan"), (["err"], None, "ERR", "nan"), ([], None, "", "nan"),
        ([], None, "-inf", "nan"), ([], None, "1e999", "nan"), ([-999], None, "-999", "nan"), (["0000"], None, "0", "0.0"),
        (["0000"], None, "0000", "nan"), (["0"], None, "0.00", "nan"), ([], ["-999"], "-999", "nan"), (["-1"], ["-999"], "-1", "nan"),
        ([], ["-999"], "nan", None), ([], ["-999"], "", None), ([], None, "x", None),
    ],
)  # fmt: skip
def test_missing_adds_and_missing_only_replaces(missing: list[Any], only: list[str] | None, text: str, value: str | None) -> None:
    """None: a bad line."""
    rows, counts = parse([text], format={"type": "csv", "fields": ["a"], "missing": missing, "missing_only": only})
    assert ([str(row["a"]) for row in rows], counts) == (([value], {}) if value is not None else ([], {"bad_lines": 1}))


@pytest.mark.parametrize(
    ("missing", "more", "texts"),
    [
        ([-999.5], {"decimal_comma": True}, ["-999,5", "-999,50"]),
        (["-999,5"], {"decimal_comma": True}, ["-999,5", "-999,50"]),
        ([-999], {"decimal_comma": True}, ["-999", "-999,0"]),
        ([0x8000], {"numbers": {"a": {"hex": True, "bits": 16}}}, ["8000", "0x8000"]),
        (["0x8000"], {"numbers": {"a": {"hex": True, "bits": 16}}}, ["8000", "0x8000"]),
        ([-32768], {"numbers": {"a": {"hex": True, "bits": 16}}}, ["8000", "0x8000"]),
        ([-10], {"numbers": {"a": {"hex": True, "sign_bit": 15}}}, ["800a"]),
        ([0x800A], {"numbers": {"a": {"hex": True, "sign_bit": 15}}}, ["800a"]),
        ([-999], {"numbers": {"a": {"negative_if": ["s", "-"]}}}, ["999"]),
        ([999], {"numbers": {"a": {"negative_if": ["s", "-"]}}}, ["999"]),
    ],
)
def test_missing_as_numbers_of_yaml(missing: list[Any], more: dict[str, Any], texts: list[str]) -> None:
    """Whether without quotes or with, as bits or as the number they stand for, with a point or as the device writes it."""
    form = {"type": "csv", "fields": ["a", "s"], "separator": ";", "missing": missing, **more}
    rows, counts = parse([f"{text};-" for text in texts], format=form, channels={"a": {}})
    assert [str(row["a"]) for row in rows] == ["nan"] * len(texts)
    assert not counts


def test_missing_of_a_sensor_adds_to_its_profiles() -> None:
    text = (
        "profiles: {acme: {driver: serial, format: {type: csv, fields: [t], missing: ['-1']}}}\n"
        "sensors: {a: {profile: acme, port: /dev/a, format: {missing: ['-2']}},"
        " b: {profile: acme, port: /dev/b, format: {missing_only: ['-3']}}}\n"
    )
    sensors = load_text(text, Path("/x.yaml"), options_for).sensors
    a, b = (
        sensor.format
        for sensor in sensors.values()
        if isinstance(sensor, SerialOptions) and isinstance(sensor.format, LineFormat)
    )
    assert (sorted(a.missing), a.missing_only, b.missing, b.missing_only) == (["-1", "-2"], None, (), ("-3",))


@pytest.mark.parametrize(
    ("kind", "given", "found"),
    [
        ("i16", 0x8000, -32768), ("i16", -32768, -32768), ("u16", -1, 65535), ("i8", 0xFF, -1), ("u24", 0xFFFFFF, 0xFFFFFF),
        ("i32", 0x80000000, -(2**31)), ("i64", 2**63, -(2**63)), ("f32", -9999.9, struct.unpack(">f", struct.pack(">f", -9999.9))[0]),
    ],
)  # fmt: skip
def test_a_sentinel_is_bits_or_what_the_type_reads_them_as(kind: str, given: float, found: float) -> None:
    assert found in raw_numbers(kind, [given])


def test_bits_of_a_float() -> None:
    (largest,) = struct.unpack(">f", bytes.fromhex("FF7FFFFF"))
    assert largest in raw_numbers("f32", [0xFF7FFFFF])


@pytest.mark.parametrize(("kind", "given"), [("i16", 0x10000), ("u8", 256), ("i8", -129), ("u16", 1.5)])
def test_a_sentinel_that_cannot_be_is_refused(kind: str, given: float) -> None:
    with pytest.raises(ValueError, match="missing: "):
        raw_numbers(kind, [given])


@given(st.sampled_from(["u16", "i16", "u32", "i32", "u64", "i64"]), st.data())
def test_registers_and_frames_agree_on_sentinels(kind: str, data: st.DataObject) -> None:
    """The same bytes, the same list, the same answer; never the sentinel as a value."""
    size = int(kind[1:]) // 8
    sentinel = data.draw(st.integers(0, (1 << 8 * size) - 1))
    raw = data.draw(st.one_of(st.just(sentinel), st.integers(0, (1 << 8 * size) - 1))).to_bytes(size, "big")
    words = [int.from_bytes(raw[at : at + 2], "big") for at in range(0, size, 2)]
    of_register = Register("holding", 0, kind, missing=frozenset([sentinel])).value(words)
    how = options(
        f"driver: serial, format: {{type: frame, header: AA, length: {size + 1},"
        f" fields: {{v: {{at: 1, type: {kind}, missing: [{sentinel:#x}]}}}}}}"
    )
    (row,), _ = decode(how, b"\xaa" + raw)
    assert repr(row["v"]) == repr(of_register) or row["v"] == of_register
    assert math.isnan(of_register) == (int.from_bytes(raw, "big") == sentinel)


def test_bcd_that_is_no_digits_may_be_a_sentinel() -> None:
    assert math.isnan(Register("holding", 0, "bcd16", missing=frozenset([0xFFFF])).value([0xFFFF]))
    with pytest.raises(ValueError, match="is not BCD"):
        Register("holding", 0, "bcd16").value([0xFFFF])


def test_whole_numbers_beyond_a_double_are_marked() -> None:
    """From lines, registers and frames."""
    odd = 2**63 + 1
    assert type(Register("holding", 0, "u64").value([0x8000, 0, 0, 1])) is Rounded
    (row,), _ = parse([str(odd)], format={"type": "csv", "fields": ["a"]})
    assert type(row["a"]) is Rounded
    rows, _ = parse([str(2**63)] * 6, format={"type": "csv", "fields": ["a"]})
    assert {type(row["a"]) for row in rows} == {float}


def test_a_unit_behind_the_number_is_looked_at() -> None:
    """Another one makes the line bad: it is another quantity."""
    form = {
        "type": "csv",
        "fields": ["t", "u"],
        "numbers": {"t": {"unit": "°C"}, "u": {"unit": {"mV": 0.001, "V": 1, "\u03bcV": 1e-6}}},
    }
    rows, counts = parse(["21.5 °C,3V", "-3°C,250 mV", "--- °C,5\u00b5V", "70.1 °F,1V", "21.5,1V", "1 K°C,1V"], format=form)
    assert _shown(rows) == _shown([{"t": 21.5, "u": 3.0}, {"t": -3.0, "u": 0.25}, {"t": math.nan, "u": 5e-6}])
    assert counts == {"bad_lines": 3}


def test_states_as_words() -> None:
    form = {"type": "csv", "fields": ["door", "x"]}
    channels = {"door": {"kind": "state", "map": {"OPEN": 1, "CLOSED": 0}}, "x": {}}
    rows, counts = parse(["OPEN,1", "CLOSED,2", "AJAR,3", "nan,4"], format=form, channels=channels)
    assert _shown(rows) == _shown([{"door": 1.0, "x": 1.0}, {"door": 0.0, "x": 2.0}, {"door": math.nan, "x": 4.0}])
    assert counts == {"bad_lines": 1}
    with pytest.raises(ConfigErrors, match=r"channels\.b\.map: another channel"):
        any_options("driver: serial, format: {fields: [a]}, channels: {a: {map: {ON: 1}}, b: {source: a, map: {ON: 2}}}")


def test_decimal_commas_group_by_points() -> None:
    rows, counts = parse(["1.234", "1.234,5", "21,5", "1.5"], format={"separator": ";", "fields": ["e"], "decimal_comma": True})
    assert [row["e"] for row in rows] == [1234, 1234.5, 21.5]
    assert counts == {"bad_lines": 1}


def test_blank_text_in_a_frame_is_no_value() -> None:
    how = options("driver: serial, format: {type: frame, header: AA, length: 5, fields: {v: {at: 1, type: ascii, length: 4}}}")
    rows, counts = decode(how, b"\xaa    \xaa21.5\xaa2x.5")
    assert [str(row["v"]) for row in rows] == ["nan", "21.5"]
    assert counts == {"bad_frames": 1}


RFLINK = ["20;04;Cresta;ID=3001;TEMP=00b4;HUM=50;", "20;31;Mebus;ID=c201;TEMP=00cf;", "20;05;Cresta;ID=3001;TEMP=00b0;"]


def test_devices_of_a_gateway_never_merge() -> None:
    """The one that is named is taken; if none is, nothing is stored once two were heard."""
    data = "\n".join(["tail", *RFLINK, ""]).encode()
    channels = "channels: {temperature: {}, humidity: {}}"
    rows, counts = decode(profile("rflink", f"format: {{device: 'Cresta;ID=3001'}}, {channels}"), data)
    assert ([row["temperature"] for row in rows], counts["other_devices"]) == ([18.0, 17.6], 1)
    rows, counts = decode(profile("rflink", channels), data)
    assert ([row["temperature"] for row in rows], counts["ambiguous_lines"]) == ([18.0], 2)


# ---- the device's time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "message"),
    [
        ("{field: a, format: '%d %b %H:%M'}", "leaves the year open; write year: from_host"),
        ("{field: a, format: '%H:%M'}", "leaves the date open"),
        ("{field: a, year: from_host}", "says the year already"),
        ("{field: a, format: '%d %Q'}", "bad directive"),
        ("{field: a, format: ISO}", "is neither one of iso"),
    ],
)
def test_times_that_cannot_work_are_refused(time: str, message: str) -> None:
    with pytest.raises(ConfigErrors, match=message):
        any_options(f"driver: serial, format: {{fields: [a, b]}}, time: {time}")


def test_a_time_without_year_is_completed() -> None:
    """To the one nearest to the host's clock; so is one without a date."""
    now = 1_767_225_600_000_000 + 60_000_000  # a minute into 2026
    for text, form, expected in (
        ("31 Dec 23:59", "%d %b %H:%M", now - 120_000_000), ("01 Jan 00:00", "%d %b %H:%M", now - 60_000_000),
        ("23:59:30", "%H:%M:%S", now - 90_000_000),
    ):  # fmt: skip
        how = options(f"driver: serial, format: {{fields: [w, t]}}, time: {{field: w, format: '{form}', year: from_host}}")
        batch = LineParser(how, lambda *_: None).parse([f"{text},1".encode()], now)
        assert batch is not None
        assert batch.times_us == [expected]


def test_both_micro_signs_in_lines_and_formats() -> None:
    rows, _ = parse(["\u00b5S=5", "\u03bcS=6"], format={"type": "keyvalue"}, channels={"c": {"source": "\u03bcS"}})
    assert [row["\u00b5S"] for row in rows] == [5.0, 6.0]
    rows, _ = parse(["5 \u03bcg", "6 \u00b5g"], format={"type": "regex", "pattern": "^(?P<v>.*) \u03bcg$"})
    assert [row["v"] for row in rows] == [5.0, 6.0]


def test_a_local_time_that_does_not_exist_has_the_time_of_arrival() -> None:
    """The clock of the device is wrong, its values need not be."""
    how = options("driver: serial, format: {fields: [when, t]}, time: {field: when, zone: Europe/Berlin}")
    parser = LineParser(how, lambda *_: None)
    now = 1_774_749_600_000_000
    batch = parser.parse([b"2026-03-29T01:59:00,1", b"2026-03-29T02:30:00,2"], now)
    assert batch is not None
    good, bad = batch.parts()
    assert (good.times_us, good.device_time, good.bad_time) == ([1_774_745_940_000_000], True, False)
    assert (bad.times_us, bad.device_time, bad.bad_time) == ([now], False, True)


# ---- smart meters ------------------------------------------------------------------------------------------------------


def telegram(*items: str) -> bytes:
    return ("/XMX5TEST\r\n\r\n" + "".join(f"{item}\r\n" for item in items) + "!\r\n").encode()


def block(*items: str, wrong: int = 0) -> bytes:
    """As meters of IEC 62056-21 send it, with its block check."""
    inside = "".join(f"{item}\r\n" for item in items).encode() + b"!\r\n\x03"
    check = 0
    for byte in inside:
        check ^= byte
    return b"/EMH4\\\x02@01LZQ\r\n\x02" + inside + bytes([check ^ wrong])


P1 = "profile: dsmr-p1, channels: {power: {unit: W}, energy_t1: {unit: MWh}, voltage_l1: {unit: V}}"


def test_w_and_kw_are_told_apart() -> None:
    """By the unit that the channel has."""
    items = ("1-0:1.7.0(00234*W)", "1-0:1.8.1(012345.678*kWh)", "1-0:2.7.0(1500*W)", "1-0:32.7.0(230.1*V)")
    (row,), _ = decode(options(P1), telegram(*items))
    assert (row["power"], row["energy_t1"], row["power_export"], row["voltage_l1"]) == (234, 12.345678, 1.5, 230.1)


def test_a_unit_that_does_not_fit_is_counted() -> None:
    how = options("profile: dsmr-p1, channels: {gas: {unit: kWh}}")
    rows, counts = decode(how, telegram("0-1:24.1.0(003)", "0-1:24.2.1(261125100000W)(06805.499*m3)"))
    assert (rows, counts["bad_values"]) == ([], 1)


OLD, LIVE = "0-1:24.2.1(170113170000W)(00001.287*m3)", "0-2:24.2.1(261125100000W)(06805.499*m3)"


def test_an_exchanged_meter_does_not_hide_the_live_one() -> None:
    """And the live one's value has the time at which it was read, winter or summer."""
    how = profile("dsmr-p1")
    for stamp, utc in (("261125100000W", 1_795_597_200_000_000), ("260725100000S", 1_784_966_400_000_000)):
        items = ("1-0:1.7.0(00.5*kW)", "0-1:24.1.0(003)", OLD, "0-2:24.1.0(003)", LIVE.replace("261125100000W", stamp))
        batch = decoder_for(how, lambda *_: None).feed(telegram(*items), 5)
        assert batch is not None
        host, device = batch.parts()
        assert (host.values, host.device_time) == ({"1.7.0": [0.5]}, False)
        assert (device.times_us, device.values, device.device_time) == ([utc], {"gas": [6805.499]}, True)


def test_two_live_meters_of_a_kind_are_not_mixed() -> None:
    """The first channel's is taken, whichever was read last."""
    for minute in ("00", "05"):
        items = ("0-1:24.1.0(003)", f"0-1:24.2.1(2611251{minute}000W)(00001.000*m3)", "0-2:24.1.0(003)", LIVE)
        (row,), _ = decode(profile("dsmr-p1"), telegram(*items))
        assert row["gas"] == 1


def test_values_of_earlier_billing_periods_have_names_of_their_own() -> None:
    """As meters of IEC 62056-21 list them behind or before the present value, which may be damaged; ``&``: ended by hand."""
    channels = "e: {source: 1.8.0, unit: kWh}, last: {source: '1.8.0*02', unit: kWh}, now: {source: '1-0:1.8.0*255', unit: kWh}"
    how = options(f"driver: serial, format: {{type: obis}}, channels: {{{channels}}}")
    objects = ["1-0:1.8.0*01(000100.0*kWh)", "1-0:1.8.0&02(000050.0*kWh)", "1-0:1.8.0*255(000123.4*kWh)"]
    for order in itertools.permutations(objects):
        rows, counts = decode(how, telegram(*order))
        assert rows == [{"e": 123.4, "last": 50.0, "now": 123.4}]
        assert counts == {"unmapped": 3}
    rows, counts = decode(how, telegram(*objects[:2], "1-0:1.8.0*255(0001x3.4*kWh)"))
    assert rows == [{"last": 50.0}]
    assert counts["bad_values"] == 2


def test_the_block_check_is_looked_at() -> None:
    """A bit that flipped in the first digit must not be stored."""
    items = ("1.8.0(013925.5*kWh)", "F.F(00)")
    how = options("driver: serial, format: {type: obis}, channels: {e: {source: 1.8.0, unit: kWh}}")
    damaged = block(*items).replace(b"(0139", b"(9139")
    for seed in (None, 1, 2):
        rows, counts = decode(how, block(*items) + damaged + block(*items) + block(*items, wrong=1) + block(*items), seed)
        assert [row["e"] for row in rows] == [13925.5] * 3
        assert counts["bad_telegrams"] == 2


def test_a_block_that_begins_inside_a_damaged_one_is_found() -> None:
    """What stands before it has lost its end, and the line end before the next one; nothing of it is believed."""
    items = ("1.8.0(013925.5*kWh)", "F.F(00)")
    how = options("driver: serial, format: {type: obis}, channels: {e: {source: 1.8.0, unit: kWh}, p: {source: 16.7.0}}")
    for seed in (None, 1, 2):
        for stx, bad in ((b"\x02", 1), (b"", 0)):
            cut = b"/EMH4\\\x02@01LZQ\r\n" + stx + b"16.7.0(000482*W)\r\n1.8.0(01"
            rows, counts = decode(how, cut + block(*items), seed)
            assert rows == [{"e": 13925.5}]
            assert counts.get("bad_telegrams", 0) == bad


def test_items_that_fit_nothing_are_counted() -> None:
    rows, counts = decode(profile("dsmr-p1"), telegram("1-0:1.7.0(00.5*kW)", "1-0:1.8.1(00x6*kWh)", "garbage(", "1-0:2.7.0()"))
    assert _shown(rows) == _shown([{"power": 0.5, "power_export": math.nan}])
    assert counts == {"bad_values": 1, "unread_items": 1, "unmapped": 1}
