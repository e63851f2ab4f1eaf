"""One commit: the readings that are due, the events, and what is due of the status tables. All of it or nothing.

``Commit`` is what is to be stored, ``CommitResult`` the outcome.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
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
from sensorlogd.storage.open_database import Newest, OpenDatabase


class Report(NamedTuple):
    """What the status tables are to say. ``marks``: keys of meta that are written with them, and their values."""

    sensors: Sequence[status.SensorRow]
    daemon: dict[str, Any]
    marks: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What a commit has written. ``newest``: the newest arrivals that the table ``latest`` does not have after it.
    ``wrote_latest``: whether that table was written. ``watched``: whether what the watcher wants to keep is in it. ``has_key``:
    whether its key is in it. ``began_s`` (monotonic), ``took_s``: the transaction."""

    appended: Appended
    newest: Newest
    wrote_latest: bool = False
    watched: bool = False
    has_key: bool = False
    began_s: float = 0.0
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Commit:
    """What goes into one transaction. ``retrying``: some of it may be stored already. ``report``: None, the status tables are
    not due. ``dropped``: readings that the full inbox has dropped since the last commit. ``latest_back_us``: how far back the
    newest values are written again. ``key``: what a commit stores of itself (``meta.LAST_COMMIT``) if it holds what must not be
    stored twice: events, losses, what the watcher keeps. One of readings alone, as most are, does without: it would cost a
    page of the disk each time, and the same reading again is known by its time and value."""

    blocks: Sequence[Block] = ()
    events: Sequence[Event] = ()
    retrying: bool = False
    report: Report | None = field(default=None, kw_only=True)
    dropped: int = field(default=0, kw_only=True)
    latest_is_due: bool = field(default=False, kw_only=True)
    latest_back_us: int = field(default=5_000_000, kw_only=True)
    key: str = field(default_factory=lambda: secrets.token_hex(8), kw_only=True)

    def write(self, db: OpenDatabase, totals: Totals, now_us: Callable[[], int], watcher: Watcher | None = None) -> CommitResult:
        """Begin a transaction and write all of it; the caller ends the transaction. Raises sqlite3.Error, or whatever a fault
        of ours raises; the transaction is to be rolled back then."""
        conn = db.conn
        # Not ``db.transaction()``: if COMMIT raises it may have happened all the same, which the caller must tell from the rest.
        conn.execute("BEGIN IMMEDIATE")
        appended = append(conn, self.blocks, db.catalog.ids, db.frontier, retrying=self.retrying)
        for event in self.events:
            stored_events.record(conn, *event)
        has_losses = self._record_losses(db, totals, appended, now_us(), watcher)
        newest = {**db.newest, **appended.newest}
        wrote_latest = bool(newest) and (self.latest_is_due or appended.stored > 50 * len(newest))
        if wrote_latest:
            latest.save(conn, newest, now_us(), self.latest_back_us)
        if wrote_latest and self.latest_is_due:
            decimals.learn(conn, chain(decimals.of_newest(newest), decimals.of_blocks(self.blocks, db.catalog.ids)))
        if self.report is not None:
            status.save_sensors(conn, self.report.sensors, db.catalog.sensor_ids, now_us())
            status.save_daemon(conn, self.report.daemon)
            for key, value in self.report.marks.items():
                meta.put(conn, key, value)
        watched = watcher is not None and watcher.record(conn)
        has_key = bool(self.events) or has_losses or watched
        if has_key:
            meta.put(conn, meta.LAST_COMMIT, self.key)
        return CommitResult(appended, {} if wrote_latest else newest, wrote_latest, watched, has_key)

    def _record_losses(self, db: OpenDatabase, totals: Totals, appended: Appended, now_us: int, watcher: Watcher | None) -> bool:
        """Losses are events, written with the very commit they belong to; the first of each kind and sensor only. Returns whether
        anything was written."""
        has_any = bool(self.dropped)
        for kind, name, counts in (
            (EventKind.CONFLICT, "conflicts", appended.conflicts),
            (EventKind.TOO_OLD, "too_old", appended.too_old),
            (EventKind.POISONED, "poisoned", appended.poisoned),
            (EventKind.UNKNOWN_CHANNEL, "unknown_channel", appended.unknown),
        ):
            for sensor, n in counts.items():
                if not totals.counts_already(sensor, name):
                    detail = f"{n} {plural(n, 'reading')}; further ones are counted in status"
                    if kind is EventKind.POISONED:
                        detail += f"; {appended.poison_example}"
                    stored_events.record(db.conn, now_us, kind, sensor, detail)
                    has_any = True
                    if watcher is not None:
                        watcher.note(Event(now_us, kind, sensor, detail))
        if self.dropped:
            meta.put(db.conn, meta.GIVEN_UP, str(meta.get_int(db.conn, meta.GIVEN_UP) + self.dropped))
        return has_any
