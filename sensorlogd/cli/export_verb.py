"""``export``: readings or buckets into files that ``import`` and everybody else can read."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import click

from sensorlogd import quality, times
from sensorlogd.cli import exits, output
from sensorlogd.cli.acting import progress
from sensorlogd.cli.reading import fail, now_us, reads_the_log, series_of, tz_option, zone_of
from sensorlogd.storage.query.engine import Ask
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log import Log, Series
from sensorlogd.storage.query.rows import READING_COLUMNS, cell, number, reading_row

BUCKETS_AT_ONCE = 2_000
LOST = (int(quality.Flag.FAIL), quality.MISSING)


@click.command(
    epilog="""\b
Examples:
  sensorlogd export '*.*' -o everything.csv.gz                       all there is; 'sensorlogd import' brings it back exactly
  sensorlogd export 'greenhouse.*' --since 2026-01 --until 2026-02 --format ndjson > january.ndjson
  sensorlogd export 'greenhouse.*' --wide --every 1min -o table.csv  for a spreadsheet: one column a series
  sensorlogd export 'meter.*' --every 1d --agg increase --tz Europe/Berlin
\b
A file named with -o is complete or not there. Wide files hold values only: readings flagged fail or missing are blank.
Exit status: 0; 2 usage or no such series; 3 no data in the range.
"""
)
@click.argument("series", nargs=-1, required=True)
@click.option("--since", metavar="TIME", help="default: the first reading")
@click.option("--until", metavar="TIME", help="default: the last reading")
@click.option("--every", metavar="DURATION", help="buckets of this length instead of readings")
@click.option("--agg", metavar="NAMES", help="with --every; default mean,min,max, with --wide mean")
@click.option("--wide", is_flag=True, help="one column a series")
@click.option("--format", "form", type=click.Choice(("csv", "ndjson")), default="csv", show_default=True)
@click.option(
    "-o", "--output", "target", type=click.Path(path_type=Path), metavar="FILE", help="default: standard output; .gz compresses"
)
@tz_option
@reads_the_log
def export(
    log: Log, series: tuple[str, ...], since: str | None, until: str | None, every: str | None, agg: str | None, wide: bool,
    form: str, target: Path | None, tz: str | None,
) -> None:  # fmt: skip
    """Write readings of SERIES (globs allowed) as CSV or NDJSON."""
    zone, now = zone_of(tz), now_us()
    wanted = series_of(log, series)
    try:
        span = _range(log, wanted, since, until, now, zone)
        if span is None:
            fail("no data in this range", exits.NO_DATA)
        if agg is not None and every is None:
            raise ValueError("--agg needs --every, the length of a bucket")
        names = tuple(dict.fromkeys(name.strip() for name in (agg or ("mean" if wide else "mean,min,max")).split(",")))
        if wide and len(names) != 1:
            raise ValueError("--wide takes one aggregate: one column a series")
        ask = None if every is None else Ask(*span, Step.parse(every), None, names, zone)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    if wide:
        columns = ("time", *(f"{one.name} [{one.unit}]" if one.unit else one.name for one in wanted))
        rows = _wide_readings(log, wanted, span, zone, columns) if ask is None else _wide_buckets(log, wanted, ask, columns)
    elif ask is None:
        columns = tuple(READING_COLUMNS)
        rows = ((reading.ts_us, reading_row(reading, zone)) for reading in log.readings(wanted, *span))
    else:
        columns = ("time", "sensor", "channel", *names, *(name for name in ("count", "coverage") if name not in names))
        rows = _buckets(log, wanted, ask)
    try:
        with _opened(target) as file:
            written = _WRITERS[form](_shown(rows, span, target), columns, file)
            if not written:
                fail("no data in this range", exits.NO_DATA)
    except BrokenPipeError:
        raise
    except OSError as error:
        fail(f"{target}: {error.strerror}; nothing was written")
    if target is not None:
        click.echo(f"{target}: {written:,} rows", err=True)


def _range(
    log: Log, wanted: Sequence[Series], since: str | None, until: str | None, now: int, zone: str
) -> tuple[int, int] | None:
    """[since, until); where not said, all there is of the series. Raises ValueError."""
    first, last = log.span(wanted)
    if first is None or last is None:
        return None
    start = first if since is None else times.parse_time(since, now, zone)
    end = last + 1 if until is None else times.parse_time(until, now, zone)
    if since is not None and until is not None and start >= end:
        raise ValueError(f"--since {since} is not before --until {until}")
    return (start, end) if start < end else None


Rows = Iterator[tuple[int, Mapping[str, Any]]]  # time, row


def _buckets(log: Log, wanted: Sequence[Series], ask: Ask) -> Rows:
    for one, answer in log.buckets(wanted, ask):
        for row in answer.rows:
            yield (
                row.start_us,
                {
                    "time": times.format_time(row.start_us, ask.zone),
                    "sensor": one.sensor,
                    "channel": one.channel,
                    "count": row.readings,
                    "coverage": row.coverage,
                    **dict(zip(ask.aggregates, map(cell, row.values), strict=True)),
                },
            )


def _wide_readings(log: Log, wanted: Sequence[Series], span: tuple[int, int], zone: str, columns: Sequence[str]) -> Rows:
    name = {one.id: column for one, column in zip(wanted, columns[1:], strict=True)}
    for ts, found in groupby(log.readings(wanted, *span), key=lambda reading: reading.ts_us):
        row: dict[str, Any] = {"time": times.format_time(ts, zone)}
        for reading in found:
            if quality.flag_of(reading.quality) not in LOST:
                row[name[reading.series.id]] = number(reading.value)
        if len(row) > 1:
            yield ts, row


def _wide_buckets(log: Log, wanted: Sequence[Series], ask: Ask, columns: Sequence[str]) -> Rows:
    """Some buckets of all series at a time, so that memory is bounded whatever the range."""
    assert ask.step is not None
    edges = ask.step.edges(ask.since_us, ask.until_us, ask.zone)
    while chunk := [edge for _, edge in zip(range(BUCKETS_AT_ONCE), edges, strict=False)]:
        part = Ask(
            max(chunk[0][0], ask.since_us), min(chunk[-1][1], ask.until_us), ask.step, None, ask.aggregates, ask.zone
        )  # fmt: skip
        table: dict[int, dict[str, Any]] = {}
        for (_, answer), column in zip(log.buckets(wanted, part), columns[1:], strict=True):
            for row in answer.rows:
                table.setdefault(row.start_us, {})[column] = cell(row.values[0])
        for start in sorted(table):
            yield start, {"time": times.format_time(start, ask.zone), **table[start]}


def _shown(rows: Rows, span: tuple[int, int], target: Path | None) -> Iterator[Mapping[str, Any]]:
    """The rows, with a progress bar while they go into a file."""
    if target is None:
        yield from (row for _, row in rows)
        return
    width = max((span[1] - span[0]) // 1000, 1)
    with progress("exporting", 1000) as bar:
        for n, (ts, row) in enumerate(rows):
            if n % 5000 == 0:
                bar.update(max(min((ts - span[0]) // width, 1000) - bar.pos, 0))
            yield row


@contextlib.contextmanager
def _opened(target: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that gets its name when it is complete and on the disk."""
    if target is None:
        yield sys.stdout
        return
    temporary = target.with_name(f".{target.name}.part")
    try:
        with contextlib.ExitStack() as stack:
            raw = stack.enter_context(temporary.open("wb"))
            zipped = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if target.suffix == ".gz" else None
            text = io.TextIOWrapper(zipped or io.BufferedWriter(_Kept(raw)), encoding="utf-8", newline="")
            yield text
            text.close()  # and with it the compressed stream, but not the file below
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


class _Kept(io.RawIOBase):
    """A file that stays open when what is written through it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        return self._file.write(data)


_WRITERS = {"csv": output.write_csv, "ndjson": output.write_ndjson}
