"""The one policy: what an error means for the daemon. Every touch of the database passes through here.

``decide`` is a pure function of the error and of how long things have been going wrong. Errors are told apart by type and by
SQLite's result code, never by their text.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from sensorlogd.event_kinds import EventKind
from sensorlogd.storage.file.errors import DatabaseCorrupt, DatabaseUnavailable, Failure, ForeignDatabase, NewerSchema, classify
from sensorlogd.storage.file.file_watch import FileCut, FileGone, FileMoves, FileOverwritten, WalGone
from sensorlogd.storage.file.holder import LockHeld

LONGEST_DELAY_S = 2.0
BUSY_IS_NORMAL_S = 5.0  # somebody writes for a moment: no alarm for that
REOPEN_EVERY = 4  # tries; the file may have come back under us
STRANGE_LIMIT = 5  # errors in a row that SQLite has no clear code for: the file is taken for damaged


class Remedy(Enum):
    """What is done about an error. Readings stay in memory in all of them."""

    TRY_AGAIN = "try again"  # try again soon and report nothing: another program writes for a moment
    HOLD = "hold"  # readings wait in the inbox, the owner is notified, it is tried again
    REOPEN = "reopen"  # as HOLD, and the file is opened anew before the next try
    RESCUE = "rescue"  # another file stands at the path: what the still open one holds is copied first, then as REOPEN
    SET_ASIDE = "set aside"  # the file is damaged: moved into an incident, a fresh one begun
    REFUSE = "refuse"  # not ours to touch: the daemon ends with status 78
    HAND_BACK = "hand back"  # the fault lies in what was tried, not in the database: whoever asked for it is notified


@dataclass(frozen=True, slots=True)
class Failing:
    """How things stand. ``count``: errors in a row, this one included; ``for_s``: since the first of them.

    ``was_open``: a database has been open since the start. ``sets_aside``: whether this process may set a file aside.
    ``own_faults``: an error that SQLite has no clear code for is the fault of what was tried, e.g. of a job or upkeep.
    """

    count: int = 1
    for_s: float = 0.0
    was_open: bool = True
    sets_aside: bool = True
    own_faults: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided about an error. ``remedy``: what is done. ``delay_s``: until the next try. ``reason``: for people.
    ``event``: under which kind the owner is notified."""

    remedy: Remedy
    delay_s: float
    reason: str
    event: EventKind = EventKind.DATABASE_BLOCKED
    is_damage: bool = False  # damage that only the owner can mend: no job and no upkeep goes on


class LowSpace(Exception):
    """The disk has less left than ``storage.min_free``."""

    def __init__(self, folder: Path, free: int, min_free: int) -> None:
        super().__init__(
            f"{folder}: its disk has only {free:,} bytes free, storage.min_free is {min_free:,}; make room, or set min_free lower"
        )


class DamageFound(Exception):
    """The files say so before SQLite does. ``only_side_files``: the WAL is not this file's; the file itself is sound."""

    def __init__(self, reason: str, *, only_side_files: bool = False) -> None:
        super().__init__(reason)
        self.only_side_files = only_side_files


def decide(error: Exception, now: Failing) -> Verdict:
    """What is to be done about ``error`` when things stand like this. One that is none of the database's (a fault of ours) is
    handed back."""
    delay = min(0.05 * 2 ** min(now.count, 8), LONGEST_DELAY_S)
    text = str(error)
    if isinstance(error, LowSpace):
        return Verdict(Remedy.HOLD, 1.0, text, EventKind.DISK_LOW)
    if isinstance(error, MemoryError) and not now.own_faults:
        return Verdict(Remedy.HOLD, delay, "out of memory")  # no fault of the readings: they must not be taken for poisoned
    if isinstance(error, FileGone):
        return Verdict(Remedy.RESCUE, 0.0, text, EventKind.DATABASE_REMOVED if error.removed else EventKind.DATABASE_REPLACED)
    if isinstance(error, FileMoves):
        return Verdict(Remedy.TRY_AGAIN if now.for_s < BUSY_IS_NORMAL_S else Remedy.HOLD, 0.25, text)
    if isinstance(error, WalGone):  # do not close the file before all of the WAL is in it
        return Verdict(Remedy.REOPEN if error.is_saved else Remedy.HOLD, min(delay, 0.1), text, EventKind.WAL_REMOVED)
    if isinstance(error, ForeignDatabase | NewerSchema):
        # While running the owner may put ours back: hold on. At a start nothing may be touched.
        return Verdict(Remedy.REOPEN if now.was_open else Remedy.REFUSE, delay, text, EventKind.DATABASE_UNAVAILABLE)
    if isinstance(error, DamageFound | FileCut | FileOverwritten | DatabaseCorrupt):
        return _decide_damage(text, delay, now)
    if isinstance(error, DatabaseUnavailable | LockHeld | OSError):
        return Verdict(Remedy.REOPEN, delay, text, EventKind.DATABASE_UNAVAILABLE)
    if isinstance(error, sqlite3.Error):
        return _decide_sqlite(error, delay, now)
    return Verdict(Remedy.HAND_BACK, delay, text)


def _decide_sqlite(error: sqlite3.Error, delay: float, now: Failing) -> Verdict:
    failure = classify(error)
    reason = f"{failure.value}: {error}"
    if failure in (Failure.CORRUPT, Failure.NOTADB):
        return _decide_damage(str(error), delay, now)
    if failure is Failure.CONSTRAINT:
        return Verdict(Remedy.HAND_BACK, delay, str(error))
    if failure is Failure.BUSY:
        quiet = now.for_s < BUSY_IS_NORMAL_S
        return Verdict(Remedy.TRY_AGAIN if quiet else Remedy.HOLD, delay, reason)
    if failure is Failure.FULL:
        return Verdict(Remedy.HOLD, delay, reason)
    if failure is Failure.OTHER and (now.own_faults or isinstance(error, sqlite3.ProgrammingError | sqlite3.InterfaceError)):
        return Verdict(Remedy.HAND_BACK, delay, str(error))
    if failure is Failure.OTHER and now.count >= STRANGE_LIMIT:
        return _decide_damage(str(error), delay, now)
    return Verdict(Remedy.REOPEN if now.count % REOPEN_EVERY == 0 else Remedy.HOLD, delay, reason)


def _decide_damage(reason: str, delay: float, now: Failing) -> Verdict:
    if now.sets_aside:
        return Verdict(Remedy.SET_ASIDE, 0.0, reason, EventKind.CORRUPT)
    return Verdict(
        Remedy.REOPEN,
        delay,
        f"the database is damaged ({reason}); start the daemon: it sets the file aside and brings back what can be read",
        EventKind.DATABASE_UNAVAILABLE,
        is_damage=True,
    )
