"""Reads InfluxDB's line protocol: ``measurement,tag=value field=1.5,other=2i 1465839830100400200``.

https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from sensorlogd.exchange.options import PointOptions
from sensorlogd.exchange.readings import FileReading, ImportTarget, Origins, slug, target_of
from sensorlogd.exchange.source import Source
from sensorlogd.exchange.text.lines import FileError, Lines
from sensorlogd.exchange.text.numbers import Nulls, number
from sensorlogd.exchange.times import stamps

_LOOKS = re.compile(r"[^\s,#\"{]+(?:,[^\s=,]+=(?:\\.|[^\s,\\])+)* (?:\\.|[^\s=,\\])+=\S.* -?\d{10,19}\s*")
# A word can be matched in one way only; in two ways, the time to find that nothing fits would double with each backslash.
_WORD = r"(?:\\.|[^,= \\]|\\(?==|$))+"
_FIELD = re.compile(rf'({_WORD})=("(?:\\.|[^"\\])*"|[^,\s"]+)')
_TRUE, _FALSE = ("t", "T", "true", "True", "TRUE"), ("f", "F", "false", "False", "FALSE")
_MAX_TIME_DIGITS = 25  # more than any time has
_ESCAPED = re.compile(r"\\([,= \"\\])")


def looks_like(line: str) -> bool:
    """Whether the line is certainly line protocol, with a time of ten digits or more."""
    return _LOOKS.fullmatch(line) is not None


class Points(Source):
    """Reads points. The sensor is the value of the tag ``options.sensor_column``, else ``options.sensor``, else the measurement with
    the values of its tags."""

    def __init__(self, lines: Lines, options: PointOptions) -> None:
        super().__init__()
        self._lines = lines
        self._options = options
        self._nulls = Nulls(options.nulls).texts
        self._targets: dict[tuple[str, str, bool], ImportTarget] = {}
        self._origins = Origins()  # measurement, tags and field
        form = options.time_format if options.time_format in stamps.EPOCHS else None
        self._time = None if form is None else stamps.TimeReader(form, "UTC")

    def read(self) -> Iterator[FileReading]:
        """The readings. Fields with words are left out, and their names noted."""
        in_schema = False
        self._lines.begin_record()
        for line in self._lines:
            text = line.strip()
            if text.startswith("#"):
                in_schema = text == "# DDL" or (in_schema and text != "# DML")  # statements, in what influx_inspect writes
            elif text and not in_schema:
                try:
                    found = self._read_point(text)
                except ValueError as error:
                    self._lines.bad(str(error))
                else:
                    yield from found
            self._lines.begin_record()

    def _read_point(self, text: str) -> list[FileReading]:
        """The readings of one line; fields with words are left out. Raises ValueError."""
        key, rest = _split_key(text)
        position, fields = 0, []
        while match := _FIELD.match(rest, position):
            fields.append((_unescaped(match[1]), match[2]))
            position = match.end()
            if rest[position : position + 1] != ",":
                break
            position += 1
        stamp = rest[position:].strip()
        if not fields or (stamp and not rest[position:].startswith(" ")):
            raise ValueError(f"{text[:60]!r} is not line protocol: measurement,tags fields time")
        if not stamp:
            raise ValueError(
                f"{text[:60]!r} has no time, which a file needs: write it after the fields, in nanoseconds since 1970"
            )
        ts = self._time_us(stamp)
        found = []
        for name, value in fields:
            if value.startswith('"'):
                self.left_out.setdefault(name, value[1:41].rstrip('"'))
            elif value not in self._nulls:
                found.append(
                    FileReading(
                        self._target(key, name, value in _TRUE or value in _FALSE), ts, _parse_value(value), self._options.quality
                    )
                )
        return found

    def _time_us(self, text: str) -> int:
        """µs of a time in nanoseconds, or in the form of --time-format. Raises ValueError."""
        if not re.fullmatch(r"-?\d+", text, re.ASCII):
            raise ValueError(
                f"{text[:40]!r} is not a time: a whole number of nanoseconds since 1970 (or say --time-format epoch)"
            )
        if self._time is not None:
            return self._time(text)
        if len(text) > _MAX_TIME_DIGITS:
            raise ValueError(f"{text[:40]!r} has too many digits for nanoseconds since 1970")
        return stamps.within(int(text) // 1_000, text)

    def _target(self, key: str, field: str, is_state: bool) -> ImportTarget:
        """The target of a field, known by its measurement and tags (``key``). Raises FileError if two of them would become one
        series, ValueError for names that are not allowed."""
        found = self._targets.get((key, field, is_state))
        if found is None:
            channel = re.sub(r"[^A-Za-z0-9_~-]+", "_", field).strip("_") or "value"
            found = target_of(self._sensor(key), channel, None, "state" if is_state else None)
            other = self._origins.claim(found.name, f"{key} {field}")
            if other is not None:
                raise FileError(
                    self._lines.name, self._lines.number, f"{key!r} and {other.rpartition(' ')[0]!r} would both become {found.name};"
                    " say --sensor-column TAG that tells them apart",
                )  # fmt: skip
            self._targets[key, field, is_state] = found
        return found

    def _sensor(self, key: str) -> str:
        """The sensor that measurement and tags stand for. Raises ValueError if it lacks the tag that was asked for."""
        measurement, *tags = (_unescaped(part) for part in re.split(r"(?<!\\),", key))
        pairs = dict(tag.partition("=")[::2] for tag in tags)
        if self._options.sensor_column is not None:
            if self._options.sensor_column not in pairs:
                raise ValueError(f"{key[:60]!r} has no tag {self._options.sensor_column!r}; it has {', '.join(pairs) or 'none'}")
            return slug(pairs[self._options.sensor_column])
        return self._options.sensor or slug("_".join((measurement, *pairs.values())))


def _split_key(text: str) -> tuple[str, str]:
    """(measurement with tags, the rest of the line), cut at the first blank that is not escaped."""
    match = re.match(r"(?:\\.|[^ \\]|\\$)+", text)
    end = match.end() if match else 0
    return text[:end], text[end:].lstrip(" ")


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


def _parse_value(text: str) -> float:
    """Of InfluxDB's line protocol: a float, an integer (``1i``, ``1u``), or a truth value as 1.0 or 0.0. Raises ValueError."""
    if text in _TRUE or text in _FALSE:
        return float(text in _TRUE)
    if text[-1:] in "iu":
        if not re.fullmatch(r"-?\d+[iu]", text, re.ASCII):
            raise ValueError(f"{text[:40]!r} is not a value: a whole number is expected before i or u")
        text = text[:-1]
    return number(text)
