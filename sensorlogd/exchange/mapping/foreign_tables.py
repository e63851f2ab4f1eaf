"""Reads tables of other programs: which column is the time, and which series the others go to, is given by options or by a known
head.

Nothing is guessed in silence: a cell that is not a number, a time that is none, a line with too few cells are mistakes, reported with
line, column, what was found and what to do.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sensorlogd.exchange.mapping import guess, heads
from sensorlogd.exchange.mapping.column_names import quoted_names, refuse_doubled
from sensorlogd.exchange.mapping.foreign_rows import Columns, ForeignTable
from sensorlogd.exchange.options import ColumnTarget, Options
from sensorlogd.exchange.plan import ImportPlan
from sensorlogd.exchange.readings import target_of
from sensorlogd.exchange.text.lines import FileError, Lines, split
from sensorlogd.exchange.times.stamps import TimeReader
from sensorlogd.notation.plurals import plural

_PADDED = re.compile(r"(.+)~(\d{1,2})", re.ASCII)
_POSITION = re.compile(r"\d{1,6}", re.ASCII)


def completed(names: list[str], delimiter: str, lines: Lines, options: Options) -> Options:
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
            guessed=guessed.as_options(shown) + ("" if whose else " --sensor imported"),
        )  # fmt: skip
    if guessed is None:
        like = ""
    elif len(guessed.forms) > 1:
        columns = " + ".join(repr(shown[at]) for at in guessed.times)
        like = f"; {columns} may be {' or '.join(guessed.forms)}: say --time and --time-format"
    else:
        like = f"; it looks like {guessed.as_options(shown)}: look at it with --dry-run, and say it"
    if options.is_foreign:
        raise ValueError(f"which column is the time? say --time COLUMN (its name, or its number from 1){like}")
    raise FileError(
        lines.name, lines.number, f"this is not our format (its columns are {quoted_names(names)}); say which column is the time and"
        f" where the others belong: --time COLUMN --sensor NAME, or --column 'COLUMN=sensor.channel:unit'{like}",
    )  # fmt: skip


def _sample(lines: Lines, delimiter: str) -> Iterator[list[str]]:
    """The first rows; lines that cannot be split into cells are passed over."""
    for text in lines.peek(guess.MAX_ROWS_TO_GUESS_BY):
        try:
            row = split(text, delimiter)
        except csv.Error:
            continue
        if any(row):
            yield row


def plan(names: list[str], delimiter: str, lines: Lines, options: Options, head: heads.Head) -> ImportPlan:
    """How to read the table. ``options``: from ``completed``. Raises FileError, ValueError."""
    if options.sensor is not None and options.sensor_column is not None:
        raise ValueError(
            f"--sensor {options.sensor} and --sensor-column {options.sensor_column} both say whose the readings are; leave out --sensor if"
            " each row names its sensor, else --sensor-column"
        )
    padded = [padding(text) for text in options.times]
    time_at = [(_column_index(column, names, options), pad) for column, pad in padded]
    if options.header and options.zone == "UTC":
        options = replace(options, zone=heads.zone([names[at] for at, _ in time_at]) or "UTC")
    for target in (ColumnTarget(options.sensor, "x"), *options.columns.values()):
        target_of(target.sensor or "x", target.channel, target.unit, target.kind)  # else the first line would be the mistake
    sensor_at = None if options.sensor_column is None else _column_index(options.sensor_column, names, options)
    named = {_column_index(column, names, options): target for column, target in options.columns.items()}
    taken = {at for at, _ in time_at} | set(named) | ({sensor_at} if sensor_at is not None else set())
    automatic = [at for at in range(len(names)) if at not in taken] if not options.columns else []
    chosen = {**named, **_automatic(automatic, names, lines, options, head)}
    refuse_doubled([f"{sensor or ''}.{channel}" for sensor, channel, *_ in chosen.values()], lines)
    times = TimeReader(options.time_format, options.zone, options.fold, options.year, options.now_us, options.decimal)
    kind = f"{head.kind}, " if head.kind else ""
    label = " + ".join(options.times)
    understood_as = (
        f"{kind}time from {label} ({options.time_format}, {options.zone})"
        f", {len(chosen)} {plural(len(chosen), 'column')}, delimiter {delimiter!r}"
    )
    understood_as += f"; guessed, so to import it say {options.guessed}" if options.guessed else ""
    table = ForeignTable(lines, delimiter, names, times, Columns(time_at, sensor_at, chosen, frozenset(automatic)), options)
    return ImportPlan(False, understood_as, table, lines, options)


def _automatic(
    columns: Sequence[int], names: Sequence[str], lines: Lines, options: Options, head: heads.Head
) -> dict[int, ColumnTarget]:
    """The targets of columns that no option names, if they hold numbers. Raises FileError."""
    doubled = {names[index] for index in columns if options.header and names[index] and names.count(names[index]) > 1}
    if doubled:
        raise FileError(
            lines.name,
            lines.number,
            f"a column is named twice: {quoted_names(sorted(doubled))}; map them by number with --column",
        )
    found: dict[int, ColumnTarget] = {}
    for index in columns:
        has_name = options.header and (names[index] or names.count("") == 1)
        unit = head.units[index] if index < len(head.units) else None
        channel, unit = heads.channel(names[index] if has_name else f"column{index + 1}", unit)
        found[index] = ColumnTarget(options.sensor, channel, unit)
    return found


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
    raise ValueError(f"there is no column {text!r}{hint}; there are {quoted_names(names)}")
