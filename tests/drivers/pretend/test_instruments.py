"""Pretend instruments: what they build, the drivers and profiles read back, exactly; and faults are what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensorlogd.config.loader import load_text
from sensorlogd.drivers.instruments import INSTRUMENTS, faults
from sensorlogd.drivers.instruments import modbus as slave
from sensorlogd.drivers.instruments.faults import Faults, parse
from sensorlogd.drivers.instruments.instrument import quantized
from sensorlogd.drivers.nmea.decoder import NmeaDecoder
from sensorlogd.drivers.registry import driver_class, options_for
from sensorlogd.drivers.serial.options import SerialOptions
from tests.drivers.decoders.decoding import decode

NOW_US = 1_774_742_400_000_000
# What a real device could say, in steps of its resolution.
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "csv": {"temperature": (-40, 85), "humidity": (0, 100)},
    "pms": {name: (0, 6000) if name.startswith("pm") else (0, 655) for name in INSTRUMENTS["pms"].channels},
    "vedirect": {
        "voltage": (0, 60), "current": (-300, 300), "power": (-9000, 9000), "consumed": (-999, 0), "state_of_charge": (0, 100),
        "time_to_go": (-1, 14400),
    },
    "p1": {
        "energy_t1": (0, 999999), "energy_t2": (0, 999999), "power": (0, 99), "power_export": (0, 99), "voltage_l1": (0, 400),
        "current_l1": (0, 999),
    },
}  # fmt: skip


def config(name: str) -> Any:
    """The options that ``simulate`` prints for an instrument."""
    text = "\n".join("    " + line for line in INSTRUMENTS[name].config.format(port="/dev/x").splitlines())
    return load_text(f"sensors:\n  s:\n{text}\n", Path("/nowhere/x.yaml"), options_for).sensors["s"]


@pytest.mark.parametrize("name", RANGES)
def test_what_is_built_is_read_back(name: str) -> None:
    """Any values, in the protocol's resolution, in any cutting: the shipped description gives them back to the last digit."""
    instrument, options = INSTRUMENTS[name], config(name)
    assert isinstance(options, SerialOptions)
    build = instrument.build
    assert build is not None

    @settings(max_examples=40)
    @given(
        st.fixed_dictionaries({channel: st.floats(low, high) for channel, (low, high) in RANGES[name].items()}),
        st.integers(0, 1000),
    )
    def holds(values: dict[str, float], seed: int) -> None:
        rounded = instrument.rounded(values)
        frame = build(rounded, NOW_US)
        rows, _ = decode(options, frame + frame + frame, seed)
        assert len(rows) >= 2  # the first may be taken for the tail of an older one
        for row in rows:
            assert {channel: row[channel] for channel in rounded} == rounded

    holds()


@settings(max_examples=60)
@given(
    st.floats(-89.9, 89.9),
    st.floats(-179.9, 179.9),
    st.floats(-100, 9000),
    st.floats(0, 200),
    st.floats(0, 359.9),
    st.integers(1, 40),
)
def test_sentences_are_read_back(
    latitude: float, longitude: float, altitude: float, speed: float, course: float, satellites: int
) -> None:
    """Positions on all four quarters of the globe, to a millionth of a degree."""
    instrument = INSTRUMENTS["nmea"]
    values = instrument.rounded(
        {
            "latitude": latitude, "longitude": longitude, "altitude": altitude, "speed": speed, "course": course,
            "satellites": satellites, "hdop": 1.5, "depth": 12.3,
        }
    )  # fmt: skip
    assert instrument.build is not None
    batch = NmeaDecoder(config("nmea"), lambda *_: None).feed(instrument.build(values, NOW_US), NOW_US)
    assert batch is not None
    for name, value in values.items():
        assert next(reading for reading in batch.values[name] if reading is not None) == pytest.approx(value, abs=2e-9), name


@pytest.mark.parametrize(
    "name", [name for name, instrument in INSTRUMENTS.items() if instrument.damage is not None and instrument.build is not None]
)
def test_a_damaged_frame_gives_no_reading(name: str) -> None:
    """The wrong checksum is wrong: the parser takes nothing from it, and the frame behind it is whole."""
    instrument = INSTRUMENTS[name]
    values = instrument.rounded(dict.fromkeys(instrument.channels, 1.0))
    assert instrument.build is not None
    assert instrument.damage is not None
    good = instrument.build(values, NOW_US)
    bad = instrument.damage(good)
    assert bad != good
    assert len(bad) == len(good)
    if name == "nmea":
        return  # no serial format; its sentences' checksums are tested end to end
    rows, counts = decode(config(name), good + bad + good + good)
    assert 2 <= len(rows) <= 3
    assert sum(n for counter, n in counts.items() if "bad" in counter) >= 1


def test_the_slave_answers_as_the_standard_says() -> None:
    """Registers to whom they belong, exceptions for what it has not, silence for others' units and damaged questions."""
    values = {"voltage": 230.1, "temperature": -4.5, "energy": 1000.25}

    def ask(unit: int, function: int, address: int, count: int) -> bytes | None:
        body = bytes([unit, function, *address.to_bytes(2, "big"), *count.to_bytes(2, "big")])
        return slave.answer(body + slave.crc(body), values)

    answer = ask(1, 4, 0, 4)
    assert answer is not None
    assert answer[:3] == b"\x01\x04\x08"
    assert answer[3:11] == (2301).to_bytes(2, "big") + (-45).to_bytes(2, "big", signed=True) + (1_000_250).to_bytes(4, "big")
    assert ask(1, 4, 3, 2) == b"\x01\x84\x02" + slave.crc(b"\x01\x84\x02")
    assert ask(1, 6, 0, 1) == b"\x01\x86\x01" + slave.crc(b"\x01\x86\x01")
    assert ask(2, 4, 0, 1) is None
    assert slave.answer(b"\x01\x04\x00\x00\x00\x01\x00\x00", values) is None
    # Modbus over serial line V1.02, appendix B: CRC of 02 07 is 41 12 on the wire.
    assert slave.crc(b"\x02\x07") == b"\x41\x12"


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_the_yaml_that_is_printed_is_a_sensor(name: str) -> None:
    """It loads, and the driver knows every channel the instrument has."""
    options = config(name)
    assert driver_class(options.driver, Path("/nowhere")) is not None
    assert set(INSTRUMENTS[name].channels) <= set(options.channel_options())


@given(st.floats(-1e6, 1e6), st.sampled_from([0.001, 0.01, 0.1, 1.0]))
def test_rounding_is_to_the_nearest_digit(value: float, step: float) -> None:
    """And what comes out prints with no more digits than the protocol has."""
    found = quantized(value, step)
    assert abs(found - value) <= step * 0.5000001
    assert len(f"{found!r}".partition(".")[2]) <= 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("drop-out", "did you mean 'dropout'"),
        ("dropout:2", "not a probability"),
        ("dropout:often", "could not convert"),
        ("hang:when=3", "hang has no 'when'; it has after, for"),
        ("hang:for=soon", "is not a duration"),
    ],
)
def test_a_fault_that_is_none_says_so(text: str, message: str) -> None:
    """With what there is."""
    with pytest.raises(ValueError, match=message):
        parse(text)


def test_faults_are_made_as_often_as_asked_for() -> None:
    """Seeded: two runs make the same ones; what is not intact is never called so."""
    pms = INSTRUMENTS["pms"]
    assert pms.build is not None
    frame = pms.build(dict.fromkeys(pms.channels, 7.0), NOW_US)

    def run() -> tuple[list[faults.Plan], dict[str, int]]:
        made = Faults(
            [parse("dropout:0.1"), parse("bit-errors:1e-3"), parse("wrong-checksum:0.2"), parse("hang:after=3,for=2s")], 7
        )
        return [made.plan(frame, INSTRUMENTS["pms"].damage) for _ in range(2000)], dict(made.made)

    plans, made = run()
    assert (plans, made) == run()
    assert 140 < made["dropout"] < 260
    assert 300 < made["wrong-checksum"] < 420
    assert made["hang"] == 1
    assert [index for index, plan in enumerate(plans) if plan.silent_s] == [3]
    assert all((plan.data == frame) >= plan.intact for plan in plans)
    assert sum(plan.data is None for plan in plans) == made["dropout"]
