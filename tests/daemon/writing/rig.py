"""A writer that the test turns by hand, on a real file, with a connection that fails where the test says.

Time stands still until told: the writer's ``time.monotonic`` is the rig's. No thread runs but the test's.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sensorlogd.batch import Block, Column
from sensorlogd.daemon.computing.computing import Computing
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.build import WriterParts, WriterSettings
from sensorlogd.daemon.writing.commits.commit import Report
from sensorlogd.daemon.writing.commits.watcher import Watcher
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.recovery.locks import Held
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.recovery.remembered import Remembered as RememberedOutside
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.schema import creation
from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec
from sensorlogd.storage.worker import AnyWorker

T0 = 1_800_000_000_000_000  # µs
S = 1_000_000
SPECS = [
    SensorSpec("a", "simulated", series=[SeriesSpec("x"), SeriesSpec("y")]),
    SensorSpec("b", "simulated", series=[SeriesSpec("x")]),
]


def sqlite_error(code: int, text: str = "as scripted") -> sqlite3.OperationalError:
    """As SQLite raises it."""
    kinds = {sqlite3.SQLITE_CORRUPT: sqlite3.DatabaseError, sqlite3.SQLITE_NOTADB: sqlite3.DatabaseError}
    kinds |= {sqlite3.SQLITE_CONSTRAINT: sqlite3.IntegrityError, sqlite3.SQLITE_MISUSE: sqlite3.ProgrammingError}
    error = kinds.get(code, sqlite3.OperationalError)(text)
    error.sqlite_errorcode = code
    return error  # type: ignore[return-value]  # all are sqlite3.Error


Decide = Callable[[str], Exception | None]


class Script:
    """Sees every statement of the writer's connections. ``before``, ``after``: what to raise before or after it is done."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.before: Decide = lambda sql: None
        self.after: Decide = lambda sql: None
        self.spare = "\0"  # statements that begin so are never touched

    def run(self, sql: str, do: Callable[[], Any]) -> Any:
        self.statements.append(sql)
        spared = sql.startswith(self.spare)
        error = self.before(sql)
        if error is not None and not spared:
            raise error
        value = do()
        error = self.after(sql)
        if error is not None and not spared:
            raise error
        return value

    def fail_at(self, number: int, error: Callable[[], Exception], times: int = 1, *, done: bool = False) -> None:
        """The statements from the ``number``-th on (counted from now) fail, ``times`` of them; ``done``: after they are done."""
        seen = 0

        def decide(sql: str) -> Exception | None:
            nonlocal seen
            seen += 1
            return error() if number < seen <= number + times else None

        if done:
            self.after = decide
        else:
            self.before = decide

    def fail_on(self, start: str, error: Callable[[], Exception]) -> None:
        """Every statement that begins so."""
        self.before = lambda sql: error() if sql.startswith(start) else None

    def heal(self) -> None:
        self.before = self.after = lambda sql: None


class Time:
    """``monotonic`` seconds; the wall clock goes with it. ``set_by``: seconds that somebody has set it forward."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.set_by = 0.0

    def monotonic(self) -> float:
        return self.now

    def steady_ns(self) -> int:
        return int(self.now * 1e6) * 1000

    def wall_ns(self) -> int:
        return T0 * 1000 + self.steady_ns() - 1_000_000_000_000 + int(self.set_by) * 1_000_000_000


@dataclass
class Remembered:
    """What the lock file remembers, held in the hand."""

    lost: int = 0
    was_opened: bool = False
    believed: dict[str, str] = field(default_factory=dict)

    def hold(self) -> bool:
        """Nobody takes it away."""
        return False

    def forget_lost(self) -> None:
        self.lost = 0

    def note_opened(self) -> None:
        self.was_opened = True

    def note_time(self, believed: dict[str, str]) -> None:
        self.believed = self.believed | believed


class Rig:
    """See the module. ``mover`` moves after few readings, so that upkeep has something to do in every run. ``watch``: who looks at what passes,
    made for the rig's clock."""

    def __init__(
        self,
        path: Path,
        *,
        workers: Sequence[AnyWorker] = (),
        block_rows: int = 20,
        script: Script | None = None,
        fake: Time | None = None,
        report: Callable[[], Report] = lambda: Report((), {"state": "running"}),
        inbox_limit: int = 10_000,
        remembered: RememberedOutside | None = None,
        folder: Held | None = None,
        note_lost: Callable[[int], None] = lambda n: None,
        specs: Sequence[SensorSpec] = SPECS,
        min_free: int = 0,
        sets_aside: bool = True,
        watcher: Callable[[JudgedClock], Watcher] | None = None,
        when_full: Any = "stop",
        computing: Computing | None = None,
        boot: str = "one",
        is_synchronised: bool | None = True,
    ) -> None:
        self.path = path
        self.script = script or Script()
        self.time = fake or Time()
        self.clock = JudgedClock(wall_ns=self.time.wall_ns, steady_ns=self.time.steady_ns, ask=lambda: is_synchronised, boot=boot)
        self.inbox = Inbox(inbox_limit, self.clock.corrected)
        self.opening = Opening(
            path,
            specs,
            lambda: Upkeep(Mover(block_rows=block_rows, lag_us=0), Retention("UTC"), when_full=when_full),
            self.clock,
            remembered=remembered or Remembered(),
            folder=folder,
        )
        self.rolls_up = 0
        parts = WriterParts(
            WriterSettings(path, min_free_bytes=min_free, sets_aside=sets_aside),
            self.inbox,
            self.opening,
            self.clock,
            report=report,
            workers=workers,
            rolls_up=self._roll_up,
            note_lost=note_lost,
            watcher=None if watcher is None else watcher(self.clock),
            computing=computing,
        )
        self.writer = Writer(parts)
        self.put_so_far = 0

    def _roll_up(self) -> None:
        self.rolls_up += 1

    # ---- what comes in ---------------------------------------------------------------------------------------------

    def put(self, n: int = 1, sensor: str = "a", channel: str = "x") -> list[float]:
        """Hand over one block of ``n`` readings; their values, which no other reading has."""
        values = [float(self.put_so_far + i) for i in range(n)]
        times = [self.clock.now_us() - S + self.put_so_far + i for i in range(n)]
        self.put_so_far += n
        assert self.inbox.put(Block(sensor, [Column(channel, times, list(values), 0)]), 0.0)
        return values

    # ---- turning ---------------------------------------------------------------------------------------------------

    def turn(self, times: int = 1, seconds: float = 0.1) -> None:
        """As the writer's thread does; whatever leaves ``_turn`` would end that thread, and fails the test."""
        for _ in range(times):
            self.inbox.wake()
            self.writer._turn()
            self.time.now += seconds

    def turn_until(self, condition: Callable[[], object], what: str, within_s: float = 30.0, seconds: float = 0.1) -> float:
        """Seconds that passed (by the rig's clock) until it held."""
        began = self.time.now
        while not condition():
            assert self.time.now - began < within_s, f"waited {within_s} s for {what}; {self.writer.stats()}"
            self.turn(1, seconds)
        return self.time.now - began

    def is_idle(self) -> bool:
        """All that was handed over is committed, and the writer is well."""
        writer = self.writer
        return (
            not (writer._pending.blocks or len(writer._jobs) or len(writer._notices.events))
            and self.inbox.is_empty
            and writer._trouble.is_well()
        )

    def stop(self, within_s: float = 60.0) -> None:
        """To the end, as the thread would; ``close`` is what ``_run`` does last."""
        self.inbox.close()
        self.writer.stop(within_s)
        while self.writer.refusal() is None and not self.writer._is_over():
            self.turn()
        self.writer._close()

    def kill(self) -> None:
        """Nothing more is written; descriptors go, as they do with a process."""
        db = self.writer._log.db
        self.writer._work.close()
        if db is not None:
            self.script.heal()
            self.writer._log.let_go()

    # ---- what is there ---------------------------------------------------------------------------------------------

    def kinds(self) -> list[str]:
        return [kind for kind, _ in events(self.path)]


class TurnedByHand:
    """The writer of a rig, which turns until what was submitted is done."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.now_us, self.safe_us = rig.writer.now_us, rig.writer.safe_us
        self.hindrance = rig.writer.hindrance

    def submit(self, *args: Any, **more: Any) -> Future[Any]:
        future = self._rig.writer.submit(*args, **more)
        self._rig.turn_until(future.done, "the job")
        return future


@contextlib.contextmanager
def scripted(monkeypatch: pytest.MonkeyPatch, fresh: Path, script: Script, fake: Time) -> Iterator[None]:
    """The writer's connections pass through ``script``, time is ``fake``, and a new database is a copy of ``fresh``."""
    real = sqlite3.connect

    class Scripted(sqlite3.Connection):
        def execute(self, sql: str, *args: Any) -> Any:
            if sql == "PRAGMA synchronous = FULL":
                sql = "PRAGMA synchronous = OFF"  # no power fails here, and the disk of whoever tests may be slow
            return script.run(sql, lambda: super(Scripted, self).execute(sql, *args))

        def executemany(self, sql: str, *args: Any) -> Any:
            return script.run(sql, lambda: super(Scripted, self).executemany(sql, *args))

    def connect(*args: Any, **more: Any) -> Any:
        if more.get("cached_statements") == 64:  # the writer's
            more["factory"] = Scripted
        return real(*args, **more)

    with monkeypatch.context() as patch:
        # A captured record holds on to what was raised, and that to the connection.
        patch.setattr(logging.root.manager, "disable", logging.CRITICAL)
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # what each logger remembers of ``disable``
        patch.setattr(sqlite3, "connect", connect)
        patch.setattr(time, "monotonic", fake.monotonic)
        patch.setattr(creation, "create", lambda path, _: bool(shutil.copy(fresh, path)))
        yield
    logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # as above


def events(path: Path) -> list[tuple[str, str]]:
    """(kind, detail) in the order in which they were stored."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return conn.execute("SELECT kind, detail FROM event ORDER BY id").fetchall()


def values(path: Path) -> list[float]:
    """Every reading that a reader of the file gets, sorted; a file that is open elsewhere may be asked."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        found = conn.execute("SELECT value FROM meta WHERE key = 'moved_until_us'").fetchone()
        until = int(found[0]) if found else 0
        rows = conn.execute(
            "SELECT value FROM recent WHERE ts >= ?1 UNION ALL SELECT value FROM history WHERE ts < ?1", (until,)
        ).fetchall()
    return sorted(value for (value,) in rows)


def values_by_series(path: Path) -> dict[tuple[str, str], list[float]]:
    """(sensor, channel) -> values by time; from a file in which nothing has been moved."""
    query = (
        "SELECT name, channel, value FROM recent JOIN series ON series.id = series_id JOIN sensor ON sensor.id = sensor_id"
        " ORDER BY name, channel, ts"
    )
    found: dict[tuple[str, str], list[float]] = {}
    with contextlib.closing(sqlite3.connect(path)) as conn:
        for sensor, channel, value in conn.execute(query):
            found.setdefault((sensor, channel), []).append(value)
    return found


def set_aside_values(path: Path, folder: Path) -> list[float]:
    """The readings of all incidents, as far as their files can be read; each is copied, for looking changes it."""
    found: list[float] = []
    for number, incident in enumerate(incidents.all_incidents(path)):
        if incident.main is None:
            continue
        copy = folder / f"incident-{number}"
        shutil.copytree(incident.folder, copy)
        found += values(copy / incident.main.name)
    return found


def doubled(found: Iterable[float]) -> list[float]:
    return [value for value, n in Counter(found).items() if n > 1]


def plan_forever() -> RetentionPlan:
    return RetentionPlan()
