"""The fields of the driver, by name: unit, kind, and possible values. Configurations use these names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

Fields = dict[str, float]


class Nonsense(ValueError):
    """The checksum is right, but the content is impossible; the text says what is wrong."""


class Void(Exception):
    """The device says that it has no data (no fix, status V)."""


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A field of the driver: its unit, its kind, and its possible values.

    ``minor``: an impossible value (devices write 99.9 or 999.9 for "unknown") does not cast doubt on the rest of the sentence.
    """

    unit: str = ""
    kind: str = "gauge"
    low: float = -math.inf
    high: float = math.inf
    minor: bool = False


def _angle_field() -> FieldDefinition:
    return FieldDefinition("°", "angle", 0, 360)


KNOWN = {
    "latitude": FieldDefinition("°", low=-90, high=90),
    "longitude": FieldDefinition("°", low=-180, high=180),
    "altitude": FieldDefinition("m", low=-12_000, high=1e8),
    "geoid_separation": FieldDefinition("m", low=-200, high=200, minor=True),
    "speed": FieldDefinition("kn", low=0, high=20_000),
    "course": _angle_field(),
    "climb": FieldDefinition("m/s", low=-20_000, high=20_000),
    "satellites": FieldDefinition(low=0, high=200),
    "satellites_in_view": FieldDefinition(low=0, high=200),
    "gps_in_view": FieldDefinition(low=0, high=100),
    "glonass_in_view": FieldDefinition(low=0, high=100),
    "galileo_in_view": FieldDefinition(low=0, high=100),
    "beidou_in_view": FieldDefinition(low=0, high=100),
    "qzss_in_view": FieldDefinition(low=0, high=100),
    "fix": FieldDefinition("", "state", 0, 9),
    "fix_mode": FieldDefinition("", "state", 0, 9),
    "hdop": FieldDefinition(low=0, high=1000, minor=True),
    "vdop": FieldDefinition(low=0, high=1000, minor=True),
    "pdop": FieldDefinition(low=0, high=1000, minor=True),
    "horizontal_accuracy": FieldDefinition("m", low=0, minor=True),
    "vertical_accuracy": FieldDefinition("m", low=0, minor=True),
    "magnetic_variation": FieldDefinition("°", low=-180, high=180, minor=True),
    "heading": _angle_field(),
    "heading_magnetic": _angle_field(),
    "rate_of_turn": FieldDefinition("°/min", low=-100_000, high=100_000),
    "rudder": FieldDefinition("°", low=-360, high=360),
    "depth": FieldDefinition("m", low=0, high=12_000),
    "depth_below_surface": FieldDefinition("m", low=0, high=12_000),
    "depth_below_keel": FieldDefinition("m", low=0, high=12_000),
    "transducer_offset": FieldDefinition("m", low=-100, high=100, minor=True),
    "water_temperature": FieldDefinition("°C", low=-60, high=150),
    "water_speed": FieldDefinition("kn", low=-100, high=1000),
    "distance": FieldDefinition("nmi", "counter", 0),
    "distance_trip": FieldDefinition("nmi", "counter", 0),
    "current_speed": FieldDefinition("kn", low=0, high=100),
    "current_direction": _angle_field(),
    "wind_speed": FieldDefinition("m/s", low=0, high=200),
    "wind_angle": _angle_field(),
    "wind_speed_true": FieldDefinition("m/s", low=0, high=200),
    "wind_angle_true": _angle_field(),
    "wind_direction": _angle_field(),
    "wind_direction_magnetic": _angle_field(),
    "air_temperature": FieldDefinition("°C", low=-100, high=100),
    "humidity": FieldDefinition("%", low=0, high=100),
    "dew_point": FieldDefinition("°C", low=-100, high=100, minor=True),
    "pressure": FieldDefinition("hPa", low=500, high=1200),
    "pitch": FieldDefinition("°", low=-360, high=360),
    "roll": FieldDefinition("°", low=-360, high=360),
    "heave": FieldDefinition("m", low=-100, high=100),
    "rpm": FieldDefinition("1/min", low=-100_000, high=100_000),
}
_OF_ONE_SOURCE = re.compile(r"(rpm)_(?:engine|shaft)_\d{1,3}", re.ASCII)
DEFAULT = ("latitude", "longitude", "altitude", "speed", "course", "satellites", "hdop", "fix")


def known_field(name: str) -> FieldDefinition | None:
    """What is known of a field; ``rpm_engine_1`` and ``rpm_shaft_1`` are like ``rpm``. None for names that devices give."""
    of_one = _OF_ONE_SOURCE.fullmatch(name)
    return KNOWN.get(of_one[1] if of_one else name)


def possible(fields: Fields, leave_out: Callable[[str], None]) -> Fields:
    """The fields with possible values. ``leave_out`` is called for minor fields with impossible values. Raises Nonsense for any
    other such field."""
    impossible = [name for name, value in fields.items() if not _is_possible(name, value)]
    for name in impossible:
        known = known_field(name)
        if known is None or not known.minor:
            raise Nonsense(f"{name} cannot be {fields[name]:g}")
        leave_out(f"{name} cannot be {fields[name]:g}")
    return {name: value for name, value in fields.items() if name not in impossible} if impossible else fields


def _is_possible(name: str, value: float) -> bool:
    known = known_field(name)
    return math.isfinite(value) and (known is None or known.low <= value <= known.high)
