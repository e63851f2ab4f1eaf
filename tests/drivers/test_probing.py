"""What a stream speaks is recognised from a few kilobytes of it; what is nothing is called nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.config.loader import load_text
from sensorlogd.drivers.instruments import INSTRUMENTS
from sensorlogd.drivers.instruments.modbus import crc
from sensorlogd.drivers.listening import unmarked
from sensorlogd.drivers.probing import Heard, best, judge
from sensorlogd.drivers.registry import options_for
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
    assert all(one.confidence < 0.5 for one in judge(Heard(9600, noise)))


@settings(max_examples=100)
@given(st.binary(max_size=400))
def test_nothing_escapes_the_judge(data: bytes) -> None:
    """Whatever the bytes."""
    judge(Heard(9600, data, len(data) // 3))


@pytest.mark.parametrize(
    ("text", "title", "needs"),
    [
        ("21.5,40,1013.2\r\n" * 6, "columns of numbers", "fields: [value1, value2, value3]"),
        ("12.5\t3\tOK\n" * 6, "columns of numbers", 'null], separator: "\\t"'),
        ('{"t": 21.5, "h": 40}\n' * 6, "JSON lines", "channels: {t: {}, h: {}}"),
        ("T=21.5;H=40;B=3.1\n" * 6, "lines of key and value", 'separator: ";", equals: "="'),
        ("hello world\n" * 6, "lines of text", "regex"),
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
    assert loaded.baudrate == instrument.baudrate  # type: ignore[attr-defined]


def test_a_bus_that_somebody_polls_is_overheard() -> None:
    """Questions and answers of unit 7."""
    question = bytes([7, 4, 0, 16, 0, 1])
    answer = bytes([7, 4, 2, 1, 44])
    stream = b"".join(part + crc(part) for part in (question, answer)) * 5
    first = judge(Heard(9600, stream))[0]
    assert first.title == "Modbus RTU (overheard)"
    loaded = load_text(first.yaml("/dev/ttyX"), Path("/nowhere/x.yaml"), options_for).sensors["device"]
    assert (loaded.unit, loaded.listen_only) == (7, True)  # type: ignore[attr-defined]


def test_the_better_setting_wins() -> None:
    """Of the same guess at several speeds the one without errors is kept."""
    stream = b"1,2,3\r\n" * 20
    ranked = best([*judge(Heard(9600, stream, 60)), *judge(Heard(19200, stream))])
    assert [one.heard.baudrate for one in ranked] == [19200]


def test_the_kernels_marks_are_taken_off() -> None:
    """FF FF is FF, FF 00 X is a damaged X."""
    assert unmarked(b"ab\xff\xffc\xff\x00dz") == (b"ab\xffcdz", 1)
    assert unmarked(b"abc") == (b"abc", 0)
