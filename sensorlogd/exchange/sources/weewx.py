"""Reads weewx: the table ``archive`` with a row per interval, which names its own unit system.

https://weewx.com/docs: dateTime is the end of the interval, in seconds since 1970.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator

from sensorlogd.exchange.options import Options
from sensorlogd.exchange.readings import FileReading, ImportTarget, reading, target_of
from sensorlogd.exchange.sources import table
from sensorlogd.exchange.sources.sqlite import columns, quoted
from sensorlogd.exchange.text.lines import FileError
from sensorlogd.exchange.times import stamps

TABLE = "archive"
KEYS = ("dateTime", "usUnits", "interval")
SYSTEMS = {1: "US", 16: "METRIC", 17: "METRICWX"}

# What a column measures, by its name; a number behind the name is a further sensor of the same kind.
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


def is_one(conn: sqlite3.Connection) -> bool:
    """Whether there is a table ``archive`` with the columns that every archive of weewx has."""
    return set(KEYS) <= set(columns(conn, TABLE))


def unit_of(column: str, system: int) -> tuple[str | None, str | None]:
    """(unit, kind) of a column in that unit system; None for what is not known."""
    for kind, pattern in _KINDS.items():
        if re.fullmatch(rf"(?:{pattern})\d*", column):
            return {**_ALWAYS, **_OF_SYSTEM[system]}[kind], "angle" if kind == "direction" else None
    return None, None


def read(conn: sqlite3.Connection, name: str, options: Options, left_out: dict[str, str]) -> Generator[FileReading]:
    """The readings of every row. NULL is no reading. ``left_out`` is filled: columns with words -> the first of them. Raises
    FileError."""
    channels = [column for column in columns(conn, TABLE) if column not in KEYS]
    wanted = ", ".join(map(quoted, ("dateTime", "usUnits", *channels)))
    targets: dict[int, list[ImportTarget]] = {}
    for number, (at, system, *values) in enumerate(
        conn.execute(f"SELECT {wanted} FROM {TABLE} ORDER BY dateTime"), 1
    ):  # names of its columns
        of_system = targets.get(system)
        if of_system is None:
            if system not in SYSTEMS:
                raise FileError(
                    name,
                    number,
                    f"unit system {system!r}; {', '.join(f'{key} ({word})' for key, word in SYSTEMS.items())} are known",
                )
            sensor = options.sensor or "weewx"
            of_system = targets[system] = [target_of(sensor, channel, *unit_of(channel, system)) for channel in channels]
        if not isinstance(at, int):
            raise FileError(name, number, f"dateTime {at!r} is no whole number of seconds since 1970")
        try:
            ts = stamps.within(at * 1_000_000, str(at))
        except ValueError as error:
            raise FileError(name, number, f"dateTime {error}") from None
        for target, value in zip(of_system, values, strict=True):
            if isinstance(value, (int, float)):
                yield reading(target, ts, float(value), options)
            elif value is not None:
                left_out.setdefault(target.channel, table.text(value))
