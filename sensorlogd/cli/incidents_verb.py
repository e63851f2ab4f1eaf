"""``db incidents``: lists databases that were set aside as damaged and what was recovered from them, and removes them."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any

import click

from sensorlogd.cli import exits
from sensorlogd.cli.common import config_option, database, db_option, fail, tz_option, zone_of
from sensorlogd.notation import times
from sensorlogd.storage import work
from sensorlogd.storage.maintenance import incidents as kept
from sensorlogd.storage.query.log_reader import LogReader, LogUnavailable
from sensorlogd.storage.salvage.salvage_order import SalvageOrder


@click.command(
    "incidents",
    epilog="""\b
Examples:
  sensorlogd db incidents                               what was set aside, and what came back of it
  sensorlogd db incidents --format json
  sensorlogd db incidents --remove 20261125T101500Z     delete its files, once they are not needed any more
""",
)
@click.option("--format", "form", type=click.Choice(("table", "json")), default="table", show_default=True)
@click.option("--remove", "name", metavar="NAME", help="delete the files of this incident for good")
@click.option("--yes", is_flag=True, help="do not ask")
@click.option("--force", is_flag=True, help="delete it even though not all that can be read of it is back")
@config_option
@db_option
@tz_option
def incidents(
    form: str, name: str | None, yes: bool, force: bool, config_file: Path | None, db: str | None, tz: str | None
) -> None:
    """What was set aside because it was damaged: when, why, how large, and what came back of it."""
    zone, path = zone_of(tz), database(config_file, db)
    found = kept.all_incidents(path)
    salvages = _salvages(path)
    if name is not None:
        wanted = next((incident for incident in found if incident.name == name), None)
        if wanted is None:
            known = ", ".join(incident.name for incident in found) or "none"
            fail(f"there is no incident {name!r}; those of {path}: {known}", exits.USAGE)
        _remove(wanted, salvages.get(name), yes=yes, force=force)
        return
    rows = [_incident_row(incident, salvages.get(incident.name), zone) for incident in found]
    if form == "json":
        click.echo(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    if not rows:
        click.echo(f"{path}: nothing was set aside", err=True)
    for row in rows:
        click.echo(f"{row['name']}  {row['time']}  {row['bytes'] / 1e6:,.1f} MB  {row['folder']}")
        click.echo(f"  why   {row['reason']}")
        click.echo(f"  back  {row['outcome'] or _WORDS[row['salvage']]}")


_WORDS = {
    "none": "nothing yet: the daemon brings back what can be read when it runs next",
    "waiting": "the daemon is bringing it back, see 'sensorlogd status'",
    "done": "all that could be read",
    "failed": "nothing",
    "kept": "nothing, and nothing will: the file that was put in its place was meant; delete it once it is not needed",
}


def _salvages(path: Path) -> dict[str, work.Work]:
    """Name of an incident -> the work that recovers it, as far as the log can be read."""
    with contextlib.suppress(LogUnavailable, sqlite3.Error), LogReader.open(path) as log:
        return {SalvageOrder.from_json(piece.request).incident: piece for piece in work.of_kind(log.conn, work.SALVAGE)}
    return {}


def _incident_row(incident: kept.Incident, salvage: work.Work | None, zone: str) -> dict[str, Any]:
    state = (
        "done" if incident.salvaged else str(salvage.state) if salvage is not None else "none" if incident.is_wanted else "kept"
    )
    return {
        "name": incident.name,
        "time": times.format_time(incident.when_us, zone),
        "reason": incident.reason,
        "folder": str(incident.folder),
        "files": dict(incident.files),
        "bytes": _size_bytes(incident),
        "salvage": state,
        "readings_back": 0 if salvage is None else int(salvage.progress.get("counts", {}).get("readings", 0)),
        "damaged_stretches": 0 if salvage is None else int(salvage.progress.get("skipped", 0)),
        "outcome": "" if salvage is None else salvage.outcome,
    }


def _size_bytes(incident: kept.Incident) -> int:
    """The size of everything in the incident's folder, also of what was made from it."""
    with contextlib.suppress(OSError):
        return sum(file.stat().st_size for file in incident.folder.iterdir())
    return sum(incident.files.values())


def _remove(incident: kept.Incident, salvage: work.Work | None, *, yes: bool, force: bool) -> None:
    """Delete the folder of an incident. Exits if what can be read of it is not back yet, unless ``force``, or if nobody
    agrees."""
    is_over = incident.salvaged or not incident.is_wanted or (salvage is not None and salvage.state is not work.State.WAITING)
    if not is_over and not force:
        fail(f"not all that can be read of {incident.name} is back yet: run the daemon until it is, or say --force")
    if not yes:
        question = f"Delete {incident.folder} ({_size_bytes(incident) / 1e6:,.1f} MB) for good?"
        if not click.confirm(question, err=True):
            fail("nothing was deleted")
    try:
        kept.remove(incident)
    except OSError as error:
        fail(f"{incident.folder}: {error.strerror}; what is left of it can be removed by the same command")
    click.echo(f"{incident.folder} is deleted", err=True)
