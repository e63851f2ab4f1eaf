"""Makes backups of the log on a schedule. Each is made by a process of its own (the verb ``backup``: a consistent copy,
read through before it gets its name), so that it delays nothing else.

Events: ``backup_made``, ``backup_failed``.
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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sensorlogd.config.care import BackupOptions
from sensorlogd.event_kinds import Emit, EventKind
from sensorlogd.processes.module_command import module_command

logger = logging.getLogger(__name__)

AGAIN_US = 600_000_000  # after a backup that failed
KILLED_WITHIN_S = 0.2  # a process that was killed has this long to end, even if no time is left
_NAME = re.compile(r"(.+)-(\d{8}T\d{6}Z)\.db")


class Backups:
    """Makes the backups that are due and deletes those that are too many. For one thread; ``stop`` may be called by
    another, also while the first one waits for the disk that backups go to. ``safe_us``: the time that the schedule
    goes by. ``commits``: the number of commits so far; None while the database takes none."""

    def __init__(self, database: Path, safe_us: Callable[[], int], commits: Callable[[], int | None], emit: Emit) -> None:
        self._database = database
        self._safe_us = safe_us
        self._commits = commits
        self._emit = emit
        self._options = BackupOptions()
        self._child: subprocess.Popen[str] | None = None
        self._making: Path | None = None
        self._not_before_us = 0
        self._starting = threading.Lock()  # guards ``_stopped``, and the start of a process that depends on it
        self._stopped = False
        self._reported: set[Path] = set()  # the backups dated later than now that an event has named

    def use(self, options: BackupOptions) -> None:
        """Make backups as ``options`` say from now on."""
        self._options = options
        self._not_before_us = 0

    def tick(self) -> None:
        """Begin a backup that is due, or report the one that was being made. Called about every second."""
        if self._child is not None:
            self._take_outcome(self._child)
        elif self._options.to is not None:
            self._back_up(Path(self._options.to))

    def stop(self, within_s: float) -> None:
        """Begin no backup any more. Cut off one that is being made, and wait for its process for this long, but at least for
        KILLED_WITHIN_S. Idempotent."""
        with self._starting:
            self._stopped = True
        self._kill_child(max(within_s, KILLED_WITHIN_S))

    def _back_up(self, folder: Path) -> None:
        """Start a backup if one is due and the database takes commits."""
        now = self._safe_us()
        if now < self._not_before_us or self._commits() is None:
            return
        made, _ = self._backups_until(now, folder)
        if made and now < when_us(made[-1]) + self._options.every:
            self._not_before_us = min(when_us(made[-1]) + self._options.every, now + AGAIN_US)
            return
        self._not_before_us = now + AGAIN_US
        self._clear_unfinished(folder)
        target = folder / self._name(now)
        command, environment = module_command("sensorlogd", "backup", str(target), "--db", str(self._database))
        try:
            self._start_unless_stopped(command, environment)
        except OSError as error:
            self._report_failure(f"{target}: {error.strerror}")
            return
        self._making = target

    def _clear_unfinished(self, folder: Path) -> None:
        """Delete what backups that were cut off have left. What cannot be deleted costs its room and nothing else; whether a backup
        can be made there, the process that makes it finds out."""
        try:
            for left in folder.glob(f".{self._database.stem}-*.db.part*"):
                left.unlink(missing_ok=True)
        except OSError as error:
            logger.warning("backup: an unfinished one in %s cannot be deleted: %s", folder, error)

    def _start_unless_stopped(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start the process that makes a backup. Raises OSError."""
        with self._starting:
            if self._stopped:
                return
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
        assert self._making is not None
        made, later = self._backups_until(max(self._safe_us(), when_us(self._making)), self._making.parent)
        if unreported := [path for path in later if path not in self._reported]:
            self._reported.update(unreported)
            last += (
                f"; left out of schedule and number, because they are dated later: {', '.join(path.name for path in unreported)}"
            )
        logger.info("backup: %s", last)
        self._emit(EventKind.BACKUP_MADE, None, last)
        for old in made[: -self._options.keep]:
            with contextlib.suppress(OSError):
                old.unlink()

    def _backups_until(self, now_us: int, folder: Path) -> tuple[Sequence[Path], Sequence[Path]]:
        """The backups in ``folder`` that may have been made by ``now_us``, and those that are dated later: by a clock
        that was wrong. Those neither put off a backup nor count among those that are kept."""
        found, newest = backups(folder, self._database.stem), self._name(now_us)
        return [path for path in found if path.name <= newest], [path for path in found if path.name > newest]

    def _name(self, now_us: int) -> str:
        return f"{self._database.stem}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now_us / 1e6))}.db"

    def _report_failure(self, why: str) -> None:
        logger.error("backup: %s; it is tried again", why)
        self._emit(EventKind.BACKUP_FAILED, None, f"{why}; it is tried again")

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
