"""Backups and the sign of life, with the settings of the running configuration."""

from __future__ import annotations

from pathlib import Path

from sensorlogd.config.care import BackupOptions, HeartbeatOptions
from sensorlogd.config.models import Config
from sensorlogd.daemon.backups_and_pings import BackupsAndPings
from sensorlogd.daemon.main.components.parts import Parts
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.daemon.writing.writer import Writer

STOP_WITHIN_S = 0.5


class RegularTasks:
    """Owns the thread of ``BackupsAndPings``. ``path``: of the database. ``parts``: tries again when there is no thread to be had."""

    def __init__(self, path: Path, clock: JudgedClock, writer: Writer, parts: Parts) -> None:
        self._writer = writer
        self._parts = parts
        self._backups_and_pings = BackupsAndPings(path, clock.safe_us, self._commits, writer.emit)

    def use(self, config: Config) -> None:
        """Make backups and signs of life as this configuration says, from now on."""
        backup, heartbeat = config.backup or BackupOptions(), config.heartbeat or HeartbeatOptions()
        self._parts.start("backups and the sign of life", lambda: self._backups_and_pings.use(backup, heartbeat))

    def stop(self) -> None:
        """Idempotent."""
        self._backups_and_pings.stop(STOP_WITHIN_S)

    def _commits(self) -> int | None:
        """The number of commits so far; None while nothing can be committed."""
        stats = self._writer.stats()
        return stats.commits if stats.state is WriterState.WRITING else None
