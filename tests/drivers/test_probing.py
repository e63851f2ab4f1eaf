"""What a stream speaks is recognised from a few kilobytes of it; what is nothing is called nothing."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.config.loader import load_text
from sensorlogd.drivers.decoding import decoder_of
from sensorlogd.drivers.discovery import line_guesses
from sensorlogd.drivers.discovery.listening import unmarked
from sensorlogd.drivers.discovery.probing import Heard, best, judge, worth_waiting
from sensorlogd.drivers.instruments import INSTRUMENTS
from sensorlogd.drivers.instruments.modbus import crc
from sensorlogd.drivers.modbus.options import ModbusOptions
from sensorlogd.drivers.nmea.options import NmeaOptions
from sensorlogd.drivers.registry import options_for
from sensorlogd.drivers.serial.options import SerialOptions
from tests.needs import corpus

# folder or file of the corpus -> what must come out on top
KNOWN = {
    "pypms/PMSx003.bin": "plantower-pms5003",
    "pypms/PMS3003.bin": "plantower-pms3003",
    "pypms/SDS01x.bin": "nova-sds011",
    "pypms/MHZ19B.bin": "winsen-mhz19b",
    "vedirect/bmv702.raw": "victron-vedirect",
    "vedirect/bluesolar-mppt.raw": "victron-vedirect",
    "dsmr-p1/v5.txt": "dsmr-p1",
    "dsmr-p1/v3.txt": "dsmr-p1",
    "rflink/protocol_samples.raw": "rflink",
    "gpsd-nmea-ubx/ais/ais-nmea.raw": "NMEA 0183 or UBX",
    "sigrok-uart/gps_mtk3339/mtk3339_8n1_9600.rx.raw": "NMEA 0183 or UBX",
    "sigrok-uart/modbus_rtu/flowmeter_target0_val0.bus.raw": "Modbus RTU (overheard)",
    "sigrok-uart/kern_scale/kern_ew_6200-2nm_26_9g_unstable.rx.raw": "kern-scale",
    "sigrok-uart/ut61e_dmm/ut61e_voltage_dc_minus0_11v_pmin.rx.raw": "unit-ut61e",
    "ooi-serial-logs/ctdbp/20131123.ctdbp1.raw": "columns of numbers",
}


@pytest.mark.parametrize("name", KNOWN)
def test_recorded_instruments_are_recognised(name: str) -> None:
    """From the first 4 kB that the real device sent."""
    candidates = judge(Heard(9600, corpus(name).read_bytes()[:4096]))
    assert candidates[0].title == KNOWN[name]
    assert candidates[0].confidence >= 0.5


def test_a_parity_bit_is_seen_through() -> None:
    """A UT61E sends 7O1; read as eight bits every byte has its parity on top."""
    data = corpus("sigrok-uart/ut61e_dmm/ut61e_voltage_dc_minus0_11v_pmin.rx.raw").read_bytes()
    with_parity = bytes(byte | (0x80 if byte.bit_count() % 2 == 0 else 0) for byte in data)
    first = judge(Heard(19200, with_parity))[0]
    assert (first.title, first.heard.bytesize, first.heard.parity) == ("unit-ut61e", 7, "odd")
    assert "baudrate" not in first.yaml("/dev/x")  # the profile says it


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(0, 4000))
def test_noise_is_nothing(seed: int, size: int) -> None:
    """Random bytes, and text read at the wrong speed, give no confident answer."""
    noise = random.Random(seed).randbytes(size)
    assert all(guess.confidence < 0.5 for guess in judge(Heard(9600, noise)))


@settings(max_examples=100)
@given(st.binary(max_size=400))
def test_nothing_escapes_the_judge(data: bytes) -> None:
    """Whatever the bytes."""
    guesses = judge(Heard(9600, data, len(data) // 3))
    assert all(0 <= guess.confidence <= 1 for guess in guesses)


@pytest.mark.parametrize(
    ("text", "title", "needs"),
    [
        ("21.5,40,1013.2\r\n" * 6, "columns of numbers", "fields: [value1, value2, value3]"),
        ("12.5\t3\tOK\n" * 6, "columns of numbers", 'null], separator: "\\t"'),
        ('{"t": 21.5, "h": 40}\n' * 6, "JSON lines", "channels: {t: {}, h: {}}"),
        ("T=21.5;H=40;B=3.1\n" * 6, "lines of key and value", 'separator: ";", equals: "="'),
        ("V\t12800\r\nI\t-50\r\nMODE\tON\r\n" * 6, "lines of key and value", 'equals: "\\t"}'),
        ("CO2 412 ppm at 21.5 C\n" * 6, "lines of text", "regex"),
    ],
)
def test_lines_are_described_as_they_are(text: str, title: str, needs: str) -> None:
    """And the YAML that is printed loads."""
    first = judge(Heard(115200, text.encode()))[0]
    assert first.title == title
    yaml = first.yaml("/dev/ttyX")
    assert needs in yaml
    assert "baudrate: 115200" in yaml
    assert list(load_text(yaml, Path("/nowhere/x.yaml"), options_for).sensors) == ["device"]


# What a device sends again and again -> the numbers that its YAML must read from each.
DEVICES = {
    b"A+21.5B-3.2\r\n": {21.5, -3.2},
    b"0x1A,0x2B\r\n": {26, 43},
    b"T=0x1A\r\n": {26},
    b"V\t12800\r\nI\t-50\r\n": {12800, -50},
    b"T1 21.5\nT2 22.5\n": {21.5, 22.5},
    b"Weight: +  21.5 kg\r\n": {21.5},
    b"Weight: -  21.5 kg\r\n": {-21.5},
    b"T: 21.5 H: 40.2\r\n": {21.5, 40.2},
    b"T=21.5C;H=40.2%\r\n": {21.5, 40.2},
    b"T = 21.5\r\n": {21.5},
    b"T=21.5;H=-40.2\r\n": {21.5, -40.2},
    b"T=21,5;H=40,2\r\n": {21.5, 40.2},
    b"T=21,5C H=40,2%\r\n": {21.5, 40.2},
    b"T=1.5e3 C\r\n": {1500},
    b"12:30:05 T=21.5\n": {21.5},
    b"temp: 21.5\nhum: 40.1\n": {21.5, 40.1},
    b"on=1,no=2\n": {1, 2},
    b"pm2.5=3 pm10=4\n": {3, 4},
    "T=21.5°C H=3%\n".encode(): {21.5, 3},
    "T=21.5°C H=3%\n".encode("latin-1"): {21.5, 3},
    b"1,2.5\r": {1, 2.5},
    b"21,5;40,2\n": {21.5, 40.2},
    b"12.5\tnan\tOK\n12.5\t3\tOK\n": {12.5, 3},
    b'{"a":{"t":1.5,"no":2},"ok":true}\n': {1.5, 2, 1},
    b"CO2 412 ppm at 21.5 C\n": {412, 21.5},
    b"21.5C, 40%\n": {21.5, 40},
    b"it's 21.5\n": {21.5},
    b"42\n": {42},
}


@pytest.mark.parametrize("sent", DEVICES)
@pytest.mark.parametrize("times", [3, 8])
@pytest.mark.parametrize("cut", [0, 2])
def test_what_is_printed_reads_what_was_heard(sent: bytes, times: int, cut: int) -> None:
    """All of its numbers and no other, whether or not listening began in the middle of a line."""
    first = judge(Heard(9600, (sent * (times + 1))[cut:]))[0]
    assert decoded(first.yaml("/dev/ttyX"), b"\n" * (b"\n" in sent) + sent * 4) == DEVICES[sent]


def decoded(yaml: str, data: bytes) -> set[float]:
    """Every number that a configuration reads; each of its channels has one."""
    loaded = load_text(yaml, Path("/nowhere/x.yaml"), options_for).sensors["device"]
    decoder = decoder_of(loaded, lambda *_: None)
    assert decoder is not None
    batch = decoder.feed(data, 0)
    assert batch is not None
    by_channel = {name: batch.values.get(channel.source or name, ()) for name, channel in loaded.channel_options().items()}
    found = {
        name: {value for value in values if value is not None and math.isfinite(value)} for name, values in by_channel.items()
    }
    assert all(found.values()), found
    return set().union(*found.values())


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        NAMES, st.tuples(st.integers(-999, 999), st.sampled_from(["", "C", "%", " hPa", "°C"])), min_size=1, max_size=4
    ),
    st.sampled_from(["=", ":", " = ", ": "]),
    st.sampled_from([";", ", ", " ", "\t", " | "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_keys_and_values_of_any_make_are_read_or_not_claimed(
    pairs: dict[str, tuple[int, str]], equals: str, separator: str, end: str
) -> None:
    """A confident answer reads every value of every key that it names, and nothing else."""
    line = (separator.join(f"{name}{equals}{number}{unit}" for name, (number, unit) in pairs.items()) + end).encode()
    for first in judge(Heard(9600, line * 6))[:1]:
        if first.confidence >= 0.5 and first.title == "lines of key and value":
            read = decoded(first.yaml("/dev/ttyX"), line * 6)
            assert read == {float(number) for number, _ in pairs.values()}


def test_text_without_a_number_is_nothing() -> None:
    """No YAML can read it."""
    assert judge(Heard(9600, b"hello world\r\n" * 9)) == []


def test_slow_text_is_waited_for() -> None:
    """Undamaged text of a few lines is; enough of it, damaged bytes, silence and what is certain are not."""
    for data, errors, more in (
        (b"1,2\r\n", 0, True), (b"1,2\r\n" * 9, 0, False), (b"1,2\r\n", 3, False), (b"", 0, False),
        (bytes(range(128, 255)), 0, False), (b"$GPGGA", 0, True),
    ):  # fmt: skip
        heard = Heard(9600, data, errors)
        assert worth_waiting(heard, judge(heard)) is more, data


@pytest.mark.parametrize("name", ["pms", "vedirect", "p1", "nmea"])
def test_pretend_instruments_are_recognised_and_their_yaml_loads(name: str) -> None:
    """Ten frames, the first cut."""
    instrument = INSTRUMENTS[name]
    values = instrument.rounded(dict.fromkeys(instrument.channels, 3.0))
    assert instrument.build is not None
    stream = b"".join(instrument.build(values, 1_700_000_000_000_000 + n * 1_000_000) for n in range(10))[17:]
    first = judge(Heard(instrument.baudrate, stream))[0]
    assert first.confidence > 0.9
    loaded = load_text(first.yaml("/dev/ttyX"), Path("/nowhere/x.yaml"), options_for).sensors["device"]
    assert set(instrument.channels) <= set(loaded.channel_options())
    assert isinstance(loaded, SerialOptions | NmeaOptions)
    assert loaded.baudrate == instrument.baudrate


def test_a_bus_that_somebody_polls_is_overheard() -> None:
    """Questions and answers of unit 7."""
    question = bytes([7, 4, 0, 16, 0, 1])
    answer = bytes([7, 4, 2, 1, 44])
    stream = b"".join(part + crc(part) for part in (question, answer)) * 5
    first = judge(Heard(9600, stream))[0]
    assert first.title == "Modbus RTU (overheard)"
    loaded = load_text(first.yaml("/dev/ttyX"), Path("/nowhere/x.yaml"), options_for).sensors["device"]
    assert isinstance(loaded, ModbusOptions)
    assert (loaded.unit, loaded.listen_only) == (7, True)


def test_the_better_setting_wins() -> None:
    """Of the same guess at several speeds the one without errors is kept."""
    stream = b"1,2,3\r\n" * 20
    ranked = best([*judge(Heard(9600, stream, 60)), *judge(Heard(19200, stream))])
    assert [guess.heard.baudrate for guess in ranked] == [19200]


def test_the_kernels_marks_are_taken_off() -> None:
    """FF FF is FF, FF 00 X is a damaged X."""
    assert unmarked(b"ab\xff\xffc\xff\x00dz") == (b"ab\xffcdz", 1)
    assert unmarked(b"abc") == (b"abc", 0)


def test_a_sign_that_changes_is_read_too() -> None:
    """What was positive while somebody listened may be negative later."""
    for heard, later, value in ((b"A+21.5B-3.2\n", b"A-1.5B+3.2\n", -1.5), (b"W: +  21.5 kg\n", b"W: -  3.5 kg\n", -3.5)):
        found = line_guesses.guess(heard * 6)
        assert found is not None
        assert line_guesses.read_back(found.keys, b"\n" + later)["value1"] == [value]
