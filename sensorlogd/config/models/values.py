"""The types of scalars: durations, sizes, rates, names, places and times, each validated when it is read.

The loader hands all scalars over as text, so what a word means is settled here and nowhere else: ``NO`` in a field of
text is the word, ``on`` in a boolean is true, ``1e3`` in a number is 1000, ``22:22`` never becomes 1342.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from sensorlogd.config import light
from sensorlogd.config.validation.names import closest
from sensorlogd.notation.durations import parse_duration, parse_size
from sensorlogd.notation.symbols import micro

NAME = re.compile(r"\w[\w-]{0,63}")
DURATION_PATTERN = r"^\s*(\d+(\.\d*)?\s*(us|ms|s|min|mo|m|h|d|w|y)\s*)+$"
# Fields of readings, series and exports: a label of the same name would hide the field, or be hidden by it.
RESERVED_LABELS = frozenset(("sensor", "channel", "unit", "series", "time", "value", "quality", "le", "quantile"))


def _read_duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _read_size(value: Any) -> Any:
    return parse_size(value) if isinstance(value, str) else value


def _read_rate(value: Any) -> Any:
    """Turns ``5/min`` into units per second."""
    if not isinstance(value, str):
        return value
    number, slash, unit = value.partition("/")
    try:
        amount = float(number)
        per_us = parse_duration(unit if unit.strip()[:1].isdigit() else f"1{unit.strip()}")
    except ValueError:
        amount, per_us = math.nan, 0
    if not slash or not amount > 0 or math.isinf(amount) or per_us <= 0:
        raise ValueError(f"{value!r} is not a rate; write a positive number, a slash and a unit of time, e.g. 5/min or 0.1/s")
    return amount / (per_us / 1e6)


def _check_finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"must be a finite number, not {value}")
    return value


def _check_name(value: str) -> str:
    if not NAME.fullmatch(value):
        front = ", and no '-' in front" if value.startswith("-") else ""
        raise ValueError(
            f"{value!r} is not a name; use letters, digits, '_' and '-', at most 64, none of '.', '*' or blanks{front}"
        )
    return micro(value)


def _check_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ValueError, OSError, LookupError):
        hint = closest(value, available_timezones())
        raise ValueError(f"{value!r} is not an IANA time zone{hint or '; e.g. Europe/Berlin or UTC'}") from None
    return value


def _read_instant(value: Any) -> Any:
    """Turns an ISO 8601 time into microseconds since 1970; without an offset it is UTC."""
    if not isinstance(value, str):
        return value
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is not a time; write ISO 8601, e.g. 2026-01-31T12:00:00Z") from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1e6)


def _resolve_path(value: str, info: ValidationInfo) -> str:
    """Turns a path into an absolute one; relative paths start from the configuration's folder, which the loader passes as
    context."""
    folder = (info.context or {}).get("folder")
    return value if folder is None else str(light.resolve(value, folder))


def _check_text(value: str) -> str:
    if len(value) > 200:
        raise ValueError(f"must be at most 200 characters; this has {len(value)}")
    if control := next((character for character in value if ord(character) < 32), None):
        raise ValueError(f"must be without control characters; this has {control!a}")
    return micro(value)


def _check_label(name: str) -> str:
    if name.startswith("__") or name in RESERVED_LABELS:
        known = f"names that begin with __ and {', '.join(sorted(RESERVED_LABELS))} have a meaning of their own"
        raise ValueError(f"{name!r} cannot be the name of a label: {known}; take another, e.g. {name.strip('_') or 'my'}_label")
    return name


DurationUs = Annotated[
    int,
    BeforeValidator(_read_duration),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["1s", "15min"]}),
]
SizeBytes = Annotated[
    int,
    BeforeValidator(_read_size),
    WithJsonSchema({"type": "string", "examples": ["500MB", "64MiB"]}),
    Field(ge=0, le=2**62),
]
RatePerSecond = Annotated[float, BeforeValidator(_read_rate), WithJsonSchema({"type": "string", "examples": ["5/min", "0.1/s"]})]
Finite = Annotated[float, AfterValidator(_check_finite)]
Name = Annotated[str, AfterValidator(_check_name)]
Zone = Annotated[str, AfterValidator(_check_zone)]
Instant = Annotated[int, BeforeValidator(_read_instant), WithJsonSchema({"type": "string", "examples": ["2026-01-31T12:00:00Z"]})]
FilePath = Annotated[str, AfterValidator(_resolve_path)]
ShortText = Annotated[str, AfterValidator(_check_text)]
Labels = dict[Annotated[Name, AfterValidator(_check_label)], ShortText]
Kept = Annotated[int | None, BeforeValidator(lambda value: None if value in ("forever", None) else _read_duration(value))]
