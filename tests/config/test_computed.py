"""``computed:`` in the configuration: every mistake with its place, what is allowed, and the cure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from sensorlogd.config.computed import ComputedOptions, channels
from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.config.models import Config
from sensorlogd.config.schema import json_schema
from sensorlogd.config.validation.warnings import warnings
from sensorlogd.drivers.registry import options_for

SENSORS = """\
sensors:
  house:
    driver: simulated
    interval: 1s
    channels:
      temp: {unit: °C, signal: {constant: {value: 20}}}
      rh: {unit: "%", signal: {constant: {value: 50}}}
      warm: {unit: °F, signal: {constant: {value: 70}}}
  slow: {driver: simulated, interval: 1min, enabled: false, channels: {x: {signal: {constant: {value: 1}}}}}
computed:
"""
AIR = "  air:\n    inputs: {t: house.temp, rh: house.rh, f: house.warm, x: slow.x}\n    channels:\n"
OWN = AIR.replace("x: slow.x", "x: slow.x, own: air.dew")


def read(text: str) -> Config:
    return load_text(SENSORS + text, Path("c.yaml"), options_for)


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        read(text)
    return [str(error) for error in caught.value.errors]


def test_units_and_heartbeats_follow_where_they_are_plain() -> None:
    config = read(
        OWN
        + '      dew: {formula: "dew_point(t, rh)"}\n      spread: {formula: t - own}\n      both: {formula: t + x, unit: K}\n'
    )
    air = config.sensors["air"]
    assert isinstance(air, ComputedOptions)
    assert {name: channel.unit for name, channel in air.channels.items()} == {"dew": "°C", "spread": "", "both": "K"}
    assert air.heartbeat_us() == 180_000_000  # of the slowest input
    order = [channel.key[1] for channel in channels(config.sensors)]
    assert order.index("dew") < order.index("spread")
    (both,) = (channel for channel in channels(config.sensors) if channel.key[1] == "both")
    assert [(source.name, source.heartbeat_us) for source in both.inputs] == [("t", 5_000_000), ("x", 180_000_000)]


def test_the_snapshot_loads_to_the_same() -> None:
    config = read(AIR + '      dew: {formula: "dew_point(t, rh)"}\n')
    again = load_text(config.snapshot(), Path("c.yaml"), options_for)
    assert again.sensors == config.sensors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (AIR + "      x: {formula: t + rx}\n", "c.yaml:14:20: computed.air.channels.x.formula: 't + rx': column 5: 'rx' is not an input"),
        (AIR + '      x: {formula: "dew_point(f, rh)"}\n', "dew_point takes f in °C, and house.warm is in °F; convert it, e.g. dew_point((f - 32) / 1.8, ...)"),
        (AIR + "      x: {formula: dew_point(t, rh)}\n", 'between braces a comma ends it; put it in quotes: formula: "dew_point(t, rh)"'),
        (AIR + "      x: {}\n", "computed.air.channels.x.formula: is required here and is not there"),
        (AIR + "      x: {formula: t, source: T}\n", "source: is for what a device says"),
        (AIR + "      x: {formula: t, polynomial: [0, 1]}\n", "polynomial: is for what a device says"),
        (OWN + "      dew: {formula: own + t}\n", "computed.air.channels.dew.formula: is computed from itself: air.dew <- air.dew"),
        ("  a: {inputs: {t: hause.temp}, channels: {x: {formula: t}}}\n", "c.yaml:11:19: computed.a.inputs.t: 'hause.temp': there is no sensor 'hause' (did you mean 'house'?)"),
        ("  a: {inputs: {t: house.tmp}, channels: {x: {formula: t}}}\n", "house has no channel 'tmp' (did you mean 'temp'?)"),
        ("  a: {inputs: {t: house}, channels: {x: {formula: t}}}\n", "'house' is not a channel; write sensor.channel"),
        ("  a: {inputs: {max: house.temp}, channels: {x: {formula: '1'}}}\n", "'max' means something in formulas already"),
        ("  a: {inputs: {t: house.temp}, channels: {}}\n", "computed.a: has no channels"),
        ("  house: {inputs: {t: house.temp}, channels: {x: {formula: t}}}\n", "is the name of a sensor already, at c.yaml:2; give it another name"),
        ("  a: {inputs: {t: house.temp}, interval: 1s, channels: {x: {formula: t}}}\n", "interval: a computed sensor has none"),
        ("  a: {driver: serial, inputs: {t: house.temp}, channels: {x: {formula: t}}}\n", "below computed: there is no driver"),
        ("  a: {inputs: {t: house.temp}, follow: [u], channels: {x: {formula: t}}}\n", "follow: 'u' is not under inputs:"),
        ("  a: {inputs: {t: house.temp}, join: equal, follow: [t], channels: {x: {formula: t}}}\n", "with join: equal all inputs are needed"),
        ("  a: {inputs: {t: house.temp, h: house.rh}, follow: [h], channels: {x: {formula: t}}}\n", "uses none of follow: (h), so there would never be a reading; add t"),
        ("  a: {inputs: {t: house.temp}, join: sometimes, channels: {x: {formula: t}}}\n", "computed.a.join"),
    ],
)  # fmt: skip
def test_mistakes(text: str, expected: str) -> None:
    problems = mistakes(text)
    assert any(expected in message for message in problems), problems
    assert len(problems) == 1


def test_a_cycle_over_sensors_is_told_with_its_path() -> None:
    problems = mistakes(
        "  a: {inputs: {x: b.y, t: house.temp}, channels: {x: {formula: x + t}}}\n"
        "  b: {inputs: {x: c.z}, channels: {y: {formula: x}}}\n"
        "  c: {inputs: {x: a.x}, channels: {z: {formula: x}}}\n"
    )
    assert len(problems) == 1
    assert any(
        path in problems[0] for path in ("a.x <- b.y <- c.z <- a.x", "b.y <- c.z <- a.x <- b.y", "c.z <- a.x <- b.y <- c.z")
    )


def test_what_will_be_regretted_is_warned_of() -> None:
    config = read(AIR + "      dew: {formula: t + x}\n")
    text = "\n".join(warnings(config, lambda port: (port, False)))
    assert "computed.air.inputs.f: no formula uses it" in text
    assert "computed.air.inputs.x: slow.x is not read now" in text


def test_the_schema_knows_it() -> None:
    assert json_schema({})["properties"]["computed"]["additionalProperties"]["$ref"].endswith("ComputedOptions")


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("was: house", "c.yaml:12:10: computed.air.was: 'house' is still configured; a former name must be free"),
        ("was: roof", "c.yaml:12:10: computed.air.was: 'roof' is claimed by sensor 'slow' too"),
        ("was: a b", "c.yaml:12:10: computed.air.was: "),
    ],
)
def test_a_former_name_is_told_of_where_it_is_written(keys: str, problem: str) -> None:
    """Below ``computed:``, with its line."""
    slow = SENSORS.replace("slow: {", "slow: {was: roof, ")
    text = f"{slow}  air:\n    {keys}\n    inputs: {{t: house.temp}}\n    channels: {{x: {{formula: t}}}}\n"
    with pytest.raises(ConfigErrors) as caught:
        load_text(text, Path("c.yaml"), options_for)
    (mistake,) = map(str, caught.value.errors)
    assert mistake.startswith(problem)


def test_a_changed_unit_is_warned_of_where_it_is_written() -> None:
    """Below ``computed:``, as all that is said of it."""

    @dataclass
    class Known:
        sensor: str = "air"
        channel: str = "x"
        unit: str = "K"
        readings: int = 5

    config = read("  air:\n    inputs: {t: house.temp}\n    channels: {x: {formula: t + 1, unit: °C}}\n")
    warned = list(warnings(config, lambda device: (device, False), [Known()]))
    assert [line.partition(": ")[0] for line in warned] == ["computed.air.channels.x.unit"]
