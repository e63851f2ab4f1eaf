"""What is read from a file: readings with the series that they belong to."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from sensorlogd import quality
from sensorlogd.notation.symbols import micro

NAME = re.compile(r"\w[\w~-]*")  # what the configuration allows, and what the log itself adds


class ImportTarget(NamedTuple):
    """The series that a column goes to. ``unit``, ``kind`` None: as the log has it already."""

    sensor: str
    channel: str
    unit: str | None = None
    kind: str | None = None

    @property
    def name(self) -> str:
        return f"{self.sensor}.{self.channel}"


class FileReading(NamedTuple):
    """A reading from a file. ``value`` None: missing."""

    target: ImportTarget
    ts_us: int
    value: float | None
    quality: int


def target_of(sensor: str, channel: str, unit: str | None, kind: str | None = None) -> ImportTarget:
    """The target with these names. Raises ValueError for names or units that the log does not allow."""
    for what, name in (("sensor", sensor), ("channel", channel)):
        if not NAME.fullmatch(name) or len(name) > 100:
            raise ValueError(f"{name[:60]!r} cannot name a {what}; letters, digits, _ and - can")
    return ImportTarget(sensor, channel, None if unit is None else micro(unit), kind)


def reading(target: ImportTarget, ts_us: int, value: float, code: int) -> FileReading:
    """A reading of another log, which says nothing of its numbers: NaN and infinities are missing, as those of a device."""
    if math.isfinite(value):
        return FileReading(target, ts_us, value, code)
    return FileReading(target, ts_us, None, quality.MISSING)


class Origins:
    """Knows what each series of a file is made of, so that two things of the file never become one series."""

    def __init__(self) -> None:
        self._origin_of: dict[str, str] = {}

    def claim(self, name: str, origin: str) -> str | None:
        """Note that ``name``, of a series or sensor, stands for ``origin``; returns the other origin if it stands for one
        already."""
        other = self._origin_of.setdefault(name, origin)
        return None if other == origin else other


def slug(text: str) -> str:
    """The text as a name: small letters, digits and _."""
    return re.sub(r"[^a-z0-9_]+", "_", text.strip().lower()).strip("_")
