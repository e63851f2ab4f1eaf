"""Reads tables of other programs: which column is the time, and which series the others go to, is given by options or by a known
head.

Nothing is guessed in silence: a cell that is no number, a time that is none, a line with too few cells are mistakes, reported with
line, column, what was found and what to do.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from sensorlogd import quality
from sensorlogd.batch import Rounded
from sensorlogd.exchange.mapping import guess, heads
from sensorlogd.exchange.mapping.column_names import once, some
from sensorlogd.exchange.options import ColumnTarget, Options
from sensorlogd.exchange.plan import ImportPlan
from sensorlogd.exchange.readings import FileReading, ImportTarget, slug, target_of
from sensorlogd.exchange.text.lines import FileError, Lines, cells, split
from sensorlogd.exchange.text.numbers import Nulls, number
from sensorlogd.exchange.times import stamps
from sensorlogd.notation.microseconds import BEGINNING_US, END_US
from sensorlogd.notation.plurals import plural
from sensorlogd.quality import Flag, Test
from sensorlogd.stamping.patterns import width_us
from sensorlogd.stamping.repeats import SPREAD, evenly

_PADDED = re.compile(r"(.+)~(\d{1,2})", re.ASCII)
_POSITION = re.compile(r"\d{1,6}", re.ASCII)


def completed(names: list[str], delimiter: str, lines: Lines, options: Options, head: heads.Head) -> Options:
    """``options`` with whatever was not given about the time and the sensor: guessed if that is wanted, else the guess is part of
    the refusal.

    Raises FileError, ValueError.
    """
    whose = options.sensor or options.columns or options.sensor_column
    if options.times and whose:
        return options
    if options.times:
        raise ValueError("where do the columns belong? say --sensor NAME, or --column 'COLUMN=sensor.channel:unit'")
    shown = [name if options.header and name and names.count(name) == 1 else str(at + 1) for at, name in enumerate(names)]
    guessed = guess.guess(shown, _sample(lines, delimiter), ("", *options.nulls))
    if guessed is not None and options.guesses and len(guessed.forms) == 1:
        return replace(
            options, times=tuple(shown[at] for at in guessed.times), time_format=guessed.forms[0],
            decimal=guessed.decimal, sensor=options.sensor if whose else "imported",
            guessed=guessed.said(shown) + ("" if whose else " --sensor imported"),
        )  # fmt: skip
    if guessed is None:
        like = ""
    elif len(guessed.forms) > 1:
        columns = " + ".join(repr(shown[at]) for at in guessed.times)
        like = f"; {columns} may be {' or '.join(guessed.forms)}: say --time and --time-format"
    else:
        like = f"; it looks like {guessed.said(shown)}: look at it with --dry-run, and say it"
    if options.is_foreign:
        raise ValueError(f"which column is the time? say --time COLUMN (its name, or its number from 1){like}")
    raise FileError(
        lines.name, lines.number, f"this is not our format (its columns are {some(names)}); say which column is the time and"
        f" where the others belong: --time COLUMN --sensor NAME, or --column 'COLUMN=sensor.channel:unit'{like}",
    )  # fmt: skip


def _sample(lines: Lines, delimiter: str) -> Iterator[list[str]]:
    """The first rows; lines that cannot be split into cells are passed over."""
    for text in lines.peek(guess.ROWS):
        try:
            row = split(text, delimiter)
        except csv.Error:
            continue
        if any(row):
            yield row


def plan(names: list[str], delimiter: str, lines: Lines, options: Options, head: heads.Head) -> ImportPlan:
    """How to read the table. ``options``: from ``completed``. Raises FileError, ValueError."""
    padded = [padding(text) for text in options.times]
    time_at = [(_column_index(column, names, options), pad) for column, pad in padded]
    if options.header and options.zone == "UTC":
        options = replace(options, zone=heads.zone([names[at] for at, _ in time_at]) or "UTC")
    sensor_at = None if options.sensor_column is None else _column_index(options.sensor_column, names, options)
    named = {_column_index(column, names, options): target for column, target in options.columns.items()}
    taken = {at for at, _ in time_at} | set(named) | ({sensor_at} if sensor_at is not None else set())
    automatic = [at for at in range(len(names)) if at not in taken] if not options.columns else []
    chosen: dict[int, ColumnTarget] = {**named, **_automatic(automatic, names, lines, options, head)}
    if sensor_at is None or options.sensor is None:
        once([f"{sensor or ''}.{channel}" for sensor, channel, *_ in chosen.values()], lines)
    zoneless: list[str] = []
    seen = zoneless if options.zone == "UTC" else None
    time = stamps.reader(options.time_format, options.zone, options.fold, options.year, options.now_us, seen)
    kind = f"{head.kind}, " if head.kind else ""
    label = " + ".join(options.times)
    understood_as = (
        f"{kind}time from {label} ({options.time_format}, {options.zone})"
        f", {len(chosen)} {plural(len(chosen), 'column')}, delimiter {delimiter!r}"
    )
    understood_as += f"; guessed, so to import it say {options.guessed}" if options.guessed else ""
    left_out: dict[str, str] = {}
    doubtful: list[int] = []

    def found() -> Iterator[FileReading]:
        rows = _even(cells(lines, delimiter, len(names)), len(names), lines)
        read = _map_rows(rows, lines, time, time_at, sensor_at, chosen, set(automatic), names, options, left_out)
        if options.repeat == SPREAD:
            read = _spread(read, width_us(options.time_format))
        return judged((reading for row in read for reading in row), options, doubtful)

    return ImportPlan(False, understood_as, found, left_out, doubtful, zoneless)


def _automatic(
    columns: Sequence[int], names: Sequence[str], lines: Lines, options: Options, head: heads.Head
) -> dict[int, ColumnTarget]:
    """The targets of columns that no option names, if they hold numbers. Raises FileError."""
    doubled = {names[index] for index in columns if options.header and names[index] and names.count(names[index]) > 1}
    if doubled:
        raise FileError(
            lines.name, lines.number, f"a column is named twice: {some(sorted(doubled))}; map them by number with --column"
        )
    found: dict[int, ColumnTarget] = {}
    for index in columns:
        has_name = options.header and (names[index] or names.count("") == 1)
        unit = head.units[index] if index < len(head.units) else None
        channel, unit = heads.channel(names[index] if has_name else f"column{index + 1}", unit)
        found[index] = (options.sensor, channel, unit, None)
    return found


def _even(rows: Iterator[list[str]], width: int, lines: Lines) -> Iterator[list[str]]:
    """Rows as wide as the header: empty cells behind a last delimiter are cut off, and rows of another width are bad lines."""
    for row in rows:
        while len(row) > width and not row[-1].strip():
            row.pop()
        if len(row) == width:
            yield row
        else:
            lines.bad(f"{len(row)} cells, the first line has {width}")


def _spread(rows: Iterator[list[FileReading]], width: int) -> Iterator[list[FileReading]]:
    """Spread rows of a sensor that follow each other with the same time evenly over the second (or minute) that they are stamped
    with."""
    for _, together in groupby((row for row in rows if row), key=lambda row: row[0].ts_us):
        of_sensor: dict[str, list[list[FileReading]]] = {}
        for row in together:
            of_sensor.setdefault(row[0].target.sensor, []).append(row)
        for same in of_sensor.values():
            for index, row in enumerate(same):
                yield [reading._replace(ts_us=reading.ts_us + evenly(index, len(same), width)) for reading in row]


def judged(found: Iterator[FileReading], options: Options, doubtful: list[int]) -> Iterator[FileReading]:
    """Leave out numbers that mean "no value", and flag times that cannot be believed (also added to ``doubtful``) and whole numbers
    that no double holds."""
    nothing = Nulls(options.nulls, options.decimal).numbers
    earliest = BEGINNING_US if options.earliest_us is None else options.earliest_us
    latest = options.now_us + options.ahead_us if options.now_us else END_US
    for reading in found:
        if reading.value in nothing:
            continue
        if type(reading.value) is Rounded:
            reading = reading._replace(
                value=float(reading.value), quality=quality.combine(reading.quality, int(Flag.SUSPECT) | int(Test.ROUNDED))
            )
        if not earliest <= reading.ts_us <= latest:
            doubtful.append(reading.ts_us)
            reading = reading._replace(quality=reading.quality | int(Test.BAD_TIME))
        yield reading


def padding(text: str) -> tuple[str, int]:
    """``NAME~4`` as (column, digits that its cells are filled up to with zeros); 0 without ``~`` and a number."""
    match = _PADDED.fullmatch(text)
    return (match[1], int(match[2])) if match else (text, 0)


def is_position(text: str) -> bool:
    """Whether it says a column by its number. Names of such digits as no number has (``²``) do not."""
    return _POSITION.fullmatch(text) is not None


def _column_index(text: str, names: Sequence[str], options: Options) -> int:
    """The index of the column that ``text`` names. Raises ValueError."""
    if options.header and text in names:
        if names.count(text) > 1:
            raise ValueError(f"{text!r} names {names.count(text)} columns; say its number, from 1")
        return names.index(text)
    position = int(text) if is_position(text) else 0
    if 1 <= position <= len(names):
        return position - 1
    bare = [name.lstrip("# ") for name in names]
    if options.header and bare.count(text) == 1:
        return bare.index(text)
    from difflib import get_close_matches

    folded = {name.casefold(): name for name in names}
    near = [folded[name] for name in get_close_matches(text.casefold(), folded, 1, 0.5)]
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ValueError(f"there is no column {text!r}{hint}; there are {some(names)}")


def _map_rows(
    rows: Iterator[list[str]],
    lines: Lines,
    time: Callable[[str], int],
    time_at: Sequence[tuple[int, int]],
    sensor_at: int | None,
    chosen: dict[int, ColumnTarget],
    automatic: set[int],
    names: Sequence[str],
    options: Options,
    left_out: dict[str, str],
) -> Iterator[list[FileReading]]:
    """The readings of each row. ``chosen``: column -> where its cells go; a column of ``automatic`` that begins with words is
    taken out of it and noted in ``left_out``. Raises FileError if no column is left."""
    nulls = Nulls(options.nulls).texts
    targets: dict[tuple[int, str], ImportTarget] = {}
    unknown = set(automatic)  # columns without any cell so far: if the first one is words, the column is no channel
    words: dict[int, str] = {}
    last: tuple[str, int] | None = None
    for row in rows:
        text = " ".join(row[index].strip().zfill(pad) for index, pad in time_at)
        try:
            if last is None or last[0] != text:
                last = (text, time(text))
            sensor = "" if sensor_at is None else slug(row[sensor_at])
            mapped: list[FileReading] = []
            for index, (fixed, channel, unit, kind) in list(chosen.items()):
                cell = row[index].strip()
                if cell in nulls:
                    continue
                if index in unknown:
                    unknown.discard(index)
                    if not _looks_like_a_number(cell, options.decimal):
                        words[index] = cell
                        left_out[names[index] if options.header else str(index + 1)] = cell
                        del chosen[index]
                        continue
                target = targets.get((index, sensor))
                if target is None:
                    whose = fixed or sensor
                    if not whose:
                        raise ValueError("the sensor is not named; say --sensor NAME")
                    target = targets[index, sensor] = target_of(whose, channel, unit, kind)
                mapped.append(FileReading(target, last[1], number(cell, options.decimal), options.quality))
            _still_words(row, words, names, options)
        except ValueError as error:
            lines.bad(str(error))
        else:
            yield mapped
    if not chosen:
        raise FileError(
            lines.name, 0, f"no column holds numbers; its columns are {some(names)}: is --delimiter right, or --decimal?"
        )


def _still_words(row: Sequence[str], words: dict[int, str], names: Sequence[str], options: Options) -> None:
    """Raise ValueError if a column that began with words has a number after all."""
    for index, word in words.items():
        if row[index].strip() != word and _is_number(row[index], options.decimal):
            raise ValueError(
                f"column {names[index]!r} holds {row[index]!r}, and {word!r} before; if that means that there is no value, say --null {word}"
            )


def _is_number(cell: str, decimal: str) -> bool:
    try:
        number(cell, decimal)
    except ValueError:
        return False
    return True


def _looks_like_a_number(cell: str, decimal: str) -> bool:
    return re.match(r"[-+]?[0-9.,]|[-+]?(nan|inf)", cell.lower()) is not None or decimal in cell
