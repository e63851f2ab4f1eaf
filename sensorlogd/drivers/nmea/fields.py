"""What sentences and UBX frames say, as named numbers. Parsed by pynmeagps and pyubx2; judged here.

A right checksum over nonsense is not a reading: a position off the globe, a course of 400 degrees or minutes beyond 60 make
the sentence bad. Sentences that say themselves that they are void give no position.
Meanings of fields: NMEA 0183 version 4.11, sections 6.3 and 6.4; u-blox M8/F9 interface descriptions, UBX-NAV.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Fields = dict[str, float]


@dataclass(frozen=True, slots=True)
class Known:
    """A field that the driver gives: its unit, how it aggregates, and what is possible."""

    unit: str = ""
    kind: str = "gauge"
    low: float = -math.inf
    high: float = math.inf


KNOWN = {
    "latitude": Known("°", low=-90, high=90),
    "longitude": Known("°", low=-180, high=180),
    "altitude": Known("m", low=-1e5, high=1e8),
    "geoid_separation": Known("m", low=-200, high=200),
    "speed": Known("kn", low=0, high=20_000),
    "course": Known("°", "angle", 0, 360),
    "satellites": Known(low=0, high=200),
    "satellites_in_view": Known(low=0, high=200),
    "fix": Known("", "state", 0, 9),
    "fix_mode": Known("", "state", 0, 9),
    "hdop": Known(low=0, high=100),
    "vdop": Known(low=0, high=100),
    "pdop": Known(low=0, high=100),
    "horizontal_accuracy": Known("m", low=0),
    "vertical_accuracy": Known("m", low=0),
    "heading": Known("°", "angle", 0, 360),
    "heading_magnetic": Known("°", "angle", 0, 360),
    "rate_of_turn": Known("°/min", low=-100_000, high=100_000),
    "rudder": Known("°", low=-360, high=360),
    "depth": Known("m", low=0, high=12_000),
    "depth_below_surface": Known("m", low=0, high=12_000),
    "depth_below_keel": Known("m", low=0, high=12_000),
    "transducer_offset": Known("m", low=-100, high=100),
    "water_temperature": Known("°C", low=-5, high=60),
    "water_speed": Known("kn", low=-100, high=1000),
    "distance": Known("nmi", low=0),
    "wind_speed": Known("m/s", low=0, high=200),
    "wind_angle": Known("°", "angle", 0, 360),
    "wind_speed_true": Known("m/s", low=0, high=200),
    "wind_angle_true": Known("°", "angle", 0, 360),
    "wind_direction": Known("°", "angle", 0, 360),
    "air_temperature": Known("°C", low=-100, high=100),
    "humidity": Known("%", low=0, high=100),
    "dew_point": Known("°C", low=-100, high=100),
    "pressure": Known("hPa", low=500, high=1200),
    "pitch": Known("°", low=-360, high=360),
    "roll": Known("°", low=-360, high=360),
    "rpm": Known("1/min", low=-100_000, high=100_000),
}
DEFAULT = ("latitude", "longitude", "altitude", "speed", "course", "satellites", "hdop", "fix")

_TO_MS = {"M": 1.0, "N": 1852 / 3600, "K": 1 / 3.6, "S": 1609.344 / 3600}
_LATITUDE = re.compile(r"\d{2}[0-5]\d(?:\.\d*)?")
_LONGITUDE = re.compile(r"\d{2,3}[0-5]\d(?:\.\d*)?")
_POSITION_AT = {"GGA": 2, "GNS": 2, "RMC": 3, "GLL": 1}


class Nonsense(ValueError):
    """The checksum is right and the content is not; the text says what."""


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value in ("", None):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float(str(value))
    except ValueError:
        raise Nonsense(f"{str(value)[:20]!r} is not a number") from None


def _position(msg: Any, raw: list[str]) -> Fields:
    latitude, longitude = _number(msg.lat), _number(msg.lon)
    at = _POSITION_AT[raw[0][-3:]]
    north, ns, east, ew = raw[at : at + 4]
    if not north and not east:
        return {}
    # The library computes with whatever digits there are: 9999.99 would become an angle, too.
    if not _LATITUDE.fullmatch(north) or not _LONGITUDE.fullmatch(east) or ns not in "NS" or ew not in "EW" or not ns or not ew:
        raise Nonsense(f"{north}{ns},{east}{ew} is not a position in degrees and minutes")
    if latitude is None or longitude is None:
        return {}
    return {"latitude": latitude, "longitude": longitude}


def _gga(msg: Any, raw: list[str]) -> Fields:
    out = _some(fix=msg.quality, satellites=msg.numSV)
    if out.get("fix"):
        out |= _position(msg, raw) | _some(hdop=msg.HDOP, altitude=msg.alt, geoid_separation=msg.sep)
    return out


def _gns(msg: Any, raw: list[str]) -> Fields:
    out = _some(satellites=msg.numSV)
    position = _position(msg, raw)
    return out | position | (_some(hdop=msg.HDOP, altitude=msg.alt, geoid_separation=msg.sep) if position else {})


def _rmc(msg: Any, raw: list[str]) -> Fields:
    return _position(msg, raw) | _some(speed=msg.spd, course=msg.cog) if msg.status == "A" else {}


def _gll(msg: Any, raw: list[str]) -> Fields:
    return _position(msg, raw) if msg.status == "A" else {}


def _mwv(msg: Any, raw: list[str]) -> Fields:
    speed, factor = _number(msg.speed), _TO_MS.get(msg.speedu)
    if msg.status != "A" or factor is None:
        return {}
    suffix = "" if msg.reference == "R" else "_true"
    return _some(**{f"wind_angle{suffix}": msg.angle, f"wind_speed{suffix}": None if speed is None else speed * factor})


def _mwd(msg: Any, raw: list[str]) -> Fields:
    cells = raw[1:]
    return _some(wind_direction=cells[0] or cells[2], wind_speed_true=cells[6] if len(cells) > 6 else None)


def _vwr(suffix: str) -> Callable[[Any, list[str]], Fields]:
    def decode(msg: Any, raw: list[str]) -> Fields:
        """Angle to the bow 0 to 180, L or R; speeds in knots, m/s and km/h."""
        angle, side, knots, metres = _number(raw[1]), raw[2], _number(raw[3]), _number(raw[5])
        if angle is not None and side == "L":
            angle = (360 - angle) % 360
        return _some(
            **{f"wind_angle{suffix}": angle, f"wind_speed{suffix}": metres if metres is not None else _times(knots, _TO_MS["N"])}
        )

    return decode


def _mda(msg: Any, raw: list[str]) -> Fields:
    """Barometer in bar, temperatures, humidity, dew point, wind direction and speed."""
    cells = [*raw[1:], *[""] * 20]
    return _some(
        pressure=_times(_number(cells[2]), 1000), air_temperature=cells[4], water_temperature=cells[6], humidity=cells[8],
        dew_point=cells[10], wind_direction=cells[12], wind_speed_true=cells[18],
    )  # fmt: skip


_XDR = {("C", "C"): "temperature", ("H", "P"): "humidity", ("P", "B"): "pressure", ("P", "P"): "pressure", ("A", "D"): "angle"}


def _xdr(msg: Any, raw: list[str]) -> Fields:
    """Transducers by their own names: ``xdr_PITCH``; pitch and roll, air temperature and barometer also by ours."""
    out: Fields = {}
    cells = raw[1:]
    for kind, value, unit, name in zip(cells[0::4], cells[1::4], cells[2::4], cells[3::4], strict=False):
        number = _number(value)
        if number is None:
            continue
        out[f"xdr_{name}"] = number
        lowered = name.lower()
        if kind == "A" and lowered in ("pitch", "ptch", "pitc"):
            out["pitch"] = number
        elif kind == "A" and lowered in ("roll", "heel"):
            out["roll"] = number
        elif kind == "C" and ("air" in lowered or lowered == "outside"):
            out["air_temperature"] = number
        elif kind == "P" and unit in ("B", "P"):
            out["pressure"] = number * (1000 if unit == "B" else 0.01)
        elif kind == "H":
            out["humidity"] = number
    return out


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _some(**fields: Any) -> Fields:
    return {name: number for name, value in fields.items() if (number := _number(value)) is not None}


def _cell(index: int, name: str) -> Callable[[Any, list[str]], Fields]:
    return lambda msg, raw: _some(**{name: raw[index] if len(raw) > index else None})


_SENTENCES: dict[str, Callable[[Any, list[str]], Fields]] = {
    "GGA": _gga,
    "GNS": _gns,
    "RMC": _rmc,
    "GLL": _gll,
    "VTG": lambda msg, raw: _some(course=msg.cogt, speed=msg.sogn),
    "GSA": lambda msg, raw: _some(fix_mode=msg.navMode, pdop=msg.PDOP, hdop=msg.HDOP, vdop=msg.VDOP),
    "GSV": lambda msg, raw: _some(satellites_in_view=raw[3]) if raw[2] == "1" and raw[0][:2] == "GP" else {},
    "HDT": _cell(1, "heading"),
    "THS": _cell(1, "heading"),
    "HDM": _cell(1, "heading_magnetic"),
    "HDG": _cell(1, "heading_magnetic"),
    "ROT": lambda msg, raw: _some(rate_of_turn=raw[1]) if raw[2:3] == ["A"] else {},
    "RSA": lambda msg, raw: _some(rudder=raw[1]) if raw[2:3] == ["A"] else {},
    "DPT": lambda msg, raw: _some(depth=raw[1], transducer_offset=raw[2] if len(raw) > 2 else None),
    "DBT": _cell(3, "depth"),
    "DBS": _cell(3, "depth_below_surface"),
    "DBK": _cell(3, "depth_below_keel"),
    "MTW": _cell(1, "water_temperature"),
    "VHW": lambda msg, raw: _some(heading=raw[1], heading_magnetic=raw[3], water_speed=raw[5]),
    "VLW": _cell(1, "distance"),
    "MWV": _mwv,
    "MWD": _mwd,
    "VWR": _vwr(""),
    "VWT": _vwr("_true"),
    "MTA": _cell(1, "air_temperature"),
    "MMB": lambda msg, raw: _some(pressure=_times(_number(raw[3]), 1000)),
    "MDA": _mda,
    "MHU": _cell(1, "humidity"),
    "XDR": _xdr,
    "RPM": lambda msg, raw: _some(rpm=raw[3]) if raw[5:6] == ["A"] else {},
}
_NEEDS_MESSAGE = {"GGA", "GNS", "RMC", "GLL", "VTG", "GSA", "MWV"}


def of_sentence(text: str) -> Fields | None:
    """The numbers in a sentence whose checksum was right; None for one that has none of ours. Raises Nonsense."""
    raw = text.split(",")
    kind = raw[0][-3:] if not raw[0].startswith("P") else ""
    decode = _SENTENCES.get(kind)
    if decode is None:
        return None
    message = None
    if kind in _NEEDS_MESSAGE:
        from pynmeagps import NMEAReader, exceptions

        try:
            message = NMEAReader.parse(f"${text}*{_checksum(text)}\r\n".encode("ascii"), validate=1)
        except (
            exceptions.NMEAParseError,
            exceptions.NMEATypeError,
            exceptions.NMEAMessageError,
            exceptions.NMEAStreamError,
        ) as error:
            raise Nonsense(str(error)[:80]) from None
        except Exception as error:  # a parser of strangers' bytes: whatever it trips over is the sentence's fault
            raise Nonsense(f"{type(error).__name__}: {error}"[:80]) from None
    try:
        return _possible(decode(message, raw))
    except (IndexError, AttributeError, ValueError) as error:
        if isinstance(error, Nonsense):
            raise
        raise Nonsense("has too few fields") from None


def _checksum(text: str) -> str:
    total = 0
    for byte in text.encode("ascii"):
        total ^= byte
    return f"{total:02X}"


def _possible(fields: Fields) -> Fields:
    for name, value in fields.items():
        known = KNOWN.get(name)
        if not math.isfinite(value) or (known is not None and not known.low <= value <= known.high):
            raise Nonsense(f"{name} cannot be {value:g}")
    return fields


def of_ubx(frame: bytes) -> Fields | None:
    """The numbers in UBX-NAV-PVT, -POSLLH, -VELNED, -DOP and -SOL; None for other frames. Raises Nonsense."""
    kind = (frame[2], frame[3])
    if kind not in ((0x01, 0x07), (0x01, 0x02), (0x01, 0x12), (0x01, 0x04), (0x01, 0x06)):
        return None
    from pyubx2 import UBXReader

    try:
        msg = UBXReader.parse(frame)
        return _possible(_nav(kind[1], msg))
    except Nonsense:
        raise
    except Exception as error:  # as above
        raise Nonsense(f"{type(error).__name__}: {error}"[:80]) from None


def _nav(kind: int, msg: Any) -> Fields:
    if kind == 0x07:
        out = _some(fix_mode=msg.fixType, satellites=msg.numSV)
        if msg.gnssFixOk:
            out |= _some(
                latitude=msg.lat, longitude=msg.lon, altitude=msg.hMSL / 1000, horizontal_accuracy=msg.hAcc / 1000,
                vertical_accuracy=msg.vAcc / 1000, speed=msg.gSpeed / 1000 / _TO_MS["N"], course=msg.headMot % 360, pdop=msg.pDOP,
            )  # fmt: skip
        return out
    if kind == 0x02:
        return _some(
            latitude=msg.lat, longitude=msg.lon, altitude=msg.hMSL / 1000,
            horizontal_accuracy=msg.hAcc / 1000, vertical_accuracy=msg.vAcc / 1000,
        )  # fmt: skip
    if kind == 0x12:
        return _some(speed=msg.gSpeed / 100 / _TO_MS["N"], course=msg.heading % 360)
    if kind == 0x04:
        return _some(hdop=msg.hDOP, vdop=msg.vDOP, pdop=msg.pDOP)
    return _some(fix_mode=msg.gpsFix, satellites=msg.numSV)
