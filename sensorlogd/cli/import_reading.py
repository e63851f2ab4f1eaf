"""The first half of ``import``: files are read and checked, and how they were understood is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import click

from sensorlogd import quality
from sensorlogd.cli.import_options import GivenOptions
from sensorlogd.cli.progress import BYTES, Progress
from sensorlogd.exchange import opening
from sensorlogd.exchange.options import Options
from sensorlogd.exchange.plan import FileFindings
from sensorlogd.exchange.readings import FileReading
from sensorlogd.exchange.sorting import ReadingSorter, SeriesInFile
from sensorlogd.exchange.text import bad_lines
from sensorlogd.exchange.text.lines import FileError
from sensorlogd.notation import numbers, times
from sensorlogd.notation.plurals import plural

MAX_READINGS_SHOWN = 10  # shown by --dry-run
MAX_COLUMNS_NAMED = 20  # of those with words
SHARES = (1, 2, 5, 10, 20, 50, 100)  # in a hundred, which are proposed for --skip-bad


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read and may be imported. ``same_is_one``: an identical reading later in the file is left out."""

    name: str
    sorter: ReadingSorter
    series: list[SeriesInFile]
    same_is_one: bool
    bad: bad_lines.BadLines | None

    def keep_bad(self) -> Path | None:
        """Write the lines that were left out beside the file and return that path; None if there are none. Raises OSError."""
        if self.bad is None or not self.bad.lines:
            return None
        return self.bad.keep(Path("standard-input" if self.name == "-" else self.name))


def read(name: str, stack: ExitStack, options: Options, given: GivenOptions) -> Read:
    """Read and check a file. ``stack``: closes what the result needs. Raises FileError, ValueError, OSError, NoRoom."""
    shown = "standard input" if name == "-" else name
    sorter = stack.enter_context(ReadingSorter())
    with ExitStack() as reading:
        file = sys.stdin.buffer if name == "-" else reading.enter_context(Path(name).open("rb"))
        size = os.fstat(file.fileno()).st_size if name != "-" else None
        path = None if name == "-" else Path(name)
        source = opening.FileToRead(file, path, shown, given.encoding, given.kind, given.table)
        lines, plan = opening.opened(source, options, reading)
        click.echo(f"{shown}: {plan.understood_as}", err=True)
        bad = None
        share = given.share_of_bad()
        if share is not None:
            bad = stack.enter_context(bad_lines.BadLines(share, lines.encoding))
        first: list[FileReading] = []
        found = plan.read(bad)
        with Progress("reading", size or None, BYTES) as bar:
            findings = sorter.take(
                _keep_first(found, first) if given.dry_run else found, lambda: bar.reach(min(lines.done, size or lines.done))
            )
        if name != "-" and findings.lines.is_last_open and os.fstat(file.fileno()).st_size != size:
            raise FileError(
                shown, findings.lines.lines, "this last line has no end, and the file has grown while it was read: import it when nothing"
                " writes to it, or a copy of it",
            )  # fmt: skip
        if bad is not None:
            bad.judge(shown, findings.lines.lines)
        if not sorter.readings:
            count = findings.lines.lines
            raise FileError(shown, 0, f"there is no reading in {f'its {count} lines' if count else 'it'}")
    of_file = sorter.series()
    series = [found for found in of_file if found.target.name not in findings.units_of]
    for reading_found in first:
        _show_reading(reading_found)
    _show_findings(findings, series, bad)
    for left_out, units in findings.units_of.items():
        _show_units(left_out, sum(found.readings for found in of_file if found.target.name == left_out), units)
    if not series:
        raise FileError(shown, 0, "no series is left: the unit of each one changes in the file")
    if findings.zoneless is not None and given.zone is None:
        click.echo(
            f"  times without an offset, as {findings.zoneless!r}, were read in UTC; if they are in another zone, say --zone, as"
            " --zone Europe/Berlin",
            err=True,
        )
    drops = given.drops_repeated()
    return Read(name, sorter, series, plan.same_is_one if drops is None else drops, bad)


def enough_to_skip(name: str, options: Options, given: GivenOptions) -> str:
    """The smallest round share, as ``--skip-bad`` takes it, that is enough for the bad lines of a file. Reads all of it. Raises
    FileError, ValueError, OSError."""
    with ExitStack() as reading:
        file = reading.enter_context(Path(name).open("rb"))
        source = opening.FileToRead(file, Path(name), name, given.encoding, given.kind, given.table)
        lines, plan = opening.opened(source, options, reading)
        bad = reading.enter_context(bad_lines.BadLines(1.0, lines.encoding))
        with closing(plan.read(bad)) as found:
            for _ in found:
                pass
        return next(f"{percent}%" for percent in SHARES if bad.lines * 100 <= percent * lines.counts().lines or percent == 100)


def _keep_first(
    readings: Generator[FileReading, None, FileFindings], first: list[FileReading]
) -> Generator[FileReading, None, FileFindings]:
    """Pass on what is found, and add the first readings to ``first``."""
    with closing(readings):
        while len(first) < MAX_READINGS_SHOWN:
            try:
                reading = next(readings)
            except StopIteration as end:
                findings: FileFindings = end.value
                return findings
            first.append(reading)
            yield reading
        return (yield from readings)


def _show_reading(reading: FileReading) -> None:
    unit = f" {reading.target.unit}" if reading.target.unit else ""
    value = numbers.text(reading.value, quality.describe(reading.quality))
    click.echo(f"  read: {times.format_time(reading.ts_us)}  {reading.target.name} = {value}{unit}", err=True)


def _show_units(series: str, readings: int, units: list[str]) -> None:
    """Print that the series, with its number of readings, is left out because the file has it in these units."""
    click.echo(
        f"  left out: {series}, {readings:,} {plural(readings, 'reading')}, because its unit changes in the"
        f" file ({', '.join(map(repr, units))}); the statistics of Home Assistant are in one unit: --table statistics",
        err=True,
    )


def _show_findings(findings: FileFindings, found: list[SeriesInFile], bad: bad_lines.BadLines | None) -> None:
    """Print what was read and what was left out."""
    for column, word in islice(findings.left_out.items(), MAX_COLUMNS_NAMED):
        click.echo(f"  left out: column {column!r} holds words ({word!r})", err=True)
    if len(findings.left_out) > MAX_COLUMNS_NAMED:
        click.echo(f"  left out: {len(findings.left_out) - MAX_COLUMNS_NAMED:,} more that hold words", err=True)
    lines = findings.lines
    if lines.of_nuls:
        click.echo(
            f"  left out: {lines.of_nuls:,} {plural(lines.of_nuls, 'line')} of nothing but NULs"
            f", the first is line {lines.first_of_nuls}",
            err=True,
        )
    if lines.in_quotes:
        click.echo(
            f"  {lines.in_quotes:,} {plural(lines.in_quotes, 'line lies', 'lines lie')} inside quotes, the first inside those of"
            f" line {lines.first_opening_quote}; if these are rows, a quote is missing there",
            err=True,
        )
    if lines.is_last_open:
        click.echo(
            f"  the last line ({lines.lines:,}) has no end; if something still writes to the file, import it again when that is done,"
            " with --replace: this line may not be whole",
            err=True,
        )
    if bad is not None and bad.lines:
        click.echo(f"  left out: {bad.lines:,} of {lines.lines:,} lines {plural(bad.lines, 'is', 'are')} bad", err=True)
        for example in bad.examples:
            click.echo(f"    {example}", err=True)
    if findings.first_twice is not None:
        click.echo(f"  {findings.first_twice}", err=True)
    for column, cell in findings.pointed.items():
        click.echo(
            f"  no value of column {column!r} has a comma; {cell} was read as {cell.replace('.', '')}: is --decimal right?",
            err=True,
        )
    for series in found:
        span = f"{times.format_time(series.first_us)} to {times.format_time(series.last_us)}"
        click.echo(f"  {series.target.name}: {series.readings:,} {plural(series.readings, 'reading')}, {span}", err=True)
    if findings.first_doubtful_us is not None:
        click.echo(
            f"  {findings.doubtful:,} {plural(findings.doubtful, 'reading')} at impossible times, as"
            f" {times.format_time(findings.first_doubtful_us)}: marked bad_time",
            err=True,
        )
