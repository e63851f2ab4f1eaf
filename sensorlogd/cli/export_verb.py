"""``export``: writes readings or buckets into files that ``import`` and other programs can read."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO

import click

from sensorlogd import extras, files, quality
from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import fail, now_us, reads_the_log, series_of, tz_option, zone_of
from sensorlogd.cli.empty_range import where_readings_are
from sensorlogd.cli.progress import Progress
from sensorlogd.exchange.written import decimal_sign, text
from sensorlogd.exchange.written.cells import Rows, Stamps
from sensorlogd.notation import times
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log_reader import LogReader, SeriesReading
from sensorlogd.storage.query.rows import READING_COLUMNS, bucket_row, cell, number
from sensorlogd.storage.series.stored import Series

BUCKETS_AT_ONCE = 2_000


@click.command(
    epilog="""\b
Examples:
  sensorlogd export '*.*' -o everything.csv.gz                       all there is; 'sensorlogd import' brings it back exactly
  sensorlogd export 'greenhouse.*' --since 2026-01 --until 2026-02 --format ndjson > january.ndjson
  sensorlogd export 'greenhouse.*' --wide --every 1min -o table.csv  for a spreadsheet: one column a series
  sensorlogd export 'meter.*' --every 1d --agg increase --tz Europe/Berlin
  sensorlogd export 'greenhouse.*' --wide --every 1h -o hours.xlsx   a workbook; .parquet likewise
\b
A file named with -o is complete or as it was; a link is followed; a device or pipe is written as it is. Wide files hold values only: readings flagged fail or missing are blank.
Exit status: 0; 2 usage or no such series; 3 no data in the range.
"""
)
@click.argument("series", nargs=-1, required=True)
@click.option("--since", metavar="TIME", help="default: the first reading")
@click.option("--until", metavar="TIME", help="default: the last reading")
@click.option("--every", metavar="DURATION", help="buckets of this length instead of readings")
@click.option("--agg", metavar="NAMES", help="with --every; default mean,min,max, with --wide mean")
@click.option("--wide", is_flag=True, help="one column a series")
@click.option(
    "--format", "form", type=click.Choice(("csv", "ndjson", "xlsx", "parquet")), help="default: by the name of the file, else csv"
)
@click.option("--excel", is_flag=True, help="CSV as spreadsheets read it here: semicolons and decimal commas, by your locale")
@click.option(
    "--decimal", type=click.Choice((".", ",")), help="with --excel; what stands before the fraction, whatever the locale"
)
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="default, and '-': standard output; .gz compresses",
)
@tz_option
@reads_the_log
def export(
    log: LogReader, series: tuple[str, ...], since: str | None, until: str | None, every: str | None, agg: str | None, wide: bool,
    form: str | None, excel: bool, decimal: str | None, target: Path | None, tz: str | None,
) -> None:  # fmt: skip
    """Write readings of SERIES (globs allowed) as CSV, NDJSON, a workbook or Parquet."""
    zone, now = zone_of(tz), now_us()
    target = None if str(target) == "-" else target
    form = _form(form, target, excel=excel, decimal=decimal)
    wanted = series_of(log, series)
    try:
        span = _range_us(log, wanted, since, until, now, zone)
        if span is None:
            fail(f"no data in this range{where_readings_are(log, wanted, None, zone)}", exits.NO_DATA)
        if agg is not None and every is None:
            raise ValueError(f"--agg {agg} needs --every, the length of a bucket, e.g. --every 1h")
        names = tuple(dict.fromkeys(name.strip() for name in (agg or ("mean" if wide else "mean,min,max")).split(",")))
        if wide and len(names) != 1:
            raise ValueError(
                f"--wide takes one aggregate, because a series has one column; {len(names)} are given: {', '.join(names)}"
            )
        query = None if every is None else Query(*span, Step.parse(every), None, names, zone)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    if wide:
        columns = ("time", *(f"{series.name} [{series.unit}]" if series.unit else series.name for series in wanted))
        rows = _wide_readings(log, wanted, span, columns) if query is None else _wide_buckets(log, wanted, query, columns)
    elif query is None:
        columns = tuple(READING_COLUMNS)
        rows = ((reading.ts_us, _reading_row(reading)) for reading in log.readings(wanted, *span))
    else:
        columns = ("time", "sensor", "channel", *names, *(name for name in ("count", "coverage") if name not in names))
        rows = _bucket_rows(log, wanted, query)
    # Long files of readings are for programs: one offset throughout. Buckets, wide tables and spreadsheets have local times.
    for_programs = tz is None and not wide and query is None and form in ("csv", "ndjson", "parquet")
    stamps = Stamps("UTC" if for_programs else zone, _has_fractions(log, wanted, span, query))
    write = _writer_for(form, decimal or decimal_sign.decimal_of(os.environ))
    try:
        with _open_target(target, form) as file:
            written = write(_with_progress(rows, span, target), columns, stamps, file)
            if not written:
                fail(f"no data in this range{where_readings_are(log, wanted, span, zone)}", exits.NO_DATA)
    except OSError as error:
        if target is None:
            raise  # an error of standard output, which the outermost handler reports
        fail(f"{plain_errors.os_error(error, target)}; nothing was written")
    if target is not None:
        click.echo(f"{target}: {written:,} {plural(written, 'row')}", err=True)


def _form(form: str | None, target: Path | None, *, excel: bool, decimal: str | None) -> str:
    """The format: as given, or by the name of the file. Exits with a clear line if it cannot be written."""
    by_name = {".xlsx": "xlsx", ".parquet": "parquet", ".ndjson": "ndjson", ".jsonl": "ndjson"}
    bare = target.with_suffix("") if target is not None and target.suffix == ".gz" else target
    chosen = form or ("csv" if bare is None else by_name.get(bare.suffix.lower(), "csv"))
    if excel and chosen != "csv":
        fail(f"--excel is a kind of CSV, not of {chosen}", exits.USAGE)
    if decimal is not None and not excel:
        fail("--decimal needs --excel: CSV for programs has a point", exits.USAGE)
    for name, library, extra in (("xlsx", "openpyxl", "excel"), ("parquet", "pyarrow", "parquet")):
        if chosen == name and not _is_installed(library):
            fail(f"{name} needs {library}, which is not installed; install it: {extras.advice(extra)}", exits.USAGE)
    if chosen in _BINARY and target is None and sys.stdout.isatty():
        fail(f"{chosen} cannot be shown on a terminal; name a file with -o", exits.USAGE)
    return "excel" if excel else chosen


def _is_installed(library: str) -> bool:
    from importlib.util import find_spec

    return find_spec(library) is not None


def _has_fractions(log: LogReader, wanted: Sequence[Series], span: tuple[int, int], query: Query | None) -> bool:
    """Whether any time has microseconds (then all are written with them); stops at the first that has."""
    if query is not None and query.step is not None:
        return query.step.unit == "us" and query.step.count % 1_000_000 != 0
    return any(ts % 1_000_000 for series in wanted for rows in log.columns(series, *span) for ts, *_ in rows)


def _range_us(
    log: LogReader, series: Sequence[Series], since: str | None, until: str | None, now: int, zone: str
) -> tuple[int, int] | None:
    """[since, until) in µs; by default all that there is of the series. Raises ValueError."""
    first, last = log.span(series)
    if first is None or last is None:
        return None
    start = first if since is None else times.parse_time(since, now, zone)
    end = last + 1 if until is None else times.parse_time(until, now, zone)
    if since is not None and until is not None and start >= end:
        raise ValueError(f"--since {since} is not before --until {until}")
    return (start, end) if start < end else None


def _reading_row(reading: SeriesReading) -> dict[str, Any]:
    return {
        "sensor": reading.series.sensor,
        "channel": reading.series.channel,
        "value": number(reading.value),
        "unit": reading.series.unit,
        "quality": quality.describe(reading.quality),
    }


def _bucket_rows(log: LogReader, wanted: Sequence[Series], query: Query) -> Rows:
    for series, answer in log.buckets(wanted, query):
        for row in answer.rows:
            yield row.start_us, bucket_row(series, row, query.aggregates)


def _wide_readings(log: LogReader, wanted: Sequence[Series], span: tuple[int, int], columns: Sequence[str]) -> Rows:
    """Wide rows of readings, one for each time; those that are unusable leave their cell empty, and a row of none is left
    out."""
    name = {series.id: column for series, column in zip(wanted, columns[1:], strict=True)}
    for ts, found in groupby(log.readings(wanted, *span), key=lambda reading: reading.ts_us):
        row: dict[str, Any] = {}
        for reading in found:
            if quality.flag_of(reading.quality) not in quality.UNUSABLE:
                row[name[reading.series.id]] = number(reading.value)
        if row:
            yield ts, row


def _wide_buckets(log: LogReader, series: Sequence[Series], query: Query, columns: Sequence[str]) -> Rows:
    """Wide rows of buckets, some buckets of all series at a time, so that memory is bounded for any range."""
    assert query.step is not None
    edges = query.step.edges(query.since_us, query.until_us, query.zone)
    while chunk := [edge for _, edge in zip(range(BUCKETS_AT_ONCE), edges, strict=False)]:
        part = Query(
            max(chunk[0][0], query.since_us), min(chunk[-1][1], query.until_us), query.step, None, query.aggregates, query.zone
        )  # fmt: skip
        table: dict[int, dict[str, Any]] = {}
        for (_, answer), column in zip(log.buckets(series, part), columns[1:], strict=True):
            for row in answer.rows:
                table.setdefault(row.start_us, {})[column] = cell(row.values[0])
        for start in sorted(table):
            yield start, table[start]


def _with_progress(rows: Rows, span: tuple[int, int], target: Path | None) -> Rows:
    """The rows, with a progress bar while they go into a file."""
    if target is None:
        yield from rows
        return
    width = max((span[1] - span[0]) // 1000, 1)
    with Progress("exporting", 1000) as bar:
        for n, row in enumerate(rows):
            if n % 5000 == 0:  # buckets come series by series: progress never goes back
                bar.reach(max(min((row[0] - span[0]) // width, 1000), bar.pos))
            yield row


@contextlib.contextmanager
def _open_target(target: Path | None, form: str) -> Iterator[Any]:
    """Opens standard output or the target, compressed for ``.gz``; yields a TextIO, or a BinaryIO for binary formats.

    Text is UTF-8, whatever the terminal's encoding: ``import`` reads that.
    """
    with contextlib.ExitStack() as stack:
        if form in _BINARY:
            yield sys.stdout.buffer if target is None else stack.enter_context(files.written(target))
            return
        if target is None:
            if isinstance(sys.stdout, io.TextIOWrapper):
                sys.stdout.reconfigure(encoding="utf-8")
            yield sys.stdout
            return
        raw = stack.enter_context(files.written(target))
        zipped = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if target.suffix == ".gz" else None
        text = io.TextIOWrapper(zipped or io.BufferedWriter(_Kept(raw)), encoding="utf-8", newline="")
        try:
            yield text
            text.close()  # and the compressed stream, but not the file below
        finally:
            with contextlib.suppress(OSError, ValueError):
                text.close()  # after an error: what is still in its buffer goes where the rest went


class _Kept(io.RawIOBase):
    """A file that stays open when what is written through it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._file.write(data)


_BINARY = ("xlsx", "parquet")


def _writer_for(form: str, decimal: str) -> Callable[[Rows, Sequence[str], Stamps, Any], int]:
    """The function that writes rows in this form."""
    if form == "xlsx":
        from sensorlogd.exchange.written.workbook import write_xlsx

        return write_xlsx
    if form == "parquet":
        from sensorlogd.exchange.written.parquet import write_parquet

        return write_parquet
    if form == "excel":
        return lambda rows, columns, stamps, file: text.write_excel_csv(rows, columns, stamps, file, decimal)
    return text.write_ndjson if form == "ndjson" else text.write_csv
