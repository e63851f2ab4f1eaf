"""Ingest: simulated driver to committed row, as a ratio to raw sqlite3.executemany in the same run.

    python -m benchmarks.ingest [--readings 6000000]

Raw: 200 series, rows interleaved by time, 5000-row transactions of executemany into one WITHOUT ROWID (series_id, ts)
table, WAL, synchronous=FULL. Ours: the whole daemon as a process of its own: 4 simulated sensors of 50 channels as fast
as possible in batches of 100, valid + max_rate + stuck_after checked on every sample, mover and aggregator running. The
rate is taken from the first commit to the last full one: the few readings after it wait for the commit interval, as they
should, and a second of waiting is not work. Then the same with four sensors whose driver burns CPU in Python.

A faster writer leaves the mover less to do within the run, for it waits until readings are two seconds old. So the time until
all is moved, too, is measured from the first commit and printed as a rate of its own: it is the whole work.
"""

from __future__ import annotations

import argparse
import math
import sqlite3
import time
from pathlib import Path
from typing import Any

from benchmarks import common

SERIES, SENSORS = 200, 4
COMMIT_ROWS = 50_000  # readings of a full commit, as shipped
BLOCK_ROWS = 300_000  # readings that the mover waits for


def raw_rate(folder: Path, readings: int) -> float:
    path = folder / "raw.db"
    path.unlink(missing_ok=True)
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=FULL")
    conn.execute(
        "CREATE TABLE r(series_id INTEGER NOT NULL, ts INTEGER NOT NULL, value REAL, quality INTEGER NOT NULL,"
        " PRIMARY KEY(series_id, ts)) STRICT, WITHOUT ROWID"
    )
    start = 1_750_000_000_000_000
    values = [math.sin(i / 100) for i in range(readings // SERIES)]
    rows = [(s, start + i * 1000, v, 1) for i, v in enumerate(values) for s in range(SERIES)]
    began = time.perf_counter()
    for at in range(0, len(rows), 5000):
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany("INSERT INTO r VALUES (?,?,?,?)", rows[at : at + 5000])
        conn.execute("COMMIT")
    rate = len(rows) / (time.perf_counter() - began)
    conn.close()
    return rate


def configuration(samples: int, busy: int) -> dict[str, Any]:
    channel = {
        "unit": "V",
        "signal": {"sine": {"offset": 1, "amplitude": 5, "period": "10s"}},
        "valid": [-100, 100],
        "max_rate": "1000000/s",
        "stuck_after": "1h",
    }
    sensors: dict[str, Any] = {
        f"bank{n}": {
            "driver": "simulated",
            "interval": "0s",
            "batch": 100,
            "count": samples,
            "seed": n,
            "channels": {f"c{i}": channel for i in range(SERIES // SENSORS)},
        }
        for n in range(SENSORS)
    }
    for n in range(busy):
        sensors[f"busy{n}"] = {
            "driver": f"{Path(__file__).with_name('busy.py')}:Busy",
            "channels": {"x": {}},
            "heartbeat": "1d",
        }
    return {"storage": {"min_free": "0B"}, "sensors": sensors}


def ours(folder: Path, readings: int, busy: int) -> dict[str, float]:
    folder.mkdir()
    database = folder / "data" / "sensorlogd.db"
    with common.daemon(folder, configuration(readings // SERIES, busy)):
        total = readings // SERIES * SERIES
        first: tuple[float, int] | None = None
        while True:
            committed = common.status(folder)["daemon"]["committed"]
            now = time.perf_counter()
            if first is None and committed:
                first = (now, committed)
            if first is not None and committed > total - COMMIT_ROWS:
                break
            time.sleep(0.01)
        rate = (committed - first[1]) / (now - first[0])
        moved_late = common.count_rows(database, "recent")
        while common.status(folder)["daemon"]["committed"] < total or common.count_rows(database, "recent") >= BLOCK_ROWS:
            time.sleep(0.05)
        moved_rate = total / (time.perf_counter() - first[0])
        facts = common.status(folder)["daemon"]
    stored = common.stored_readings(database)
    assert stored == total, f"{stored} of {total} readings are in the database"
    return {"rate": rate, "moved_rate": moved_rate, "backlog": moved_late, "runs": facts["rollup_runs"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readings", type=int, default=6_000_000)
    readings = parser.parse_args().readings
    with common.scratch() as folder:
        print(common.machine())
        before = raw_rate(folder, 2_000_000)
        alone = ours(folder / "alone", readings, busy=0)
        crowded = ours(folder / "crowded", readings // 4, busy=4)
        after = raw_rate(folder, 2_000_000)
    raw = (before + after) / 2
    print(f"raw executemany          {raw:>10,.0f} rows/s   (before {before:,.0f}, after {after:,.0f})")
    for name, result in (("sensorlogd", alone), ("  + 4 busy threads", crowded)):
        print(
            f"{name:<24} {result['rate']:>10,.0f} rows/s   ratio {result['rate'] / raw:.2f}   "
            f"(mover backlog at the end {result['backlog']:,.0f} rows, {result['runs']:.0f} roll-up runs; "
            f"stored and moved {result['moved_rate']:,.0f} rows/s, ratio {result['moved_rate'] / raw:.2f})"
        )


if __name__ == "__main__":
    main()
