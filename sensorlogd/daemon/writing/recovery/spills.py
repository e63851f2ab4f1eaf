"""Takes up, at an opening of the database, the spills in which former runs left what they could not commit."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sensorlogd.daemon.writing.disk import spill
from sensorlogd.daemon.writing.disk.spill import Spill
from sensorlogd.daemon.writing.intake.events import Event
from sensorlogd.daemon.writing.recovery.notes import Notes
from sensorlogd.event_kinds import EventKind
from sensorlogd.notation.plurals import plural
from sensorlogd.storage.ingest.append import Appended
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.series import unconfigured

logger = logging.getLogger(__name__)

Ids = dict[tuple[str, str], int]  # (sensor, channel) -> id of the series


class SpillsOfFormerRuns:
    """The spills that wait for ``db``; each file is read once. ``notes`` get the outcome. Both methods raise
    sqlite3.Error."""

    def __init__(self, db: OpenDatabase, now_us: Callable[[], int], notes: Notes) -> None:
        self._db = db
        self._now_us = now_us
        self._notes = notes
        self._left: dict[Path, Spill | None] = {}  # None: it could not be read so far
        spill.clear_unfinished(db.path)
        waiting = spill.found(db.path)
        self._former = _stored_ids(db) if waiting else {}
        for path in waiting:
            self._left[path] = None

    def take_up_known(self) -> None:
        """Before the catalog learns the configured names: store the spills all of whose names the database knows. What fails is
        tried again by ``take_up_rest``."""
        for path in list(self._left):
            try:
                spilled = self._read(path)
                if spilled is not None and _channels_of(spilled) <= set(self._former):
                    self._store(path, spilled)
            except OSError as error:
                logger.debug("writer: %s: %s; it is tried again", path, error)

    def take_up_rest(self) -> None:
        """Once the catalog knows the configured names: store the others, and forget those whose files are gone."""
        for path in list(self._left):
            try:
                spilled = self._read(path)
                if spilled is not None:
                    self._store(path, spilled)
            except OSError as error:  # the file belongs to another user or cannot be removed: no reason not to log
                self._note(EventKind.SPILL_UNREADABLE, f"{path.name} waits: {error}; the next start tries it again")
                logger.error("writer: %s waits for the next start: %s", path, error)
        spill.forget_stored(self._db)

    def _read(self, path: Path) -> Spill | None:
        """None: it is damaged, which is reported, and it is kept under another name. Raises OSError."""
        spilled = self._left[path]
        if spilled is not None:
            return spilled
        try:
            spilled = self._left[path] = spill.read(path)
        except spill.SpillDamaged as error:
            del self._left[path]
            self._note(EventKind.SPILL_DAMAGED, f"{error}; what is in it is kept as {spill.put_aside(path).name}")
            logger.error("writer: %s; it is kept", error)
        return spilled

    def _store(self, path: Path, spilled: Spill) -> None:
        """Raises OSError; it may be stored then, but its file is not removed."""
        result = spill.take_up(self._db, path, spilled, self._ids_for(spilled))
        del self._left[path]
        if result is not None:
            self._report(path, spilled, result)

    def _report(self, path: Path, spilled: Spill, result: Appended) -> None:
        self._note(
            EventKind.SPILL_TAKEN_UP,
            f"{result.stored} of {spilled.readings} {plural(spilled.readings, 'reading')} of {path.name}"
            f" {plural(result.stored, 'is', 'are')} stored now",
        )
        logger.warning("writer: %d of %d readings of %s are stored now", result.stored, spilled.readings, path)
        for name, counts in (("too_old", result.too_old), ("poisoned", result.poisoned), ("conflicts", result.conflicts)):
            self._notes.count(name, counts)

    def _note(self, kind: EventKind, detail: str) -> None:
        self._notes.put(Event(self._now_us(), kind, None, detail))

    def _ids_for(self, spilled: Spill) -> Ids:
        """Series for all that is in a spill: those of its time first, then those of now, then new ones that are retired."""
        ids = dict(self._db.catalog.ids) | self._former
        missing = _channels_of(spilled) - set(ids)
        if missing:
            with self._db.transaction() as conn:
                for sensor, channel in sorted(missing):
                    ids[sensor, channel] = unconfigured.ensure(conn, unconfigured.WantedSeries(sensor, channel), self._now_us())
        return ids


def _channels_of(spilled: Spill) -> set[tuple[str, str]]:
    return {(block.sensor, column.channel) for block in spilled.blocks for column in block.columns}


def _stored_ids(db: OpenDatabase) -> Ids:
    """Those of all series; none if they cannot be read."""
    try:
        return unconfigured.all_ids(db.conn)
    except sqlite3.Error:
        return {}
