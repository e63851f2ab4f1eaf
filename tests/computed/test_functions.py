"""Functions against figures that others have published."""

from __future__ import annotations

import pytest

from sensorlogd.computed.functions import FUNCTIONS
from sensorlogd.computed.running import Kind, Running, State


def run(name: str, *arguments: float) -> float:
    return FUNCTIONS[name].run(*arguments)


def celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) / 1.8


@pytest.mark.parametrize(
    ("temperature", "humidity", "expected", "within"),
    [
        (40, 50, 27.6, 0.05),  # Vaisala, Humidity Conversion Formulas, example of section 4
        (20, 50, 9.3, 0.05),  # psychrometric tables of WMO-No. 8
        (25, 100, 25, 1e-9),
        (-10, 80, -12.8, 0.1),
    ],
)
def test_dew_point(temperature: float, humidity: float, expected: float, within: float) -> None:
    assert run("dew_point", temperature, humidity) == pytest.approx(expected, abs=within)


@pytest.mark.parametrize(("temperature", "expected"), [(0, 6.112), (20, 23.39), (30, 42.47), (40, 73.85)])
def test_saturation_vapour_pressure(temperature: float, expected: float) -> None:
    """Steam tables (IAPWS), within 0.4 %."""
    assert run("saturation_vapour_pressure", temperature) == pytest.approx(expected, rel=0.004)


@pytest.mark.parametrize(("t", "rh", "expected"), [(20, 80, 13.82), (20, 100, 17.3), (30, 100, 30.4), (0, 100, 4.85)])
def test_absolute_humidity(t: float, rh: float, expected: float) -> None:
    """The first is the example of Vaisala's section 6, the others stand in tables of saturated air."""
    assert run("absolute_humidity", t, rh) == pytest.approx(expected, rel=0.006)


@pytest.mark.parametrize(("t", "rh", "expected"), [(24.5, 0, 3.075), (15, 0, 1.705), (24.5, 54, 3.075 * 0.46), (15, 100, 0)])
def test_vapour_pressure_deficit(t: float, rh: float, expected: float) -> None:
    """es of FAO-56, annex 2, table 2.3 and example 3."""
    assert run("vapour_pressure_deficit", t, rh) == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("fahrenheit", "humidity", "expected"),
    [(80, 40, 80), (90, 50, 95), (100, 40, 109), (86, 90, 105), (94, 60, 110), (110, 40, 136), (82, 70, 86)],
)
def test_heat_index(fahrenheit: float, humidity: float, expected: float) -> None:
    """The chart of the National Weather Service, whole °F."""
    assert run("heat_index", celsius(fahrenheit), humidity) == pytest.approx(celsius(expected), abs=0.6)


def test_heat_index_of_cool_air_is_near_the_temperature() -> None:
    assert run("heat_index", celsius(70), 50) == pytest.approx(celsius(69.5), abs=0.6)


@pytest.mark.parametrize(
    ("fahrenheit", "mph", "expected"), [(0, 15, -19), (40, 5, 36), (-10, 30, -39), (30, 20, 17), (-40, 60, -91), (10, 10, -4)]
)
def test_wind_chill(fahrenheit: float, mph: float, expected: float) -> None:
    """The chart of the National Weather Service (2001), whole °F."""
    assert run("wind_chill", celsius(fahrenheit), mph * 0.44704) == pytest.approx(celsius(expected), abs=0.35)


def test_wind_chill_in_metres_a_second() -> None:
    """Environment Canada's chart: -20 °C at 30 km/h feels like -33, -10 °C at 20 km/h like -18."""
    assert run("wind_chill", -20, 30 / 3.6) == pytest.approx(-33, abs=0.5)
    assert run("wind_chill", -10, 20 / 3.6) == pytest.approx(-18, abs=0.5)
    assert run("wind_chill", -10, 1.0) == -10
    assert run("wind_chill", 15, 9.0) == 15


@pytest.mark.parametrize(("altitude", "pressure", "temperature"), [(500, 954.61, 11.75), (100, 1001.29, 14.35), (0, 1013.25, 15)])
def test_sea_level_pressure(altitude: float, pressure: float, temperature: float) -> None:
    """The ICAO standard atmosphere has 1013.25 hPa at the sea."""
    assert run("sea_level_pressure", pressure, altitude, temperature) == pytest.approx(1013.25, abs=0.02)


def test_moist_air_is_lighter() -> None:
    assert run("sea_level_pressure", 950, 500, 25, 90) < run("sea_level_pressure", 950, 500, 25)


@pytest.mark.parametrize(("feet", "cubic_feet"), [(0.5, 0.445), (1.0, 2.49), (0.75, 1.22)])
def test_flow_over_a_v_notch(feet: float, cubic_feet: float) -> None:
    """Cone's formula for 90 degrees, 2.49 h^2.48 in feet (Water Measurement Manual, 7.8), within 1.5 %."""
    assert run("v_notch_flow", feet * 0.3048) == pytest.approx(cubic_feet * 0.0283168, rel=0.015)


def test_flow_over_a_rectangular_weir_and_in_a_parshall_flume() -> None:
    """Francis: 3.33 ft³/s over 1 ft at 1 ft. Table 8-4: a 1-ft Parshall flume carries 4.00 ft³/s at 1 ft, 1.39 at 0.5 ft."""
    assert run("rectangular_weir_flow", 0.3048, 0.3048) == pytest.approx(3.33 * 0.0283168, rel=1e-5)
    assert run("rectangular_weir_flow", 1, 1) == pytest.approx(1.84, abs=0.005)
    assert run("flume_flow", 1.0, 4.00, 1.522) == 4.0
    assert run("flume_flow", 0.5, 4.00, 1.522) == pytest.approx(1.39, abs=0.005)
    assert run("v_notch_flow", -0.01) == run("flume_flow", 0.0, 4, 1.5) == run("rectangular_weir_flow", 0, 1) == 0


def test_power() -> None:
    assert run("power", 230, 2) == 460
    assert run("power3", 400, 10, 0.8) == pytest.approx(5542.6, abs=0.05)


# ---- what has a memory ---------------------------------------------------------------------------------------------

SECOND = 1_000_000


def together(running: Running, readings: list[tuple[int, float]], gap_us: int = 10 * SECOND) -> list[float | None]:
    state: State | None = None
    found = []
    for ts, x in readings:
        state, value = running.step(state, ts, x, gap_us)
        found.append(value)
    return found


def test_a_kilowatt_for_an_hour_is_a_kilowatt_hour() -> None:
    readings = [(second * SECOND, 1000.0) for second in range(0, 3601, 5)]
    assert together(Running(Kind.INTEGRAL, 3600), readings)[-1] == pytest.approx(1000)


def test_an_integral_is_the_trapezoid() -> None:
    assert together(Running(Kind.INTEGRAL, 1), [(0, 0.0), (2 * SECOND, 4.0), (3 * SECOND, 4.0)]) == [0, 4, 8]


def test_a_gap_adds_nothing_and_has_no_derivative() -> None:
    readings = [(0, 5.0), (SECOND, 5.0), (60 * SECOND, 9.0), (61 * SECOND, 9.0)]
    assert together(Running(Kind.INTEGRAL, 1), readings) == [0, 5, 5, 14]
    assert together(Running(Kind.DERIVATIVE, 60), readings) == [None, 0, None, 0]


def test_a_derivative_per_minute() -> None:
    assert together(Running(Kind.DERIVATIVE, 60), [(0, 1.0), (2 * SECOND, 2.0)]) == [None, 30]


@pytest.mark.parametrize(("name", "expected"), [("floor", -3.0), ("ceil", -2.0)])
def test_whole_numbers_are_floats_too(name: str, expected: float) -> None:
    """The power of two integers would have as many digits as it needs, and hold up the writer for as long."""
    assert run(name, -2.5) == expected
    assert type(run(name, -2.5)) is float
