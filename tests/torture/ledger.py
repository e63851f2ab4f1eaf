"""What was seen during a run, by somebody who only reads: the other half of the evidence is the log itself.

Times are seconds of the monotonic clock since the run began. A *file* here is one content of the database: it ends when the
adversary removes, replaces or damages it, and the next one has the next number.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.torture.plan import Plan

CHECK_EVERY_S = 0.25
TOLD = ("corrupt", "database_replaced", "database_removed", "foreign_wal")
CHANGED = ("old", "rep")  # sensors whose values are changed on purpose: only their times are compared
FIRST = 1_000_000  # the n-th start of a counter begins at n times this, so that a value tells which it was


def origin(sensor: str) -> str:
    """The first name of a sensor that was renamed: ``m0_3`` was ``m0``."""
    return sensor.partition("_")[0]


class Event(NamedTuple):
    ts: int
    kind: str
    sensor: str | None
    detail: str


@dataclass(slots=True)
class End:
    """How the adversary ended a file. ``down``: no daemon ran. ``pages``: how many are lost; ``leaves_only``: none of them
    leads to others. ``unsettled``: the daemon had not yet told of the end of the file before."""

    file: int
    kind: str
    at_s: float
    down: bool
    pages: int = 0
    leaves_only: bool = True
    unsettled: bool = False

    @property
    def in_place(self) -> bool:
        return self.kind in ("truncate", "empty", "overwrite")


@dataclass(slots=True)
class Cause:
    """Something that may keep readings from being stored while it lasts."""

    kind: str
    begin_s: float
    end_s: float | None = None


@dataclass(slots=True)
class Life:
    """One start of the daemon. ``asked``: how it was ended (kill, term), None: by itself. ``took_s``: from SIGTERM on."""

    pid: int
    log: Path
    begin_s: float
    asked: str | None = None
    ready: bool = False
    took_s: float | None = None
    end_s: float | None = None
    code: int | None = None


@dataclass(slots=True)
class Segment:
    """From one start of a sensor's counter to its end. ``end_us``: the true wall clock at the signal that ended it, if one did."""

    sensor: str
    first: int
    interval_ms: int
    begin_s: float
    end_s: float | None = None
    end_us: int | None = None


@dataclass(slots=True)
class Verb:
    arguments: tuple[str, ...]
    begin_s: float
    out: Path
    end_s: float | None = None
    code: int | None = None  # None: it had to be killed
    error: str = ""
    cut: bool = False  # killed on purpose


@dataclass(slots=True)
class Ledger:
    """All that the judge needs to know. ``seen``: (sensor, time) -> (value, file) of readings that were seen committed.
    ``grown``: when new readings were seen. ``events``: those that were seen at any time. ``observed``: (kind, what) of promises that were seen broken at once."""

    plan: Plan
    began_us: int = 0
    seen: dict[tuple[str, int], tuple[float | None, int]] = field(default_factory=dict)
    grown: list[float] = field(default_factory=list)
    unreadable: list[float] = field(default_factory=list)
    events: set[Event] = field(default_factory=set)
    ends: list[End] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    segments: list[Segment] = field(default_factory=list)
    verbs: list[Verb] = field(default_factory=list)
    observed: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    originals: dict[int, float] = field(default_factory=dict)
    replaced_versions: int = 0
    converged_at_s: float = 0.0

    def see(self, readings: Iterable[tuple[str, int, float | None]], file: int) -> None:
        for sensor, ts, value in readings:
            name = origin(sensor)
            self.seen[name, ts] = (None if name in CHANGED else value, file)


class Watcher:
    """A thread that opens the database anew every quarter of a second and notes what is committed.

    Whoever damages files holds ``lock`` meanwhile: then every reading noted before was in the file before. After that nothing is
    noted until the daemon has told of the new file (or has started on it), for a mixture of files may show anything.
    """

    def __init__(self, path: Path, ledger: Ledger, began: float) -> None:
        self.path, self.ledger, self.began = path, ledger, began
        self.lock = threading.Lock()
        self.file = 0
        self._looks = 0
        self._ever: set[tuple[str, float]] = set()
        self._unsettled: tuple[tuple[int, int] | None, dict[str, int], bool, int] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher")

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def file_ended(self, end: End, before: tuple[int, int] | None, known: dict[str, int]) -> None:
        """Within ``lock``. ``before``: identity of what was damaged in place. ``known``: events the new file begins with."""
        end.unsettled = self._unsettled is not None
        self.file += 1
        self.ledger.ends.append(end)
        self._unsettled = (before if end.in_place else None, known, not end.in_place, len(self.ledger.lives))

    def note(self, readings: Iterable[tuple[str, int, float | None]], file: int) -> None:
        """Readings that somebody was told to be stored, while this was the file and nothing was wrong with it."""
        with self.lock:
            if file == self.file and self._unsettled is None:
                self.ledger.see(readings, file)

    def _run(self) -> None:
        while not self._stop.wait(CHECK_EVERY_S):
            with self.lock:
                self._look()

    def _look(self) -> None:
        now_s = time.monotonic() - self.began
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=1.0)) as conn:
                conn.execute("BEGIN")
                counts = event_counts(conn)
                events = [Event(*row) for row in conn.execute("SELECT ts, kind, sensor, detail FROM event")]
                self._looks += 1
                which = "*" if self._looks % 8 == 0 else "m*"  # the many old ones are looked at more rarely
                rows = conn.execute("SELECT sensor, ts, value FROM readings WHERE sensor GLOB ?", (which,)).fetchall()
            identity = identity_of(self.path)
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                self.ledger.unreadable.append(now_s)
            return
        self.ledger.events.update(events)
        live = {(origin(sensor), value) for sensor, _, value in rows if sensor.startswith("m") and value is not None}
        if live - self._ever:
            self.ledger.grown.append(now_s)
            self._ever |= live
        if self._unsettled is not None:
            damaged, known, start_is_enough, lives = self._unsettled
            is_told = any(counts.get(kind, 0) > known.get(kind, 0) for kind in TOLD)
            # A log of the old file that lies beside the new one shows the starts of the old one: only those since count.
            pids = {f"pid {life.pid}" for life in self.ledger.lives[lives:]}
            started = any(event.kind == "started" and event.detail.rpartition(", ")[2] in pids for event in events)
            if identity == damaged or not (is_told or (start_is_enough and started)):
                return
            self._unsettled = None
        self.ledger.see(rows, self.file)


def event_counts(conn: sqlite3.Connection) -> dict[str, int]:
    return dict(conn.execute("SELECT kind, count(*) FROM event GROUP BY kind").fetchall())


def identity_of(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def query(path: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Rows of a question on a connection of its own; [] while there is no such file or table."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2.0)) as conn:
            return conn.execute(sql, values).fetchall()
    except sqlite3.Error:
        return []
