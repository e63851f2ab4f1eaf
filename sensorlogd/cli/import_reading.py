"""The first half of ``import``: files are read and checked, and how they were understood is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import click

from sensorlogd import quality
from sensorlogd.cli.progress import BYTES, Progress
from sensorlogd.exchange import opening
from sensorlogd.exchange.options import Options
from sensorlogd.exchange.plan import ImportPlan
from sensorlogd.exchange.readings import FileReading
from sensorlogd.exchange.sorting import Stage, Staged
from sensorlogd.exchange.text import bad_lines
from sensorlogd.exchange.text.lines import FileError, Lines
from sensorlogd.notation import numbers, times
from sensorlogd.notation.plurals import plural

FIRST_READINGS = 10  # shown by --dry-run
MOST_TOLD = 20  # the most columns of words that are named


@dataclass(slots=True)
class Read:
    """A file that was read and may be imported. ``same_is_one``: an identical reading later in the file is left out."""

    name: str
    stage: Stage
    found: list[Staged]
    same_is_one: bool
    bad: bad_lines.BadLines | None

    def keep_bad(self) -> Path | None:
        """Write the lines that were left out beside the file and return that path; None if there are none. Raises OSError."""
        if self.bad is None or not self.bad.lines:
            return None
        return self.bad.keep(Path("standard-input" if self.name == "-" else self.name))


def read(name: str, stack: ExitStack, options: Options, given: dict[str, Any]) -> Read:
    """Read and check a file. ``stack``: closes what the result needs. Raises FileError, ValueError, OSError."""
    shown = "standard input" if name == "-" else name
    staged = stack.enter_context(Stage())
    with ExitStack() as reading:
        file = sys.stdin.buffer if name == "-" else reading.enter_context(Path(name).open("rb"))
        size = os.fstat(file.fileno()).st_size if name != "-" else None
        path = None if name == "-" else Path(name)
        lines, plan, head = opening.opened(file, path, shown, given["encoding"], options, given["kind"], given["table"], reading)
        click.echo(f"{shown}: {plan.understood_as}", err=True)
        bad = None
        if given["skip_bad"] is not None:
            bad = lines.aside = stack.enter_context(bad_lines.BadLines(bad_lines.share(given["skip_bad"]), lines.encoding))
            bad.head(head)
        seen: list[FileReading] = []
        with Progress("reading", size or None, BYTES) as bar:
            for _ in staged.take(_keep_first(plan.read(), seen) if given["dry_run"] else plan.read()):
                bar.reach(min(lines.done, size or lines.done))
        if bad is not None:
            bad.judge(shown, lines.number)
        if not staged.readings:
            raise FileError(shown, 0, f"there is no reading in {f'its {lines.number} lines' if lines.number else 'it'}")
    series_found = staged.finish()
    _show_findings(plan, lines, series_found, seen, bad)
    if plan.zoneless and given["zone"] is None:
        click.echo(
            f"  times without an offset, as {plan.zoneless[0]!r}, were read in UTC; if they are in another zone, say --zone, as"
            " --zone Europe/Berlin",
            err=True,
        )
    chosen = given["duplicates"] or given["repeat"]
    return Read(name, staged, series_found, plan.own_format if chosen is None else chosen == "drop", bad)


def _keep_first(found: Iterator[FileReading], seen: list[FileReading]) -> Iterator[FileReading]:
    """Passes on what is found, and adds the first readings to ``seen``."""
    for reading in found:
        if len(seen) < FIRST_READINGS:
            seen.append(reading)
        yield reading


def _show_findings(
    plan: ImportPlan, lines: Lines, found: list[Staged], seen: list[FileReading], bad: bad_lines.BadLines | None
) -> None:  # fmt: skip
    """Print what was read and what was left out."""
    for reading in seen:
        unit = f" {reading.target.unit}" if reading.target.unit else ""
        value = numbers.text(reading.value, quality.describe(reading.quality))
        click.echo(f"  read: {times.format_time(reading.ts_us)}  {reading.target.name} = {value}{unit}", err=True)
    for column, word in islice(plan.left_out.items(), MOST_TOLD):
        click.echo(f"  left out: column {column!r} holds words ({word!r})", err=True)
    if len(plan.left_out) > MOST_TOLD:
        click.echo(f"  left out: {len(plan.left_out) - MOST_TOLD:,} more that hold words", err=True)
    if lines.nuls:
        click.echo(
            f"  left out: {len(lines.nuls):,} {plural(len(lines.nuls), 'line')} of nothing but NULs"
            f", the first is line {lines.nuls[0]}",
            err=True,
        )
    if lines.inside:
        click.echo(
            f"  {lines.inside:,} {plural(lines.inside, 'line lies', 'lines lie')} inside quotes, the first inside those of"
            f" line {lines.inside_from}; if these are rows, a quote is missing there",
            err=True,
        )
    if bad is not None and bad.lines:
        click.echo(f"  left out: {bad.lines:,} of {lines.number:,} lines {plural(bad.lines, 'is', 'are')} bad", err=True)
        for example in bad.examples:
            click.echo(f"    {example}", err=True)
    for series in found:
        span = f"{times.format_time(series.first_us)} to {times.format_time(series.last_us)}"
        click.echo(f"  {series.target.name}: {series.readings:,} {plural(series.readings, 'reading')}, {span}", err=True)
    if plan.doubtful:
        example = times.format_time(plan.doubtful[0])
        click.echo(
            f"  {len(plan.doubtful):,} {plural(len(plan.doubtful), 'reading')}"
            f" at times that cannot be, as {example}: marked bad_time",
            err=True,
        )
