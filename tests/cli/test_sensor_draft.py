"""What ``add`` writes for whatever was recognised: it loads, and the names people chose get the values of the device."""

from __future__ import annotations

from pathlib import Path

import pytest

from sensorlogd.cli.sensor_draft import Draft, suggested
from sensorlogd.config.loader import load_text
from sensorlogd.drivers.decoding import decoder_of
from sensorlogd.drivers.discovery.probing import Heard, judge
from sensorlogd.drivers.instruments import INSTRUMENTS
from sensorlogd.drivers.registry import options_for


def _stream(name: str) -> bytes:
    instrument = INSTRUMENTS[name]
    assert instrument.build is not None
    values = instrument.rounded(dict.fromkeys(instrument.channels, 3.0))
    return b"".join(instrument.build(values, 1_700_000_000_000_000 + n * 1_000_000) for n in range(8))


STREAMS = {
    "columns": b"20.5,51\r\n" * 8,
    "semicolons": b"20,5;51\n" * 8,
    "keys": b"temp=20.5 hum=51\n" * 8,
    "json": b'{"temp": 20.5, "in": {"hum": 51}}\n' * 8,
    "text": b"it is 20.5 and 51 here\n" * 8,
    "gps": _stream("nmea"),
    "pms": _stream("pms"),
    "vedirect": _stream("vedirect"),
    "p1": _stream("p1"),
}


def _draft(name: str) -> tuple[Draft, bytes]:
    data = STREAMS[name]
    candidate = judge(Heard(9600, data))[0]
    return Draft.of(candidate, "/dev/none", Path("/nowhere"), with_speed=True), data


def _decoded(text: str, data: bytes) -> dict[str, list[float | None]]:
    options = load_text(text, Path("/nowhere/x.yaml"), options_for).sensors["it"]
    decoder = decoder_of(options, lambda *_: None)
    assert decoder is not None
    batch = decoder.feed(data, 0)
    assert batch is not None
    return {name: batch.values.get(channel.source or name, []) for name, channel in options.channel_options().items()}


@pytest.mark.parametrize("name", STREAMS)
def test_as_it_was_found(name: str) -> None:
    """The file says what the candidate says, with the channels spelled out where no profile has them."""
    draft, data = _draft(name)
    text = draft.text("it", "a head\nof two lines")
    assert text.startswith("# a head\n# of two lines\nsensors:\n  it:\n")
    assert [channel.source for channel in draft.channels] == list(_decoded(text, data))
    assert sum(any(values) for values in _decoded(text, data).values()) >= 2


@pytest.mark.parametrize("name", STREAMS)
def test_names_units_and_what_is_left_out(name: str) -> None:
    """The first value gets another name and a unit, the last one is left out; the values are those that they were."""
    draft, data = _draft(name)
    before = _decoded(draft.text("it"), data)
    options_before = draft.options().channel_options()
    first, last = draft.channels[0], draft.channels[-1]
    first.name, first.unit, last.name = "on", "µg/m³", ""
    text = draft.text("it")
    after = _decoded(text, data)
    assert after["on"] == before[first.source], text
    assert {first.source, last.source}.isdisjoint(after) or first.source == "on"
    assert set(after) == {"on", *(channel.source for channel in draft.channels[1:-1])}
    options = draft.options().channel_options()
    assert options["on"].unit == "µg/m³"
    kept = {"unit", "source"}
    assert options["on"].model_dump(exclude=kept) == options_before[first.source].model_dump(exclude=kept), "valid:, kind: stay"


def test_names_that_are_suggested() -> None:
    """By the profile, the device's own words, its port, what it speaks; free ones, and always names."""
    profile, columns = _draft("pms")[0], _draft("columns")[0]
    assert suggested(profile, "Whatever", lambda _: True) == "plantower-pms5003"
    assert suggested(columns, "Arduino (www.arduino.cc) Uno R3", lambda _: True) == "arduino-uno-r3"
    assert suggested(columns, "FT232R USB UART", lambda name: name != "ft232r") == "ft232r-2"
    assert suggested(columns, "USB Serial", lambda _: True) == "none"
    columns.keys["port"] = "/dev/ttyUSB0"
    assert suggested(columns, "", lambda _: True) == "sensor"
    columns.keys["port"] = "/tmp/my scale.1"
    assert suggested(columns, "", lambda _: True) == "my_scale_1"
    columns.keys["port"] = "socket://10.0.0.1:7000"
    assert suggested(columns, "", lambda name: name not in ("sensor", "sensor-2")) == "sensor-3"
    assert suggested(_draft("gps")[0], "u-blox 7 - GPS/GNSS Receiver", lambda _: True) == "u-blox-7"
    assert len(suggested(columns, "x" * 200, lambda name: len(name) > 60)) <= 64
