"""What roll-ups cost: keeping up, closing a minute, catching up.

    python -m benchmarks.rollups live       a daemon that stores about 100,000 readings a second for half a minute
    python -m benchmarks.rollups close      minutes of 1000 series at 1 Hz closed while readings arrive
    python -m benchmarks.rollups backfill   a year at 1 Hz (--days N) that nothing was rolled up of, then done anew, then all of it dirty

Everything is the product's own: writer thread, aggregator process, mover, a file with fsync. CPU is what the kernel
accounts to the aggregator (and to the process of the writer, for comparison), wall time includes all waiting for each other.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.common import cpu_seconds, daemon, family, machine, scratch, status, stored_readings
from sensorlogd.batch import Block, Column
from sensorlogd.daemon.main.process.lock import DatabaseLock
from sensorlogd.daemon.rollups.coordinator import Coordinator, CoordinatorState
from sensorlogd.daemon.timekeeping.judged_clock import JudgedClock
from sensorlogd.daemon.writing.build import WriterParts, WriterSettings
from sensorlogd.daemon.writing.intake.inbox import Inbox
from sensorlogd.daemon.writing.recovery.opening import Opening
from sensorlogd.daemon.writing.writer import Writer
from sensorlogd.processes.waiting import wait_readable
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.maintenance.retention import Retention
from sensorlogd.storage.maintenance.upkeep import Upkeep
from sensorlogd.storage.open_database import OpenDatabase
from sensorlogd.storage.rollups import outdated
from sensorlogd.storage.rollups.edge import set_edge, stored_edge, use_day_zone
from sensorlogd.storage.schema.check import ensure_schema
from sensorlogd.storage.series.catalog import SensorSpec, SeriesSpec
from tests.connections import connect_writer

T0 = 1_735_689_600_000_000  # 2025-01-01T00:00Z
DAY_US = 86_400_000_000
ZONE = "Europe/Berlin"


class Rig:
    """Writer and coordinator on a file, with a clock that the benchmark sets."""

    def __init__(self, path: Path, series: int, now_us: int) -> None:
        self.path = path
        self.now_us = now_us
        self.inbox = Inbox(1_000_000)
        specs = [SensorSpec(f"s{n}", "simulated", series=[SeriesSpec("x", heartbeat_us=5_000_000)]) for n in range(series)]
        clock = JudgedClock(wall_ns=lambda: self.now_us * 1000, ask=lambda: True)
        self.lock = DatabaseLock(path, None)
        opening = Opening(path, specs, lambda: Upkeep(Mover(), Retention()), clock, remembered=self.lock)
        self.writer = Writer(WriterParts(WriterSettings(path), self.inbox, opening, clock))
        self.coordinator = Coordinator(self.writer, path, 3600.0, ZONE, lambda: self.now_us)

    @contextlib.contextmanager
    def running(self) -> Iterator[Rig]:
        self.lock.acquire()
        self.writer.start()
        self.writer.ready.wait()
        try:
            yield self
        finally:
            self.inbox.close()
            self.coordinator.stop()
            self.writer.stop()
            self.writer.join()
            self.lock.release()

    def turn(self) -> None:
        wait_readable(self.coordinator.waitables(), 0.002)
        self.coordinator.on_readable()
        self.coordinator.tick()

    def roll_up(self) -> None:
        """Until nothing is left to do."""
        self.coordinator.request()
        while True:
            self.turn()
            if self.coordinator.state is CoordinatorState.IDLE and not self.coordinator.wanted:
                return

    def cpu(self) -> tuple[float, float]:
        """(aggregator, this process) so far."""
        pid = self.coordinator.pid
        return cpu_seconds([pid]) if pid else 0.0, time.process_time()


def backfill(days: int) -> None:
    with scratch() as folder:
        path = folder / "log.db"
        readings = fill(path, days)
        rig = Rig(path, 1, T0 + days * DAY_US + 60_000_000)
        with rig.running():
            while rig.coordinator.state is not CoordinatorState.IDLE:
                rig.turn()
            measure("caught up", rig, readings)
            report(path)
            rig.writer.submit("stale", lambda db: outdated.mark(db.conn, [1], rig.now_us)).result()
            measure("done anew", rig, readings)

            def dirty(db: OpenDatabase) -> None:
                db.conn.execute("INSERT INTO dirty SELECT series_id, start, 1 FROM rollup WHERE resolution = 60")

            rig.writer.submit("dirty", dirty).result()
            measure("healed", rig, readings)


def fill(path: Path, days: int) -> int:
    """One series at about 1 Hz in ``history``, as a device that lives on a wall gives it: jitter, noise, some flags."""
    ensure_schema(path)
    conn = connect_writer(path, waits_for_disk=True)
    conn.execute("PRAGMA synchronous = OFF")
    conn.execute("BEGIN")
    set_edge(conn, T0)
    use_day_zone(conn, ZONE, 0)
    conn.execute("INSERT INTO meta VALUES ('moved_until_us', ?)", (str(T0 + days * DAY_US),))
    conn.execute("COMMIT")
    rng = random.Random(1)
    noise = [20 + rng.gauss(0, 0.5) for _ in range(99_991)]
    jitter = [int(rng.random() * 3000) for _ in range(99_991)]
    for day in range(days):
        conn.execute("BEGIN")
        base = T0 + day * DAY_US
        conn.executemany(
            "INSERT INTO history VALUES (1, ?, ?, ?)",
            (
                (base + n * 1_000_000 + jitter[(n + 7 * day) % 99_991], noise[(n + 31 * day) % 99_991], 1 if n % 977 else 3)
                for n in range(86_400)
            ),
        )
        conn.execute("COMMIT")
    conn.close()
    return days * 86_400


def measure(what: str, rig: Rig, readings: int) -> None:
    began, (child, own) = time.perf_counter(), rig.cpu()
    rig.roll_up()
    took, (child_after, own_after) = time.perf_counter() - began, rig.cpu()
    print(
        f"{what:10} {readings:>11,} readings in {took:6.1f} s: {readings / took:>11,.0f}/s;"
        f" CPU: aggregator {child_after - child:.1f} s ({readings / (child_after - child):,.0f}/s), writer {own_after - own:.1f} s;"
        f" longest hold {rig.coordinator.longest_store_s * 1e3:.0f} ms"
    )


def report(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        counts = conn.execute("SELECT resolution, count(*) FROM rollup GROUP BY 1").fetchall()
        print("           roll-ups: " + ", ".join(f"{count:,} of {resolution} s" for resolution, count in counts))


def close(series: int, minutes: int) -> None:
    with scratch() as folder:
        rig = Rig(folder / "log.db", series, T0)
        with rig.running():
            while rig.coordinator.state is not CoordinatorState.IDLE:
                rig.turn()
            # Half a day of roll-ups lies there already: each new row of a series goes to a page of its own.
            rig.writer.submit(
                "roll-ups",
                lambda db: (
                    db.conn.execute(
                        "INSERT INTO rollup(series_id, resolution, start, n, mean, m2, min, max, first_ts, first, last_ts, last, integral,"
                        " covered_us, increase, resets, sin_sum, cos_sum, n_good, n_not_evaluated, n_suspect, n_fail, n_missing)"
                        " SELECT series.id, 60, ?1 - value * 60000000, 60, 3.0, 240.0, 0, 6, 0, 0.5, 59000000, 3.5, 180.5,"
                        " 59000000, NULL, NULL, NULL, NULL, 60, 0, 0, 0, 0"
                        " FROM series, (WITH RECURSIVE g(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM g WHERE value < 720) SELECT value FROM g)",
                        (T0,),
                    )
                    and None
                ),
            ).result()
            holds = []
            cpu = 0.0
            for minute in range(minutes):
                for second in range(60):
                    ts = T0 + (minute * 60 + second) * 1_000_000
                    for n in range(series):
                        rig.inbox.put(Block(f"s{n}", [Column("x", [ts + n], [float(n % 7)], 1)]), 10.0)
                    if second % 20 == 0:
                        rig.writer.flush().result()
                rig.writer.flush().result()
                rig.now_us = T0 + (minute + 1) * 60_000_000 + 6_000_000
                rig.coordinator.longest_store_s = 0.0
                before = rig.cpu()[0]
                rig.roll_up()
                cpu += rig.cpu()[0] - before
                holds.append(rig.coordinator.longest_store_s * 1e3)
        holds.sort()
        with contextlib.closing(sqlite3.connect(f"file:{folder / 'log.db'}?mode=ro", uri=True)) as conn:
            (rows,) = conn.execute("SELECT count(*) FROM rollup WHERE start >= ? AND n = 60", (T0,)).fetchone()
            assert rows == minutes * series, rows
        print(
            f"{minutes} minutes of {series} series closed: storing held the writer at most {holds[-1]:.0f} ms at a time"
            f" (median of the longest of each minute {holds[len(holds) // 2]:.0f} ms); aggregator {cpu / minutes * 1e3:.0f} ms CPU a minute"
        )


def live(seconds: int) -> None:
    channels = {f"c{n}": {"signal": {"sine": {"amplitude": 5, "period": "1h", "noise": 0.1}}} for n in range(50)}
    sensor = {"driver": "simulated", "interval": "2ms", "batch": 100, "channels": channels}
    config = {
        "storage": {"rollup_interval": "5s", "min_free": "0B"},
        "sensors": {f"s{n}": sensor for n in range(4)},
    }
    with scratch() as folder, daemon(folder, config) as process:
        path = folder / "data" / "sensorlogd.db"
        status(folder)
        while True:  # the aggregator is the child that says so
            children = family(process.pid)[1:]
            aggregators = [pid for pid in children if "rollups.spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
            if aggregators:
                break
            time.sleep(0.05)
        time.sleep(5)
        began, stored, cpu = time.perf_counter(), stored_readings(path), cpu_seconds(aggregators)
        time.sleep(seconds)
        took, more, used = time.perf_counter() - began, stored_readings(path) - stored, cpu_seconds(aggregators) - cpu
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
            behind = time.time() - stored_edge(conn) / 1e6
        print(
            f"live: {more / took:,.0f} readings/s for {took:.0f} s; aggregator {100 * used / took:.1f} % of a core"
            f" ({more / used:,.0f} readings per second of CPU); edge {behind:.0f} s behind"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["live", "close", "backfill", "all"])
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--seconds", type=int, default=130)
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--minutes", type=int, default=5)
    options = parser.parse_args()
    print(f"{machine()}, load {os.getloadavg()[0]:.1f}")
    if options.what in ("close", "all"):
        close(options.series, options.minutes)
    if options.what in ("backfill", "all"):
        backfill(options.days)
    if options.what in ("live", "all"):
        live(options.seconds)


if __name__ == "__main__":
    main()
