"""Plans how the lines of a file become readings: our own formats as they are, others by the options about their columns.

``ImportPlan.understood_as`` says how the file was understood.
"""

from __future__ import annotations

import csv
import re
from dataclasses import replace

from sensorlogd.exchange.mapping import foreign_tables, heads, own_format
from sensorlogd.exchange.mapping.column_names import refuse_doubled
from sensorlogd.exchange.options import Options, OwnOptions, taken_of
from sensorlogd.exchange.plan import ImportPlan
from sensorlogd.exchange.source import Source
from sensorlogd.exchange.text.lines import MAX_COLUMNS, FileError, Lines, sniff, split
from sensorlogd.exchange.written.cells import EXACT

MAX_LINES_ABOVE_NAMES = 40  # lines that may stand above the names


def plan(lines: Lines, options: Options) -> ImportPlan:
    """Look at the head of a file and plan how to read it. Raises FileError, ValueError (options that contradict each other or the
    header)."""
    try:
        head = heads.skip(lines, options.skip)
    except StopIteration:
        raise FileError(lines.name, 0, f"it has no more than {lines.number} lines, --skip {options.skip} skips all") from None
    first = _first_line(lines)
    if first.lstrip().startswith("{") and not options.is_foreign:
        lines.put_back(first)
        return _own_plan("NDJSON in our format", own_format.JsonLines(lines, _own_options(options, ".")), lines, options)
    delimiter = options.delimiter or head.delimiter or _delimiter(first, options)
    names = _split_header(first, delimiter, lines)
    if options.header and not options.is_foreign:
        found = _own_table(names, delimiter, lines, options)
        if found is not None:
            return found
    if options.header:
        heads.finish(head, lines, delimiter)
    else:
        lines.put_back(first)
    options = replace(options, nulls=(*options.nulls, *head.nulls))
    try:
        return foreign_tables.plan(names, delimiter, lines, foreign_tables.completed(names, delimiter, lines, options), head)
    except ValueError as error:
        line = _names_below(lines, options)
        if line is None or options.times[0] in names:
            raise
        raise ValueError(f"{error}; line {line} has it: say --skip {line - 1}") from None


def _names_below(lines: Lines, options: Options) -> int | None:
    """The number of the line that names the column of the time, if that is not the first one but one of the next MAX_LINES_ABOVE_NAMES lines; else
    None."""
    if not options.header or not options.times or foreign_tables.is_position(options.times[0]):
        return None
    column, _ = foreign_tables.padding(options.times[0])
    for number, text in enumerate(lines.peek(MAX_LINES_ABOVE_NAMES), lines.number + 1):
        try:
            if column in [name.strip() for name in split(text, options.delimiter or sniff(text))]:
                return number
        except csv.Error:
            continue
    return None


def _own_table(names: list[str], delimiter: str, lines: Lines, options: Options) -> ImportPlan | None:
    """The plan for a CSV file in our own format; None if it is in another format. Raises FileError, ValueError."""
    plain = [name.strip().lower() for name in names]
    exact = EXACT in plain
    kind = "CSV of ours for spreadsheets" if exact else "CSV in our format"
    if set(own_format.COLUMNS) <= set(plain):
        decimal = own_format.decimal_of(delimiter, options.decimal, exact=exact)
        source = own_format.LongTable(lines, delimiter, plain, decimal, _own_options(options, decimal))
        return _own_plan(f"{kind}, a line a reading", source, lines, options)
    exact = plain[-1] == EXACT
    series = names[1:-1] if exact else names[1:]
    if plain[0] != "time" or not series or not all("." in name for name in series):
        return None
    decimal = own_format.decimal_of(delimiter, options.decimal, exact=exact)
    own = _own_options(options, decimal)
    targets = [own_format.series(name, lines) for name in series]
    refuse_doubled([target.name for target in targets], lines)
    wide = own_format.WideTable(lines, delimiter, names, targets, decimal, own, exact=exact)
    return _own_plan(f"{kind}, a column a series ({len(targets)})", wide, lines, options)


def _own_plan(understood_as: str, source: Source, lines: Lines, options: Options) -> ImportPlan:
    """The plan for a file in our own format. ``source``: gives its readings, without those that mean no value."""
    is_ahead_said = options.ahead_us != Options().ahead_us  # else what was exported comes back as it was, also from the future
    return ImportPlan(
        True, understood_as, source, lines, replace(options, nulls=(), now_us=options.now_us if is_ahead_said else 0)
    )


def _own_options(options: Options, decimal: str) -> OwnOptions:
    """What a file of our own takes of the options. ``decimal``: what stands before the fraction in it. Raises ValueError for
    options that contradict its format."""
    if options.decimal not in (".", decimal):
        wrong, own = f"--decimal {options.decimal}", f"numbers have {decimal!r} before the fraction"
    elif options.time_format != "iso":
        wrong, own = f"--time-format {options.time_format!r}", "times are in ISO 8601"
    else:
        return taken_of(OwnOptions, replace(options, decimal="."), "a file in our own format")
    raise ValueError(
        f"{wrong}: the file is in our own format, in which {own}; leave the option out, or if another program wrote the file, say its"
        " columns: --time COLUMN, and --sensor NAME or --sensor-column COLUMN"
    )


def _delimiter(first: str, options: Options) -> str:
    """The delimiter. In our own files units may contain any sign, so the sign after the time is the one that divides."""
    begins = re.match('"?time"?([,;\t])', first, re.IGNORECASE)
    return begins[1] if begins and not options.is_foreign else sniff(first)


def _first_line(lines: Lines) -> str:
    """The first line that is not blank. Raises FileError."""
    for line in lines:
        if line.strip():
            return line
    raise FileError(lines.name, 0, "it is empty, or has blank lines only; is it the right file?")


def _split_header(first: str, delimiter: str, lines: Lines) -> list[str]:
    try:
        names = split(first, delimiter)
    except csv.Error as error:
        raise FileError(lines.name, lines.number, f"{error}; see the quotes of this line") from None
    if len(names) > MAX_COLUMNS:
        raise FileError(lines.name, lines.number, f"{len(names):,} columns; at most {MAX_COLUMNS:,} are taken; divide the file")
    return [name.strip() for name in names]
