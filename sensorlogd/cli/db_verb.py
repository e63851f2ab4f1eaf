"""``db``: looks after the database. ``backup``: copies it."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sensorlogd import files
from sensorlogd.cli import exits, plain_errors
from sensorlogd.cli.common import (
    config_option,
    database,
    db_option,
    fail,
    now_us,
    reads_the_log,
    series_of,
    troubles_fail,
    tz_option,
    usual_zone,
    zone_of,
)
from sensorlogd.cli.database_changes import Refused, acting, daemon_of, data_dir, make_ready, readable, refusals_fail
from sensorlogd.cli.incidents_verb import incidents
from sensorlogd.cli.progress import BYTES, Progress, written_bytes
from sensorlogd.notation import times
from sensorlogd.notation.plurals import plural
from sensorlogd.storage import cuts
from sensorlogd.storage.file import reader
from sensorlogd.storage.maintenance import inspection
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.rollups import resolutions

if TYPE_CHECKING:
    from sensorlogd.storage.maintenance.backup import Backup


@click.group(
    epilog="""\b
Examples:
  sensorlogd db info                            how big, how far, what has expired
  sensorlogd db check                           is the file sound, are the roll-ups right?
  sensorlogd db compact                         give free space back to the file system
  sensorlogd db incidents                       what was set aside as damaged, and what came back of it
  sensorlogd db rebuild-rollups --series 'greenhouse.*' --since 2026-01
"""
)
def db() -> None:
    """Look after the database, while the daemon runs or not."""


@db.command()
@click.option("--count", is_flag=True, help="count readings and roll-ups, too: reads the whole file")
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
@tz_option
@reads_the_log
def info(log: LogReader, count: bool, form: str, tz: str | None) -> None:
    """Size, free space, span, and how far moving, rolling up and expiring have got."""
    zone = zone_of(tz)
    facts = inspection.facts(log.conn, log.path)
    rows = inspection.counted(log.conn) if count else {}
    expired = [(_resolution_name(resolution), oldest, newest) for resolution, oldest, newest in cuts.extent(log.conn)]
    if form == "json":
        click.echo(
            json.dumps(
                facts | {"rows": rows, "expired_before_us": {resolution: newest for resolution, _, newest in expired}}, indent=1
            )
        )
        return

    def when(us: int | None) -> str:
        return "-" if us is None else times.format_time(us, zone)

    lines = [
        ("file", f"{log.path}, schema {facts['schema']}"),
        ("size", f"{_mb(facts['file_bytes'])}, of it {_mb(facts['free_bytes'])} free; WAL {_mb(facts['wal_bytes'])}"),
        ("disk", f"{_mb(_free_bytes(log.path))} free"),
        (
            "series",
            f"{facts['series']:,} of {facts['sensors']:,} {plural(facts['sensors'], 'sensor')};"
            f" {facts['events']:,} {plural(facts['events'], 'event')}, {facts['mends']:,} {plural(facts['mends'], 'mend')}",
        ),
        ("span", f"from {when(facts['first_us'])} to {when(facts['last_us'])}"),
        *((name, f"{n:,}") for name, n in rows.items()),
        ("moved until", when(facts["moved_until_us"])),
        ("rolled up until", f"{when(facts['edge_us'])}, days of {facts['day_zone'] or 'no zone yet'}"),
        (
            "roll-ups outdated",
            f"{facts['dirty_minutes']:,} {plural(facts['dirty_minutes'], 'minute')}, {facts['stale_series']:,} series",
        ),
        *(
            (
                f"expired {resolution}",
                f"before {when(newest)}" + ("" if oldest == newest else f" (of some series {when(oldest)})"),
            )
            for resolution, oldest, newest in expired
        ),
    ]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        click.echo(f"{name:{width}}  {text}")


def _resolution_name(resolution: int) -> str:
    return "readings" if resolution == 0 else resolutions.NAMES.get(resolution, f"{resolution}s")


def _mb(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"


def _free_bytes(path: Path) -> int:
    stat = os.statvfs(path.absolute().parent)
    return stat.f_bavail * stat.f_frsize


@db.command()
@click.option("--sample", type=click.IntRange(min=0), default=2_000, show_default=True, help="how many roll-ups to compare")
@reads_the_log
def check(log: LogReader, sample: int) -> None:
    """Is the file sound, and do roll-ups equal their readings? Exits 1 and says what to do if not."""
    bad = 0
    for line in inspection.faults(log.conn):
        bad += 1
        click.echo(f"damaged: {line}")
    if bad:
        fail(
            f"{log.path} is damaged. Make a copy of it and its -wal now, then restart the daemon: it sets the file aside and salvages it"
        )
    click.echo(f"{log.path}: sound")
    found = inspection.compare_rollups(log.conn, sample, seed=now_us())
    for _, line in found.wrong:
        click.echo(f"wrong: {line}")
    if found.outlived:
        click.echo(f"{found.outlived} of them have outlived their readings, which were lost to damage (sensorlogd db incidents)")
    click.echo(f"{found.compared} roll-ups compared with their readings")
    wrong = {series for series, _ in found.wrong}
    if wrong:
        names = [series.name for series in log.series(("*.*",), retired=True) if series.id in wrong]
        fail(f"roll-ups of {len(wrong)} series are wrong; mend them: sensorlogd db rebuild-rollups --series '{names[0]}' ...")


@db.command()
@config_option
@db_option
def compact(config_file: Path | None, db: str | None) -> None:
    """Give free space back to the file system. With the daemon running in slices, without it by writing the file anew."""
    path, folder = database(config_file, db), data_dir(config_file, db)
    if not path.exists():
        fail(reader.no_database(path))
    if not path.stat().st_size and daemon_of(path, folder) is None:
        fail(f"{path} is empty: not a sensorlogd database, or not one yet")
    before = path.stat().st_size
    with refusals_fail(path):
        if daemon_of(path, folder) is None:
            _rewrite(path)
        else:
            _compact_in_slices(config_file, db)
    click.echo(f"{path}: {_mb(before)} before, {_mb(path.stat().st_size)} now")


def _compact_in_slices(config_file: Path | None, db: str | None) -> None:
    """Have the daemon give free pages back, slice by slice."""
    from sensorlogd.daemon.control.answers import Freed
    from sensorlogd.daemon.control.requests.database import CompactRequest

    with acting(config_file, db) as actor:
        freed = 0
        with Progress("giving back", None, "pages") as bar:

            def show(answer: Freed) -> None:
                nonlocal freed
                freed += answer.freed_pages
                bar.reach(freed, freed + answer.left_pages)

            actor.go_on(CompactRequest(), show)
        click.echo(f"{freed:,} {plural(freed, 'page')} given back; the file follows at the next checkpoint", err=True)


def _rewrite(path: Path) -> None:
    """Write the database anew, without free space. Raises Refused, LogUnavailable, sqlite3.Error."""
    from sensorlogd.daemon.main.process.lock import DatabaseLock, LockHeld
    from sensorlogd.storage.file.errors import DatabaseCorrupt, DatabaseError
    from sensorlogd.storage.maintenance import compact as compacting
    from sensorlogd.storage.schema.check import ensure_schema

    try:
        make_ready(path)
        with DatabaseLock(path, None):
            ensure_schema(path)
            began = _bytes_written()
            with Progress("writing anew", compacting.bytes_to_write(path), BYTES, measure=lambda: _bytes_written() - began):
                compacting.vacuum(path)
    except OSError as error:
        raise Refused(plain_errors.os_error(error)) from None
    except DatabaseCorrupt as error:
        raise Refused(f"{error}; start the daemon: it sets the file aside and salvages it") from None
    except (LockHeld, DatabaseError, compacting.NoRoom) as error:
        raise Refused(str(error)) from None


def _bytes_written() -> int:
    """How much this process has written; 0 where that is not known."""
    with suppress(OSError):
        return written_bytes()
    return 0


@db.command("rebuild-rollups")
@click.option("--series", "names", multiple=True, metavar="SERIES", help="only these (globs allowed); default: all")
@click.option("--since", metavar="TIME", help="only from then on; default: everything")
@config_option
@db_option
@tz_option
def rebuild_rollups(names: tuple[str, ...], since: str | None, config_file: Path | None, db: str | None, tz: str | None) -> None:
    """Compute roll-ups anew from the readings. Queries are right meanwhile, but slower. Those of expired readings stay."""
    zone = zone_of(tz)
    try:
        since_us = None if since is None else times.parse_time(since, now_us(), zone)
    except ValueError as error:
        fail(str(error), exits.USAGE)
    path = database(config_file, db)
    with troubles_fail(path), readable(path) as log:
        epoch, wanted = log.epoch(), series_of(log, names or ("*.*",))
    from sensorlogd.daemon.control.requests.database import RebuildRequest

    with acting(config_file, db) as actor:
        actor.act(RebuildRequest(tuple(series.id for series in wanted), since_us, actor.expected(epoch)))
        if actor.offline is not None:
            actor.roll_up()
            click.echo(f"roll-ups of {len(wanted)} series are made anew")
        else:
            click.echo(f"the daemon makes the roll-ups of {len(wanted)} series anew; 'sensorlogd db info' shows how far it is")


@click.command(
    epilog="""\b
Examples:
  sensorlogd backup /mnt/usb/log-$(date +%F).db
  sensorlogd --help; sensorlogd latest --db /mnt/usb/log-2026-11-25.db
\b
To restore: stop the daemon, copy the file to where the database was (remove a -wal and -shm beside it), start it.
"""
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="overwrite FILE")
@reads_the_log
def backup(log: LogReader, file: Path, force: bool) -> None:
    """Copy the log to FILE ('-': standard output) while the daemon runs: consistent, verified, safely on the disk."""
    if str(file) == "-":
        _into_a_pipe(log, None)
        return
    target = file / log.path.name if file.is_dir() else file
    if target.is_dir():
        fail(f"{target} is a folder; name another file", exits.USAGE)
    try:
        ordinary = files.is_ordinary(target)
        target = files.meant(target)
    except OSError as error:
        fail(plain_errors.os_error(error, target))
    replaces = ordinary or target.is_block_device()  # a pipe holds nothing that could be overwritten
    if replaces and target.exists() and (not force or target.samefile(log.path)):
        fail(f"{target} exists; name another file" + ("" if target.samefile(log.path) else ", or say --force"), exits.USAGE)
    if not target.absolute().parent.is_dir():
        fail(f"{target.absolute().parent}: no such folder", exits.USAGE)
    if not ordinary:
        _into_a_pipe(log, target)
        return
    click.echo(_describe_backup(_copy(log, target), target))


def _copy(log: LogReader, target: Path) -> Backup:
    """Make the copy, with a progress bar. Any error is one line and exit 1."""
    from sensorlogd.storage.maintenance.backup import BackupError, copy

    try:
        with Progress("copying", None, "pages") as bar:
            return copy(log.conn, target, bar.reach)
    except BackupError as error:
        fail(f"no backup was made: {error}")
    except OSError as error:
        fail(f"no backup was made: {plain_errors.os_error(error, target)}")


def _describe_backup(made: Backup, target: object) -> str:
    newest = "" if made.last_us is None else f", the newest of {times.format_time(made.last_us, usual_zone())}"
    return f"{target}: {_mb(made.bytes)}, {made.readings:,} {plural(made.readings, 'reading')}{newest}; verified"


def _into_a_pipe(log: LogReader, target: Path | None) -> None:
    """Send a copy to a device, pipe, socket or standard output. SQLite needs a file to write to, so the copy is made first."""
    import shutil
    import tempfile

    if target is None and sys.stdout.isatty():
        fail("a database cannot be shown on a terminal; send it into a file or a pipe", exits.USAGE)
    with tempfile.TemporaryDirectory(prefix="sensorlogd-") as folder:
        made = _copy(log, Path(folder) / log.path.name)
        with made.path.open("rb") as copied:
            if target is None:
                shutil.copyfileobj(copied, sys.stdout.buffer)
                sys.stdout.buffer.flush()
            else:
                try:
                    with files.written(target) as file:
                        shutil.copyfileobj(copied, file)
                except OSError as error:
                    fail(f"no backup was made: {plain_errors.os_error(error, target)}")
    click.echo(_describe_backup(made, target or "standard output"), err=True)


db.add_command(incidents)
