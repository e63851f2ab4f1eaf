"""Functions of air: humidity, pressure, how warm it feels.

Temperatures are in °C, relative humidity in % over water (as WMO-No. 8 defines it below freezing, too), pressures in hPa but
where kPa is said. Sources stand in the docstrings; the tests compare with the figures that these publish.
"""

from __future__ import annotations

import math

from sensorlogd.computed.function import Function

_ZERO_C = 273.15
_MAGNUS = 6.112, 17.62, 243.12  # hPa, 1, °C: WMO-No. 8, annex 4.B, over water, -45 to 60 °C


def saturation_vapour_pressure(temperature: float) -> float:
    """Over water, in hPa. WMO-No. 8 (CIMO Guide), annex 4.B: 6.112 exp(17.62 t / (243.12 + t)), -45 to 60 °C."""
    scale, slope, shift = _MAGNUS
    if temperature <= -shift:
        raise ValueError("below what the formula knows")
    return scale * math.exp(slope * temperature / (shift + temperature))


def vapour_pressure(temperature: float, humidity: float) -> float:
    """Of the water in the air, in hPa: the share ``humidity`` of the saturation vapour pressure."""
    if humidity < 0:
        raise ValueError("a relative humidity is not negative")
    return saturation_vapour_pressure(temperature) * humidity / 100


def dew_point(temperature: float, humidity: float) -> float:
    """In °C: the temperature at which this air is saturated over water. WMO-No. 8, annex 4.B, solved for the temperature.

    Below freezing it is the dew point still, not the frost point. Air without any water has none.
    """
    scale, slope, shift = _MAGNUS
    found = math.log(vapour_pressure(temperature, humidity) / scale)
    return shift * found / (slope - found)


def absolute_humidity(temperature: float, humidity: float) -> float:
    """In g/m³: the ideal gas law for water vapour, 216.679 e / T with e in hPa and T in K.

    Source: Vaisala, Humidity Conversion Formulas (B210973EN), section 6: C = 2.16679 gK/J.
    """
    return 216.679 * vapour_pressure(temperature, humidity) / (temperature + _ZERO_C)


def vapour_pressure_deficit(temperature: float, humidity: float) -> float:
    """In kPa: what is missing to saturation, es - ea.

    Source: FAO Irrigation and Drainage Paper 56 (Allen et al. 1998), equations 11 and 10: es = 0.6108 exp(17.27 t / (t + 237.3)).
    """
    if humidity < 0 or temperature <= -237.3:
        raise ValueError("beyond what the formula knows")
    saturated = 0.6108 * math.exp(17.27 * temperature / (temperature + 237.3))
    return saturated * (1 - humidity / 100)


def heat_index(temperature: float, humidity: float) -> float:
    """In °C: how warm humid air feels in the shade.

    Source: U.S. National Weather Service, Weather Prediction Center, "The Heat Index Equation": Rothfusz's regression (Technical
    Attachment SR 90-23) with both adjustments from 80 °F on, Steadman's simple formula below.
    """
    t, rh = temperature * 1.8 + 32, humidity
    if not 0 <= rh <= 100:
        raise ValueError("a relative humidity is 0 to 100")
    simple = (0.5 * (t + 61 + (t - 68) * 1.2 + rh * 0.094) + t) / 2
    return ((simple if simple < 80 else _rothfusz(t, rh)) - 32) / 1.8


def _rothfusz(t: float, rh: float) -> float:
    """In °F, of °F and %."""
    found = (
        -42.379 + 2.04901523 * t + 10.14333127 * rh - 0.22475541 * t * rh - 0.00683783 * t * t - 0.05481717 * rh * rh
        + 0.00122874 * t * t * rh + 0.00085282 * t * rh * rh - 0.00000199 * t * t * rh * rh
    )  # fmt: skip
    if rh < 13 and 80 <= t <= 112:
        found -= (13 - rh) / 4 * math.sqrt((17 - abs(t - 95)) / 17)
    elif rh > 85 and 80 <= t <= 87:
        found += (rh - 85) / 10 * (87 - t) / 5
    return found


def wind_chill(temperature: float, wind: float) -> float:
    """In °C, of °C and m/s at 10 m: how cold moving air feels on a face.

    Source: Environment Canada and U.S. National Weather Service, 2001: 13.12 + 0.6215 t - 11.37 v^0.16 + 0.3965 t v^0.16, v in km/h;
    defined up to 10 °C and from 4.8 km/h on. Elsewhere it is the temperature itself.
    """
    if wind < 0:
        raise ValueError("a wind speed is not negative")
    speed = wind * 3.6
    if temperature > 10 or speed < 4.8:
        return temperature
    power = math.pow(speed, 0.16)
    return 13.12 + 0.6215 * temperature - 11.37 * power + 0.3965 * temperature * power


def sea_level_pressure(pressure: float, altitude: float, temperature: float, humidity: float = 0.0) -> float:
    """In hPa, of the pressure at a station this many metres above the sea, with the air temperature and humidity there.

    Source: Deutscher Wetterdienst, VuB 2 (BUFR), and WMO-No. 8, 3.7: p exp(g/R H / (T + e Ch + a H/2)), with a = 0.0065 K/m,
    Ch = 0.12 K/hPa, g = 9.80665 m/s², R = 287.05 J/(kg K). For stations up to some 750 m.
    """
    mean = temperature + _ZERO_C + 0.12 * vapour_pressure(temperature, humidity) + 0.0065 * altitude / 2
    if mean <= 0:
        raise ValueError("no such temperature")
    return pressure * math.exp(9.80665 / 287.05 * altitude / mean)


_T_RH = ("temperature", "humidity")
_UNITS = ("°C", "%")
FUNCTIONS = {
    "saturation_vapour_pressure": Function(saturation_vapour_pressure, ("temperature",), ("°C",), "hPa"),
    "vapour_pressure": Function(vapour_pressure, _T_RH, _UNITS, "hPa"),
    "dew_point": Function(dew_point, _T_RH, _UNITS, "°C"),
    "absolute_humidity": Function(absolute_humidity, _T_RH, _UNITS, "g/m³"),
    "vapour_pressure_deficit": Function(vapour_pressure_deficit, _T_RH, _UNITS, "kPa"),
    "heat_index": Function(heat_index, _T_RH, _UNITS, "°C"),
    "wind_chill": Function(wind_chill, ("temperature", "wind"), ("°C", "m/s"), "°C"),
    "sea_level_pressure": Function(
        sea_level_pressure, ("pressure", "altitude", *_T_RH), ("hPa", "m", "°C", "%"), "hPa", optional=1
    ),
}
