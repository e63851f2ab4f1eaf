"""Reads weewx: the table ``archive`` with a row per interval, which names its own unit system.

https://weewx.com/docs: dateTime is the end of the interval, in seconds since 1970.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator

from sensorlogd.exchange.options import RecordOptions
from sensorlogd.exchange.readings import FileReading, ImportTarget, reading, target_of
from sensorlogd.exchange.source import Source
from sensorlogd.exchange.sources import table
from sensorlogd.exchange.sources.sqlite import checked, columns, quoted
from sensorlogd.exchange.text.lines import FileError
from sensorlogd.exchange.times import stamps

TABLE = "archive"
KEYS = ("dateTime", "usUnits", "interval")
SYSTEMS = {1: "US", 16: "METRIC", 17: "METRICWX"}

# What a column measures, by its name; a number after the name is a further sensor of the same kind.
_KINDS = {
    "temperature": r".*Temp|dewpoint|inDewpoint|windchill|heatindex|humidex|THSW|outWetbulb",
    "pressure": r"barometer|pressure|altimeter",
    "speed": r"windSpeed|windGust|windvec|windgustvec",
    "rain": r"rain|hail|snow|ET|.*Rain|snowDepth",
    "rainrate": r"rainRate|hailRate|snowRate",
    "distance": r"windrun|lightning_distance",
    "altitude": r"cloudbase|altitude",
    "percent": r".*Humidity|extraHumid|rxCheckPercent|cloudcover|snowMoisture|pop",
    "direction": r"windDir|windGustDir|gustdir|vecdir",
    "radiation": r"radiation|maxSolarRad",
    "volt": r".*Voltage",
    "moisture": r"soilMoist",
    "uv": r"UV",
    "time": r".*Dur",
    "concentration": r"pm\d+_\d|no2",
    "fraction": r"co|co2|nh3|o3|pb|so2",
    "loudness": r"noise",
    "light": r"illuminance",
}
_METRIC = {
    "temperature": "°C", "pressure": "hPa", "speed": "km/h", "rain": "cm", "rainrate": "cm/h", "distance": "km", "altitude": "m",
}  # fmt: skip
_OF_SYSTEM = {
    1: {
        "temperature": "°F",
        "pressure": "inHg",
        "speed": "mph",
        "rain": "in",
        "rainrate": "in/h",
        "distance": "mi",
        "altitude": "ft",
    },
    16: _METRIC,
    17: {**_METRIC, "speed": "m/s", "rain": "mm", "rainrate": "mm/h"},
}
_ALWAYS = {
    "percent": "%", "direction": "°", "radiation": "W/m²", "volt": "V", "moisture": "cbar", "time": "s", "concentration": "µg/m³",
    "fraction": "ppm", "loudness": "dB", "light": "lx", "uv": None,
}  # fmt: skip


def has_archive(conn: sqlite3.Connection) -> bool:
    """Whether there is a table ``archive`` with the columns that every archive of weewx has."""
    return set(KEYS) <= set(columns(conn, TABLE))


def unit_of(column: str, system: int) -> tuple[str | None, str | None]:
    """(unit, kind) of a column in that unit system; None for what is not known."""
    for kind, pattern in _KINDS.items():
        if re.fullmatch(rf"(?:{pattern})\d*", column):
            return {**_ALWAYS, **_OF_SYSTEM[system]}[kind], "angle" if kind == "direction" else None
    return None, None


class Archive(Source):
    """The table ``archive`` of the database ``name``. Columns with words are left out, and noted."""

    def __init__(self, conn: sqlite3.Connection, name: str, options: RecordOptions) -> None:
        super().__init__()
        self._conn = conn
        self._name = name
        self._options = options

    def read(self) -> Generator[FileReading]:
        """The readings of every row. NULL is no reading. Raises FileError."""
        channels = [column for column in columns(self._conn, TABLE) if column not in KEYS]
        wanted = ", ".join(map(quoted, ("dateTime", "usUnits", *channels)))  # names of its columns
        targets: dict[int, list[ImportTarget]] = {}
        with checked(self._conn, f"SELECT {wanted} FROM {TABLE} ORDER BY dateTime", self._name) as rows:
            for number, (at, system, *values) in enumerate(rows, 1):
                if system not in targets:
                    targets[system] = self._targets_of(system, channels, number)
                ts = self._time_us(at, number)
                for target, value in zip(targets[system], values, strict=True):
                    if isinstance(value, (int, float)):
                        yield reading(target, ts, float(value), self._options.quality)
                    elif value is not None:
                        self.left_out.setdefault(target.channel, table.text(value))

    def _targets_of(self, system: int, channels: list[str], number: int) -> list[ImportTarget]:
        """The series of the columns in that unit system. ``number``: of the row. Raises FileError."""
        if system not in SYSTEMS:
            known = ", ".join(f"{key} ({word})" for key, word in SYSTEMS.items())
            raise FileError(self._name, number, f"unit system {system!r}; {known} are known")
        return [target_of(self._options.sensor or "weewx", channel, *unit_of(channel, system)) for channel in channels]

    def _time_us(self, at: object, number: int) -> int:
        """The time of row ``number``. Raises FileError."""
        if not isinstance(at, int):
            raise FileError(self._name, number, f"dateTime {at!r} is not a whole number of seconds since 1970")
        try:
            return stamps.within(at * 1_000_000, str(at))
        except ValueError as error:
            raise FileError(self._name, number, f"dateTime {error}") from None
