"""What moving costs, and how many bytes are written per reading.

    python -m benchmarks.storage move    900,000 readings of 1 to 2000 series moved from recent to history
    python -m benchmarks.storage bytes   100 series at 1 Hz for 90 simulated minutes, a commit a second, with the mover

Bytes are what the kernel accounts to this process for the block device (write_bytes of /proc/self/io): run it on the file
system in question, not on tmpfs. No roll-ups.
"""

from __future__ import annotations

import random
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from sensorlogd.batch import Block, Column
from sensorlogd.storage.file.connecting import CHECKPOINT_PAGES
from sensorlogd.storage.ingest.append import append
from sensorlogd.storage.maintenance.mover import Mover
from sensorlogd.storage.schema.check import ensure_schema
from sensorlogd.storage.series import catalog
from sensorlogd.storage.watermarks import Frontier
from tests.connections import connect_writer

T0 = 1_750_000_000_000_000
SECOND = 1_000_000


def written() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("write_bytes")).split()[1])


def fresh(folder: str, series: int, checkpoint_pages: int = CHECKPOINT_PAGES) -> sqlite3.Connection:
    path = Path(folder) / "log.db"
    ensure_schema(path)
    conn = connect_writer(path, checkpoint_pages, waits_for_disk=True)
    specs = [catalog.SensorSpec(f"s{n}", "simulated", series=[catalog.SeriesSpec("x")]) for n in range(series)]
    conn.execute("BEGIN")
    catalog.sync(conn, specs, T0)
    conn.execute("COMMIT")
    return conn


def move(series: int, rows: int = 900_000) -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        conn = fresh(folder, series)
        readings = ((T0 + n // series * 10_000 + n % series, n % series + 1, random.random(), 1) for n in range(rows))
        conn.execute("BEGIN")
        conn.executemany("INSERT INTO recent VALUES (?,?,?,?)", readings)
        conn.execute("COMMIT")
        mover, frontier, before, began, slices = Mover(), Frontier(), written(), time.perf_counter(), [0.0]
        mover.recover(conn, frontier)
        while True:
            at = time.perf_counter()
            if not mover.step(conn, frontier, T0 + 86_400 * SECOND):
                break
            slices.append(time.perf_counter() - at)
        took = time.perf_counter() - began
        print(
            f"{series:5} series: {rows / took:8.0f} readings/s, {(written() - before) / rows:4.0f} bytes/reading, "
            f"{len(slices)} slices, longest {max(slices) * 1e3:.0f} ms, {sum(s > 0.04 for s in slices)} over 40 ms"
        )
        conn.close()


def bytes_written(checkpoint_pages: int, commit_every_s: int, seconds: int = 5400) -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        conn = fresh(folder, 100, checkpoint_pages)
        ids = {(f"s{n}", "x"): n + 1 for n in range(100)}
        mover, frontier, blocks = Mover(), Frontier(), []
        mover.recover(conn, frontier)
        before = written()
        for second in range(seconds):
            now = T0 + second * SECOND
            blocks += [Block(f"s{n}", [Column("x", [now + n * 7000], [random.random()], 1)]) for n in range(100)]
            if second % commit_every_s == commit_every_s - 1:
                conn.execute("BEGIN IMMEDIATE")
                append(conn, blocks, ids, frontier)
                conn.execute("COMMIT")
                blocks = []
                while mover.step(conn, frontier, now):
                    pass
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        each = (written() - before) / (seconds * 100)
        print(f"checkpoint every {checkpoint_pages} pages, commit every {commit_every_s} s: {each:.0f} bytes/reading")
        conn.close()


if __name__ == "__main__":
    if sys.argv[1:] == ["move"]:
        for count in (1, 20, 200, 2000):
            move(count)
    elif sys.argv[1:] == ["bytes"]:
        for pages, every in ((500, 1), (2000, 1), (4000, 1), (2000, 10)):
            bytes_written(pages, every)
    else:
        sys.exit(__doc__)
