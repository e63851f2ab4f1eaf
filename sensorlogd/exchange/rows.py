"""From the lines of a file to readings: our own formats as they are, those of others by what is said of their columns.

Nothing is guessed in silence: a cell that is no number, a time that is none, a line with too few cells are mistakes, told
with line, column, what was found and what to do. ``Plan.told`` says how the file was understood.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sensorlogd import quality
from sensorlogd.exchange import stamps
from sensorlogd.exchange.lines import FileError, Lines, cells, sniff

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_~-]*")
OURS = ("time", "sensor", "channel", "value")
KINDS = ("gauge", "counter", "angle", "state")


class Target(NamedTuple):
    """The series that a column goes to. ``unit``, ``kind`` None: whatever is known of it."""

    sensor: str
    channel: str
    unit: str | None = None
    kind: str | None = None

    @property
    def name(self) -> str:
        return f"{self.sensor}.{self.channel}"


Place = tuple[str | None, str, str | None, str | None]  # sensor (None: see ``Options``), channel, unit, kind


class Found(NamedTuple):
    """A reading of a file. ``value`` None: missing."""

    target: Target
    ts_us: int
    value: float | None
    quality: int


@dataclass(frozen=True, slots=True)
class Options:
    """What is said of a file. Empty: ours, or found out from its header.

    times           columns that make up the time, joined by a blank (names, or numbers from 1); ``NAME~4`` pads with zeros
    columns         column -> target; a sensor of None is taken from ``sensor_column``
    sensor          all other columns with numbers become channels of this sensor
    sensor_column   the cell that names the sensor
    decimal         what stands before the fraction
    nulls           cells that mean no reading, besides empty ones
    """

    times: tuple[str, ...] = ()
    time_format: str = "iso"
    zone: str = "UTC"
    fold: int = 0
    columns: dict[str, Place] = field(default_factory=dict)
    sensor: str | None = None
    sensor_column: str | None = None
    delimiter: str | None = None
    decimal: str = "."
    nulls: tuple[str, ...] = ()
    skip: int = 0
    header: bool = True
    quality: int = quality.NOT_EVALUATED

    @property
    def is_foreign(self) -> bool:
        return bool(self.times or self.columns or self.sensor or self.sensor_column)


@dataclass(slots=True)
class Plan:
    """How a file is read. ``ours``: it is in our format, so the same reading twice is one reading."""

    ours: bool
    told: str
    read: Callable[[], Iterator[Found]]
    left_out: dict[str, str] = field(default_factory=dict)  # columns of words -> the first word; known once all is read


def plan(lines: Lines, options: Options) -> Plan:
    """Look at the head of a file. Raises FileError, ValueError (options that contradict each other or the header)."""
    for _ in range(options.skip):
        if next(lines, None) is None:
            raise FileError(lines.name, 0, f"it has no more than {lines.number} lines, --skip {options.skip} skips all")
    first = _first(lines)
    if first.lstrip().startswith("{") and not options.is_foreign:
        return Plan(True, "NDJSON in our format", lambda: _ndjson(_again(first, lines), lines))
    delimiter = options.delimiter or sniff(first)
    names = _header(first, delimiter, lines)
    if options.header and not options.is_foreign:
        plain = [name.strip().lower() for name in names]
        if set(OURS) <= set(plain):
            return Plan(True, "CSV in our format, a line a reading", lambda: _long(cells(lines, delimiter), plain, lines))
        if plain[0] == "time" and len(names) > 1 and all("." in name for name in names[1:]):
            targets = [_series_name(name, lines) for name in names[1:]]
            _once([target.name for target in targets], lines)
            return Plan(
                True, f"CSV in our format, a column a series ({len(targets)})", lambda: _wide(lines, delimiter, targets, options)
            )
        raise FileError(
            lines.name, lines.number, f"this is not our format (its columns are {_some(names)}); say which column is the time and"
            " where the others belong: --time COLUMN --sensor NAME, or --column 'COLUMN=sensor.channel:unit'",
        )  # fmt: skip
    return _foreign(first, names, delimiter, lines, options)


def _first(lines: Lines) -> str:
    for line in lines:
        if line.strip():
            return line
    raise FileError(lines.name, 0, "it is empty")


def _header(first: str, delimiter: str, lines: Lines) -> list[str]:
    try:
        one = next(cells(_One(first, lines), delimiter))  # type: ignore[arg-type]  # as far as ``cells`` goes
    except StopIteration:
        return []
    return [name.strip() for name in one]


class _One:
    """A single line, for ``cells``."""

    def __init__(self, line: str, lines: Lines) -> None:
        self.name, self.number = lines.name, lines.number
        self._line: str | None = line

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line, self._line = self._line, None
        if line is None:
            raise StopIteration
        return line


def _again(first: str, lines: Lines) -> Iterator[str]:
    yield first
    yield from lines


def _once(targets: Sequence[str], lines: Lines) -> None:
    """Two columns of one series would be mixed up."""
    twice = sorted({name for name in targets if targets.count(name) > 1})
    if twice:
        raise FileError(
            lines.name, lines.number, f"two columns belong to one series: {_some([name.lstrip('.') for name in twice])}; map each with --column"
        )  # fmt: skip


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:6])
    return shown + (f" and {len(names) - 6} more" if len(names) > 6 else "")


# ---- ours --------------------------------------------------------------------------------------------------------------


def _long(rows: Iterator[list[str]], names: Sequence[str], lines: Lines) -> Iterator[Found]:
    at = {name: index for index, name in enumerate(names)}
    if len(at) != len(names):
        raise FileError(
            lines.name, lines.number, f"a column is named twice: {_some(sorted({n for n in names if names.count(n) > 1}))}"
        )
    time_at, sensor_at, channel_at, value_at = (at[name] for name in OURS)
    unit_at, quality_at = at.get("unit"), at.get("quality")
    read = stamps.reader("iso", "UTC", 0)
    targets: dict[tuple[str, str, str | None], Target] = {}
    qualities: dict[str, int] = {}
    for row in rows:
        if len(row) != len(names):
            raise FileError(lines.name, lines.number, f"{len(row)} cells, the header has {len(names)} columns")
        key = (row[sensor_at], row[channel_at], None if unit_at is None else row[unit_at])
        target = targets.get(key)
        if target is None:
            target = targets[key] = _target(*key, lines)
        try:
            ts = read(row[time_at])
            words = "not_evaluated" if quality_at is None else row[quality_at]
            code = qualities.get(words)
            if code is None:
                code = qualities[words] = quality.parse(words)
            yield Found(target, ts, _value(row[value_at], code), code)
        except ValueError as error:
            raise FileError(lines.name, lines.number, str(error)) from None


def _ndjson(texts: Iterator[str], lines: Lines) -> Iterator[Found]:
    read = stamps.reader("iso", "UTC", 0)
    for text in texts:
        if not text.strip():
            continue
        try:
            row = json.loads(text, parse_constant=_no_constant)
            if not isinstance(row, dict) or not set(OURS) <= set(row):
                raise ValueError(f"an object with {', '.join(OURS)} (unit, quality) is expected")
            value = row["value"]
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value)):
                raise ValueError(f"value {value!r} is no finite number")
            code = quality.parse(str(row.get("quality", "not_evaluated")))
            if value is None and quality.flag_of(code) != quality.MISSING:
                raise ValueError("value is null, and quality is not 'missing'")
            unit = row.get("unit")
            target = _target(str(row["sensor"]), str(row["channel"]), None if unit is None else str(unit), lines)
            yield Found(target, read(str(row["time"])), None if value is None else float(value), code)
        except (ValueError, RecursionError, OverflowError) as error:
            raise FileError(lines.name, lines.number, str(error)) from None


def _no_constant(name: str) -> float:
    raise ValueError(f"value {name} is no finite number")


def _value(text: str, code: int) -> float | None:
    if text == "" and quality.flag_of(code) == quality.MISSING:
        return None
    if text == "":
        raise ValueError("the value is empty, and quality is not 'missing'")
    return _number(text)


def _number(text: str, decimal: str = ".") -> float:
    """Raises ValueError that says what to do."""
    plain = text.strip()
    if decimal != ".":
        if "." in plain:
            raise ValueError(f"{text!r} is no number with {decimal!r} before the fraction")
        plain = plain.replace(decimal, ".")
    try:
        if "_" in plain:
            raise ValueError
        value = float(plain)
    except ValueError:
        if "," in text and decimal == ".":
            raise ValueError(f"{text!r} is no number; if its comma stands before the fraction, say --decimal ,") from None
        raise ValueError(
            f"{text!r} is no number; if it means that there is no value, say --null {text.strip() or repr(text)}"
        ) from None
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no finite number; if it means that there is no value, say --null {text.strip()}")
    return value


def _series_name(name: str, lines: Lines) -> Target:
    match = re.fullmatch(r"([^.]+)\.([^ ]+)(?: \[(.*)\])?", name)
    if match is None:
        raise FileError(lines.name, lines.number, f"{name!r} is no series; write sensor.channel")
    return _target(match[1], match[2], match[3], lines)


def _target(sensor: str, channel: str, unit: str | None, lines: Lines, kind: str | None = None) -> Target:
    for what, name in (("sensor", sensor), ("channel", channel)):
        if not NAME.fullmatch(name) or len(name) > 100:
            raise FileError(lines.name, lines.number, f"{name[:60]!r} cannot name a {what}; letters, digits, _ and - can")
    return Target(sensor, channel, unit, kind)


def _wide(lines: Lines, delimiter: str, targets: Sequence[Target], options: Options) -> Iterator[Found]:
    read = stamps.reader("iso", "UTC", 0)
    for row in cells(lines, delimiter):
        if len(row) != len(targets) + 1:
            raise FileError(lines.name, lines.number, f"{len(row)} cells, the header has {len(targets) + 1} columns")
        try:
            ts = read(row[0])
            for target, text in zip(targets, row[1:], strict=True):
                if text.strip():
                    yield Found(target, ts, _number(text), options.quality)
        except ValueError as error:
            raise FileError(lines.name, lines.number, str(error)) from None


# ---- others' -----------------------------------------------------------------------------------------------------------


def _foreign(first: str, names: list[str], delimiter: str, lines: Lines, options: Options) -> Plan:
    if not options.times:
        raise ValueError("which column is the time? say --time COLUMN (its name, or its number from 1)")
    if not (options.columns or options.sensor or options.sensor_column):
        raise ValueError("where do the columns belong? say --sensor NAME, or --column 'COLUMN=sensor.channel:unit'")
    time_at = [(_at(text.partition("~")[0], names, options), int(text.partition("~")[2] or 0)) for text in options.times]
    sensor_at = None if options.sensor_column is None else _at(options.sensor_column, names, options)
    named = {_at(column, names, options): target for column, target in options.columns.items()}
    taken = {at for at, _ in time_at} | set(named) | ({sensor_at} if sensor_at is not None else set())
    automatic = [at for at in range(len(names)) if at not in taken] if not options.columns else []
    if options.header and (doubled := [name for name in {names[at] for at in automatic} if names.count(name) > 1]):
        raise FileError(
            lines.name, lines.number, f"a column is named twice: {_some(sorted(doubled))}; map them by number with --column"
        )
    chosen: dict[int, Place] = dict(named)
    for at in automatic:
        channel, unit = _channel(names[at] if options.header else f"column{at + 1}")
        chosen[at] = (options.sensor, channel, unit, None)
    if sensor_at is None or options.sensor is None:
        _once([f"{sensor or ''}.{channel}" for sensor, channel, *_ in chosen.values()], lines)
    rows = cells(lines, delimiter) if options.header else cells(_Again(first, lines), delimiter)  # type: ignore[arg-type]  # as far as ``cells`` goes
    time = stamps.reader(options.time_format, options.zone, options.fold)
    label = " + ".join(options.times)
    told = f"time from {label} ({options.time_format}, {options.zone}), {len(chosen)} columns, delimiter {delimiter!r}"
    left_out: dict[str, str] = {}
    return Plan(
        False,
        told,
        lambda: _mapped(rows, lines, time, time_at, sensor_at, chosen, set(automatic), names, options, left_out),
        left_out,
    )


class _Again:
    """A file whose first line was looked at already."""

    def __init__(self, first: str, lines: Lines) -> None:
        self.name = lines.name
        self._lines, self._first = lines, first
        self._begun = False

    @property
    def number(self) -> int:
        return self._lines.number

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if not self._begun:
            self._begun = True
            return self._first
        return next(self._lines)


def _at(text: str, names: Sequence[str], options: Options) -> int:
    """The place of a column. Raises ValueError."""
    if options.header and text in names:
        if names.count(text) > 1:
            raise ValueError(f"{text!r} names {names.count(text)} columns; say its number, from 1")
        return names.index(text)
    if text.isdigit() and 1 <= int(text) <= len(names):
        return int(text) - 1
    from difflib import get_close_matches

    folded = {name.casefold(): name for name in names}
    near = [folded[one] for one in get_close_matches(text.casefold(), folded, 1, 0.5)]
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"there is no column {text!r}{hint}; there are {_some(names)}")


def _channel(name: str) -> tuple[str, str | None]:
    """``Temperature @ 2m [deg C]`` -> (``temperature_2m``, ``deg C``)."""
    match = re.fullmatch(r"(.*?)\s*[\[(]([^\])]*)[\])]\s*", name)
    text, unit = (match[1], match[2]) if match else (name, None)
    slug = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_")
    return slug or "column", unit


def _mapped(
    rows: Iterator[list[str]],
    lines: Lines,
    time: Callable[[str], int],
    time_at: Sequence[tuple[int, int]],
    sensor_at: int | None,
    chosen: dict[int, Place],
    automatic: set[int],
    names: Sequence[str],
    options: Options,
    left_out: dict[str, str],
) -> Iterator[Found]:
    nulls = {"", *options.nulls}
    targets: dict[tuple[int, str], Target] = {}
    unknown = set(automatic)  # columns of which no cell was seen yet: words are no channel
    words: dict[int, str] = {}
    last: tuple[str, int] | None = None
    for row in rows:
        if len(row) != len(names):
            raise FileError(lines.name, lines.number, f"{len(row)} cells, the first line has {len(names)}")
        text = " ".join(row[at].strip().zfill(pad) for at, pad in time_at)
        try:
            if last is None or last[0] != text:
                last = (text, time(text))
            sensor = "" if sensor_at is None else _slug(row[sensor_at])
            for at, (fixed, channel, unit, kind) in list(chosen.items()):
                cell = row[at].strip()
                if cell in nulls:
                    continue
                if at in unknown:
                    unknown.discard(at)
                    if not _looks_like_a_number(cell, options.decimal):
                        words[at] = cell
                        left_out[names[at] if options.header else str(at + 1)] = cell
                        del chosen[at]
                        continue
                target = targets.get((at, sensor))
                if target is None:
                    whose = fixed or sensor
                    if not whose:
                        raise ValueError("the sensor is not named; say --sensor NAME")
                    target = targets[at, sensor] = _target(whose, channel, unit, lines, kind)
                yield Found(target, last[1], _number(cell, options.decimal), options.quality)
            for at, word in words.items():
                if row[at].strip() != word and _is_number(row[at], options.decimal):
                    raise ValueError(
                        f"column {names[at]!r} holds {row[at]!r}, and {word!r} before; if that means that there is no value, say --null {word}"
                    )
        except ValueError as error:
            raise FileError(lines.name, lines.number, str(error)) from None
    if not chosen:
        raise FileError(lines.name, 0, "no column holds numbers")


def _is_number(cell: str, decimal: str) -> bool:
    try:
        _number(cell, decimal)
    except ValueError:
        return False
    return True


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", text.strip().lower()).strip("_")


def _looks_like_a_number(cell: str, decimal: str) -> bool:
    return re.match(r"[-+]?[0-9.,]|[-+]?(nan|inf)", cell.lower()) is not None or decimal in cell
