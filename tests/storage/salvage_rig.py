"""A log with everything in it, ways to damage it, and a salvage that may be killed between any two slices."""

from __future__ import annotations

import contextlib
import math
import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlogd.daemon.rollups import process
from sensorlogd.event_kinds import OtherKind
from sensorlogd.storage import work
from sensorlogd.storage.corrections import mend_order
from sensorlogd.storage.corrections.change import Change
from sensorlogd.storage.file.connecting import close_cleanly
from sensorlogd.storage.file.identity import PAGE_SIZE
from sensorlogd.storage.ingest import events
from sensorlogd.storage.maintenance import incidents
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention, RetentionPlan
from sensorlogd.storage.pace import Pace
from sensorlogd.storage.rollups import outdated, stored_rollups
from sensorlogd.storage.rollups.edge import set_edge, stored_edge, take_edge, use_day_zone
from sensorlogd.storage.salvage import salvage_order
from sensorlogd.storage.salvage.worker import Salvage
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from sensorlogd.storage.worker import NOT_YET
from tests.connections import connect_writer
from tests.storage import working

SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
NOW = 20_000 * DAY + 15 * HOUR
DAYS = 60
KEPT_DAYS = 8
PAGE = PAGE_SIZE
ZONE = "UTC"
SPECS = [
    catalog.SensorSpec(
        "one",
        "simulated",
        {"site": "roof"},
        series=[
            catalog.SeriesSpec("a", "V", heartbeat_us=20 * MINUTE, scale=2.0),
            catalog.SeriesSpec("n", "", "counter", 20 * MINUTE, wrap=1000.0, dip=0.2, labels={"pipe": "3"}),
        ],
    ),
    catalog.SensorSpec("two", "simulated", series=[catalog.SeriesSpec("door", "", "state", 20 * MINUTE)]),
]


class Direct(process._Sender):
    """Stores what the aggregator sends at once, as the writer does."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn
        self.pace = Pace(1.0, 1e9, 1e9, 1e9)
        self._pending, self._marks, self._advances, self._unanswered = {}, [], [], 0

    def settle(self) -> None:
        self._unanswered = 0

    def _send_rows(self, rows: Any, deletes: Any, marks: Any, advances: Any) -> None:
        with transaction(self.conn):
            stored_rollups.store_rows(self.conn, rows)
            stored_rollups.delete_rows(self.conn, deletes)
            outdated.clear_minutes(self.conn, marks)
            outdated.advance_each(self.conn, advances)


@contextlib.contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    conn.execute("BEGIN IMMEDIATE")
    yield
    conn.execute("COMMIT")


def roll_up(path: Path, conn: sqlite3.Connection, edge_us: int) -> None:
    """A run of the aggregator."""
    with transaction(conn):
        use_day_zone(conn, ZONE, edge_us)
        stored, target = take_edge(conn, edge_us - edge_us % MINUTE, 400 * DAY)
    process._do_run(Direct(conn), str(path), stored, target, ZONE)
    with transaction(conn):
        set_edge(conn, target)


def frontier_of(conn: sqlite3.Connection) -> Frontier:
    frontier = Frontier(edge_us=stored_edge(conn))
    Mover().recover(conn, frontier)
    Retention(ZONE).recover(conn, frontier)
    return frontier


def make_full(path: Path, seed: int = 1) -> None:
    """60 days of three series every ten minutes, those of 52 days expired; mended, calibrated, rolled up, cleanly closed."""
    rng = random.Random(seed)
    conn = connect_writer(path)
    conn.execute("PRAGMA synchronous = OFF")
    with transaction(conn):
        catalog.sync(conn, SPECS, NOW - DAYS * DAY)
        sync_again = [
            catalog.SensorSpec(
                "one",
                "simulated",
                {"site": "roof"},
                series=[catalog.SeriesSpec("a", "V", heartbeat_us=20 * MINUTE, scale=3.0), SPECS[0].series[1]],
            ),
            SPECS[1],
        ]
        catalog.sync(conn, sync_again, NOW - 30 * DAY)
        rows = []
        for n, ts in enumerate(range(NOW - DAYS * DAY, NOW, 10 * MINUTE)):
            rows.append((ts, 1, rng.uniform(-5, 5), rng.choice([1, 1, 1, 3 | 32])))
            rows.append((ts, 2, float(n * 7 % 1000), 1))
            rows.append((ts, 3, float(rng.randint(0, 3)), 1))
        rows += [(NOW - 2 * HOUR + n * SECOND, 1, n / 7, 1) for n in range(1, 7000) if n % 600]
        conn.executemany("INSERT INTO recent VALUES (?,?,?,?)", rows)
        for n in range(300):
            events.record(conn, NOW - n * HOUR, OtherKind("tick"), "one" if n % 2 else None, f"event {n}")
    mover, frontier = Mover(), Frontier()
    mover.recover(conn, frontier)
    while mover.step(conn, frontier, NOW - HOUR):
        pass
    roll_up(path, conn, NOW - MINUTE)
    retention = Retention(ZONE)
    retention.recover(conn, frontier)
    retention.use_plan(RetentionPlan({0: KEPT_DAYS * DAY, 60: 20 * DAY}))
    while retention.step(conn, frontier, NOW):
        pass
    for since, change in ((5 * DAY, Change(quality=4)), (3 * HOUR, Change(scale=2.0, offset=1.0))):
        with transaction(conn):
            mend_order.order(conn, 1, NOW - since, NOW - HOUR, change, f"since {since}", NOW)
        working.run(conn, frontier_of(conn), NOW)
    roll_up(path, conn, NOW - MINUTE)
    close_cleanly(conn)


# ---- what is in it -----------------------------------------------------------------------------------------------------

_NAMED = "SELECT series.id, sensor.name || '.' || channel FROM series JOIN sensor ON sensor.id = sensor_id"


def same_rollups(found: dict[tuple[Any, ...], tuple[Any, ...]], expected: dict[tuple[Any, ...], tuple[Any, ...]]) -> bool:
    """Sums and means may differ in the last digits, nothing else."""
    return found.keys() == expected.keys() and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9))
        for key, row in expected.items()
        if found[key] != row
        for a, b in zip(found[key], row, strict=True)
    )


@dataclass(frozen=True)
class Contents:
    """Everything, by names."""

    readings: set[tuple[Any, ...]]
    rollups: dict[tuple[Any, ...], tuple[Any, ...]]
    cuts: set[tuple[Any, ...]]
    calibrations: set[tuple[Any, ...]]
    mends: set[tuple[Any, ...]]
    mended: set[tuple[Any, ...]]
    events: set[tuple[Any, ...]]
    series: set[tuple[Any, ...]]
    marks: int


def contents(path: Path, until_us: int = 1 << 62) -> Contents:
    """``until_us``: roll-ups that end later are left out."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        name = dict(conn.execute(_NAMED).fetchall())

        def named(query: str) -> set[tuple[Any, ...]]:
            return {(name[series], *rest) for series, *rest in conn.execute(query)}

        moved = int((conn.execute("SELECT value FROM meta WHERE key = 'moved_until_us'").fetchone() or ("0",))[0])
        rollups = {
            (name[row[0]], row[1], row[2]): row[3:]
            for row in conn.execute("SELECT * FROM rollup")
            if row[2] + row[1] * SECOND <= until_us
        }
        return Contents(
            named(f"SELECT series_id, ts, value, quality FROM history WHERE ts < {moved}")
            | named(f"SELECT series_id, ts, value, quality FROM recent WHERE ts >= {moved}"),
            rollups,
            named("SELECT * FROM retention_cut"),
            named("SELECT * FROM calibration"),
            named("SELECT series_id, made_us, since_us, until_us, quality, scale, \"offset\", note, readings, done_us, undone_us FROM mend"),
            set(conn.execute("SELECT note, first_ts, n, before FROM mended JOIN mend ON mend.id = mend_id")),
            set(conn.execute("SELECT ts, kind, sensor, detail FROM event WHERE kind = 'tick'")),
            named("SELECT series.id, unit, kind, heartbeat_us, wrap, dip, zero, series.labels, sensor.labels, driver, series.created_us FROM series JOIN sensor ON sensor.id = sensor_id"),
            conn.execute("SELECT count(*) FROM dirty").fetchone()[0],
        )  # fmt: skip


# ---- damage and salvage ------------------------------------------------------------------------------------------------


def spoil(path: Path, pages: dict[int, bytes]) -> None:
    """Put something else where these pages are."""
    with path.open("r+b") as file:
        for number, content in pages.items():
            file.seek((number - 1) * PAGE)
            file.write(content)


def pages_of(path: Path, *tables: str, kind: str = "leaf") -> list[int]:
    """The numbers of the pages of these tables."""
    with contextlib.closing(sqlite3.connect(path)) as conn:
        query = f"SELECT pageno FROM dbstat WHERE pagetype = ? AND name IN ({','.join('?' * len(tables))})"
        return [page for (page,) in conn.execute(query, (kind, *tables))]


def set_aside(path: Path, fresh: Path, specs: list[catalog.SensorSpec] | None = None, now_us: int = NOW) -> incidents.Incident:
    """As the daemon does: the damaged set goes, a fresh log begins, and the configuration is known in it."""
    incident = incidents.set_aside(path, now_us, "test")
    begin(path, fresh, specs, now_us)
    return incident


def begin(path: Path, fresh: Path, specs: list[catalog.SensorSpec] | None = None, now_us: int = NOW) -> None:
    shutil.copy(fresh, path)
    with contextlib.closing(connect_writer(path)) as conn:
        conn.execute("PRAGMA synchronous = OFF")
        with transaction(conn):
            catalog.sync(conn, SPECS[1:] if specs is None else specs, now_us)
            for key in ("edge_us", "moved_until_us"):
                conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, str(now_us - now_us % MINUTE)))
            conn.execute("INSERT OR REPLACE INTO meta VALUES ('day_zone', ?)", (ZONE,))
            salvage_order.order(conn, path, now_us)


def run(path: Path, fresh: Path, *, slices: int = 1_000_000, each: Callable[[Salvage], None] = lambda made: None) -> bool:
    """Do up to so many slices of whatever salvage waits, then forget all that is in memory. True when nothing waits."""
    made = Salvage(path, lambda target: _copy(fresh, target))
    with contextlib.closing(connect_writer(path)) as conn, contextlib.closing(made):
        conn.execute("PRAGMA synchronous = OFF")
        frontier = frontier_of(conn)
        each(made)
        for _ in range(slices):
            waiting = work.waiting(conn)
            if not waiting:
                return True
            fetched = made.fetch(waiting[0])
            if fetched is NOT_YET:
                continue
            with transaction(conn):
                work.store_slice(conn, waiting[0], made.store(conn, frontier, waiting[0], fetched, NOW), NOW)
            each(made)
        return not work.waiting(conn)


def until_found(made: Salvage, waiting: work.Work) -> Any:
    """The first piece: the file is opened in the background."""
    while (found := made.fetch(waiting)) is NOT_YET:
        time.sleep(0.01)
    return found


def outcome(path: Path) -> work.Work:
    with contextlib.closing(sqlite3.connect(path)) as conn:
        return work.everything(conn)[-1]


def heal(path: Path, until_us: int = NOW) -> None:
    with contextlib.closing(connect_writer(path)) as conn:
        conn.execute("PRAGMA synchronous = OFF")
        roll_up(path, conn, until_us)


def _copy(fresh: Path, target: Path) -> None:
    shutil.copy(fresh, target)
