"""Prices together with the sensors: what is wrong in any case is a mistake at its line, what hangs on the log is a warning."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensorlogd import extras
from sensorlogd.config.loader import ConfigErrors, load_text
from sensorlogd.config.prices import RateOptions
from sensorlogd.config.validation.price_checks import Convert
from sensorlogd.config.validation.warnings import warnings
from sensorlogd.drivers.registry import options_for
from sensorlogd.storage.query import units
from tests import needs

SENSORS = """
sensors:
  meter:
    driver: simulated
    channels:
      energy: {unit: Wh, kind: counter, signal: {counter: {step: 2}}}
      water: {unit: l, kind: counter, signal: {counter: {step: 2}}}
      power: {unit: W, signal: constant}
"""
ONE = "{from: 2026-01-01, price: 1}"


def written(series: str, *, unit: str = "Wh", rates: str = ONE, name: str = "p") -> str:
    return f"  {name}: {{series: {series}, unit: {unit}, currency: EUR, rates: [{rates}]}}\n"


def warned(*prices: str, convert: Convert | None = None, stored: Any = ()) -> list[str]:
    config = load_text(SENSORS + "prices:\n" + "".join(prices), Path("test.yaml"), options_for)
    found = warnings(config, lambda port: (port, False), stored, prices_in=convert)
    return [line for line in found if line.startswith("prices.")]


def errors(*prices: str, sensors: str = SENSORS) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        load_text(sensors + "prices:\n" + "".join(prices), Path("test.yaml"), options_for)
    return [str(error) for error in caught.value.errors]


def test_what_is_no_counter_has_no_price() -> None:
    """A glob may meet others beside a counter."""
    assert warned(written("meter.*")) == []
    first, second = errors(written("meter.power"), written("[meter.energy, '*.pow*']", name="q"))
    cure = "name a counter, or write kind: counter at the channel, if it is one; counters: meter.energy, meter.water"
    place = "test.yaml:10:15: prices.p.series:"
    assert first == f"{place} 'meter.power' is a gauge, and prices are for what counters count; {cure}"
    assert second.startswith("test.yaml:11:30: prices.q.series[1]: '*.pow*' meets no counter, ")


def test_a_glob_may_be_for_a_sensor_whose_driver_is_missing(tmp_path: Path) -> None:
    """Its channels are not known."""
    missing = SENSORS + f"  other: {{driver: '{tmp_path}/none.py:X', channels: {{}}}}\n"
    config = load_text(missing + "prices:\n" + written("['*.power', other.x]"), Path("test.yaml"), options_for)
    assert [line for line in warnings(config, lambda port: (port, False)) if line.startswith("prices")] == []
    driver, price = errors(written("meter.power"), sensors=missing)
    assert "sensors.other.driver" in driver  # beside other mistakes it is one, so that all are told at once
    assert "prices.p.series: 'meter.power' is a gauge" in price


@dataclass
class Stored:
    sensor: str = "old"
    channel: str = "energy"
    unit: str = "Wh"
    readings: int = 5


def test_a_name_that_meets_no_series_is_warned_of() -> None:
    """What is stored of it has its price, too."""
    assert warned(written("meter.enrgy")) == [
        "prices.p.series: 'meter.enrgy' meets no series that is logged now (did you mean 'meter.energy'?)"
    ]
    assert warned(written("meter")) == [
        "prices.p.series: 'meter' is a sensor, and prices are for series; write sensor.channel, or meter.*"
    ]
    assert warned(written("old.*")) != []
    assert warned(written("old.*"), stored=[Stored()]) == []
    (line,) = warned(written("meter.energy", rates=f"{ONE}, {{from: 2027-01-01, by: market.price}}"))
    assert line.startswith("prices.p.rates[1].by: 'market.price' meets no series")
    assert warned(written("meter.energy", rates="{from: 2027-01-01, by: meter.power}")) == []


def test_rates_out_of_order_are_warned_of() -> None:
    (line,) = warned(written("meter.energy", rates=f"{ONE}, {{from: 2025-01-01, price: 1}}"))
    assert line.startswith("prices.p.rates[1].from: 2025-01-01 is before 2026-01-01 of the rate above it; ")


def test_a_series_of_two_prices_is_warned_of() -> None:
    assert warned(written("meter.*"), written("meter.water", name="q")) == [
        "prices.q.series: meter.water has its price from prices.p, which is above; name it in one of them"
    ]


def test_units_that_do_not_fit_are_warned_of() -> None:
    """Once for each unit."""
    needs.module("pint")
    first, second = warned(written("meter.*", unit="kg"), convert=units.unit_conversion)
    assert first.startswith(
        "prices.p.unit: no cost of meter.energy (Wh) per kg is shown: its unit 'Wh' cannot be converted to 'kg'"
    )
    assert "no cost of meter.water (l) per kg is shown: " in second
    assert warned(written("meter.energy", unit="kWh"), convert=units.unit_conversion) == []


def test_what_converts_units_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where units differ only."""
    monkeypatch.setitem(sys.modules, "pint", None)
    units._registry.cache_clear()
    (line,) = warned(written("meter.energy", unit="kWh"), convert=units.unit_conversion)
    assert line.endswith(f"converting units needs the package pint: {extras.advice('units')}")
    assert warned(written("meter.energy"), convert=units.unit_conversion) == []


@pytest.mark.parametrize(
    ("hours", "problem"),
    [
        ("22-6: 1, 5-9: 2, 7-8: 3", "hours.5-9: 5:00 is in 22-6, too"),
        ("5-6: 1, 05-6: 2", "hours.05-6: 5:00 is in 5-6, too"),
        ("0-24: 1, 23-1: 2", "hours.23-1: 23:00 is in 0-24, too"),
    ],
)
def test_hours_that_overlap_are_a_mistake(hours: str, problem: str) -> None:
    (error,) = errors(written("meter.energy", rates=f"{{from: 2026-01-01, price: 1, hours: {{{hours}}}}}"))
    assert f"prices.p.rates[0].{problem}" in error


@given(
    st.lists(st.tuples(st.integers(0, 23), st.integers(0, 24)).filter(lambda pair: pair[0] != pair[1]), max_size=4, unique=True)
)
def test_hours_are_accepted_if_none_has_two_prices(ranges: list[tuple[int, int]]) -> None:
    """Said by what the price of an hour is, range by range."""

    def lies_in(hour: int, begin: int, end: int) -> bool:
        return begin <= hour < end or (begin > end and (hour >= begin or hour < end))

    overlap = any(sum(lies_in(hour, *pair) for pair in ranges) > 1 for hour in range(24))
    given_ = {"from": "2026-01-01", "price": 1, "hours": {f"{begin}-{end}": 1 for begin, end in ranges}}
    if overlap:
        with pytest.raises(ValueError, match="too, and has one price"):
            RateOptions.model_validate(given_)
    else:
        assert len(RateOptions.model_validate(given_).hours) == len(ranges)
