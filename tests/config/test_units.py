"""What is said of a channel whose unit changes with history: where no conversion is known nothing is done in silence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from sensorlogd.config.loader import load_text
from sensorlogd.config.models import Config
from sensorlogd.config.validation import units
from sensorlogd.config.validation.warnings import warnings
from sensorlogd.drivers.registry import options_for
from sensorlogd.storage.corrections.conversion import converts


@dataclass
class Known:
    sensor: str
    channel: str
    unit: str
    readings: int = 5


def config(channel: str, sensor: str = "") -> Config:
    text = f"sensors:\n  s: {{driver: simulated, interval: 1s, {sensor}channels: {{t: {{signal: constant, {channel}}}}}}}\n"
    return load_text(text, Path("c.yaml"), options_for)


def warned(config: Config, *stored: Known) -> list[str]:
    return list(warnings(config, lambda device: (device, False), stored, converts))


@pytest.mark.parametrize(("former", "unit"), [("K", "V"), ("Wh", "kWh"), ("", "°C")])
def test_a_conversion_that_is_not_known_is_warned_of_with_what_to_do(former: str, unit: str) -> None:
    """Of what is stored, and of what is configured before."""
    asked = config(f"unit: {unit}, unit_change: convert")
    (line,) = warned(asked, Known("s", "t", former))
    assert line.startswith(f"sensors.s.channels.t.unit_change: no exact conversion from {former!r} to {unit!r} is known")
    assert "a new series is begun, and the old readings become t~1; say relabel if" in line
    assert list(units.problems(config(f"unit: '{former}'"), asked, converts)) == [line]


@pytest.mark.parametrize(
    ("former", "channel"),
    [
        ("K", "unit: °C, unit_change: convert"),
        ("degC", "unit: °C, unit_change: convert"),
        ("Wh", "unit: kWh, unit_change: relabel"),
        ("Wh", "unit: kWh, unit_change: new_series"),
        ("Wh", "unit: Wh, unit_change: convert"),
    ],
)
def test_what_is_done_as_it_was_said_is_no_matter(former: str, channel: str) -> None:
    assert warned(config(channel), Known("s", "t", former)) == []
    assert list(units.problems(config(f"unit: {former}"), config(channel), converts)) == []


def test_nothing_is_said_of_a_series_without_readings() -> None:
    assert warned(config("unit: V, unit_change: convert"), Known("s", "t", "K", 0)) == []


def test_a_unit_that_changes_without_a_word() -> None:
    assert [line.partition(";")[0] for line in units.problems(config("unit: K"), config("unit: °C"), converts)] == [
        "sensors.s.channels.t.unit: changes from 'K' to '°C' with history"
    ]


@pytest.mark.parametrize(("sensor", "channel", "stored"), [("was: r, ", "", ("r", "t")), ("", ", was: u", ("s", "u"))])
def test_a_unit_that_changes_together_with_the_name(sensor: str, channel: str, stored: tuple[str, str]) -> None:
    """The history goes on under the new name, so it is looked for under the former one."""
    asked = config(f"unit: kWh, unit_change: convert{channel}", sensor)
    (line,) = warned(asked, Known(*stored, "Wh"))
    assert line.startswith("sensors.s.channels.t.unit_change: no exact conversion from 'Wh'")
    text = f"sensors:\n  {stored[0]}: {{driver: simulated, interval: 1s, channels: {{{stored[1]}: {{signal: constant, unit: Wh}}}}}}\n"
    assert list(units.problems(load_text(text, Path("c.yaml"), options_for), asked, converts)) == [line]


def test_a_new_channel_has_no_history() -> None:
    without = load_text("sensors: {}\n", Path("c.yaml"), options_for)
    assert list(units.problems(without, config("unit: V, unit_change: convert"), converts)) == []
