"""The last steps of the writer: spill what was not stored, write a truthful last status, leave a single file."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd.batch import Block
from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.disk import spill
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.storage import meta
from sensorlogd.storage.ingest import decimals, latest, status
from sensorlogd.storage.opened import OpenDatabase

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Left:
    """What is left at the end. ``events``: those that no commit has stored. ``dropped``: readings that the full inbox has dropped
    and the database does not count yet."""

    blocks: Sequence[Block]
    events: Sequence[Event]
    dropped: int = 0


def give_up(left: Left, database: Path, now_us: int, note_lost: Callable[[int], None]) -> bool:
    """Write what could not be committed beside the database. True if nothing was left. Raises nothing.

    Where even that fails the number of readings goes to ``note_lost``, which needs no room, and to stderr.
    """
    readings = sum(block.rows for block in left.blocks)
    if not readings and not left.events and not left.dropped:
        return True
    try:
        event = Event(
            now_us, EventKind.SPILLED, None, f"{readings} {plural(readings, 'reading')} could not be stored before the end"
        )
        path = spill.write(database, left.blocks, [*left.events, event], now_us, given_up=left.dropped)
    except Exception as error:  # no room on the disk, no memory, a fault of ours: what matters now is the number
        note_lost(readings + left.dropped)
        why = str(error) or type(error).__name__
        logger.critical(
            "writer: %d readings are lost: the database takes none, and neither does %s: %s", readings, database.parent, why
        )
        print(
            f"sensorlogd: {readings}"
            f" {plural(readings, 'reading is lost: it', 'readings are lost: they')} could be stored nowhere ({why})",
            file=sys.stderr,
            flush=True,
        )
        return False
    if readings:
        logger.error("writer: %d readings could not be stored; they are in %s, the next start takes them up", readings, path)
    return False


def last_words(db: OpenDatabase, report: Report, *, clean: bool, now_us: int, marks: Mapping[str, str]) -> None:
    """The newest values, the state of all, the clean-shutdown mark, and a single file if nobody reads. Raises sqlite3.Error."""
    with db.transaction() as conn:
        if db.newest:
            latest.save(conn, db.newest, now_us, 0)
            decimals.learn(conn, decimals.of_newest(db.newest))
        status.save_sensors(conn, report.sensors, db.catalog.sensor_ids, now_us)
        if report.daemon:  # a verb that works without the daemon says nothing of it
            status.save_daemon(conn, report.daemon | _last_facts(report.daemon, clean))
        for key, value in marks.items():
            meta.put(conn, key, value)
    db.close_cleanly()


def _last_facts(facts: Mapping[str, Any], clean: bool) -> dict[str, Any]:
    """The facts that differ in the last status. If the database took no more writes, they say so."""
    if not clean:
        reason = str(facts.get("state_reason") or "the database took no more readings")
        return {
            "clean_shutdown": False,
            "state": "stopped",
            "state_reason": f"{reason}; what could not be stored waits beside it",
        }
    if facts.get("state") == "blocked":
        return {"clean_shutdown": True}
    return {"clean_shutdown": True, "state": "stopped", "state_reason": ""}
