"""Open what was set aside, by the gentlest way that works: as it is, rebuilt, or rebuilt with the schema of an empty log.

Rebuilding copies the file and may take long, so a thread does it; ``poll`` returns None until it is done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path

from sensorlogd.storage.maintenance.incidents import Incident
from sensorlogd.storage.salvage import rebuilding
from sensorlogd.storage.salvage.reading import DamagedLog, Unreadable


class OpeningMethod(IntEnum):
    """A way of opening the file; if it fails, the next one is tried."""

    AS_IT_IS = 0
    REBUILT = 1
    OTHER_SCHEMA = 2


class IncidentOpening:
    """One incident being opened. For one thread; ``close`` ends what it has begun.

    ``make_template``: makes an empty database of the current schema at a path.
    """

    def __init__(self, incident: Incident, make_template: Callable[[Path], None]) -> None:
        self.incident = incident
        self.way = OpeningMethod.AS_IT_IS
        self._make_template = make_template
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._made: Path | Exception | None = None

    def poll(self) -> DamagedLog | None:
        """The open file; None while it is being rebuilt. Raises Unreadable, NotNow, OSError."""
        if self.way is OpeningMethod.AS_IT_IS:
            if self.incident.main is None and self.incident.wal is None:
                raise Unreadable("nothing of it is there")
            if not rebuilding.needs_rebuilding(self.incident):
                assert self.incident.main is not None
                try:
                    return DamagedLog(self.incident.main, alone=not rebuilding.holds_frames(self.incident))
                except Unreadable:
                    self.way = OpeningMethod.OTHER_SCHEMA
            else:
                self.way = OpeningMethod.REBUILT
        if self._thread is None:
            self._start_rebuilding()
        assert self._thread is not None
        if self._thread.is_alive():
            return None
        self._thread.join()
        self._thread = None
        made, self._made = self._made, None
        if isinstance(made, Exception):
            raise made
        assert made is not None
        try:
            return DamagedLog(made)
        except Unreadable:
            if self.way is OpeningMethod.OTHER_SCHEMA:
                raise
            self.way = OpeningMethod.OTHER_SCHEMA
            return None

    def close(self) -> None:
        """Idempotent. What is half rebuilt is begun again another time."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _start_rebuilding(self) -> None:
        self._thread = threading.Thread(target=self._rebuild, name="salvage")
        self._thread.start()

    def _rebuild(self) -> None:
        template = self.incident.folder / rebuilding.TEMPLATE
        try:
            self._make_template(template)
            own = self.way is OpeningMethod.REBUILT
            self._made = rebuilding.rebuilt(self.incident, template, own_schema=own, enough=self._stop.is_set)
        except Exception as error:  # raised again in the thread that polls
            self._made = error
