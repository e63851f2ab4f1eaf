"""Bring readings back from a database that was set aside as damaged, in the background, behind new readings.

A thread reads the damaged file; what it finds is stored by the writer in small jobs like any other late readings. When
it ends, the event ``salvaged`` says how much came back. The damaged file stays where it is.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

from sensorlogd.daemon.writer import Writer
from sensorlogd.storage import recovery

log = logging.getLogger(__name__)


class Salvage:
    """One damaged file. ``stop`` ends it between two chunks; what is not back by then stays in the damaged file."""

    def __init__(self, path: Path, writer: Writer) -> None:
        self.path = path
        self.writer = writer
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="salvage")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        stored = 0
        try:
            for found in recovery.salvage(self.path):
                for at in range(0, len(found.rows), 1000):
                    if self._stop.is_set():
                        self.writer.emit(
                            "salvage_interrupted", None, f"{stored} readings from {self.path} so far; the rest is in it"
                        )
                        return
                    part = recovery.part_of(found, at, at + 1000)
                    stored += self.writer.submit("salvage", lambda conn, part=part: self._store(conn, part)).result()  # type: ignore[misc]
        except (sqlite3.Error, OSError, RuntimeError) as error:
            log.error("salvage: %s: %s", self.path, error)
            self.writer.emit("salvage_failed", None, f"{stored} readings from {self.path} came back, then: {error}")
            return
        log.warning("salvage: %d readings from %s are back", stored, self.path)
        self.writer.emit("salvaged", None, f"{stored} readings from {self.path} are back; the file is kept")

    def _store(self, conn: sqlite3.Connection, part: recovery.Salvaged) -> int:
        return recovery.restore(conn, part, self.writer.frontier, self.writer.now_us())
