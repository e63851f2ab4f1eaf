"""One commit: the readings that are due, the events, and what is due of the status tables. All of it or nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from sensorlogd.batch import Block
from sensorlogd.daemon.writing.commits.watcher import Watcher
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.totals import Totals
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.storage import meta
from sensorlogd.storage.ingest import decimals, latest, status
from sensorlogd.storage.ingest import events as stored_events
from sensorlogd.storage.ingest.append import Appended, append
from sensorlogd.storage.open_database import OpenDatabase


class Report(NamedTuple):
    """What the status tables are to say."""

    sensors: Sequence[status.SensorRow]
    daemon: dict[str, Any]


@dataclass(slots=True)
class Commit:
    """What goes into one transaction. ``report``: None, the status tables are not due. ``dropped``: sensor -> readings.
    ``marks``: keys of meta that are written with the status.

    ``committing`` is set once COMMIT was asked for: if that raises, it may have happened all the same.
    """

    blocks: Sequence[Block]
    events: Sequence[Event]
    retrying: bool
    report: Report | None
    dropped: Mapping[str, int]
    marks: Mapping[str, str] = field(default_factory=dict)
    latest_is_due: bool = False
    latest_back_us: int = 5_000_000
    committing: bool = False
    watched: bool = False  # what the watcher wants to keep is in it
    wrote_latest: bool = False
    newest: dict[int, tuple[int, float | None, int]] = field(default_factory=dict)

    def run(self, db: OpenDatabase, totals: Totals, now_us: Callable[[], int], watcher: Watcher | None = None) -> Appended:
        """Raises sqlite3.Error with nothing stored (but see ``committing``), or whatever a fault of ours raises."""
        conn = db.conn
        # Not ``db.transaction()``: if COMMIT raises it may have happened all the same, so ``committing`` is set right before it.
        conn.execute("BEGIN IMMEDIATE")
        result = append(conn, self.blocks, db.catalog.ids, db.frontier, retrying=self.retrying)
        for event in self.events:
            stored_events.record(conn, *event)
        self._report_losses(db, totals, result, now_us(), watcher)
        self.newest = db.newest | result.newest
        self.wrote_latest = bool(self.newest) and (self.latest_is_due or result.stored > 50 * len(self.newest))
        if self.wrote_latest:
            latest.save(conn, self.newest, now_us(), self.latest_back_us)
        if self.wrote_latest and self.latest_is_due:
            newest, blocks = decimals.of_newest(self.newest), decimals.of_blocks(self.blocks, db.catalog.ids)
            decimals.learn(conn, chain(newest, blocks))
        if self.report is not None:
            status.save_sensors(conn, self.report.sensors, db.catalog.sensor_ids, now_us())
            status.save_daemon(conn, self.report.daemon)
            for key, value in self.marks.items():
                meta.put(conn, key, value)
        if watcher is not None:
            self.watched = watcher.record(conn)
        self.committing = True
        conn.execute("COMMIT")
        return result

    def _report_losses(self, db: OpenDatabase, totals: Totals, result: Appended, now_us: int, watcher: Watcher | None) -> None:
        """Losses are events, written with the very commit they belong to; the first of each kind and sensor only."""
        for kind, name, counts in (
            (EventKind.CONFLICT, "conflicts", result.conflicts),
            (EventKind.TOO_OLD, "too_old", result.too_old),
            (EventKind.POISONED, "poisoned", result.poisoned),
            (EventKind.UNKNOWN_CHANNEL, "unknown_channel", result.unknown),
        ):
            for sensor, n in counts.items():
                if not totals.counts_already(sensor, name):
                    detail = f"{n} {plural(n, 'reading')}; further ones are counted in status"
                    if kind is EventKind.POISONED:
                        detail += f"; {result.poison_example}"
                    stored_events.record(db.conn, now_us, kind, sensor, detail)
                    if watcher is not None:
                        watcher.note(Event(now_us, kind, sensor, detail))
        if self.dropped:
            lost = meta.get_int(db.conn, meta.GIVEN_UP) + sum(self.dropped.values())
            meta.put(db.conn, meta.GIVEN_UP, str(lost))
