"""What the daemon does on a schedule beside logging: backups, and a sign of life (heartbeat) for a monitor elsewhere.

One thread sleeps until the next of them is due. A backup is made by a process of its own (the verb ``backup``: a consistent copy,
read through before it gets its name), so that it delays nothing else. The sign of life is sent only if something was committed
since the last one, because a daemon that runs and stores nothing is not well.

Events: ``backup_made``, ``backup_failed``, ``heartbeat_failing``, ``heartbeat_recovered``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from sensorlogd.alarms.notifying.targets import SendError, fetch
from sensorlogd.config.care import BackupOptions, HeartbeatOptions
from sensorlogd.event_kinds import Emit, EventKind
from sensorlogd.processes.module_command import module_command

logger = logging.getLogger(__name__)

LOOK_S = 1.0
AGAIN_US = 600_000_000  # after a backup that failed
PING_WITHIN_S = 10.0
KILLED_WITHIN_S = 0.2  # a process that was killed has this long to end, even if no time is left
_NAME = re.compile(r"(.+)-(\d{8}T\d{6}Z)\.db")


class BackupsAndPings:
    """Makes backups and sends signs of life, on a thread of its own. ``safe_us``: the time that schedules go by. ``commits``: the
    number of commits so far; None while the database takes none."""

    def __init__(self, database: Path, safe_us: Callable[[], int], commits: Callable[[], int | None], emit: Emit) -> None:
        self.database = database
        self.safe_us = safe_us
        self.commits = commits
        self.emit = emit
        self.backup, self.heartbeat = BackupOptions(), HeartbeatOptions()
        self._changed = threading.Event()
        self._stopping = False
        self._child: subprocess.Popen[str] | None = None
        self._making: Path | None = None
        self._not_before_us = 0
        self._ping_at = 0.0  # monotonic
        self._commits_reported = -1
        self._ping_fails = False
        self._thread: threading.Thread | None = None

    def use(self, backup: BackupOptions, heartbeat: HeartbeatOptions) -> None:
        """Use these settings from now on, and start the thread if there is anything to do. Any thread. Raises RuntimeError if no
        thread can be started."""
        self.backup, self.heartbeat = backup, heartbeat
        self._not_before_us, self._ping_at = 0, 0.0
        self._changed.set()
        if self._thread is None and (backup.to or heartbeat.url or heartbeat.url_file):
            thread = threading.Thread(target=self._run, name="backups and pings", daemon=True)
            thread.start()
            self._thread = thread

    def stop(self, within_s: float) -> None:
        """End the thread; a backup that is being made is cut off. Idempotent."""
        until = time.monotonic() + within_s
        self._stopping = True
        self._changed.set()
        if self._thread is not None:
            self._thread.join(within_s)
        self._kill_child(max(until - time.monotonic(), KILLED_WITHIN_S))

    def _run(self) -> None:
        while not self._stopping:
            self._changed.clear()
            try:
                self._do_what_is_due()
            except Exception as error:  # one that fails must not end the others
                logger.warning("backups and pings: %s", type(error).__name__, exc_info=error)
            self._changed.wait(LOOK_S)

    def _do_what_is_due(self) -> None:
        if self._child is not None:
            self._take_outcome(self._child)
        elif self.backup.to is not None:
            self._back_up(Path(self.backup.to))
        if (self.heartbeat.url or self.heartbeat.url_file) and time.monotonic() >= self._ping_at:
            self._ping()

    # ---- backups ---------------------------------------------------------------------------------------------------

    def _back_up(self, folder: Path) -> None:
        """Start a backup if one is due and the database takes commits. Raises OSError."""
        now = self.safe_us()
        if now < self._not_before_us or self.commits() is None:
            return
        made = backups(folder, self.database.stem)
        if made and now < when_us(made[-1]) + self.backup.every:
            self._not_before_us = min(when_us(made[-1]) + self.backup.every, now + AGAIN_US)
            return
        for left in folder.glob(f".{self.database.stem}-*.db.part*") if folder.is_dir() else ():
            left.unlink(missing_ok=True)
        self._not_before_us = now + AGAIN_US
        target = folder / f"{self.database.stem}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now / 1e6))}.db"
        command, environment = module_command("sensorlogd", "backup", str(target), "--db", str(self.database))
        try:
            self._child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            self._report_failure(f"{target}: {error.strerror}")
            return
        self._making = target

    def _take_outcome(self, child: subprocess.Popen[str]) -> None:
        """Report a backup that has ended, and delete the oldest ones that are too many. Does nothing while it is being made."""
        try:
            said, _ = child.communicate(timeout=0.01)
        except subprocess.TimeoutExpired:
            return
        self._child = None
        last = (said.strip().splitlines() or [f"exit status {child.returncode}"])[-1].removeprefix("sensorlogd: ")
        if child.returncode:
            self._report_failure(last)
            return
        logger.info("backup: %s", last)
        self.emit(EventKind.BACKUP_MADE, None, last)
        assert self._making is not None
        for old in backups(self._making.parent, self.database.stem)[: -self.backup.keep]:
            with contextlib.suppress(OSError):
                old.unlink()

    def _report_failure(self, why: str) -> None:
        logger.error("backup: %s; it is tried again", why)
        self.emit(EventKind.BACKUP_FAILED, None, f"{why}; it is tried again")

    def _kill_child(self, within_s: float) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        try:
            child.communicate(timeout=within_s)
        except subprocess.TimeoutExpired:  # it hangs in the kernel, on the disk that the backup goes to
            logger.warning("backup: process %d does not end; left behind", child.pid)

    # ---- a sign of life --------------------------------------------------------------------------------------------

    def _ping(self) -> None:
        """Send the sign of life if something was committed since the last one. That it fails, and that it succeeds again, is
        an event."""
        self._ping_at = time.monotonic() + LOOK_S
        commits = self.commits()
        if commits is None or commits == self._commits_reported:
            return
        self._ping_at = time.monotonic() + self.heartbeat.every / 1e6
        try:
            fetch(self.heartbeat.url, self.heartbeat.url_file, PING_WITHIN_S)
        except SendError as error:
            if not self._ping_fails:
                logger.warning("heartbeat: %s; it is tried again", error)
                self.emit(EventKind.HEARTBEAT_FAILING, None, f"{error}; it is tried again")
            self._ping_fails = True
            return
        self._commits_reported = commits
        if self._ping_fails:
            self._ping_fails = False
            self.emit(EventKind.HEARTBEAT_RECOVERED, None, "the monitor is reached again")


def backups(folder: Path, stem: str) -> Sequence[Path]:
    """The backups of this database in ``folder``, the oldest first."""
    try:
        found = [path for path in folder.iterdir() if (name := _NAME.fullmatch(path.name)) and name[1] == stem]
    except OSError:
        return []
    return sorted(found)


def when_us(backup: Path) -> int:
    """When a backup was made, in microseconds UTC, as its name says."""
    import calendar

    found = _NAME.fullmatch(backup.name)
    return 0 if found is None else calendar.timegm(time.strptime(found[2], "%Y%m%dT%H%M%SZ")) * 1_000_000
