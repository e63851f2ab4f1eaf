"""``import``: imports readings from files into the log."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import config_option, db_option, fail
from sensorlogd.cli.database_changes import Actor, acting
from sensorlogd.cli.import_options import GivenOptions
from sensorlogd.cli.import_reading import Read, enough_to_skip, read
from sensorlogd.cli.progress import Progress
from sensorlogd.cli.work_waiting import refuse_if_hindered
from sensorlogd.daemon.control.answers import SeriesKnown, Upserted
from sensorlogd.daemon.control.requests.database import NoteRequest, SeriesRequest, UpsertRequest
from sensorlogd.event_kinds import EventKind
from sensorlogd.exchange.opening import FILE_KINDS
from sensorlogd.exchange.options import Options
from sensorlogd.exchange.sorting import NoRoom, SeriesInFile, SortedReadings
from sensorlogd.exchange.text.lines import FileError
from sensorlogd.notation.plurals import plural
from sensorlogd.notation.undoing import undo_commands
from sensorlogd.stamping.local import FOLDS
from sensorlogd.stamping.repeats import REPEATS
from sensorlogd.storage.corrections.replacing import Replace
from sensorlogd.storage.corrections.upsert import COUNTS
from sensorlogd.storage.series.unconfigured import WantedSeries

BUSY_S = 0.1  # time between two questions whether earlier work on the same readings is done


@click.command(
    "import",
    epilog="""\b
Examples:
  sensorlogd import readings.csv                         what 'sensorlogd export' wrote (CSV, NDJSON; gzip is understood)
  sensorlogd import old.csv --time Date --sensor garage --dry-run      every column with numbers becomes a channel
  sensorlogd import log.csv --time timestamp --column 'T [C]=garage.temperature:°C' --column 'count=garage.pulses::counter'
  sensorlogd import wetter.csv --time Datum --time Uhrzeit --time-format '%d.%m.%Y %H:%M' --zone Europe/Berlin \\
                    --delimiter ';' --decimal , --encoding latin-1 --null -9999 --sensor weather
  zcat *.csv.gz | sensorlogd import -
  sensorlogd import weewx.sdb --sensor garden            also home-assistant_v2.db, points.lp, book.xlsx, table.parquet
\b
The whole file is read and checked first: a file with a mistake imports nothing, unless --skip-bad leaves such lines out, which
are kept in FILE.bad. --dry-run shows what would be read. Importing it again changes nothing:
a reading that is there already is the same reading. Another value at the same time is reported, and stored with --replace.
With the daemon running it goes through the daemon; roll-ups follow by themselves.
Exit status: 0; 1 a file with a mistake; 2 usage.
""",
)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option(
    "--time", "time_columns", multiple=True, metavar="COLUMN", help="the column of the time; several are joined by a blank"
)
@click.option(
    "--time-format", default="iso", show_default=True, metavar="FORMAT", help="iso, epoch, epoch_ms, epoch_us, or %d.%m.%Y %H:%M"
)
@click.option("--zone", show_default="UTC", help="of times in files without an offset, and of --earliest")
@click.option(
    "--fold",
    type=click.Choice(FOLDS),
    help="which of two equal local times; by_order: the second one once times fall back; default: first, and a file that has both is"
    " refused",
)
@click.option("--year", metavar="YEAR|from_host", help="of a format without one: that of the first line, or nearest to now")
@click.option(
    "--repeat",
    type=click.Choice(REPEATS),
    help="readings that share a time: keep each (a microsecond apart), spread them evenly over the second, or drop repetitions",
)
@click.option("--earliest", metavar="TIME", help="readings from before are marked bad_time")
@click.option("--ahead", metavar="DURATION", default="1d", show_default=True, help="so are those that far in the future")
@click.option("--sensor", help="all other columns with numbers become channels of this sensor")
@click.option("--sensor-column", metavar="COLUMN", help="the column that names the sensor")
@click.option("--column", "columns", multiple=True, metavar="COLUMN=SENSOR.CHANNEL[:UNIT[:KIND]]", help="where a column belongs")
@click.option("--from", "kind", type=click.Choice(FILE_KINDS), help="what the file is; default: found out by how it begins")
@click.option("--table", metavar="NAME", help="of a database; a sheet of a workbook; 'statistics' of Home Assistant")
@click.option("--delimiter", metavar="CHAR", help="default: found out; 'space' for any run of blanks, 'tab'")
@click.option("--decimal", type=click.Choice((".", ",")), default=".", show_default=True)
@click.option("--null", "nulls", multiple=True, metavar="TEXT", help="a cell that means no value, e.g. NA or -9999")
@click.option("--skip", type=click.IntRange(min=0), default=0, metavar="N", help="leave out N lines at the top")
@click.option("--no-header", is_flag=True, help="the first line is data; columns are numbered from 1")
@click.option("--encoding", default="utf-8", show_default=True)
@click.option("--quality", "words", default="not_evaluated", show_default=True, help="of readings without one")
@click.option(
    "--heartbeat", metavar="DURATION", help="of new series: a longer silence is a gap; default: three times the usual spacing"
)
@click.option(
    "--duplicates",
    type=click.Choice(("keep", "drop")),
    help="the same reading twice in a file; default: keep, in our format drop",
)
@click.option("--replace", is_flag=True, help="another value at the same time replaces what is stored")
@click.option(
    "--skip-bad", metavar="N%", help="leave bad lines out, if no more than N in a hundred are bad; they are kept in FILE.bad"
)
@click.option("--dry-run", is_flag=True, help="read and check only; shows the first readings, and may guess the time")
@db_option
@config_option
def import_(files: tuple[str, ...], config_file: Path | None, db: str | None, **options: Any) -> None:
    """Import readings from FILEs ('-': standard input): CSV, NDJSON, workbooks, Parquet, SQLite, weewx, Home Assistant,
    line protocol; ours, or others' with a word about their columns."""
    try:
        given = GivenOptions(**options)
        file_options, heartbeat_us = given.file_options(), given.heartbeat_us()
        given.share_of_bad()
    except ValueError as error:
        fail(str(error), exits.USAGE)
    with ExitStack() as stack:
        found = [_read_file(name, stack, file_options, given) for name in files]
        if given.dry_run:
            click.echo("nothing was imported (--dry-run)")
            return
        kept = [_keep_bad(file) for file in found]
        with acting(config_file, db, create=True) as actor:
            # All files first: a series that is different in the log is a mistake, too, and then nothing is imported.
            identities = [_identify(actor, file.series, heartbeat_us) for file in found]
            for file, known, bad in zip(found, identities, kept, strict=True):
                _import_file(actor, file, known, replace=given.replace, bad=bad)
            actor.roll_up()


def _read_file(name: str, stack: ExitStack, options: Options, given: GivenOptions) -> Read:
    try:
        return read(name, stack, options, given)
    except FileError as error:
        way_on = _skipping(name, options, given) if error.one_line and given.skip_bad is None else ""
        fail(f"{error}{way_on}; nothing was imported")
    except ValueError as error:
        fail(str(error), exits.USAGE)
    except OSError as error:
        fail(f"{plain_errors.os_error(error, name)}; nothing was imported")
    except NoRoom as error:
        fail(f"{name}: {error}; nothing was imported")


def _skipping(name: str, options: Options, given: GivenOptions) -> str:
    """How to leave the bad lines of a file out, with a share that is enough for them; empty if that would not help."""
    try:
        share = "N%" if name == "-" else enough_to_skip(name, options, given)
    except (FileError, ValueError, OSError):
        return ""  # there is another mistake, which no option leaves out
    return f"; say --skip-bad {share} to leave such lines out" + (", N in a hundred" if name == "-" else "")


def _keep_bad(read: Read) -> str | None:
    """A sentence about the lines that were left out, which are kept beside the file; None if there are none."""
    try:
        path = read.keep_bad()
    except OSError as error:
        fail(f"the bad lines cannot be kept: {plain_errors.os_error(error, read.name)}; nothing was imported")
    return (
        None
        if path is None or read.bad is None
        else f"{read.bad.lines:,} bad {plural(read.bad.lines, 'line')} left out, kept in {path}"
    )


def _identify(actor: Actor, found: list[SeriesInFile], heartbeat_us: int | None) -> SeriesKnown:
    """The ids of the series; those that do not exist are made."""
    specs = [
        WantedSeries(
            series.target.sensor,
            series.target.channel,
            series.target.unit,
            series.target.kind,
            heartbeat_us or series.heartbeat_us,
        )
        for series in found
    ]
    return actor.act(SeriesRequest(tuple(specs)))


def _import_file(actor: Actor, read: Read, known: SeriesKnown, *, replace: bool, bad: str | None) -> None:
    """Store the readings of one file, and note it as an event. ``known``: its series in the log. ``bad``: a sentence about lines
    that were left out."""
    name = read.name
    counts: Counter[str] = Counter()
    kept: list[int] = []  # the mends that keep what was replaced, one for each series
    with Progress("importing", read.sorter.readings, "readings") as bar:
        for series, identity in zip(read.series, known.ids, strict=True):
            run = Replace(None, "standard input" if name == "-" else name) if replace else None
            for block in read.sorter.sorted_readings(series, same_is_one=read.same_is_one):
                new_before = counts["new"]
                for answer in _upsert(actor, (identity, known.epoch), block, run, bar.say):
                    counts.update({count: getattr(answer, count) for count in COUNTS})
                    bar.update(answer.done)
                    if answer.mend is not None and answer.mend not in kept:
                        kept.append(answer.mend)
                    run = _goes_on(run, answer)
                # Of a file that was imported before, none of those is stored now.
                counts.update(repeated=block.repeated, shifted=min(block.shifted, counts["new"] - new_before))
    summary = _summary(counts, kept) + (f", {bad}" if bad else "")
    for sensor in sorted({series.target.sensor for series in read.series}):
        actor.act(NoteRequest(EventKind.IMPORTED, sensor, f"{name}: {summary}"))
    click.echo(f"{name}: {summary}")


def _upsert(
    actor: Actor, series: tuple[int, int | None], block: SortedReadings, run: Replace | None, say: Callable[[str], None]
) -> Iterator[Upserted]:
    """Store these readings, in as many requests as needed. ``series``: its number, and the epoch of the database that knows it by that.
    ``run``: the replacement that this import has begun for the series, if any."""
    start, waits = 0, ""
    identity, epoch = series
    while start < len(block.times):
        columns = block.times[start:], block.values[start:], block.qualities[start:]
        answer = actor.act(UpsertRequest(identity, *columns, run, epoch))
        run = _goes_on(run, answer)
        start += answer.done
        yield answer
        if answer.busy:
            if actor.offline is not None:
                refuse_if_hindered(f"what is imported so far is stored, call again; {answer.busy}", answer.hindrance)
            if answer.busy != waits:
                say(f"waiting: {answer.busy}")
            waits = answer.busy
            time.sleep(BUSY_S)


def _goes_on(run: Replace | None, answer: Upserted) -> Replace | None:
    """The replacement to continue with: what is replaced next is kept in the same mend."""
    return None if run is None else Replace(answer.mend, run.note)


def _summary(counts: Counter[str], kept: list[int]) -> str:
    """What happened to the readings, for people. ``kept``: the mends that can take replacements back."""
    parts = [f"{counts['new']:,} new", f"{counts['same']:,} there already"]
    if counts["repeated"]:
        parts.append(f"{counts['repeated']:,} twice in the file")
    if counts["shifted"]:
        parts.append(f"{counts['shifted']:,} at the time of another, stored a microsecond later")
    if counts["replaced"]:
        parts.append(f"{counts['replaced']:,} replaced (take it back with: {undo_commands(kept)})")
    if counts["differing"]:
        parts.append(f"{counts['differing']:,} differ from what is stored and were left out (--replace takes them)")
    if counts["too_old"]:
        parts.append(f"{counts['too_old']:,} older than what retention keeps, refused")
    return ", ".join(parts)
