"""``import``: readings from files into the log."""

from __future__ import annotations

import base64
import math
import os
import sys
import time
from array import array
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from sensorlogd import quality, times
from sensorlogd.cli import exits
from sensorlogd.cli.acting import Actor, acting, progress
from sensorlogd.cli.reading import config_option, db_option, fail, zone_of
from sensorlogd.durations import parse_duration
from sensorlogd.exchange import rows, stage
from sensorlogd.exchange.lines import FileError, Lines, open_file

COUNTS = ("new", "same", "differing", "replaced", "too_old")
BUSY_S = 0.1  # until the daemon is asked again whether earlier work on the same readings is done


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
\b
The whole file is read and checked first: a file with a mistake imports nothing. Importing it again changes nothing:
a reading that is there already is the same reading. Another value at the same time is told, and stored with --replace.
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
@click.option("--zone", default="UTC", show_default=True, help="of times without an offset")
@click.option(
    "--fold", type=click.Choice(("first", "second")), default="first", show_default=True, help="which of two equal local times"
)
@click.option("--sensor", help="all other columns with numbers become channels of this sensor")
@click.option("--sensor-column", metavar="COLUMN", help="the column that names the sensor")
@click.option("--column", "columns", multiple=True, metavar="COLUMN=SENSOR.CHANNEL[:UNIT[:KIND]]", help="where a column belongs")
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
@click.option("--dry-run", is_flag=True, help="read and check only")
@db_option
@config_option
def import_(files: tuple[str, ...], config_file: Path | None, db: str | None, **given: Any) -> None:
    """Import readings from CSV or NDJSON FILEs ('-': standard input): ours, or others' with a word about their columns."""
    try:
        options = _options(given)
        heartbeat = None if given["heartbeat"] is None else parse_duration(given["heartbeat"])
    except ValueError as error:
        fail(str(error), exits.USAGE)
    with ExitStack() as stack:
        staged = []
        for name in files:
            try:
                one = stack.enter_context(stage.Stage())
                staged.append((name, one, *_read(name, one, options, given)))
            except FileError as error:
                fail(f"{error}; nothing was imported")
            except ValueError as error:
                fail(str(error), exits.USAGE)
            except OSError as error:
                fail(f"{name}: {error}; nothing was imported")
        if given["dry_run"]:
            click.echo("nothing was imported (--dry-run)")
            return
        with acting(config_file, db, create=True) as actor:
            # All of them first: a series that is something else in the log is a mistake, too, and then nothing is imported.
            identities = [_identify(actor, found, heartbeat) for _, _, found, _ in staged]
            for (name, one, found, same_is_one), known in zip(staged, identities, strict=True):
                _import(actor, name, one, list(zip(found, known, strict=True)), same_is_one=same_is_one, replace=given["replace"])
            actor.roll_up()


def _options(given: dict[str, Any]) -> rows.Options:
    """Raises ValueError."""
    columns: dict[str, rows.Place] = {}
    for text in given["columns"]:
        column, _, target = text.rpartition("=")
        name, _, rest = target.partition(":")
        unit, _, kind = rest.partition(":")
        sensor, _, channel = name.rpartition(".")
        if not column or not channel or (not sensor and not given["sensor"] and not given["sensor_column"]):
            raise ValueError(f"--column {text!r}: write COLUMN=SENSOR.CHANNEL, and :UNIT and :KIND behind it if you like")
        if kind and kind not in rows.KINDS:
            raise ValueError(f"--column {text!r}: unknown kind {kind!r}; {', '.join(rows.KINDS)}")
        columns[column] = (sensor or given["sensor"], channel, unit or None, kind or None)
    delimiter = {"space": " ", "tab": "\t", "\\t": "\t"}.get(given["delimiter"], given["delimiter"])
    if delimiter is not None and len(delimiter) != 1:
        raise ValueError(f"--delimiter {delimiter!r}: one character, or 'space' or 'tab'")
    return rows.Options(
        times=given["time_columns"], time_format=given["time_format"], zone=zone_of(given["zone"]), fold=int(given["fold"] == "second"),
        columns=columns, sensor=given["sensor"], sensor_column=given["sensor_column"], delimiter=delimiter,
        decimal=given["decimal"], nulls=given["nulls"], skip=given["skip"], header=not given["no_header"],
        quality=quality.parse(given["words"]),
    )  # fmt: skip


def _read(name: str, one: stage.Stage, options: rows.Options, given: dict[str, Any]) -> tuple[list[stage.Staged], bool]:
    """Read and check a file. Raises FileError, ValueError."""
    with ExitStack() as stack:
        file = sys.stdin.buffer if name == "-" else stack.enter_context(open_file(Path(name)))
        shown = "standard input" if name == "-" else name
        size = os.fstat(file.fileno()).st_size if name != "-" else None
        lines = Lines(file, shown, given["encoding"])
        plan = rows.plan(lines, options)
        click.echo(f"{shown}: {plan.told}", err=True)
        with progress("reading", size) as bar:
            at = 0
            for _ in one.take(plan.read()):
                bar.update(min(lines.done, size or 0) - at)
                at = min(lines.done, size or 0)
        if not one.readings:
            raise FileError(shown, 0, f"there is no reading in its {lines.number} lines")
    for column, word in plan.left_out.items():
        click.echo(f"  left out: column {column!r} holds words ({word!r})", err=True)
    found = one.finish()
    for series in found:
        span = f"{times.format_time(series.first_us)} to {times.format_time(series.last_us)}"
        click.echo(f"  {series.target.name}: {series.readings:,} readings, {span}", err=True)
    chosen = given["duplicates"]
    return found, plan.ours if chosen is None else chosen == "drop"


def _identify(actor: Actor, found: list[stage.Staged], heartbeat_us: int | None) -> list[int]:
    """The ids of the series, made where there were none."""
    specs = [
        {
            "sensor": series.target.sensor, "channel": series.target.channel, "unit": series.target.unit,
            "kind": series.target.kind, "heartbeat_us": heartbeat_us or series.heartbeat_us,
        }
        for series in found
    ]  # fmt: skip
    identities: list[int] = actor.act("series", specs=specs)["ids"]
    return identities


def _import(
    actor: Actor, name: str, one: stage.Stage, found: list[tuple[stage.Staged, int]], *, same_is_one: bool, replace: bool
) -> None:
    counts: Counter[str] = Counter()
    kept: list[int] = []  # mends: what was replaced, series by series
    with progress("importing", one.readings) as bar:
        for series, identity in found:
            run = {"mend": None, "note": "standard input" if name == "-" else name} if replace else None
            for piece in one.pieces(series, same_is_one=same_is_one):
                for answer in _place(actor, identity, piece, run):
                    counts.update({count: answer[count] for count in COUNTS})
                    bar.update(answer["done"])
                    if answer["mend"] is not None and answer["mend"] not in kept:
                        kept.append(answer["mend"])
    told = _told(counts, one, kept)
    for sensor in sorted({series.target.sensor for series, _ in found}):
        actor.act("note", kind="imported", sensor=sensor, detail=f"{name}: {told}")
    click.echo(f"{name}: {told}")


def _place(actor: Actor, series: int, piece: stage.Piece, run: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """All of it, in as many requests as it takes. ``run``: where this import keeps what it replaces; carried along."""
    at, waits = 0, ""
    while at < len(piece.times):
        answer = actor.act("place", series=series, replace=run, **_packed(piece, at))
        if run is not None:
            run["mend"] = answer["mend"]
        at += answer["done"]
        yield answer
        if answer["busy"]:
            if answer["busy"] != waits:
                click.echo(f"waiting: {answer['busy']}", err=True)
            waits = answer["busy"]
            time.sleep(BUSY_S)


def _packed(piece: stage.Piece, at: int) -> dict[str, str]:
    return {
        "times": _base64(array("q", piece.times[at:]).tobytes()),
        "values": _base64(array("d", (math.nan if value is None else value for value in piece.values[at:])).tobytes()),
        "qualities": _base64(array("q", piece.qualities[at:]).tobytes()),
    }


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _told(counts: Counter[str], one: stage.Stage, kept: list[int]) -> str:
    parts = [f"{counts['new']:,} new", f"{counts['same']:,} there already"]
    if one.repeated:
        parts.append(f"{one.repeated:,} twice in the file")
    if one.shifted:
        parts.append(f"{one.shifted:,} at the time of another, stored a microsecond later")
    if counts["replaced"]:
        undo = " ".join(f"--undo {identity}" for identity in kept)
        parts.append(f"{counts['replaced']:,} replaced (take it back with: sensorlogd flag {undo})")
    if counts["differing"]:
        parts.append(f"{counts['differing']:,} differ from what is stored and were left out (--replace takes them)")
    if counts["too_old"]:
        parts.append(f"{counts['too_old']:,} older than what retention keeps, refused")
    return ", ".join(parts)
