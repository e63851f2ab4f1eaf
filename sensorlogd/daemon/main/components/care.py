"""The thread on which backups are made and signs of life are sent, with the settings of the running configuration."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from sensorlogd.config.care import BackupOptions, HeartbeatOptions
from sensorlogd.config.models import Config
from sensorlogd.daemon.care.backups import Backups
from sensorlogd.daemon.care.sign_of_life import SignOfLife
from sensorlogd.daemon.main.components.startables import Startables
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.totals import WriterState
from sensorlogd.daemon.writing.writer import Writer

logger = logging.getLogger(__name__)

STOP_WITHIN_S = 0.5
LOOK_EVERY_S = 1.0


class Care:
    """Owns the thread ``care``, and on it ``Backups`` and ``SignOfLife``. For the main thread. ``path``: of the
    database. ``startables``: tries again when there is no thread to be had."""

    def __init__(self, path: Path, clock: JudgedClock, writer: Writer, startables: Startables) -> None:
        self._writer = writer
        self._startables = startables
        self._backups = Backups(path, clock.safe_us, self._commits, writer.emit)
        self._sign_of_life = SignOfLife(self._committed, writer.emit)
        # Options that the thread has not taken over yet, at most one pair: so it never meets half of a reload. Of two threads that
        # put and take at once, neither can lose what the other has put.
        self._wanted: deque[tuple[BackupOptions, HeartbeatOptions]] = deque(maxlen=1)
        self._changed = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def use(self, config: Config) -> None:
        """Make backups and send signs of life as this configuration says, from now on; the thread is started once there is
        anything to do."""
        backup, heartbeat = config.backup or BackupOptions(), config.heartbeat or HeartbeatOptions()
        self._wanted.append((backup, heartbeat))
        self._changed.set()
        is_needed = bool(backup.to or heartbeat.url or heartbeat.url_file)
        # Also when it is not: then a start that has failed so far is not tried any more.
        self._startables.start("backups and the sign of life", lambda: self._start_thread() if is_needed else None)

    def stop(self) -> None:
        """End the thread; a backup that is being made is cut off. Idempotent."""
        until = time.monotonic() + STOP_WITHIN_S
        self._stopping = True
        self._changed.set()
        if self._thread is not None:
            self._thread.join(STOP_WITHIN_S)
        self._backups.stop(until - time.monotonic())

    def _start_thread(self) -> None:
        """Raises RuntimeError if there is no thread to be had."""
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="care", daemon=True)
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while not self._stopping:
            self._take_over_options()
            for tick in (self._backups.tick, self._sign_of_life.tick):
                _tick_safely(tick)
            self._changed.wait(LOOK_EVERY_S)
            self._changed.clear()  # what was set by now is looked at next

    def _take_over_options(self) -> None:
        if self._wanted:
            backup, heartbeat = self._wanted.pop()  # only this thread takes
            self._backups.use(backup)
            self._sign_of_life.use(heartbeat)

    def _commits(self) -> int | None:
        """The number of commits so far; None while nothing can be committed."""
        stats = self._writer.stats()
        return stats.commits if stats.state is WriterState.WRITING else None

    def _committed(self) -> int | None:
        """The number of readings committed so far; None while nothing can be committed. Commits of status and events alone say
        nothing of the sensors."""
        stats = self._writer.stats()
        return stats.committed if stats.state is WriterState.WRITING else None


def _tick_safely(tick: Callable[[], None]) -> None:
    """Call ``tick``: a fault in it must not end the thread, nor keep what else is due from being done."""
    try:
        tick()
    except Exception as error:
        logger.warning("care: %s", type(error).__name__, exc_info=error)
