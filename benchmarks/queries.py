"""Questions about a year of one reading a second (31,536,000 readings), in one run on one file.

    python -m benchmarks.queries [--days 365] [--keep FILE]

Builds the file (readings in ``history``, roll-ups computed by the aggregator's own code), then asks each question several
times and prints the median of the warm ones beside what plain SQL over the raw table takes for the same.
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

from benchmarks.common import scratch
from sensorlogd.storage.query.engine import Query
from sensorlogd.storage.query.grid import Step
from sensorlogd.storage.query.log_reader import LogReader
from sensorlogd.storage.rollups import compute, stored_rollups
from sensorlogd.storage.rollups.edge import set_edge, use_day_zone
from sensorlogd.storage.schema.check import ensure_schema
from sensorlogd.storage.series import catalog
from tests.connections import connect_writer

DAY_S = 86_400
T0 = 1_735_689_600  # 2025-01-01T00:00Z


def build(path: Path, days: int) -> None:
    """One gauge at 1 Hz."""
    ensure_schema(path)
    conn = connect_writer(path, waits_for_disk=True)
    conn.execute("PRAGMA synchronous = 0")
    conn.execute("BEGIN IMMEDIATE")
    spec = catalog.SensorSpec("bench", "simulated", series=[catalog.SeriesSpec("value", heartbeat_us=5_000_000)])
    series = catalog.sync(conn, [spec], T0 * 1_000_000).ids["bench", "value"]
    conn.execute("COMMIT")
    rng = random.Random(1)
    noise = [rng.gauss(0, 0.5) for _ in range(DAY_S)]
    daily = [5 * math.sin(2 * math.pi * second / DAY_S) for second in range(DAY_S)]
    started = time.perf_counter()
    for day in range(days):
        base = 15 + 10 * math.sin(2 * math.pi * day / 365)
        shift = rng.randrange(DAY_S)
        values = [round(base + d + n, 2) for d, n in zip(daily, noise[shift:] + noise[:shift], strict=True)]
        begin = (T0 + day * DAY_S) * 1_000_000
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany(
            "INSERT INTO history VALUES (?,?,?,?)",
            zip(repeat(series), range(begin, begin + DAY_S * 1_000_000, 1_000_000), values, repeat(1)),
        )
        conn.execute("COMMIT")
    end = (T0 + days * DAY_S) * 1_000_000
    conn.execute(
        "INSERT INTO meta(key, value) VALUES ('moved_until_us', ?1) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
        (str(end),),
    )
    inserted = time.perf_counter()
    conn.execute("BEGIN IMMEDIATE")
    set_edge(conn, T0 * 1_000_000)
    use_day_zone(conn, "UTC", 0)
    conn.execute("COMMIT")
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    for day in range(days):
        begin = (T0 + day * DAY_S) * 1_000_000
        conn.execute("BEGIN IMMEDIATE")
        for block in compute.compute_block(reader, begin, begin + DAY_S * 1_000_000, "UTC"):
            stored_rollups.store_rows(conn, block)
        set_edge(conn, begin + DAY_S * 1_000_000)
        conn.execute("COMMIT")
    reader.close()
    rolled = time.perf_counter()
    conn.close()
    rows = days * DAY_S
    print(f"built {path.stat().st_size / 1e9:.2f} GB: {rows:,} readings in {inserted - started:.0f} s;", end=" ")
    print(f"rolled up in {rolled - inserted:.0f} s ({rows / (rolled - inserted):,.0f} readings/s)")


def timed(question: Callable[[], Any], times: int) -> tuple[float, Any]:
    """Median milliseconds of the warm runs, and the answer."""
    question()
    took = []
    answer: Any = None
    for _ in range(times):
        began = time.perf_counter()
        answer = question()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took), answer


def ask(path: Path, days: int) -> None:
    """The questions."""
    begin, end = T0 * 1_000_000, (T0 + days * DAY_S) * 1_000_000
    with LogReader.open(path) as log:
        (series,) = log.series(["bench.value"])

        def rows(query: Query) -> list[Any]:
            return [row for _, answer in log.buckets([series], query) for row in answer.rows]

        took, answer = timed(lambda: rows(Query(begin, end, None, 1000)), 15)
        print(f"{days} days in at most 1000 points, mean min max coverage: {took:8.2f} ms  {len(answer)} points")
        month = min(days, 30) * DAY_S * 1_000_000
        took, answer = timed(lambda: rows(Query(end - month, end, Step.parse("1h"))), 15)
        sql = "SELECT ts / 3600000000 * 3600000000, avg(value) FROM history WHERE series_id = ? AND ts >= ? AND ts < ? GROUP BY 1"
        raw, plain = timed(lambda: log.conn.execute(sql, (series.id, end - month, end)).fetchall(), 3)
        assert len(plain) == len(answer)
        assert all(math.isclose(mean, row.values[0], rel_tol=1e-9) for (_, mean), row in zip(plain, answer, strict=True))
        print(f"hourly means of a month: {took:8.2f} ms; GROUP BY over the readings {raw:.0f} ms: {raw / took:.0f} times faster")
        day = end - DAY_S * 1_000_000
        took, count = timed(lambda: sum(1 for _ in log.readings([series], day, end)), 9)
        print(f"one day at full resolution, readings one by one: {took:8.2f} ms  {count:,} readings")
        took, count = timed(lambda: sum(len(chunk) for chunk in log.columns(series, day, end)), 9)
        print(f"one day at full resolution, by column: {took:8.2f} ms  {count:,} readings")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        count = sum(1 for _ in log.readings([series], begin, end))
        print(f"every reading of the file, streamed: {time.perf_counter() - began:.1f} s  {count:,} readings;", end=" ")
        print(f"memory grew by {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.1f} MB to", end=" ")
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--keep", type=Path, help="keep the built file here, and use it if it is there")
    options = parser.parse_args()
    for path in _files(options.keep):
        if not path.exists():
            build(path, options.days)
        ask(path, options.days)


def _files(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with scratch() as folder:
        yield folder / "year.db"
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
