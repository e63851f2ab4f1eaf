"""From NMEA 0183 sentences to named numbers.

A right checksum over nonsense is not a reading: a position off the globe, a course of 400 degrees or minutes beyond 60 make
the sentence bad. Sentences that say themselves that they are void give nothing but the fact.

Places of fields: NMEA 0183 version 4.11 section 6.3, and for old devices the shorter forms of versions 1.5 and 2.0. Read by
place and not by a parser library: those measured took 33 µs a sentence (this takes 5), made a latitude of 9999.99 into 100.67
degrees, and read the speed of an old VTG as its course. The tests compare with such a library, sentence by sentence.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from math import hypot

from sensorlogd.drivers.nmea.known import Fields, Nonsense, Void

KNOT_MS = 1852 / 3600
FOOT_M = 0.3048
FATHOM_M = 1.8288
INCH_HG_HPA = 33.863886
_TO_MS = {"M": 1.0, "N": KNOT_MS, "K": 1 / 3.6, "S": 1609.344 / 3600}
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", re.ASCII)
_LATITUDE = re.compile(r"(\d{2})([0-5]\d(?:\.\d*)?)", re.ASCII)
_LONGITUDE = re.compile(r"(\d{2,3})([0-5]\d(?:\.\d*)?)", re.ASCII)


class Cells(list[str]):
    """The fields of a sentence, its address first. Fields after the last one are empty."""

    def text(self, index: int) -> str:
        """A field without the blanks around it. "" for a field after the last one: older receivers send shorter sentences."""
        return self[index].strip() if index < len(self) else ""

    def number(self, index: int, factor: float = 1.0) -> float | None:
        """The number in a field; None if the field is empty. Raises Nonsense if it is no decimal number."""
        text = self.text(index)
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            raise Nonsense(f"{text[:20]!r} is not a number")
        value = float(text)
        return value if factor == 1.0 else value * factor

    def at_least(self, count: int) -> None:
        """Raises Nonsense unless there are this many fields after the address."""
        if len(self) <= count:
            raise Nonsense(f"has {len(self) - 1} fields, should have {count}")

    def position(self, index: int) -> Fields:
        """Latitude, N or S, longitude, E or W from field ``index`` on; nothing if all four are empty."""
        north, ns, east, ew = (self.text(index + offset) for offset in range(4))
        if not north and not east:
            return {}
        latitude, longitude = _LATITUDE.fullmatch(north), _LONGITUDE.fullmatch(east)
        if latitude is None or longitude is None or ns not in ("N", "S") or ew not in ("E", "W"):
            raise Nonsense(f"{north}{ns},{east}{ew} is not a position in degrees and minutes")
        return {
            "latitude": (int(latitude[1]) + float(latitude[2]) / 60) * (1 if ns == "N" else -1),
            "longitude": (int(longitude[1]) + float(longitude[2]) / 60) * (1 if ew == "E" else -1),
        }

    def signed(self, index: int, positive: str, negative: str) -> float | None:
        """A number, and in the next field a letter that is its sign."""
        value, side = self.number(index), self.text(index + 1)
        if value is None or side not in (positive, negative):
            return None
        return value if side == positive else -value

    def valid(self, index: int) -> None:
        """Raises Void unless the status is A. Old devices do not send a status, and are believed."""
        if index < len(self) and self.text(index) != "A":
            raise Void


def _drop_empty(**fields: float | None) -> Fields:
    return {name: value for name, value in fields.items() if value is not None}


def _first_given(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


# ---- GNSS --------------------------------------------------------------------------------------------------------------


def _gga(cells: Cells) -> Fields:
    """NMEA 0183: time, position (2-5), fix 0 to 8, satellites, hdop, altitude in m, M, geoid separation in m. Without a fix there is no
    position, whatever stands there."""
    cells.at_least(9)
    out = _drop_empty(fix=cells.number(6), satellites=cells.number(7))
    if out.get("fix"):
        out |= cells.position(2)
        out |= _drop_empty(hdop=cells.number(8), altitude=cells.number(9), geoid_separation=cells.number(11))
    return out


def _gns(cells: Cells) -> Fields:
    """NMEA 0183, of several systems: time, position (2-5), a letter of mode for each system (N: no fix), satellites, hdop, altitude and
    geoid separation in m."""
    cells.at_least(9)
    out = _drop_empty(satellites=cells.number(7))
    if cells.text(6).strip("N"):
        out |= cells.position(2)
        out |= _drop_empty(hdop=cells.number(8), altitude=cells.number(9), geoid_separation=cells.number(10))
    return out


def _rmc(cells: Cells) -> Fields:
    """NMEA 0183: time, status (A: valid), position (3-6), speed in knots, which stays so, course, date, magnetic variation with E or W,
    mode (N: not valid). Raises Void if it is not valid."""
    cells.at_least(9)
    if cells.text(2) != "A" or cells.text(12) == "N":
        raise Void
    return cells.position(3) | _drop_empty(
        speed=cells.number(7), course=cells.number(8), magnetic_variation=cells.signed(10, "E", "W")
    )  # fmt: skip


def _gll(cells: Cells) -> Fields:
    cells.at_least(4)
    cells.valid(6)
    return cells.position(1)


def _vtg(cells: Cells) -> Fields:
    if cells.text(9) == "N":
        raise Void
    if cells.text(2) in ("T", "") and (cells.text(6) == "N" or cells.text(8) == "K"):
        return _drop_empty(course=cells.number(1), speed=_first_given(cells.number(5), cells.number(7, 1 / 1.852)))
    return _drop_empty(course=cells.number(1), speed=_first_given(cells.number(3), cells.number(4, 1 / 1.852)))  # without letters


def _gsa(cells: Cells) -> Fields:
    cells.at_least(17)
    mode = cells.number(2)
    if mode is not None and mode < 2:
        return {"fix_mode": mode}
    return _drop_empty(fix_mode=mode, pdop=cells.number(15), hdop=cells.number(16), vdop=cells.number(17))


_IN_VIEW = {
    "GP": "gps", "GL": "glonass", "GA": "galileo", "GB": "beidou", "BD": "beidou", "GQ": "qzss", "QZ": "qzss",
}  # fmt: skip


def _gsv(cells: Cells) -> Fields:
    """The number of satellites, from the first of several sentences; receivers repeat it in each of them, and for each signal."""
    cells.at_least(3)
    name = _IN_VIEW.get(cells[0][:2])
    if cells.text(2) != "1":
        return {}
    return _drop_empty(**{f"{name}_in_view" if name else "satellites_in_view": cells.number(3)})


def _gst(cells: Cells) -> Fields:
    """Standard deviations. The horizontal one is computed from those of latitude and longitude."""
    cells.at_least(8)
    north, east = cells.number(6), cells.number(7)
    return _drop_empty(
        horizontal_accuracy=None if north is None or east is None else hypot(north, east), vertical_accuracy=cells.number(8)
    )


def _pubx00(cells: Cells) -> Fields:
    """u-blox "Lat/Long Position Data"."""
    cells.at_least(18)
    if cells.text(8) in ("NF", "", "TT"):
        raise Void
    return cells.position(3) | _drop_empty(
        horizontal_accuracy=cells.number(9), vertical_accuracy=cells.number(10), speed=cells.number(11, 1 / 1.852),
        course=cells.number(12), climb=None if (down := cells.number(13)) is None else -down, hdop=cells.number(15),
        vdop=cells.number(16), satellites=cells.number(18),
    )  # fmt: skip


def _pgrme(cells: Cells) -> Fields:
    """Garmin "Estimated Position Error"."""
    return _drop_empty(horizontal_accuracy=cells.number(1), vertical_accuracy=cells.number(3))


def _pgrmz(cells: Cells) -> Fields:
    """Garmin "Altitude", in feet."""
    return _drop_empty(altitude=cells.number(1, FOOT_M if cells.text(2).lower() == "f" else 1.0))


def _pashr(cells: Cells) -> Fields:
    """Attitude of inertial systems: heading, roll, pitch, heave."""
    if cells.text(3) != "T":
        return {}  # another sentence of that name
    return _drop_empty(heading=cells.number(2), roll=cells.number(4), pitch=cells.number(5), heave=cells.number(6))


# ---- heading, water, depth -----------------------------------------------------------------------------------------------


def _hdg(cells: Cells) -> Fields:
    """The magnetic heading is the sensor's heading plus deviation."""
    heading, deviation = cells.number(1), cells.signed(2, "E", "W")
    if heading is not None and deviation is not None:
        heading = (heading + deviation) % 360
    return _drop_empty(heading_magnetic=heading, magnetic_variation=cells.signed(4, "E", "W"))


def _ths(cells: Cells) -> Fields:
    if cells.text(2) == "V":
        raise Void
    return _drop_empty(heading=cells.number(1))


def _rot(cells: Cells) -> Fields:
    cells.valid(2)
    return _drop_empty(rate_of_turn=cells.number(1))


def _rsa(cells: Cells) -> Fields:
    cells.valid(2)
    return _drop_empty(rudder=cells.number(1))


def _rpm(cells: Cells) -> Fields:
    """NMEA 0183: E (engine) or S (shaft), its number (0: the only one or the middle one), revolutions a minute, pitch of the propeller,
    status. Also under the name of its source, ``rpm_engine_1``; the number counts without leading zeros."""
    cells.valid(5)
    value, source, number = cells.number(3), {"E": "engine", "S": "shaft"}.get(cells.text(1)), cells.text(2)
    of_one = {f"rpm_{source}_{int(number)}": value} if source and len(number) <= 3 and number.isdecimal() else {}
    return _drop_empty(rpm=value, **of_one)


def _decode_depth(name: str) -> Callable[[Cells], Fields]:
    """A decoder of a depth under that name."""

    def decode(cells: Cells) -> Fields:
        """In metres, else feet, else fathoms."""
        return _drop_empty(**{name: _first_given(cells.number(3), cells.number(1, FOOT_M), cells.number(5, FATHOM_M))})

    return decode


def _mtw(cells: Cells) -> Fields:
    value = cells.number(1)
    if value is not None and cells.text(2) == "F":
        value = (value - 32) / 1.8
    return _drop_empty(water_temperature=value)


def _vhw(cells: Cells) -> Fields:
    return _drop_empty(
        heading=cells.number(1),
        heading_magnetic=cells.number(3),
        water_speed=_first_given(cells.number(5), cells.number(7, 1 / 1.852)),
    )


def _vbw(cells: Cells) -> Fields:
    cells.valid(3)
    return _drop_empty(water_speed=cells.number(1))


# ---- wind, weather -------------------------------------------------------------------------------------------------------


def _mwv(cells: Cells) -> Fields:
    """NMEA 0183: angle in degrees from the bow, R (relative, so apparent) or T (true), speed, its unit (K M N S), status. Speeds become m/s."""
    cells.at_least(4)
    cells.valid(5)
    factor = _TO_MS.get(cells.text(4))
    suffix = {"R": "", "T": "_true"}.get(cells.text(2))
    if factor is None or suffix is None:
        raise Nonsense(f"reference {cells.text(2)!r} is not R or T, or unit {cells.text(4)!r} is not K, M, N or S")
    return _drop_empty(**{f"wind_angle{suffix}": cells.number(1), f"wind_speed{suffix}": cells.number(3, factor)})


def _mwd(cells: Cells) -> Fields:
    return _drop_empty(
        wind_direction=cells.number(1),
        wind_direction_magnetic=cells.number(3),
        wind_speed_true=_first_given(cells.number(7), cells.number(5, KNOT_MS)),
    )


def _decode_relative_wind(suffix: str) -> Callable[[Cells], Fields]:
    """A decoder of wind relative to the bow; ``suffix`` of the names of its fields."""

    def decode(cells: Cells) -> Fields:
        """Angle to the bow 0 to 180, L or R; speeds in knots, m/s and km/h."""
        angle = cells.number(1)
        if angle is not None and cells.text(2) == "L":
            angle = (360 - angle) % 360
        speed = _first_given(cells.number(5), cells.number(3, KNOT_MS), cells.number(7, 1 / 3.6))
        return _drop_empty(**{f"wind_angle{suffix}": angle, f"wind_speed{suffix}": speed})

    return decode


def _pressure_hpa(bar: float | None, inches_hg: float | None) -> float | None:
    """The pressure from bar, else from inches of mercury."""
    if bar is not None:
        return bar * 1000
    return None if inches_hg is None else inches_hg * INCH_HG_HPA


def _mda(cells: Cells) -> Fields:
    """Barometer in inches of mercury and bar, temperatures, humidity, dew point, wind direction and speed."""
    return _drop_empty(
        pressure=_pressure_hpa(cells.number(3), cells.number(1)), air_temperature=cells.number(5),
        water_temperature=cells.number(7), humidity=cells.number(9), dew_point=cells.number(11),
        wind_direction=cells.number(13), wind_direction_magnetic=cells.number(15),
        wind_speed_true=_first_given(cells.number(19), cells.number(17, KNOT_MS)),
    )  # fmt: skip


_PITCH, _ROLL = ("pitch", "ptch", "pitc"), ("roll", "heel", "roll_angle")


_TO_HPA = {"B": 1000.0, "P": 0.01, "H": 1.0, "M": 1.3332239, "I": INCH_HG_HPA}


def _xdr(cells: Cells) -> Fields:
    """Transducers under their own names, ``xdr_PITCH``. Pitch and roll, air temperature, barometer and humidity also under the
    names of this driver.

    A name of digits alone only counts those of one kind (Vaisala's WXT520 calls temperature, humidity and pressure "0" in one
    sentence), so the kind stands before it: ``xdr_C0``; likewise any name that several kinds have in one sentence, as gateways
    call all of an engine: ``xdr_CENGINE#0``. Of a weather instrument (talker WI) number 0 is the outer one.
    """
    out: Fields = {}
    is_weather = cells[0].startswith("WI")
    kinds = Counter(name for _, name in {(cells.text(index), cells.text(index + 3)) for index in range(1, len(cells), 4)})
    for index in range(1, len(cells), 4):
        value = cells.number(index + 1)
        if value is None:
            continue
        kind, unit, name = cells.text(index), cells.text(index + 2), cells.text(index + 3)
        out[f"xdr_{kind}{name}" if name.isdecimal() or kinds[name] > 1 else f"xdr_{name or kind}"] = value
        own_channel = _own_channel(kind, unit, name.lower(), value, is_weather=is_weather)
        if own_channel is not None:
            out.setdefault(*own_channel)
    return out


def _own_channel(kind: str, unit: str, name: str, value: float, *, is_weather: bool) -> tuple[str, float] | None:
    """The name of this driver for a transducer's value, and the value in its unit."""
    outer = is_weather and name in ("", "0")
    if kind == "A" and name in _PITCH:
        return "pitch", value
    if kind == "A" and name in _ROLL:
        return "roll", value
    if kind == "C" and unit in ("C", "F") and (outer or "air" in name or name == "outside"):
        return "air_temperature", value if unit == "C" else (value - 32) / 1.8
    if kind == "P" and unit in _TO_HPA and (outer or not name or "bar" in name or "press" in name or "air" in name):
        return "pressure", value * _TO_HPA[unit]
    if kind == "H":
        return "humidity", value
    return None


def _decode_places(**places: int) -> Callable[[Cells], Fields]:
    """A decoder of fields at fixed places."""
    return lambda cells: _drop_empty(**{name: cells.number(index) for name, index in places.items()})


_DECODERS: dict[str, Callable[[Cells], Fields]] = {
    "GGA": _gga,
    "GNS": _gns,
    "RMC": _rmc,
    "GLL": _gll,
    "VTG": _vtg,
    "GSA": _gsa,
    "GSV": _gsv,
    "GST": _gst,
    "ZDA": lambda _: {},  # its time is the clock's business
    "HDT": _decode_places(heading=1),
    "THS": _ths,
    "HDM": _decode_places(heading_magnetic=1),
    "HDG": _hdg,
    "ROT": _rot,
    "RSA": _rsa,
    "DPT": _decode_places(depth=1, transducer_offset=2),
    "DBT": _decode_depth("depth"),
    "DBS": _decode_depth("depth_below_surface"),
    "DBK": _decode_depth("depth_below_keel"),
    "MTW": _mtw,
    "VHW": _vhw,
    "VBW": _vbw,
    "VLW": _decode_places(distance=1, distance_trip=3),
    "VDR": _decode_places(current_direction=1, current_speed=5),
    "MWV": _mwv,
    "MWD": _mwd,
    "VWR": _decode_relative_wind(""),
    "VWT": _decode_relative_wind("_true"),
    "MTA": _decode_places(air_temperature=1),
    "MMB": lambda cells: _drop_empty(pressure=_pressure_hpa(cells.number(3), cells.number(1))),
    "MDA": _mda,
    "MHU": _decode_places(humidity=1),
    "XDR": _xdr,
    "RPM": _rpm,
    "PUBX,00": _pubx00,
    "PGRME": _pgrme,
    "PGRMZ": _pgrmz,
    "PASHR": _pashr,
}
NAMES = tuple(_DECODERS)


def kind_of(cells: Cells) -> tuple[str, str]:
    """(talker, kind): ``("GP", "GGA")``; of a proprietary sentence ``("P", "PGRMZ")``, with its number ``PUBX,00``."""
    address = cells[0]
    if address.startswith("P"):
        return "P", f"{address},{cells.text(1)}" if address == "PUBX" else address
    return address[:-3], address[-3:]


def of_sentence(kind: str, cells: Cells) -> Fields | None:
    """The numbers in a sentence with the right checksum; None for a kind of sentence without known fields.

    Raises Nonsense where something in it is no number or position, Void where it says itself that it knows nothing.
    """
    decode = _DECODERS.get(kind)
    return None if decode is None else decode(cells)
